"""The hazards that are only advice, in words: condition, consequence, way out. What blocks is in operations/checks."""

from __future__ import annotations

from vaccine.plan.model import Hazard

# code: (text, way out); what stands in braces is filled in by the check
WARNING = {
    "guards-nothing": (
        "no row of the table is live and has a value in every column of the key: the index would hold none of them",
        "see --where; leave out a column that is NULL everywhere, since NULLs are never the same to a unique index",
    ),
    "wide-keys": (
        "{rows:,} live rows have a key of more than 2,600 bytes; an index entry takes 2,704 at most (54000)",
        "shorten those keys, or guard a digest of them",
    ),
    "null-hole": (
        "{columns} may be NULL in a live row: to a unique index two rows with a NULL there are not the same",
        "make the column NOT NULL, or know that such rows stay unguarded",
    ),
    "non-hot-updates": (
        "updates of {columns} can no longer be HOT, since the index's predicate reads it",
        "nothing to do: a little more WAL and vacuum work",
    ),
    "cascade": (
        "{name} of {source} (ON UPDATE CASCADE) refers to {columns}: rows there follow a resolved row",
        "nothing to do: on the way back they follow again; know that their triggers fire",
    ),
    "referred-to": (
        "{name} of {source} refers to {columns}: resolving a row that is referred to fails (23503)",
        "see those rows first; a failure stops the upgrade, and the batch it happens in is rolled back",
    ),
    "triggers": (
        "resolving a row is an UPDATE: it fires {triggers}",
        "see what they do; on the way back they are silenced where the role may, else what they stamp is reported",
    ),
    "stamped-order": (
        "{trigger} may stamp {column} on UPDATE, which this role cannot silence: after an undo other rows may survive",
        "choose another --survivor, or downgrade as a role that may SET session_replication_role (GRANT SET, from 15)",
    ),
    "random-order": (
        "the survivor order rests on {columns} alone, whose values are random: which row of a group stays is chance",
        "choose by something that means more with --survivor, or row by row with --keep",
    ),
    "published": ("the table is published: subscribers receive the resolved rows as updates", "nothing to do"),
    "waits-for": (
        "pid {pid} ({application}, {username}, {state}) {why} for {age:.0f} s: the index build would wait for it",
        "let it end, or end it, before the upgrade",
    ),
    "prepared": (
        "{what} holds the table and never ends by itself: the upgrade is refused once it is older than vaccine.wait_s",
        "{remedy}, in this database",
    ),
    "writer-fails": (
        "{place} ({name}) will fail once the index is there: {verdict}; {reasons}",
        "ship its fix first: vaccine writers {folder} prints it",
    ),
}
CODES = tuple(WARNING)


def hazard(code: str, **values: object) -> Hazard:
    """The hazard of that code, with the values filled in. What blocks is said by the checks of the run time."""
    text, fix = WARNING[code]
    return Hazard(code, text.format(**values), fix.format(**values))

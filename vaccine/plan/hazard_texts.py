"""The hazards in words: condition, consequence, way out. One place, so that they read as one person's."""

from __future__ import annotations

from vaccine.plan.model import Hazard

# code: (text, way out); what stands in braces is filled in by the check
BLOCKING = {
    "partitioned": (
        "the table is partitioned: a unique index there must hold the partition key, and is built leaf by leaf",
        "this version does not do partitioned tables; guard the key in the application for now",
    ),
    "inheritance": (
        "other tables inherit from it: the index would not cover their rows",
        "detach the children first, or guard the key in the application",
    ),
    "temporary": ("the table is temporary", "nothing to vaccinate: it ends with its session"),
    "no-primary-key": (
        "the table has no primary key: a row could be neither named in the journal nor restored",
        "add a primary key first, or resolve the duplicates by hand and plan again",
    ),
    "too-many-columns": (
        "the table has {count} columns: a row is joined to its old image, and PostgreSQL joins 1664 columns",
        "Vaccine takes tables of {most} columns at most; resolve the duplicates by hand and plan again",
    ),
    "carried-on": (
        "{name} of {source} (ON UPDATE {action}) refers to {columns}: rows there would change, kept in no journal",
        "choose another --assign, or make the foreign key ON UPDATE NO ACTION first",
    ),
    "replica-identity": (
        "the table is published without a replica identity: UPDATE fails with 55000",
        "ALTER TABLE … REPLICA IDENTITY FULL, or add a primary key",
    ),
    "name-taken": ("the name {name} is taken by {by}", "choose another with --name"),
    "row-security": (
        "row level security applies to this role: it may hide rows, so no count can be trusted",
        "plan and upgrade as the table's owner or as a role with BYPASSRLS",
    ),
    "no-way-to-retire": (
        "there are duplicates, and no way to retire a row is known: the table shows no lifecycle",
        "say how with --assign COLUMN=VALUE (and --where for which rows are live), or resolve them by hand",
    ),
    "still-live": (
        "a row would still be live after {columns} is assigned: nothing would be resolved",
        "choose --assign so that the row no longer satisfies the predicate",
    ),
    "generated-column": ("the column {column} is generated: it cannot be assigned", "assign its source column"),
}
WARNING = {
    "not-owner": (
        "this role may read; building the index needs the table's owner ({owner}) with CREATE on the schema",
        "run alembic upgrade as the owner",
    ),
    "no-create-schema": (
        "the journal lives in the schema vaccine, which does not exist, and this role may not create it",
        "GRANT CREATE ON DATABASE … to the role that runs alembic upgrade",
    ),
    "standby": (
        "this is a hot standby: the plan can be made here, the upgrade cannot run here",
        "run alembic upgrade on the primary",
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
    "collision": (
        "the unique index {index} reads an assigned column: resolving a row may collide there (23505)",
        "see those rows first; a collision stops the upgrade, and the batch it happens in is rolled back",
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
    "references": (
        "{count} foreign key(s) point here: rows that refer to a resolved row go on referring to it",
        "nothing is moved or deleted; repoint them in the application if it follows such references",
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
CODES = (*BLOCKING, *WARNING)


def hazard(code: str, **values: object) -> Hazard:
    """The hazard of that code, with the values filled in."""
    blocking = code in BLOCKING
    text, fix = BLOCKING[code] if blocking else WARNING[code]
    return Hazard(code, text.format(**values), fix.format(**values), blocking)

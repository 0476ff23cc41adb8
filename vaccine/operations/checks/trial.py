"""The UPDATE itself, tried on one row of each group and on all rows of some, and taken back: a trigger says its word.

Deferred constraints and triggers run too. Rows that others hold are passed by. What is not transactional stays (a
sequence that a trigger advances). A plan does not run what other roles have written.
"""

from __future__ import annotations

from psycopg import sql

from .model import Check, Question, Stage
from .of_rows import FOREIGN, PARTS

GROUPS = 200  # of each of these one row is tried,
WHOLE = 20  # and of these up to ten: what collides, collides within a group
LOCK_MS = 200

# What it would run of roles that are neither this one nor superusers: triggers, what a row must pass, and operators
# that the search_path of a run may find before PostgreSQL's own.
OF_OTHERS = f"""({FOREIGN.replace("k.oid", "p.oid")}
    OR EXISTS (SELECT FROM pg_catalog.pg_trigger AS g
                 JOIN pg_catalog.pg_proc AS f ON f.oid = g.tgfoid
                 JOIN pg_catalog.pg_roles AS o ON o.oid = f.proowner AND NOT o.rolsuper AND o.rolname <> current_user
                WHERE g.tgrelid = p.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype & 16 <> 0)
    OR EXISTS (SELECT FROM pg_catalog.pg_operator AS x JOIN pg_catalog.pg_roles AS o ON o.oid = x.oprowner
                WHERE NOT o.rolsuper AND o.rolname <> current_user))"""

TRIAL = """SELECT pg_catalog.array_remove(ARRAY[
       CASE WHEN {path} <> ''
            THEN pg_catalog.format('SELECT pg_catalog.set_config(''search_path'', %L, true)', {path}) END,
       'SET LOCAL lock_timeout = {lock_ms}',
       pg_catalog.concat('CREATE TEMPORARY TABLE vaccine_tried ON COMMIT DROP AS SELECT ', p.of_t, ' FROM ', p.source,
         ' AS t WHERE (', p.of_t, ') IN (SELECT ', p.excess, ' FROM (SELECT w.*, row_number() OVER (PARTITION BY ',
         p.survivor, ' ORDER BY ', p.excess, ') AS vaccine_place, dense_rank() OVER (ORDER BY ', p.survivor,
         ') AS vaccine_group FROM ', p.rows, ' AS w (', p.aliases, ')) AS w WHERE vaccine_place = 1 AND vaccine_group',
         ' <= {groups} OR vaccine_place <= 10 AND vaccine_group <= {whole}) FOR UPDATE OF t SKIP LOCKED'),
       pg_catalog.concat('UPDATE ', p.source, ' SET ', p.assignment, ' WHERE (', p.pk, ') IN (SELECT ', p.pk,
         ' FROM pg_temp.vaccine_tried)'),
       'SET CONSTRAINTS ALL IMMEDIATE',
       pg_catalog.concat('SELECT pg_catalog.format(''of the rows tried %s would be live still: a trigger or a rule '
         'undoes it, or the assignment does not end the predicate'', pg_catalog.count(*)) FROM ',
         p.source, ' WHERE ', {live}, ' AND (', p.pk, ') IN (SELECT ', p.pk,
         ' FROM pg_temp.vaccine_tried) HAVING pg_catalog.count(*) > 0')], NULL) AS statements
  FROM p WHERE p.assignment IS NOT NULL"""


def query(question: Question) -> sql.Composable:
    """The trial; not for a plan, where it would run code of other roles."""
    guard = f" AND NOT {OF_OTHERS}" if question.dry else ""
    return question.of_table(
        PARTS + TRIAL + guard, lock_ms=sql.SQL(str(LOCK_MS)), groups=sql.SQL(str(GROUPS)), whole=sql.SQL(str(WHOLE))
    )


def untried(question: Question) -> sql.Composable:
    """Whether a plan leaves it out for that."""
    guard = OF_OTHERS if question.dry else "FALSE"
    return question.of_table(f"{PARTS}SELECT current_user AS role FROM p WHERE {guard}")


CHECK = Check(
    "update-refused",
    "the UPDATE that resolves a row fails",
    "remove the cause, or choose another --assign",
    query,
    Stage.ROWS,
    probe=True,
    writes=True,
    ignores=("55P03", "40P01"),
)
UNTRIED = Check(
    "update-untried",
    "the UPDATE was not tried: it would run code of other roles with the rights of role {role}",
    "plan as the table's owner to have it tried; the upgrade tries it before any row changes",
    untried,
    Stage.ROWS,
    blocking=False,
)

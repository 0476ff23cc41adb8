"""A prepared transaction on the table never ends by itself: the index would wait for it without an end."""

from __future__ import annotations

from psycopg import sql

from .model import Check, Question, Stage

# The documented join on virtualtransaction misses those that were prepared in this life of the server: their own
# transactionid lock names them.
QUERY = """SELECT p.gid, p.owner, pg_catalog.quote_literal(p.gid) AS quoted,
       pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - p.prepared) AS age
  FROM pg_catalog.pg_prepared_xacts AS p
  JOIN pg_catalog.pg_locks AS x ON x.locktype = 'transactionid' AND x.pid IS NULL AND x.transactionid = p.transaction
 WHERE p.database = pg_catalog.current_database()
   AND p.prepared <= pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => {wait_s})
   AND EXISTS (SELECT FROM pg_catalog.pg_locks AS l
                WHERE l.locktype = 'relation' AND l.granted AND l.pid IS NULL
                  AND l.virtualtransaction = x.virtualtransaction
                  AND l.relation = (SELECT c.oid FROM {target}) AND {writes}
                  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d
                                     WHERE d.datname = pg_catalog.current_database()))
 ORDER BY p.prepared"""
WRITES = "l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'ShareLock')"


def query(question: Question) -> sql.Composable:
    """Those that a build waits for, and that are older than the run may wait."""
    return of(question, WRITES)


def of(question: Question, modes: str) -> sql.Composable:
    """Those that hold a lock of these modes, and that are older than the run may wait."""
    return question.of_table(QUERY.replace("{writes}", modes), wait_s=sql.Literal(question.options.wait_s))


TEXT = "prepared transaction {gid} (user {owner}, open for {age}) holds the table, and never ends by itself"
CHECK = Check(
    "prepared",
    TEXT + ": the index waits for it",
    "COMMIT PREPARED or ROLLBACK PREPARED {quoted}, in this database",
    query,
    Stage.INDEX,
    elsewhere=True,
)
# DROP INDEX CONCURRENTLY waits for readers too.
OF_DROP = Check(
    "prepared", TEXT + ": the drop waits for it", CHECK.fix, lambda question: of(question, "TRUE"), Stage.INDEX
)

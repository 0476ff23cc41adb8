"""The gate: a trigger that refuses new duplicates while the unique index is built, so that one build is enough.

An AFTER ROW trigger, since a BEFORE trigger sees NULL in a generated column. It takes a lock row for the key
in a small unlogged table, typed as the key's columns are, so that equal keys meet in one row by the index's
own equality; a REPEATABLE READ writer gets 40001 there. Then it raises unique_violation, in the future
index's name, when another live row has the key. `session_replication_role = replica` bypasses it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from ..key import Key, names
from ..session.blockers import holders_of, named, who_would_block
from ..session.retry import with_lock_retries
from ..session.run import Run
from ..session.transaction import message
from ..table import table_oid
from .states import empty_copy, index_statement, wanted, wanted_oid
from .watch import Budget, run_alone, wait_for_present

SCHEMA = "vaccine"


@dataclass(frozen=True)
class Gate:
    """The names of a key's gate: the same in every run, so that the next one finds what a killed one left."""

    stem: str

    @classmethod
    def of(cls, key: Key) -> Gate:
        """The gate of a key. The names say nothing of the key: they fit into 63 bytes of ASCII whatever its are."""
        text = json.dumps([key.schema, key.table, *key.columns])
        return cls("vaccine_gate_" + hashlib.sha256(text.encode()).hexdigest()[:16])

    @property
    def function(self) -> sql.Identifier:
        """The trigger's function."""
        return sql.Identifier(SCHEMA, self.stem)

    @property
    def lock_table(self) -> sql.Identifier:
        """The table of lock rows, one for each key that was written."""
        return sql.Identifier(SCHEMA, self.lock_name)

    @property
    def lock_name(self) -> str:
        """Its bare name."""
        return f"{self.stem}_lock"

    @property
    def helper(self) -> str:
        """The plain index on the key, in the table's schema."""
        return f"{self.stem}_key"

    @property
    def triggers(self) -> tuple[str, str]:
        """The trigger on INSERT and that on UPDATE."""
        return f"{self.stem}_insert", f"{self.stem}_update"


@dataclass(frozen=True)
class _Meaning:
    """What the trigger compares with: names qualified, so that no search_path matters."""

    predicate: str | None
    columns: tuple[str, ...]  # of the key and the predicate
    equals: tuple[tuple[str, str], ...]  # of each key column: schema and name of its operator


_PREDICATE = """
SELECT pg_catalog.pg_get_expr(x.indpred, x.indrelid),
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = x.indrelid AND a.attnum > 0
                AND (a.attnum = ANY (x.indkey) OR EXISTS (
                     SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = x.indexrelid
                        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                        AND d.refobjid = x.indrelid AND d.refobjsubid = a.attnum))
              ORDER BY a.attnum)
  FROM pg_catalog.pg_index x WHERE x.indexrelid = {index}
"""

_EQUALS = """
SELECT n.nspname::text, o.oprname::text
  FROM pg_catalog.pg_index x
 CROSS JOIN LATERAL unnest(x.indclass::oid[]) WITH ORDINALITY AS k(opclass, place)
  JOIN pg_catalog.pg_opclass c ON c.oid = k.opclass
  JOIN pg_catalog.pg_amop w ON w.amopfamily = c.opcfamily AND w.amopstrategy = 3
   AND w.amoplefttype = c.opcintype AND w.amoprighttype = c.opcintype
  JOIN pg_catalog.pg_operator o ON o.oid = w.amopopr
  JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
 WHERE x.indexrelid = {index}
 ORDER BY k.place
"""

_LOOKUP = """
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
      JOIN pg_catalog.pg_am m ON m.oid = i.relam
     WHERE x.indrelid = %(table)s AND x.indisvalid AND m.amname = 'btree' AND x.indnkeyatts >= %(width)s
       AND (x.indpred IS NULL OR pg_catalog.pg_get_expr(x.indpred, x.indrelid) = %(predicate)s)
       AND ARRAY(SELECT a.attname::text FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
                   JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
                  WHERE k.place <= %(width)s ORDER BY a.attname) = %(columns)s)
"""

_LEFT = """
SELECT (SELECT count(*) FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname = 'vaccine' AND p.proname = %(stem)s) > 0,
       (SELECT count(*) FROM pg_catalog.pg_trigger t WHERE t.tgrelid = %(table)s AND t.tgname = ANY (%(triggers)s)) > 0,
       (SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'vaccine' AND c.relname = %(lock)s) > 0,
       (SELECT count(*) FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
         WHERE x.indrelid = %(table)s AND c.relname = %(helper)s) > 0
"""

_BODY = """
#variable_conflict use_column
BEGIN
    IF (SELECT {predicate} FROM (SELECT {new_columns}) AS changed) IS NOT TRUE THEN
        RETURN NULL;
    END IF;
    INSERT INTO {lock_table} AS held ({columns}) VALUES ({new_key})
        ON CONFLICT ({columns}) DO UPDATE SET {touch};
    IF (SELECT pg_catalog.count(*) FROM (
            SELECT FROM ONLY {table} AS changed WHERE {same} AND {predicate} LIMIT 2) AS twice) > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'unique_violation', MESSAGE = {message}, DETAIL = {detail}
            || pg_catalog.concat_ws(', ', {new_key}) || ') already exists.',
            CONSTRAINT = {name}, TABLE = {table_name}, SCHEMA = {schema_name};
    END IF;
    RETURN NULL;
END
"""

_FUNCTION = """
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS {body}
"""

_OPEN = "BEGIN RETURN NULL; END"


def put_up(run: Run, name: str, key: Key, budget: Budget) -> None:
    """Put the gate up: from its commit on, every write of a live row is checked. A plain index on the key comes first.

    Raises:
        LockTimeoutError: CREATE TRIGGER did not get its SHARE ROW EXCLUSIVE lock, which waits for open writers.
        OverBudgetError: the helper index waited too long.
    """
    gate, meaning = Gate.of(key), _meaning(run.worker, key)
    run.say(f"putting the gate up on {key}: from now on a new duplicate gets unique_violation")
    if not _has_lookup(run.worker, key, meaning):
        plain = Key(key.schema, key.table, key.columns, meaning.predicate)
        what = f"build {gate.helper} (the gate's lookup index)"
        wait_for_present(run, what, budget, lambda: who_would_block(run.worker, key))
        run_alone(run, index_statement(gate.helper, plain, unique=False), what, budget)

    def create() -> None:
        run.worker.execute(message(run.worker, *_creation(run.worker, gate, name, key, meaning)))

    with_lock_retries(
        run.worker, run.options, create, f"put the gate up on {key}", blame=lambda: named(holders_of(run.worker, key))
    )


def take_down(run: Run, key: Key, budget: Budget) -> bool:
    """Take the gate down, whatever is left of it; False when nothing was there.

    First its function is replaced by one that lets all pass: that needs no lock on the table.

    Raises:
        LockTimeoutError: DROP TRIGGER did not get its lock; the gate lets all pass meanwhile.
        OverBudgetError: the helper index could not be dropped in time; the server goes on dropping it.
    """
    gate = Gate.of(key)
    function, triggers, lock, helper = _left(run.worker, gate, key)
    if not (function or triggers or lock or helper):
        return False
    if function:
        run.worker.execute(sql.SQL(_FUNCTION).format(function=gate.function, body=sql.Literal(_OPEN)))
    drops = [
        [
            sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(sql.Identifier(each), key.relation)
            for each in gate.triggers
        ]
        if triggers
        else [],
        [
            sql.SQL("DROP FUNCTION IF EXISTS {}()").format(gate.function),
            sql.SQL("DROP TABLE IF EXISTS {}").format(gate.lock_table),
        ],
    ]
    for statements in drops:
        _together(run, key, statements)
    if helper:
        drop_helper(run, key, budget)
    run.say(f"the gate on {key} is down")
    return True


def drop_helper(run: Run, key: Key, budget: Budget) -> None:
    """Drop the lookup index CONCURRENTLY."""
    helper = Gate.of(key).helper
    what = f"drop {helper} (the gate's lookup index)"
    wait_for_present(run, what, budget, lambda: holders_of(run.worker, key))
    statement = sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(key.schema, helper))
    run_alone(run, statement, what, budget, finish=True)


def is_there(connection: psycopg.Connection, key: Key) -> bool:
    """Whether anything of the key's gate is in the database."""
    return any(_left(connection, Gate.of(key), key))


def _together(run: Run, key: Key, statements: Sequence[sql.Composed]) -> None:
    def drop() -> None:
        if statements:
            run.worker.execute(message(run.worker, *statements))

    blame = lambda: named(holders_of(run.worker, key))  # noqa: E731  asked only when all tries failed
    with_lock_retries(run.worker, run.options, drop, f"take the gate down on {key}", blame=blame)


def _left(connection: psycopg.Connection, gate: Gate, key: Key) -> tuple[bool, ...]:
    asked = {
        "stem": gate.stem,
        "table": table_oid(connection, key),
        "triggers": list(gate.triggers),
        "lock": gate.lock_name,
        "helper": gate.helper,
    }
    row = connection.execute(_LEFT, asked).fetchone()
    assert row is not None
    return tuple(row)


def _has_lookup(connection: psycopg.Connection, key: Key, meaning: _Meaning) -> bool:
    asked = {
        "table": table_oid(connection, key),
        "width": len(key.columns),
        "predicate": meaning.predicate,
        "columns": sorted(key.columns),
    }
    with connection.transaction():
        connection.execute("SET LOCAL search_path = pg_catalog")
        row = connection.execute(_LOOKUP, asked).fetchone()
    return bool(row and row[0])


def _meaning(connection: psycopg.Connection, key: Key) -> _Meaning:
    """The predicate and the equality as PostgreSQL would put them into the index."""
    with connection.transaction(force_rollback=True):
        copy = empty_copy(connection, key)
        connection.execute(index_statement(wanted(key), copy, concurrently=False))
        connection.execute("SET LOCAL search_path = pg_catalog")
        row = connection.execute(sql.SQL(_PREDICATE).format(index=wanted_oid(key))).fetchone()
        equals = connection.execute(sql.SQL(_EQUALS).format(index=wanted_oid(key))).fetchall()
    assert row is not None
    return _Meaning(row[0], tuple(row[1]), tuple((each[0], each[1]) for each in equals))


def _creation(
    connection: psycopg.Connection, gate: Gate, name: str, key: Key, meaning: _Meaning
) -> list[sql.Composed | sql.SQL]:
    """The statements of one transaction, sent as one message: no lock hangs on the network while it goes on.

    The table's lock is taken first, so that it is never raised later.
    """
    source = sql.SQL("SELECT {} FROM ONLY {}").format(key.column_list, key.relation)
    statements: list[sql.Composed | sql.SQL] = [
        sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(key.relation),
    ]
    if not _schema_there(connection):
        statements.append(sql.SQL("CREATE SCHEMA vaccine"))
    image = sql.SQL("pg_catalog.record_image_ne(ROW({}), ROW({}))").format(
        names(meaning.columns, "old"), names(meaning.columns, "new")
    )
    return [
        *statements,
        sql.SQL("DROP TABLE IF EXISTS {}").format(gate.lock_table),
        sql.SQL("CREATE UNLOGGED TABLE {} AS {} WITH NO DATA").format(gate.lock_table, source),
        sql.SQL("REVOKE ALL ON {} FROM PUBLIC").format(gate.lock_table),
        sql.SQL("CREATE UNIQUE INDEX ON {} ({})").format(gate.lock_table, key.column_list),
        sql.SQL(_FUNCTION).format(
            function=gate.function, body=sql.Literal(_body(gate, name, key, meaning).as_string(connection))
        ),
        sql.SQL("REVOKE ALL ON FUNCTION {}() FROM PUBLIC").format(gate.function),
        sql.SQL("CREATE TRIGGER {} AFTER INSERT ON {} FOR EACH ROW EXECUTE FUNCTION {}()").format(
            sql.Identifier(gate.triggers[0]), key.relation, gate.function
        ),
        sql.SQL("CREATE TRIGGER {} AFTER UPDATE ON {} FOR EACH ROW WHEN ({}) EXECUTE FUNCTION {}()").format(
            sql.Identifier(gate.triggers[1]), key.relation, image, gate.function
        ),
    ]


def _body(gate: Gate, name: str, key: Key, meaning: _Meaning) -> sql.Composed:
    new_key = names(key.columns, "new")
    nulls = sql.SQL("pg_catalog.num_nulls({}) = 0").format(key.column_list)
    stands = sql.SQL("(") + sql.SQL(meaning.predicate) + sql.SQL("\n) AND ") if meaning.predicate else sql.SQL("")
    same = sql.SQL(" AND ").join(
        sql.SQL("changed.{} OPERATOR({}.{}) new.{}").format(
            sql.Identifier(column), sql.Identifier(schema), sql.SQL(operator), sql.Identifier(column)
        )
        for column, (schema, operator) in zip(key.columns, meaning.equals, strict=True)
    )
    return sql.SQL(_BODY).format(
        predicate=sql.SQL("(") + stands + nulls + sql.SQL(")"),
        new_columns=sql.SQL(", ").join(
            sql.SQL("new.{} AS {}").format(sql.Identifier(each), sql.Identifier(each)) for each in meaning.columns
        ),
        lock_table=gate.lock_table,
        columns=key.column_list,
        new_key=new_key,
        touch=sql.SQL(", ").join(
            sql.SQL("{} = held.{}").format(sql.Identifier(each), sql.Identifier(each)) for each in key.columns
        ),
        table=key.relation,
        same=same,
        message=sql.Literal(f'duplicate key value violates unique constraint "{name}"'),
        detail=sql.Literal(f"Key ({', '.join(key.columns)})=("),
        name=sql.Literal(name),
        table_name=sql.Literal(key.table),
        schema_name=sql.Literal(key.schema),
    )


def _schema_there(connection: psycopg.Connection) -> bool:
    row = connection.execute("SELECT pg_catalog.to_regnamespace('vaccine') IS NOT NULL").fetchone()
    return bool(row and row[0])

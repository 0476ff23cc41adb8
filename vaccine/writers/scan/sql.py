"""SQL text → the statements that insert into a table or look a row up by equality. sqlglot parses."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp

from vaccine.writers.model import Conflict, Kind, TableName
from vaccine.writers.scan.syntax import HOLE

logging.getLogger("sqlglot").setLevel(logging.ERROR)

MAX_STATEMENT = 20_000
HOLE_NAME = "__hole__"
START = re.compile(r"\b(insert\s+into|merge\s+into|copy\s+[\w.\"]+|select)\b", re.IGNORECASE)
MAY_HOLD = re.compile(
    r"\b(insert\s+into|merge\s+into|copy\s+[\w.\"]+[^;]*\bfrom|select\b.+\bfrom\b.+\bwhere)\b",
    re.IGNORECASE | re.DOTALL,
)
COPY = re.compile(r"copy\s+((?:\"[^\"]+\"|\w+)(?:\.(?:\"[^\"]+\"|\w+))?)\s*(\([^)]*\))?\s+from\b", re.IGNORECASE)
# what hides its content from the search for statements: literals and comments
MASKED = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
PARAMETER = re.compile(r"%\((\w+)\)s|%[sbt]|#\{[^}]*\}|\$\{[^}]*\}")
BOUND = (exp.Placeholder, exp.Parameter)
CONSTANTS = (exp.Literal, exp.Boolean, exp.Null)


@dataclass(frozen=True, slots=True)
class SqlText:
    """One statement: what it does, to which table, and where it begins and ends in the text."""

    kind: Kind
    table: TableName
    start: int
    end: int
    columns: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    conflict: Conflict | None = None
    inner: tuple[SqlText, ...] = field(default=())  # look-ups inside an INSERT … WHERE NOT EXISTS
    returning: bool = False


def statements(text: str) -> list[SqlText]:
    """The statements in a text, in order; what cannot be parsed is left out."""
    found: list[SqlText] = []
    masked = MASKED.sub(lambda match: " " * (match.end() - match.start()), text)
    reached = 0
    for match in START.finditer(masked):
        if match.start() < reached:
            continue
        end = _end(masked, match.start())
        if end - match.start() > MAX_STATEMENT:
            continue
        statement = _statement(text[match.start() : end], match.start(), end)
        if statement is not None:
            found.append(statement)
            reached = end
    return found


def _end(masked: str, start: int) -> int:
    """Where a statement ends: its semicolon, or the bracket that closes around it."""
    depth = 0
    procedural = masked[start : start + 6].lower() == "select"  # IF NOT EXISTS (…) THEN, FOR … LOOP
    for match in re.finditer(r"[();]|\b(?:THEN|LOOP)\b", masked[start:], re.IGNORECASE):
        mark = match.group().upper()
        if mark == "(":
            depth += 1
        elif mark == ")":
            depth -= 1
            if depth < 0:
                return start + match.start()
        elif mark == ";" or (
            depth == 0 and procedural and not re.search(r"\bCASE\b", masked[start:][: match.start()], re.IGNORECASE)
        ):
            return start + match.start()
    return len(masked)


def _statement(text: str, start: int, end: int) -> SqlText | None:
    copied = COPY.match(text)
    if copied is not None:
        columns = tuple(name.strip(' "()') for name in (copied.group(2) or "").split(",") if name.strip(' "()'))
        return SqlText(Kind.COPY, _name_of(copied.group(1)), start, end, columns)
    if text[:4].lower() == "copy":
        return None
    tree = parse(text)
    if isinstance(tree, exp.Insert):
        return _insert(tree, start, end)
    if isinstance(tree, exp.Merge):
        return _merge(tree, start, end)
    return _select(tree, start, end) if isinstance(tree, exp.Select) else None


def condition(text: str) -> exp.Expression | None:
    """An SQL condition as a tree; None when it cannot be parsed."""
    # only parsed, never sent to a database
    tree = parse("SELECT 1 FROM t WHERE " + text)  # noqa: S608
    where = tree.args.get("where") if tree is not None else None
    return where.this if where is not None else None


def parse(text: str) -> exp.Expression | None:
    """One statement in PostgreSQL's dialect, parameters of drivers made PostgreSQL's own; None when it cannot be."""
    plain = PARAMETER.sub(":p", text.replace(f"'{HOLE}'", ":p").replace(HOLE, HOLE_NAME))
    try:
        tree = sqlglot.parse_one(plain, read="postgres")
    except (sqlglot.errors.SqlglotError, RecursionError, ValueError, AttributeError):
        return None
    return tree if isinstance(tree, exp.Expression) else None


def _name_of(text: str) -> TableName:
    schema, _, name = text.replace('"', "").rpartition(".")
    return TableName(name, schema or None)


def _table(node: exp.Expression | None) -> TableName | None:
    if isinstance(node, exp.Schema):
        node = node.this
    if not isinstance(node, exp.Table) or not node.name or HOLE_NAME in node.name:
        return None
    schema = node.db if HOLE_NAME not in node.db else ""
    return TableName(node.name, schema or None)


def _insert(tree: exp.Insert, start: int, end: int) -> SqlText | None:
    table = _table(tree.this)
    if table is None:
        return None
    columns = tuple(column.name for column in tree.this.expressions) if isinstance(tree.this, exp.Schema) else ("*",)
    conflict = tree.args.get("conflict")
    inner = tuple(
        look_up
        for select in tree.find_all(exp.Select)
        if (look_up := _select(select, start, end)) is not None and look_up.table.name == table.name
    )
    return SqlText(
        Kind.UPSERT if conflict is not None else Kind.INSERT,
        table,
        start,
        end,
        columns,
        conflict=_conflict(conflict) if conflict is not None else None,
        inner=inner,
        returning=tree.args.get("returning") is not None,
    )


def _conflict(node: exp.Expression) -> Conflict:
    keys = node.args.get("conflict_keys") or []
    where = node.args.get("index_predicate")
    constraint = node.args.get("constraint")
    action = "update" if "UPDATE" in str(node.args.get("action", "")).upper() else "nothing"
    names = [key.this if isinstance(key, exp.Ordered) else key for key in keys]
    columns = tuple(
        name.name if isinstance(name, exp.Column | exp.Identifier) else name.sql("postgres") for name in names
    )
    return Conflict(
        columns or None,
        where.this.sql("postgres") if where is not None else None,
        constraint.name if constraint is not None else None,
        action,
        where is not None and any(True for _ in where.find_all(*BOUND)),
    )


def _merge(tree: exp.Merge, start: int, end: int) -> SqlText | None:
    table = _table(tree.this)
    inserts = [when for when in tree.find_all(exp.When) if isinstance(when.args.get("then"), exp.Insert)]
    if table is None or not inserts:
        return None
    columns = tuple(column.name for column in inserts[0].args["then"].this.find_all(exp.Column))
    on = tuple(dict.fromkeys(side.name for side in tree.args["on"].find_all(exp.Column)))
    look_up = SqlText(Kind.LOOK_UP, table, start, end, on)
    return SqlText(Kind.INSERT, table, start, end, columns, inner=(look_up,))


def _select(tree: exp.Select, start: int, end: int) -> SqlText | None:
    source = tree.args.get("from_") or tree.args.get("from")
    where = tree.args.get("where")
    table = _table(source.this) if source is not None else None
    if table is None or where is None or tree.args.get("group"):
        return None
    columns: list[str] = []
    fixed: list[str] = []
    for name, value in equalities(where.this):
        (fixed if isinstance(value, CONSTANTS) else columns).append(name)
    if not columns and not fixed:
        return None
    return SqlText(Kind.LOOK_UP, table, start, end, tuple(columns), tuple(fixed))


def equalities(node: exp.Expression) -> Iterator[tuple[str, exp.Expression]]:
    """(column, value) of each `column = value` that must hold for the whole condition."""
    if isinstance(node, exp.And | exp.Paren):
        for side in (node.this, node.args.get("expression")):
            if isinstance(side, exp.Expression):
                yield from equalities(side)
    elif isinstance(node, exp.EQ | exp.NullSafeEQ):
        left, right = bare(node.this), bare(node.expression)
        if isinstance(left, exp.Column):
            yield left.name, right
        elif isinstance(right, exp.Column):
            yield right.name, left


def bare(node: exp.Expression) -> exp.Expression:
    """The node without casts and brackets."""
    while isinstance(node, exp.Cast | exp.Paren):
        node = node.this
    return node

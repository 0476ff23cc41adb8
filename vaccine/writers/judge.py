"""What a writer will meet once the unique index stands, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from vaccine.writers.model import Conflict, KeySpec, Kind, SourceWriter, TableName, Verdict, snake

Judgement = tuple[Verdict, tuple[str, ...]]


def fits_table(table: TableName, key: KeySpec) -> bool:
    """True when the table that the code names may be the key's."""
    if table.schema is not None and table.schema.lower() != key.schema.lower():
        return False
    wanted = key.table.lower()
    names = {name.lower() for name in (table.name, *table.aliases)}
    if wanted in names or snake(table.name) == wanted:
        return True
    # Django puts the application's label in front: monitoring_issue
    return not table.exact and any(wanted.endswith("_" + name) for name in names)


def same(columns: Iterable[str], key: KeySpec) -> bool:
    """True when the columns are exactly the key's, whatever their order and spelling (camelCase)."""
    return {snake(column) for column in columns} == {snake(column) for column in key.columns}


def covers(columns: Iterable[str], key: KeySpec) -> bool:
    """True when the key's columns are among `columns`."""
    return {snake(column) for column in key.columns} <= {snake(column) for column in columns}


def judge(writer: SourceWriter, key: KeySpec | None) -> Judgement:
    """The verdict on a writer, against the index of `key` (there or planned), with reasons in words."""
    if writer.conflict is not None:
        answer = _upsert(writer, writer.conflict, key)
        if answer is not None:
            return answer
    if writer.handles:
        return Verdict.HANDLES, (writer.handles,)
    if writer.catches:
        return Verdict.HANDLES, (f"meets the violation: {writer.catches}",)
    return _unguarded(writer, key)


def _unguarded(writer: SourceWriter, key: KeySpec | None) -> Judgement:  # noqa: PLR0911  one return a verdict
    columns = writer.columns
    if key is not None and columns and "*" not in columns and not covers(columns, key):
        missing = ", ".join(c for c in key.columns if snake(c) not in {snake(one) for one in columns})
        return Verdict.KEY_NOT_WRITTEN, (f"does not write {missing}: a default or NULL decides",)
    found = writer.look_up
    if writer.kind is Kind.FIND_OR_CREATE:
        return Verdict.FIND_THEN_INSERT, (
            f"{writer.library}'s helper looks first and inserts then; older versions raise",
        )
    if found is not None and (found.single if key is None else covers(found.columns + found.fixed, key)):
        by = ", ".join(found.columns or found.fixed)
        where = f"line {found.line}" if not found.file else f"{found.file}:{found.line}"
        return Verdict.FIND_THEN_INSERT, (f"looks up by {by} ({where}), then inserts; two copies both find nothing",)
    if writer.kind is Kind.COPY:
        return Verdict.PLAIN_INSERT, ("COPY fails as a whole on one duplicate",)
    if key is None:
        return Verdict.UNKNOWN, ("an insert without a look-up or ON CONFLICT that was seen",)
    if "*" in columns or not columns:
        return Verdict.UNKNOWN, ("inserts; which columns it writes could not be read",)
    return Verdict.PLAIN_INSERT, ("inserts the key without a look-up, an ON CONFLICT or a handler",)


def _upsert(writer: SourceWriter, conflict: Conflict, key: KeySpec | None) -> Judgement | None:  # noqa: PLR0911  one return a verdict
    """The verdict on an ON CONFLICT clause; None when it does not concern the key."""
    if conflict.opaque:
        if writer.catches:
            return Verdict.HANDLES, (f"meets the violation: {writer.catches}",)
        return Verdict.UNKNOWN, ("an upsert whose target could not be read; see that it names the key's index",)
    if conflict.constraint is not None:
        return _by_constraint(conflict.constraint, key)
    if conflict.columns is None:
        return Verdict.UPSERT_SERVED, ("ON CONFLICT without a target takes any unique index",)
    if key is None:
        return Verdict.UNKNOWN, (f"upsert on ({', '.join(conflict.columns)}); no index was given to judge it by",)
    if not same(conflict.columns, key):
        return None
    return _by_target(writer, conflict, key)


def _by_constraint(name: str, key: KeySpec | None) -> Judgement:
    if key is not None and name == key.index:
        if key.predicate is None:
            return Verdict.UNKNOWN, (f"ON CONSTRAINT {name} works only if {name} is a constraint, not a bare index",)
        return Verdict.UPSERT_UNSERVED, (
            f"ON CONSTRAINT {name} fails (42704): a partial unique index is no constraint",
        )
    return Verdict.UNKNOWN, (f"upsert ON CONSTRAINT {name}: another constraint than the key's index",)


def _by_target(writer: SourceWriter, conflict: Conflict, key: KeySpec) -> Judgement:  # noqa: PLR0911  one return a verdict
    from vaccine.writers.implies import implies  # noqa: PLC0415  sqlglot is optional

    target = f"({', '.join(conflict.columns or ())})"
    if key.index is None:
        return Verdict.UPSERT_UNSERVED, (f"ON CONFLICT {target} fails (42P10): no unique index guards the key",)
    if key.predicate is None:
        return Verdict.UPSERT_SERVED, (f"ON CONFLICT {target} takes {key.index}",)
    if conflict.bound:
        why = "its WHERE binds a parameter: the generic plan (from about the sixth call) fails with 42P10"
        return Verdict.UPSERT_UNSERVED, (why, f"write it as literal SQL: WHERE {key.predicate}")
    if writer.rule == "active-record-upsert":
        return Verdict.UPSERT_SERVED, ("unique_by takes the index's own WHERE from the schema",)
    if conflict.predicate is None:
        why = f"ON CONFLICT {target} without WHERE cannot take the partial index {key.index} (42P10)"
        return Verdict.UPSERT_UNSERVED, (why,)
    if implies(conflict.predicate, key.predicate):
        return Verdict.UPSERT_SERVED, (f"its WHERE implies the predicate of {key.index}",)
    why = f"its WHERE ({conflict.predicate}) does not imply the whole predicate of {key.index} (42P10): {key.predicate}"
    return Verdict.UPSERT_UNSERVED, (why,)


def with_bypasses(writers: Sequence[SourceWriter], called: frozenset[str]) -> list[SourceWriter]:
    """Writers that go around the safe function that others call, told so; `called` are names called anywhere.

    The safe function is named, called, and holds a writer of the same key that meets the conflict.
    """
    safe: dict[tuple[str, KeySpec | None, frozenset[str]], SourceWriter] = {}
    for writer in writers:
        if writer.verdict.safe and writer.scope in called and len(writer.scope) > 3 and writer.found_by:
            safe.setdefault(_same_key(writer), writer)
    return [_bypass(writer, safe.get(_same_key(writer))) for writer in writers]


def _same_key(writer: SourceWriter) -> tuple[str, KeySpec | None, frozenset[str]]:
    return writer.table.name, writer.key, frozenset(map(snake, writer.found_by))


def _bypass(writer: SourceWriter, safe: SourceWriter | None) -> SourceWriter:
    if (
        safe is None
        or writer.scope == safe.scope
        or writer.verdict not in {Verdict.FIND_THEN_INSERT, Verdict.PLAIN_INSERT}
    ):
        return writer
    reason = f"writes around {safe.scope} ({safe.place}), which meets the conflict"
    return replace(writer, verdict=Verdict.BYPASSES, reasons=(reason, *writer.reasons))

"""SQLAlchemy: session.add in a savepoint that meets 23505, and insert() with on_conflict_do_nothing."""

from __future__ import annotations

import re

from vaccine.writers.fix.edit import Edit, NotSafe, after_imports, indent_of
from vaccine.writers.model import KeySpec, SourceWriter, Span, snake

ADD = re.compile(r"(?P<session>[\w.]+(?:\(\))?)\.add\(\s*(?P<row>[A-Za-z_]\w*)\s*\)\s*$")


def edits(writer: SourceWriter, text: str) -> list[Edit]:
    """The edits for one writer; raises NotSafe for the forms that are not patched."""
    spans = {span.name: span for span in writer.spans}
    if writer.key is None or "async" in text.lower():
        raise NotSafe("an asynchronous session is not patched")
    if writer.rule == "sqlalchemy-add":
        return _add(writer, writer.key, text, spans["chain"])
    if writer.rule == "sqlalchemy-insert" and writer.conflict is None:
        return _insert(writer.key, text, spans)
    raise NotSafe(f"there is no safe patch for the form {writer.rule}")


def _imports(text: str, lines: list[str]) -> list[Edit]:
    place = after_imports(text, "python")
    missing = [line for line in lines if not re.search(rf"^{re.escape(line)}$", text, re.MULTILINE)]
    return [Edit(place, place, "".join(f"{line}\n" for line in missing))] if missing else []


def _condition(key: KeySpec) -> str:
    return f"text({key.predicate!r})" if key.predicate else ""


def _add(writer: SourceWriter, key: KeySpec, text: str, span: Span) -> list[Edit]:
    statement = text[span.start : span.end]
    match = ADD.match(statement)
    line_start = text.rfind("\n", 0, span.start) + 1
    if match is None or text[line_start : span.start].strip() or text[span.end : span.end + 1] not in {"\n", ""}:
        raise NotSafe("only session.add(row) on a line of its own, row a name, is patched")
    row, session, model = match["row"], match["session"], writer.table.name
    classes = re.findall(rf"\b{row}\s*=\s*([A-Z]\w*)\(", text[: span.start])
    if not classes:
        raise NotSafe("the class of the row does not stand before it")
    model = classes[-1]
    spelled = {snake(name): name for name in writer.columns}
    names = [spelled.get(snake(column), column) for column in key.columns]
    where = [*(f"{model}.{name} == {row}.{name}" for name in names), *filter(None, [_condition(key)])]
    pad = indent_of(text, span.start)
    lines = [
        "try:",
        f"    with {session}.begin_nested():",
        f"        {session}.add({row})",
        "except IntegrityError as error:  # 23505: another copy won the race; reuse its row",
        '    if "23505" not in (getattr(error.orig, "sqlstate", None), getattr(error.orig, "pgcode", None)):',
        "        raise",
        f"    {row} = {session}.scalars(select({model}).where({', '.join(where)})).one()",
    ]
    imports = [
        "from sqlalchemy import select",
        "from sqlalchemy import text",
        "from sqlalchemy.exc import IntegrityError",
    ]
    return [*_imports(text, imports), Edit(span.start, span.end, f"\n{pad}".join(lines))]


def _insert(key: KeySpec, text: str, spans: dict[str, Span]) -> list[Edit]:
    chain, call = spans["chain"], spans["callee"]
    if text[call.start : call.end] != "insert" and not text[call.start : call.end].endswith("pg_insert"):
        raise NotSafe("only insert(Model).values(…) is patched")
    where = f", index_where={_condition(key)}" if key.predicate else ""
    clause = f".on_conflict_do_nothing(index_elements={list(key.columns)!r}{where})"
    body = text[chain.start : chain.end]
    returning = body.find(".returning(")
    if returning >= 0:
        raise NotSafe("DO NOTHING returns no row where one is there: use on_conflict_do_update, or look up after it")
    imports = ["from sqlalchemy import text", "from sqlalchemy.dialects.postgresql import insert as pg_insert"]
    return [
        *_imports(text, imports),
        Edit(call.start, call.end, "pg_insert"),
        Edit(chain.end, chain.end, clause),
    ]

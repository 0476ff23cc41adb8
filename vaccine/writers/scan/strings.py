"""SQL inside the strings of a program, and in SQL files."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vaccine.writers.model import Kind, Span
from vaccine.writers.scan import sql
from vaccine.writers.scan.site import Site
from vaccine.writers.scan.syntax import Node, Source

HAS_SQL = r"(?is)\b(insert\s+into|merge\s+into|copy\s|select\s.*\bwhere\b|insert\s*$)"
DUMP = re.compile(r"^-- PostgreSQL database dump", re.MULTILINE)
CONSOLE = frozenset({"log", "info", "debug", "warning", "error", "print", "echo"})


def sites(source: Source) -> Iterator[Site]:
    """The statements in the file's strings. A joined string is read as a whole."""
    kinds = source.grammar.strings
    rules = [{"kind": kind, "regex": HAS_SQL} for kind in sorted(kinds)]
    reached = -1
    for node in source.root.find_all(any=rules) if rules else ():
        whole = _whole(source, node)
        start, end = source.span(whole)
        if start < reached or _logged(source, whole):
            continue
        reached = end
        yield from _string_sites(source, whole)


def _whole(source: Source, node: Node) -> Node:
    """The outermost join that a string is part of."""
    parent = node.parent()
    while parent is not None and parent.kind() in source.grammar.joins | source.grammar.strings:
        node, parent = parent, parent.parent()
    return node


def _logged(source: Source, node: Node) -> bool:
    """True for a string that stands alone (a docstring) or is an argument of a logging call."""
    parent = node.parent()
    if parent is None:
        return False
    if parent.kind() == "expression_statement" and source.grammar.language == "python":
        return True
    call = parent.parent()
    if call is None or call.kind() not in source.grammar.calls:
        return False
    chain = source.chain(call)
    return bool(chain.links) and chain.links[-1].name in CONSOLE and len(chain.links) == 1


def _string_sites(source: Source, node: Node) -> Iterator[Site]:
    text = source.string(node)
    if text is None or not sql.MAY_HOLD.search(text):
        return
    start, end = source.span(node)
    raw = source.text[start:end]
    for statement in sql.statements(text):
        offset = _offset(raw, text, statement.start)
        yield site_of(statement, start + offset, end, library="SQL", spans=(Span("sql", start, end),))


def _offset(raw: str, text: str, position: int) -> int:
    """Where a position of the string's text lies in its source: by its word, counted."""
    word = re.match(r"\w+", text[position:])
    if word is None:
        return 0
    nth = len(re.findall(rf"\b{word.group()}\b", text[:position]))
    found = [match.start() for match in re.finditer(rf"\b{word.group()}\b", raw)]
    return found[nth] if nth < len(found) else 0


def site_of(statement: sql.SqlText, start: int, end: int, *, library: str, spans: tuple[Span, ...] = ()) -> Site:
    """A statement as a site."""
    inner = tuple(site_of(one, start, end, library=library) for one in statement.inner)
    return Site(
        statement.kind,
        statement.table,
        start,
        end,
        library,
        f"sql-{statement.kind}",
        0.95,
        statement.columns,
        statement.fixed,
        statement.conflict,
        returning=statement.returning,
        spans=spans,
        inner=inner,
    )


def file_sites(text: str) -> Iterator[Site]:
    """The statements of an SQL file. A dump is data, not a writer."""
    if DUMP.search(text[:2000]):
        return
    for statement in sql.statements(text):
        if statement.kind is Kind.LOOK_UP and not statement.columns:
            continue
        spans = (Span("sql", statement.start, statement.end),)
        yield site_of(statement, statement.start, statement.end, library="SQL", spans=spans)

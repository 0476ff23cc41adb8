"""One file's text → its writes and look-ups, with the look-up that precedes each write in the same scope."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from vaccine.errors import UsageError
from vaccine.writers.model import Kind
from vaccine.writers.scan.grammar import Grammar
from vaccine.writers.scan.rules import worth_parsing
from vaccine.writers.scan.site import Site
from vaccine.writers.scan.syntax import Source

NOT_CALLED = frozenset({"if", "for", "while", "return", "switch", "catch", "function", "await", "super", "print"})
CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")
WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Found:
    """A file's sites. `finders` are the look-ups by the name of the function around them."""

    file: str
    language: str
    writes: tuple[Write, ...]
    finders: tuple[tuple[str, int, Site], ...]  # function's name, line, look-up
    calls: frozenset[str]  # names that the file calls


@dataclass(frozen=True)
class Write:
    """One write with what stands around it."""

    site: Site
    line: int
    scope: str
    look_ups: tuple[tuple[int, Site], ...]  # (line, look-up) before it in the same scope, nearest first
    called: tuple[str, ...]  # names of functions called before it in the same scope
    catches: str
    text: str


def needs() -> None:
    """Raise when the optional libraries are missing.

    Raises:
        UsageError: ast-grep-py or sqlglot is not installed.
    """
    try:
        import ast_grep_py  # noqa: F401, PLC0415  optional: only for source code
        import sqlglot  # noqa: F401, PLC0415
    except ImportError as error:
        raise UsageError(
            "source code cannot be read: an optional library is missing",
            why=f"import {error.name} failed",
            fix="pip install 'vaccine[writers]' and run the same command again",
        ) from None


def extract(file: str, text: str, grammar: Grammar) -> Found | None:
    """The sites of one file; None when its text holds nothing to look for."""
    if not worth_parsing(grammar.language).search(text):
        return None
    source, sites = _sites(file, text, grammar)
    sites = sorted(_without_repeats(sites), key=lambda site: site.start)
    if not sites:
        return Found(file, grammar.language, (), (), frozenset(CALL.findall(text)))
    return _found(source, sites)


def _sites(file: str, text: str, grammar: Grammar) -> tuple[Source, list[Site]]:
    from vaccine.writers.scan import chains, shell, strings  # noqa: PLC0415  they import the optional libraries

    if not grammar.parser:
        return Source(file, text, grammar, None), list(strings.file_sites(text))
    from ast_grep_py import SgRoot  # noqa: PLC0415

    source = Source(file, text, grammar, SgRoot(text, grammar.parser).root())
    found = list(chains.sites(source))
    found += shell.sites(source) if grammar.language == "bash" else strings.sites(source)
    return source, found


def _without_repeats(sites: Iterable[Site]) -> list[Site]:
    seen: set[tuple[int, Kind, str]] = set()
    kept = []
    for site in sites:
        identity = (site.start, site.kind, site.table.name)
        if identity not in seen:
            seen.add(identity)
            kept.append(site)
    return kept


def _found(source: Source, sites: list[Site]) -> Found:
    look_ups = [site for site in sites if site.kind is Kind.LOOK_UP]
    writes = tuple(_write(source, site, look_ups) for site in sites if site.kind is not Kind.LOOK_UP)
    finders = tuple(
        (name, source.line(site.start), site) for site in look_ups if (name := _scope_name(source, site.start))
    )
    return Found(source.file, source.grammar.language, writes, finders, frozenset(CALL.findall(source.text)))


def _scope_name(source: Source, offset: int) -> str:
    return source.scope_name(offset) if source.grammar.parser else ""


def _write(source: Source, site: Site, look_ups: list[Site]) -> Write:
    start, end = _scope(source, site.start)
    before = [(source.line(one.start), one) for one in look_ups if _precedes(source, one, site)]
    inner = [(source.line(site.start), one) for one in site.inner]
    called = _called(source, source.text[start : site.start])
    line_end = source.text.find("\n", site.start)
    return Write(
        site,
        source.line(site.start),
        _scope_name(source, site.start),
        tuple(inner + before[::-1]),
        called,
        _catches(source, site, start, end),
        source.text[site.start : line_end if line_end >= 0 else len(source.text)].strip()[:160],
    )


def _called(source: Source, text: str) -> tuple[str, ...]:
    pattern = WORD if source.grammar.language == "bash" else CALL
    return tuple(name for name in dict.fromkeys(pattern.findall(text)) if name not in NOT_CALLED)


def _scope(source: Source, offset: int) -> tuple[int, int]:
    """The span in which look-ups and handlers count for a write: the outermost function that is not the file."""
    if not source.grammar.parser:
        return 0, len(source.text)
    scopes = source.scopes(offset)
    named = [scope for scope in scopes if scope.name] or scopes
    return (named[0].start, named[0].end) if named else (0, len(source.text))


def _precedes(source: Source, look_up: Site, write: Site) -> bool:
    """True when the look-up comes first, in a function around the write."""
    if look_up.start >= write.start:
        return False
    if not source.grammar.parser:
        return write.start - look_up.start < 2000
    scopes = source.scopes(look_up.start)
    if not scopes:
        return True if not source.scopes(write.start) else source.grammar.language == "bash"
    return scopes[0].start <= write.start < scopes[0].end


def _catches(source: Source, site: Site, start: int, end: int) -> str:
    """The word by which the code around a write shows that it meets a unique violation; "" when it does not.

    A handler counts when its `try` holds the write; a test of a result, when it comes after the
    write in the same function. Comments do not count.
    """
    for node in source.find(source.grammar.tries):
        first, last = source.span(node)
        if not first <= site.start < last:
            continue
        for handler in node.children():
            if handler.kind() in source.grammar.handlers and (word := _word(source, *source.span(handler))):
                return word
    return _word(source, max(start, site.start), end)


def _word(source: Source, start: int, end: int) -> str:
    for match in source.grammar.conflict.finditer(source.text, start, end):
        if source.grammar.parser and source.in_comment(match.start()):
            continue
        return match.group()
    return ""

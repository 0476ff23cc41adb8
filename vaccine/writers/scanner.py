"""Folders of source code → all writers, joined to their look-ups and judged. No database is asked."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from vaccine.writers.judge import covers, fits_table, judge, with_bypasses
from vaccine.writers.model import KeySpec, Kind, LookUp, ScanCounts, SourceWriter, SourceWriters, TableName
from vaccine.writers.scan import models, walk
from vaccine.writers.scan.extract import Found, Write, extract, needs
from vaccine.writers.scan.grammar import Grammar, by_extension, grammars
from vaccine.writers.scan.rules import triggers
from vaccine.writers.scan.site import Site

PRIMARY = frozenset({"id", "pk", "uuid"})
Finders = dict[str, list[tuple[str, int, Site]]]
SHEBANGS = {"python": "python", "node": "javascript", "ruby": "ruby", "php": "php", "sh": "bash"}


OUT_OF_TIME = "time budget ran out"


def scan(
    paths: Sequence[Path],
    *,
    keys: Sequence[KeySpec] | None = None,
    everything: bool = False,
    deadline: float | None = None,
) -> SourceWriters:
    """All writers in the files and folders `paths`.

    With `keys`, only the writers of their tables, once for each key that fits; without, all
    writers, with nothing to judge an upsert by. `everything` also reads tests, migrations and seeds.
    No file is read after `deadline` (of time.monotonic()); what is left is counted.

    Raises:
        UsageError: an optional library is missing, or a path does not exist.
    """
    needs()
    tally = walk.Tally()
    known: dict[str, str] = {}
    classes = models.Classes()
    found = list(_files(paths, tally, known, classes, everything=everything, deadline=deadline))
    finders: Finders = defaultdict(list)
    for one in found:
        for name, line, site in one.finders:
            finders[name].append((one.file, line, site))
    called = frozenset(name for one in found for name in one.calls)
    writers = [
        writer
        for one in found
        for write in one.writes
        if not classes.foreign(write.site.table, one.language)
        for writer in _writers(one, write, known, finders, keys)
    ]
    writers.sort(key=lambda writer: (writer.file, writer.line))
    counts = ScanCounts(tally.read, tally.lines, tuple(sorted(tally.skipped.items())))
    return SourceWriters(tuple(with_bypasses(writers, called)), counts)


def _files(
    paths: Sequence[Path],
    tally: walk.Tally,
    known: dict[str, str],
    classes: models.Classes,
    *,
    everything: bool,
    deadline: float | None,
) -> Iterator[Found]:
    endings = frozenset(by_extension()) | {"prisma"}
    for path in walk.files(paths, endings, tally, everything=everything):
        if deadline is not None and time.monotonic() > deadline:
            tally.skipped[OUT_OF_TIME] += 1
            continue
        text = walk.read(path, tally)
        if text is None:
            continue
        tally.read += 1
        tally.lines += text.count("\n") + 1
        known.update(models.declared(text))
        if path.suffix in {".rb", ".php"}:
            classes.add(text)
        grammar = _grammar(path, text)
        if grammar is None:
            continue
        try:
            found = extract(str(path), text, grammar)
        except (RecursionError, ValueError, UnicodeError):
            tally.skipped["could not be parsed"] += 1
            continue
        if found is not None:
            yield found


def _grammar(path: Path, text: str) -> Grammar | None:
    grammar = by_extension().get(path.suffix.lower().lstrip("."))
    if grammar is None and text.startswith("#!"):
        first = text.partition("\n")[0]
        language = next((name for mark, name in SHEBANGS.items() if mark in first), None)
        grammar = grammars()[language] if language is not None else None
    return grammar


def _writers(
    found: Found, write: Write, known: dict[str, str], finders: Finders, keys: Sequence[KeySpec] | None
) -> Iterator[SourceWriter]:
    table = models.resolve(write.site.table, known)
    look_ups = _look_ups(found, write, table, known, finders, keyed=keys is not None)
    writer = _writer(found, write, table)
    if keys is None:
        yield _judged(replace(writer, look_up=_likeliest(look_ups)), None)
        return
    for key in keys:
        if fits_table(table, key):
            fitting = [one for one in look_ups if covers(one.columns + one.fixed, key)]
            yield _judged(replace(writer, look_up=fitting[0] if fitting else None), key)


def _likeliest(look_ups: list[LookUp]) -> LookUp | None:
    """The nearest look-up that asks for one row, else the nearest."""
    return next((one for one in look_ups if one.single), look_ups[0] if look_ups else None)


def _judged(writer: SourceWriter, key: KeySpec | None) -> SourceWriter:
    verdict, reasons = judge(writer, key)
    return replace(writer, key=key, verdict=verdict, reasons=reasons)


def _writer(found: Found, write: Write, table: TableName) -> SourceWriter:
    site = write.site
    kind = Kind.UPSERT if site.conflict is not None and site.kind is Kind.INSERT else site.kind
    confidence = site.confidence if table.exact else round(site.confidence * 0.85, 2)
    return SourceWriter(
        found.file,
        write.line,
        found.language,
        site.library,
        site.rule,
        kind,
        table,
        confidence,
        site.columns,
        conflict=site.conflict,
        catches=write.catches,
        scope=write.scope,
        text=write.text,
        spans=site.spans,
        handles=site.handles,
        returning=site.returning,
    )


def _look_ups(
    found: Found, write: Write, table: TableName, known: dict[str, str], finders: Finders, *, keyed: bool
) -> list[LookUp]:
    """The look-ups of the write's own table: in its scope first, then in functions that its scope calls."""
    near = [(line, site, "") for line, site in write.look_ups]
    for name in write.called:
        if name in triggers(found.language) or len({file for file, _, _ in finders.get(name, ())}) != 1:
            continue  # a library's own word, or too common a name to say which function it is
        near += [(line, site, file if file != found.file else "") for file, line, site in finders.get(name, ())]
    return [
        LookUp(line, site.columns, site.fixed, single=site.single, file=file)
        for line, site, file in near
        if _same_table(models.resolve(site.table, known), table)
        and (site.columns or (site.fixed and keyed))
        and not PRIMARY & set(site.columns)
    ]


def _same_table(one: TableName, other: TableName) -> bool:
    if one.schema and other.schema and one.schema != other.schema:
        return False
    return bool({one.name, *one.aliases} & {other.name, *other.aliases})

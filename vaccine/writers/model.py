"""What the search for writers gives, as frozen data: keys, writers, look-ups, verdicts, counts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake(name: str) -> str:
    """`violationHash` → `violation_hash`."""
    return CAMEL.sub("_", name).lower()


class Kind(StrEnum):
    """What a place in the code does to a table."""

    INSERT = "insert"
    UPSERT = "upsert"
    COPY = "copy"
    FIND_OR_CREATE = "find-or-create"
    LOOK_UP = "look-up"


class Verdict(StrEnum):
    """What a writer will meet once the unique index stands (or why two rows are possible today)."""

    UPSERT_SERVED = "upsert-served"
    UPSERT_UNSERVED = "upsert-unserved"
    HANDLES = "handles-violation"
    FIND_THEN_INSERT = "find-then-insert"
    PLAIN_INSERT = "plain-insert"
    BYPASSES = "bypasses-writer"
    KEY_NOT_WRITTEN = "key-not-written"
    UNKNOWN = "cannot-tell"

    @property
    def fails(self) -> bool:
        """True when the writer surfaces an error on the day of the deploy, or races today."""
        return self in FAILING

    @property
    def safe(self) -> bool:
        """True when two copies of the writer make one row and see no error."""
        return self in {Verdict.UPSERT_SERVED, Verdict.HANDLES}


FAILING = frozenset({Verdict.UPSERT_UNSERVED, Verdict.FIND_THEN_INSERT, Verdict.PLAIN_INSERT, Verdict.BYPASSES})


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One logical key and the unique index that guards it, or will.

    `predicate` is SQL over the table's columns, the key's own IS NOT NULL included; None for a
    whole index. `index` is the index's name; None when there is none and none is planned.
    """

    schema: str
    table: str
    columns: tuple[str, ...]
    predicate: str | None = None
    index: str | None = None

    @property
    def label(self) -> str:
        """`schema.table (a, b)`, for people."""
        return f"{self.schema}.{self.table} ({', '.join(self.columns)})"


@dataclass(frozen=True, slots=True)
class TableName:
    """A table as the code names it; `aliases` are the names that a model class may stand for."""

    name: str
    schema: str | None = None
    exact: bool = True
    aliases: tuple[str, ...] = ()
    space: str = (
        ""  # the outermost namespace of a Ruby class, `OIDC` of `OIDC::IdToken`; "Models" of an imported PHP model
    )


@dataclass(frozen=True, slots=True)
class Conflict:
    """An upsert's arbiter: ON CONFLICT, or a library's form of it.

    `columns` is None when the clause names no target (a bare DO NOTHING). `predicate` is its
    WHERE in SQL; `bound` says that the predicate holds a bound parameter.
    """

    columns: tuple[str, ...] | None = None
    predicate: str | None = None
    constraint: str | None = None
    action: str = "nothing"
    bound: bool = False
    opaque: bool = False  # the target could not be read from the source


@dataclass(frozen=True, slots=True)
class LookUp:
    """A search for one row by equality. `fixed` are the columns that were compared with a constant."""

    line: int
    columns: tuple[str, ...]
    fixed: tuple[str, ...] = ()
    text: str = ""
    single: bool = True  # asks for one row, or whether there is one
    file: str = ""  # set when the look-up stands in a function of another file


@dataclass(frozen=True, slots=True)
class Span:
    """Character offsets of a named part of the writer in its file: what a patch edits."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SourceWriter:
    """One place in source code that puts rows into a table, judged against one key.

    `line` counts from 1. `columns` are the columns that it writes, empty when they could not be
    read. `key` is None when no key was given or none fits; `found_by` are then the columns of the
    look-up or of the ON CONFLICT target. `confidence` is between 0 and 1: that this is a writer of
    this table. `scope` is the innermost named function, "" at the top level.
    """

    file: str
    line: int
    language: str
    library: str
    rule: str
    kind: Kind
    table: TableName
    confidence: float
    columns: tuple[str, ...] = ()
    look_up: LookUp | None = None
    conflict: Conflict | None = None
    catches: str = ""
    scope: str = ""
    text: str = ""
    key: KeySpec | None = None
    verdict: Verdict = Verdict.UNKNOWN
    reasons: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    handles: str = ""  # why the library's helper meets the violation by itself
    returning: bool = False

    @property
    def found_by(self) -> tuple[str, ...]:
        """The columns by which the code finds "the same" row, as far as the code shows them."""
        if self.key is not None:
            return self.key.columns
        if self.conflict is not None and self.conflict.columns:
            return self.conflict.columns
        return self.look_up.columns if self.look_up is not None else ()

    @property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class ScanCounts:
    """How many files were read and left out, by reason, and how many lines were read."""

    read: int = 0
    lines: int = 0
    skipped: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class SourceWriters:
    """All writers found, in the order of file and line; one entry for each key that a writer fits."""

    writers: tuple[SourceWriter, ...] = ()
    counts: ScanCounts = field(default_factory=ScanCounts)

    def of(self, key: KeySpec) -> tuple[SourceWriter, ...]:
        """The writers that were judged against `key`."""
        return tuple(writer for writer in self.writers if writer.key == key)

    @property
    def failing(self) -> tuple[SourceWriter, ...]:
        """The writers that will fail on the day of the deploy, or race today."""
        return tuple(writer for writer in self.writers if writer.verdict.fails)

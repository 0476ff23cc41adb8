"""The rules: one TOML file each under rules/<language>/; docs/writers.md says how to add one."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

from vaccine.writers.model import Kind
from vaccine.writers.scan.grammar import RULES, grammars

SHARED = {"typescript": "javascript", "tsx": "javascript"}  # these languages also use the rules of another


@dataclass(frozen=True, slots=True)
class ChainPlace:
    """Where in a chain a value stands: the names of the link, then argument numbers, keywords or map keys."""

    links: frozenset[str]
    path: tuple[str, ...]
    reader: str

    @classmethod
    def parse(cls, data: dict[str, Any]) -> ChainPlace:
        """From `{at = "from|table/0", as = "string"}`."""
        link, *path = str(data["at"]).split("/")
        return cls(frozenset(link.split("|")), tuple(path), str(data.get("as", "string")))


@dataclass(frozen=True, slots=True)
class Rule:
    """One form of a writer or look-up: a chain of calls, and where its table and columns stand."""

    id: str
    language: str
    library: str
    kind: Kind
    links: tuple[frozenset[str], ...]
    tables: tuple[ChainPlace, ...]
    confidence: float
    root: re.Pattern[str] | None = None
    requires: re.Pattern[str] | None = None
    columns: tuple[ChainPlace, ...] = ()
    conditions: tuple[tuple[ChainPlace, re.Pattern[str]], ...] = ()
    target: ChainPlace | None = None
    target_where: ChainPlace | None = None
    ignores: ChainPlace | None = None
    handles: str = ""
    absent: frozenset[str] = frozenset()
    between: frozenset[str] | None = None  # the only links that may stand before the last one


def _pattern(data: dict[str, Any], name: str) -> re.Pattern[str] | None:
    return re.compile(data[name]) if name in data else None


def _place(data: dict[str, Any], name: str) -> ChainPlace | None:
    return ChainPlace.parse(data[name]) if name in data else None


def load(language: str, name: str, data: dict[str, Any]) -> Rule:
    """One rule from its file's content."""
    return Rule(
        id=name,
        language=language,
        library=data["library"],
        kind=Kind(data["kind"]),
        links=tuple(frozenset(link.split("|")) for link in data["links"]),
        tables=tuple(ChainPlace.parse(place) for place in data["table"]),
        confidence=float(data.get("confidence", 0.9)),
        root=_pattern(data, "root"),
        requires=_pattern(data, "requires"),
        columns=tuple(ChainPlace.parse(place) for place in data.get("columns", [])),
        conditions=tuple((ChainPlace.parse(place), re.compile(place["is"])) for place in data.get("where", [])),
        target=_place(data, "target"),
        target_where=_place(data, "target_where"),
        ignores=_place(data, "ignores"),
        handles=data.get("handles", ""),
        absent=frozenset(data.get("absent", [])),
        between=frozenset(data["between"]) if "between" in data else None,
    )


@cache
def rules_of(language: str) -> tuple[Rule, ...]:
    """All rules of a language, its own and those it shares."""
    found = []
    for folder in dict.fromkeys((language, SHARED.get(language, language))):
        for file in sorted((RULES / folder).iterdir(), key=lambda file: file.name):
            if file.name.endswith(".toml") and file.name != "language.toml":
                data = tomllib.loads(file.read_text("utf-8"))
                if "links" in data:
                    found.append(load(language, file.name.removesuffix(".toml"), data))
    return tuple(found)


@cache
def triggers(language: str) -> dict[str, tuple[Rule, ...]]:
    """The rules by the name of their last link."""
    found: dict[str, list[Rule]] = {}
    for rule in rules_of(language):
        for name in rule.links[-1]:
            found.setdefault(name, []).append(rule)
    return {name: tuple(rules) for name, rules in found.items()}


@cache
def worth_parsing(language: str) -> re.Pattern[str]:
    """Matches a text that may hold a writer or a look-up: a file without a match is not parsed."""
    # the names that need a call behind them, and the words of SQL and REST
    names = "|".join(re.escape(name) for name in sorted(triggers(language)))
    calls = rf"\b(?:{names})\b|" if names else ""
    return re.compile(rf"{calls}\binsert\s+into\b|\bmerge\s+into\b|\bcopy\s+\w|/items/|/rest/v1/", re.IGNORECASE)


def languages() -> tuple[str, ...]:
    """The names of all languages."""
    return tuple(grammars())

"""The words of each language's grammar, read from rules/<language>/language.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

RULES = files("vaccine.writers") / "rules"


@dataclass(frozen=True, slots=True)
class NodeShape:
    """The fields of one kind of node; an empty name means "by position"."""

    kind: str
    callee: str = ""
    object: str = ""
    name: str = ""
    arguments: str = ""
    key: str = ""
    value: str = ""


@dataclass(frozen=True)
class Grammar:
    """One language: which kinds of nodes are calls, strings, functions, and so on."""

    language: str
    parser: str
    extensions: frozenset[str]
    conflict: re.Pattern[str]
    calls: dict[str, NodeShape] = field(default_factory=dict)
    members: dict[str, NodeShape] = field(default_factory=dict)
    pairs: dict[str, NodeShape] = field(default_factory=dict)
    keywords: dict[str, NodeShape] = field(default_factory=dict)
    assignments: dict[str, NodeShape] = field(default_factory=dict)
    functions: frozenset[str] = frozenset()
    lambdas: frozenset[str] = frozenset()
    strings: frozenset[str] = frozenset()
    joins: frozenset[str] = frozenset()
    maps: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    comments: frozenset[str] = frozenset()
    tries: frozenset[str] = frozenset()
    handlers: frozenset[str] = frozenset()
    transparent: frozenset[str] = frozenset()


def _grammar(language: str, data: dict[str, Any]) -> Grammar:
    def shapes(name: str) -> dict[str, NodeShape]:
        return {shape["kind"]: NodeShape(**shape) for shape in data.get(name, [])}

    def kinds(name: str) -> frozenset[str]:
        return frozenset(data.get(name, []))

    return Grammar(
        language=language,
        parser=data["parser"],
        extensions=frozenset(data["extensions"]),
        conflict=re.compile(data["conflict"]),
        calls=shapes("calls"),
        members=shapes("members"),
        pairs=shapes("pairs"),
        keywords=shapes("keywords"),
        assignments=shapes("assignments"),
        functions=kinds("functions"),
        lambdas=kinds("lambdas"),
        strings=kinds("strings"),
        joins=kinds("joins"),
        maps=kinds("maps"),
        lists=kinds("lists"),
        comments=kinds("comments"),
        tries=kinds("tries"),
        handlers=kinds("handlers"),
        transparent=kinds("transparent"),
    )


@cache
def grammars() -> dict[str, Grammar]:
    """All languages by name."""
    found = {}
    for folder in RULES.iterdir():
        file = folder / "language.toml"
        if file.is_file():
            found[folder.name] = _grammar(folder.name, tomllib.loads(file.read_text("utf-8")))
    return dict(sorted(found.items()))


@cache
def by_extension() -> dict[str, Grammar]:
    """The language of each file name's ending."""
    return {extension: grammar for grammar in grammars().values() for extension in grammar.extensions}

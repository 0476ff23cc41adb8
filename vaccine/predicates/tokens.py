"""SQL text in tokens: enough to find column names, literals, casts and operators in an expression."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

Token = tuple[str, str]  # kind (string, name, number, cast, operator, mark) and text

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>[Ee]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")+"|[^\W\d][\w$]*)
    | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<cast>::)
    | (?P<operator><>|!=|<=|>=|[-+*/<>=~!@\#%^&|?]+)
    | (?P<mark>[()\[\],.:;])
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"\\": "\\", "'": "'", "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
TYPE_WORDS = {"varying", "precision", "with", "without", "time", "zone"}


def tokenize(text: str) -> list[Token]:
    """The tokens of an expression; a character that fits nothing is a mark of its own."""
    found, position, end = [], 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            found.append(("mark", text[position]))
            position += 1
            continue
        found.append((match.lastgroup, _plain(match.group(match.lastgroup))))
        position = match.end()
    return found


def _plain(token: str) -> str:
    """An E'…' literal as the plain literal of the same value (manual, section 4.1.2.2); any other token as it is."""
    if not token.startswith(("E'", "e'")):
        return token
    if any(match.group(1) not in _ESCAPES for match in _ESCAPE.finditer(token)):
        return token
    value = _ESCAPE.sub(lambda match: _ESCAPES[match.group(1)], token[2:-1])
    return "'" + value.replace("''", "'").replace("'", "''") + "'"


def unquote(word: str) -> str:
    """The name that an identifier stands for: quoted as it is, unquoted in lower case."""
    return word[1:-1].replace('""', '"') if word.startswith('"') else word.lower()


def after_type(tokens: list[Token], position: int) -> tuple[int, str]:
    """The position behind a type's name that starts at `position`, and the name without modifiers."""
    words: list[str] = []
    while position < len(tokens):
        kind, value = tokens[position]
        if kind == "name" and (not words or words[-1] == "." or value in TYPE_WORDS):
            words.append(unquote(value))
        elif value == "." and words:
            words.append(value)
        else:
            break
        position += 1
    if position < len(tokens) and tokens[position][1] == "(":
        while position < len(tokens) and tokens[position][1] != ")":
            position += 1
        position += 1
    array = ""
    while position + 1 < len(tokens) and tokens[position][1] == "[" and tokens[position + 1][1] == "]":
        position, array = position + 2, "[]"
    return position, "".join(words if "." in words else [" ".join(words)]) + array


def columns_in(text: str, known: Collection[str]) -> tuple[str, ...]:
    """The columns among `known` that an expression reads, in its order."""
    return tuple(name for name in _names_in(text) if name in known)


@lru_cache(maxsize=4096)
def _names_in(text: str) -> tuple[str, ...]:
    """The names that may be columns: not a type behind `::`, not a function before `(`."""
    found: dict[str, None] = {}
    tokens = tokenize(text)
    position = 0
    while position < len(tokens):
        kind, value = tokens[position]
        if kind == "cast":
            position = after_type(tokens, position + 1)[0]
            continue
        called = position + 1 < len(tokens) and tokens[position + 1][1] == "(" and not value.startswith('"')
        name = unquote(value)
        if kind == "name" and not called:
            found[name] = None
        position += 1
    return tuple(found)

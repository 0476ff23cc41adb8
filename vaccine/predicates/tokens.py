"""SQL text in tokens: enough to find column names, literals, casts and operators in an expression."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

Token = tuple[str, str]  # kind (string, name, number, cast, operator, mark) and text

MOST = 20_000  # characters that are read; a longer expression is not understood
# Each alternative gives nothing back (possessive): the time is linear in the text.
_TOKEN = re.compile(
    r"""
      (?P<string>[Ee]'(?:[^'\\]++|''|\\.)*+'|'(?:[^']++|'')*+')
    | (?P<dollar>\$(?:[^\W\d]\w*+)?+\$)
    | (?P<name>"(?:[^"]++|"")++"|[^\W\d][\w$]*+)
    | (?P<number>\d++(?:\.\d++)?(?:[eE][+-]?\d++)?)
    | (?P<cast>::)
    | (?P<operator>(?:(?!--|/\*)[-+*/<>=~!@\#%^&|?`])++)
    | (?P<mark>[()\[\],.:;])
    """,
    re.VERBOSE | re.DOTALL,
)
_BLANK = re.compile(r"\s++")
_IN_COMMENT = re.compile(r"/\*|\*/")
_NO_END = ("/*", "$$")  # marks of what begins and has no end
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"\\": "\\", "'": "'", "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
TYPE_WORDS = {"varying", "precision", "with", "without", "time", "zone"}


@dataclass(frozen=True, slots=True)
class Lexeme:
    """One token with its place in the text. `kind` as in Token, or "comment"."""

    kind: str
    text: str
    start: int
    end: int


def pieces(text: str) -> list[Lexeme]:
    """The tokens of an expression and its comments; a character that fits nothing is a mark of its own.

    What begins and has no end is looked for once: PostgreSQL refuses such a text, so its rest may be read as it comes.
    """
    found: list[Lexeme] = []
    position, end, whole = 0, len(text), True
    while position < end:
        blank = _BLANK.match(text, position)
        if blank:
            position = blank.end()
            continue
        piece = _piece(text, position, whole=whole)
        whole = whole and piece.text not in _NO_END
        found.append(piece)
        position = piece.end
    return found


def _piece(text: str, start: int, *, whole: bool) -> Lexeme:
    if text.startswith("--", start):
        stop = text.find("\n", start)
        return Lexeme("comment", "", start, len(text) if stop < 0 else stop)
    if text.startswith("/*", start):
        stop = _comment_end(text, start) if whole else 0
        return Lexeme("comment", "", start, stop) if stop else Lexeme("mark", "/*", start, start + 2)
    match = _TOKEN.match(text, start)
    if match is None or match.lastgroup is None:
        return Lexeme("mark", text[start], start, start + 1)
    kind, tag = match.lastgroup, match.group()
    if kind != "dollar":
        return Lexeme(kind, tag, start, match.end())
    stop = text.find(tag, match.end()) if whole else -1
    if stop < 0:
        return Lexeme("mark", "$$", start, match.end())
    body = text[match.end() : stop].replace("'", "''")
    return Lexeme("string", f"'{body}'", start, stop + len(tag))


def _comment_end(text: str, start: int) -> int:
    """Behind a block comment, 0 where it has no end; they nest (manual, section 4.1.5)."""
    depth = 0
    for mark in _IN_COMMENT.finditer(text, start):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return 0


def plain_text(text: str) -> str:
    """An expression without its comments, in one line: no end of a line matters in it any more.

    One exception: literals that a line's end joins (manual, section 4.1.2.1) keep it.
    """
    parts: list[str] = []
    before: Lexeme | None = None
    for piece in pieces(text):
        if piece.kind == "comment":
            continue
        if before is not None and piece.start > before.end:
            joined = before.kind == piece.kind == "string" and "\n" in text[before.end : piece.start]
            parts.append("\n" if joined else " ")
        parts.append(text[piece.start : piece.end])
        before = piece
    return "".join(parts)


def direction(item: str) -> tuple[str, str]:
    """An item of an ORDER BY in two: its expression, and its ASC, DESC and NULLS FIRST or LAST."""
    known = pieces(item)
    words = [piece.text.lower() if piece.kind == "name" else "" for piece in known]
    count = len(words)
    if count > 2 and words[-2] == "nulls" and words[-1] in {"first", "last"}:
        count -= 2
    if count > 1 and words[count - 1] in {"asc", "desc"}:
        count -= 1
    if count == len(words):
        return item.strip(), ""
    cut = known[count].start
    return item[:cut].strip(), item[cut:].strip()


def tokenize(text: str) -> list[Token]:
    """The tokens of an expression, comments left out; a character that fits nothing is a mark of its own."""
    return [(piece.kind, _plain(piece.text)) for piece in pieces(text) if piece.kind != "comment"]


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
    """The columns among `known` that an expression reads, in its order; all of them where it is too long to be read."""
    return tuple(known) if len(text) > MOST else tuple(name for name in _names_in(text) if name in known)


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

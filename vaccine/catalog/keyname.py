"""A key as a person types it: `[schema.]table.column[,column…]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vaccine.errors import UsageError

IDENTIFIER = re.compile(r'"(?:[^"]|"")+"|[^.,"]+')
KEY_FORM = "give TABLE.COLUMN or SCHEMA.TABLE.COLUMN, more columns after commas: orders.tenant_id,code"


@dataclass(frozen=True)
class KeyName:
    """A key as it was typed; `schema` is None where it was left out."""

    schema: str | None
    table: str
    columns: tuple[str, ...]


def parse_key(text: str) -> KeyName:
    """A key from `[schema.]table.column[,column…]`; names as they are in the catalog, or in double quotes.

    Raises:
        UsageError: the text has another form.
    """
    parts: list[list[str]] = [[]]
    position = 0
    while position < len(text):
        found = IDENTIFIER.match(text, position)
        if found is None:
            raise UsageError(f"{text} names no key", fix=KEY_FORM)
        parts[-1].append(_unquoted(found.group()))
        position = found.end()
        separator = text[position : position + 1]
        if (separator == "." and len(parts) == 1) or (separator == "." and len(parts) == 2 and len(parts[-1]) == 1):
            parts.append([])
            position += 1
        elif separator == "," and len(parts) >= 2:
            position += 1
        elif separator:
            raise UsageError(f"{text} names no key", fix=KEY_FORM)
    if (
        not all(name for names in parts for name in names)
        or text.endswith((".", ","))
        or len(parts) < 2
        or not parts[-1]
    ):
        raise UsageError(f"{text} names no key", fix=KEY_FORM)
    *path, columns = parts
    if len(set(columns)) != len(columns):
        raise UsageError(f"{text} names a column twice", fix=KEY_FORM)
    return KeyName(path[0][0] if len(path) == 2 else None, path[-1][0], tuple(columns))


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part.strip()

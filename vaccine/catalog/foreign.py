"""Code of other roles, by the names under which SQL text would run it with the rights of whoever reads it.

The catalog's own texts are printed with every name qualified (search_path is pinned), and an unqualified name in any
other text can only be one of pg_catalog: so only qualified names are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vaccine.predicates.tokens import MOST, tokenize, unquote

Names = Mapping[tuple[str, str], str]  # (schema, name) → the owner


def names_of(rows: Iterable[tuple[str, str, str]]) -> Names:
    """What the question `foreign_code` gave."""
    return {(schema, name): owner for schema, name, owner in rows}


def called_by(text: str | None, foreign: Names) -> str:
    """The first thing of another role that a text runs, such as `app.live of app`; empty where it runs none."""
    if not text or not foreign:
        return ""
    if len(text) > MOST:
        return "what cannot be told, it is too long"
    tokens = [("name", unquote(value)) if kind == "name" else (kind, value) for kind, value in tokenize(text)]
    for (kind, schema), (_, mark), (_, name) in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if kind == "name" and mark == "." and (schema, name) in foreign:
            return f"{schema}.{name} of {foreign[schema, name]}"
    return ""

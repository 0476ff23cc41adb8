"""What a person says of keys, in a file or on the command line, before any of it enters a statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vaccine.audit.finding import Expression
from vaccine.audit.lifecycle import Override
from vaccine.audit.selection import named_table
from vaccine.audit.settings import Key
from vaccine.catalog.expression import order_text, predicate_text, value_text
from vaccine.catalog.model import Catalog
from vaccine.catalog.path import path_with, reading
from vaccine.catalog.reader import Reader


def accepted(reader: Reader, catalog: Catalog, overrides: Mapping[Key, Override]) -> dict[Key, Override]:
    """The overrides with each text as one expression of its table; `reader` then reads such texts.

    Raises:
        UnknownKeyError: no such table or column.
        PredicateError: a text is no expression, or more than one.
    """
    found = {}
    schemas: list[str] = []
    for key, of in overrides.items():
        named_table(catalog, key[:2], key[2])
        with reader.block():
            schemas += reading(reader.connection, key[:2]).schemas
            found[key] = _accepted(reader, key[:2], of)
    reader.path = path_with(schemas)
    return found


def _accepted(reader: Reader, table: tuple[str, str], of: Override) -> Override:
    connection = reader.connection
    predicate = predicate_text(connection, table, of.predicate) if of.predicate else of.predicate
    survivor = of.survivor and tuple(order_text(connection, table, item) for item in of.survivor)
    assign = of.assign and tuple(
        (name, Expression(value_text(connection, table, value.sql)) if isinstance(value, Expression) else value)
        for name, value in of.assign
    )
    return replace(of, predicate=predicate, survivor=survivor, assign=assign)

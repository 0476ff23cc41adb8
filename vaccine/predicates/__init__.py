"""Predicates by meaning: the text that PostgreSQL prints, or a person writes, as a set of conditions.

`((status)::text = 'open'::text)`, `status = 'open'` and `status IN ('open')` are one condition.
Only what is certain is simplified; the rest stays text, and `implies` then answers "cannot tell".
Casts to the text types are dropped everywhere, other casts only from literals.
"""

from vaccine.predicates.condition import Condition, Predicate, implies, literal, quote, render
from vaccine.predicates.parser import parse
from vaccine.predicates.tokens import columns_in, direction, plain_text

__all__ = [
    "Condition",
    "Predicate",
    "columns_in",
    "direction",
    "implies",
    "literal",
    "parse",
    "plain_text",
    "quote",
    "render",
]

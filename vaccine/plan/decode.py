"""JSON becomes frozen data exactly as its classes say: every field there, none unknown, each of its type."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class MisfitError(ValueError):
    """A value that is not as the class says. The text names its place."""


def decode(kind: type[T], value: object, place: str = "the plan") -> T:
    """A value of JSON as `kind`: a dataclass, a tuple, an enumeration, a text, a number or a union of these.

    Raises:
        MisfitError: the first value that does not fit.
    """
    found: T = _decode(kind, value, place)
    return found


def _decode(kind: Any, value: object, place: str) -> Any:
    origin = get_origin(kind)
    if origin in {Union, types.UnionType}:
        return _one_of(get_args(kind), value, place)
    if origin is tuple:
        return _tuple(get_args(kind), value, place)
    if is_dataclass(kind):
        return _object(kind, value, place)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enumerated(kind, value, place)
    check = _PLAIN.get(kind)
    if check is None or not check(value):
        raise MisfitError(f"{place} is {_said(value)}, and no {getattr(kind, '__name__', 'null')}")
    return value


def _object(kind: Any, value: object, place: str) -> Any:
    hints = _hints(kind)
    if not isinstance(value, dict):
        raise MisfitError(f"{place} is {_said(value)}, and no object")
    unknown, missing = sorted(set(value) - set(hints)), sorted(set(hints) - set(value))
    if unknown or missing:
        raise MisfitError(
            f"{place} has {unknown[0]!r}, which is unknown" if unknown else f"{place} has no {missing[0]}"
        )
    return kind(**{name: _decode(hint, value[name], f"{place}.{name}") for name, hint in hints.items()})


def _tuple(kinds: tuple[Any, ...], value: object, place: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise MisfitError(f"{place} is {_said(value)}, and no list")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_decode(kinds[0], each, f"{place}[{number}]") for number, each in enumerate(value))
    if len(kinds) != len(value):
        raise MisfitError(f"{place} has {len(value)} values, and not {len(kinds)}")
    return tuple(
        _decode(kind, each, f"{place}[{number}]") for number, (kind, each) in enumerate(zip(kinds, value, strict=True))
    )


def _one_of(kinds: tuple[Any, ...], value: object, place: str) -> Any:
    plain = [kind for kind in kinds if kind in _PLAIN and _PLAIN[kind](value)]
    if plain:
        return value
    structured = [kind for kind in kinds if kind not in _PLAIN]
    if not structured or not isinstance(value, (list, dict)):
        raise MisfitError(f"{place} is {_said(value)}")
    return _decode(structured[0], value, place)


def _enumerated(kind: type[Enum], value: object, place: str) -> Enum:
    try:
        return kind(value)
    except ValueError:
        raise MisfitError(f"{place} is {_said(value)}, and no {kind.__name__}") from None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_number(value: object) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


_PLAIN: dict[Any, Callable[[object], bool]] = {
    str: _is_text,
    int: _is_whole,
    float: _is_number,
    bool: lambda value: isinstance(value, bool),
    type(None): lambda value: value is None,
}


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind)}


def _said(value: object) -> str:
    return (
        f"{type(value).__name__} {value!r:.60}" if not isinstance(value, (list, dict)) else f"a {type(value).__name__}"
    )

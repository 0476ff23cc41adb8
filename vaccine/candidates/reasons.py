"""How a feature is said to a person. A feature without a sentence counts, but is not worth a line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from vaccine.candidates.weights import WEIGHTS

_WORTH = 0.3  # weights closer to zero are not worth a line
_WORD_WORTH = 0.7  # nor are words below this
_MOST = 4  # lines for a key, and as many against it
AGAINST_IT = "against it"
_WHAT = {
    "slug": "a slug", "token": "a token", "hash": "a hash", "login": "a login name", "external": "an identifier of"
    " another system", "name": "a name", "code": "a code", "key": "a key", "uuid": "a UUID that is not the primary key",
    "surrogate": "numbered by a sequence but not the primary key", "order": "a position", "version": "a version",
    "kind": "a kind", "url": "an address or a path",
    "plain id": "an identifier beside the primary key", "id": "an identifier",
    "shared id": "an identifier that several tables share",
}  # fmt: skip
_LEFT_OUT = {"order": "the position", "version": "the version", "kind": "the kind", "date": "the date"}
_BARE = "of the references here nearly all lead an index, and one of this key does not"
_INDEXED = "as on most likely keys here"

FOR: dict[str, str] = {
    "is the table alone": "the column is what the table is named after",
    "named after table alone": "the column is named after the table",
    "naming alone, no references beside": "the table references no other, so the name stands for the row",
    "naming alone in a lookup": "the table is a list of kinds, and the application finds its rows by name",
    "ref alone, settings of the owner": "one row of settings or details for each row referenced",
    "ref first column, no primary key": "reference at the head of a table without a primary key",
    "refs, 0 other columns": "a join table: references and nothing else",
    "refs, 1 other columns": "a join table with one more column",
    "refs, 1+ owners": "the table is named after both tables that it joins",
    "refs, all firm references": "these are all the mandatory references of the table",
    "ref+item, all firm references": "the only mandatory reference of the table is its scope",
    "refs+item, all firm references": "all mandatory references of the table and what tells their rows apart",
    "refs+items, all firm references": "all mandatory references of the table and what tells their rows apart",
    "mixed, the scope of the database": "the scope is one that most tables of this database have",
    "ref+item, owner": "the table is named after the reference: rows of a parent",
    "polymorphic pair": "kind and identifier of a row in some other table",
    "items, kind and id": "a kind and an identifier within it",
    "EXACT item, keys indexed": f"a plain index stands on exactly this column, {_INDEXED}",
    "EXACT ref, keys indexed": "a plain index stands on exactly this column",
    "EXACT refs, keys indexed": f"a plain index stands on exactly these columns, {_INDEXED}",
    "EXACT together, keys indexed": f"a plain index stands on exactly these columns, {_INDEXED}",
    "EXACT together, keys not indexed": "a plain index stands on exactly these columns",
}
AGAINST: dict[str, str] = {
    "alone, a scope beside": "the table also has a scope column: the value may repeat from scope to scope",
    "naming alone, 1+ firm references beside": "the table hangs on several others: the value may repeat among them",
    "naming alone, 1 firm references beside": "the table hangs on another: the value may repeat within it",
    "alone in a log": "the table is a log or a list of events, where values repeat",
    "mixed in a log": "the table is a log or a list of events, where values repeat",
    "refs in a log": "the table is a log or a list of events, where values repeat",
    "alone, nullable": "the column may be NULL",
    "strong alone, nullable": "the column may be NULL",
    "with a reference, nullable": "a column may be NULL",
    "refs, nullable": "a reference may be NULL",
    "mixed, nullable reference": "the reference may be NULL",
    "alone, constant default": "the column's default is one value for all rows",
    "together, constant default": "a column's default is one value for all rows",
    "refs, redundant": "one reference follows from another",
    "mixed, redundant reference": "one reference follows from another",
    "mixed, actor": "one reference only says who did it",
    "refs, actor": "one reference only says who did it",
    "half of a polymorphic pair": "half of a pair of kind and identifier",
    "refs, some of the firm references": "the table has more mandatory references than these",
}
_PATTERNS = (
    (1, re.compile(r"(one|more) bare references?, "), _BARE),
    (1, re.compile(r".*, first columns of the table$"), "the first columns of the table"),
    (1, re.compile(r".*, a primary key elsewhere$"), "a column of this name is the primary key of another table"),
    (-1, re.compile(r"a bare reference left out, "), "a reference that is left out leads no index, as nearly all do"),
    (-1, re.compile(r"no index .*, keys indexed$"), "no index stands on exactly these columns, " + _INDEXED),
    (-1, re.compile(r"inside a wider index "), "an index stands on these columns and more, none on exactly these"),
)
_BESIDE = re.compile(r"(?P<what>.+) (alone|mixed|items), (?P<other>\w+) beside$")
_LEFT = re.compile(r"(refs|mixed|items) \d, (?P<part>order|version|kind|date) left out$")
_WORD = re.compile(r'"(?P<word>[^"]+)" ')
_TABLE = re.compile(r'in "(?P<word>[^"]+)", ')


@lru_cache(maxsize=4096)
def reasons(found: tuple[str, ...], part_of: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """What speaks for a key with these features, the weightiest first, then what speaks against it.

    `part_of` names the column that is a code, a name and so on: pairs such as ("code", "sku").
    """
    parts = dict(part_of)
    sides: dict[bool, list[str]] = {True: [], False: []}
    for feature in sorted(set(found), key=lambda feature: (-abs(WEIGHTS.get(feature, 0.0)), feature)):
        weight = WEIGHTS.get(feature, 0.0)
        said = sentence(feature, weight, parts) if abs(weight) >= _WORTH else None
        if said is not None and said not in sides[weight > 0]:
            sides[weight > 0].append(said)
    return (*sides[True][:_MOST], *(f"{AGAINST_IT}: {said}" for said in sides[False][:_MOST]))


def sentence(feature: str, weight: float, parts: Mapping[str, str]) -> str | None:
    """The sentence for a feature of that weight, or None where it says too little."""
    known = (FOR if weight > 0 else AGAINST).get(feature)
    if known is not None:
        return known
    sign = 1 if weight > 0 else -1
    for side, pattern, words in _PATTERNS:
        if side == sign and pattern.match(feature):
            return words
    return (
        _of_a_part(feature, parts) if weight > 0 else _of_what_is_missing(feature, parts) or _of_a_word(feature, weight)
    )


def _of_a_part(feature: str, parts: Mapping[str, str]) -> str | None:
    for ending, words in ((" alone", "{0} is {1}"), (" with a reference", "{0} is {1}, within what it belongs to")):
        part = feature.removesuffix(ending)
        if feature.endswith(ending) and part in _WHAT and part in parts:
            return words.format(parts[part], _WHAT[part])
    return _of_a_word(feature, WEIGHTS.get(feature, 0.0))


def _of_what_is_missing(feature: str, parts: Mapping[str, str]) -> str | None:
    left = _LEFT.match(feature)
    if left:
        return f"it leaves out {_LEFT_OUT[left['part']]}, which may tell rows apart"
    beside = _BESIDE.match(feature)
    if beside and beside["other"] in _WHAT and beside["what"] in parts:
        return f"the table has {_WHAT[beside['other']]} beside it"
    return None


def _of_a_word(feature: str, weight: float) -> str | None:
    if abs(weight) < _WORD_WORTH:
        return None
    often = "often" if weight > 0 else "seldom"
    column, table = _WORD.match(feature), _TABLE.match(feature)
    if column and column["word"] not in ("id", *_WHAT):
        return f"columns called {column['word'].replace(' ', '_')} are {often} part of such keys"
    return f"tables called {table['word']} {often} have such keys" if table else None

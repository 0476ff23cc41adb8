"""How a feature is said to a person. A feature without a sentence counts, but is not worth a line."""

from __future__ import annotations

_WHAT = {
    "slug": "a slug", "token": "a token", "hash": "a hash", "login": "a login name", "external": "an identifier of"
    " another system", "name": "a name", "code": "a code", "key": "a key", "uuid": "a UUID that is not the primary key",
    "surrogate": "numbered by a sequence but not the primary key", "order": "a position", "version": "a version",
    "kind": "a kind", "url": "an address or a path", "plain id": "an identifier beside the primary key",
    "id": "an identifier", "shared id": "an identifier that several tables share",
}  # fmt: skip

SENTENCES: dict[str, str] = {
    "is the table alone": "the column is what the table is named after",
    "alone, first column, no primary key": "first column of a table without a primary key",
    "naming alone, no references beside": "the table references no other, so the name stands for the row",
    "naming alone in a lookup": "the table is a list of kinds, and the application finds its rows by name",
    "alone, a scope beside": "the table also has a scope column: the value may repeat from scope to scope",
    "naming alone, 1+ firm references beside": "the table hangs on several others: the value may repeat among them",
    "alone in a log": "the table is a log or a list of events, where values repeat",
    "alone, nullable": "the column may be NULL",
    "strong alone, nullable": "the column may be NULL",
    "alone, constant default": "the column's default is one value for all rows",
    "together, constant default": "a column's default is one value for all rows",
    "ref alone, settings of the owner": "one row of settings or details for each row referenced",
    "ref first column, no primary key": "reference at the head of a table without a primary key",
    "ref, bare reference strong": "of the references here nearly all lead an index, and this one does not",
    "together, bare reference strong": "of the references here nearly all lead an index, and this one does not",
    "refs, 0 other columns": "a join table: references and nothing else",
    "refs, 1 other columns": "a join table with one more column",
    "refs, 1+ owners": "the table is named after both tables that it joins",
    "refs, all firm references": "these are all the mandatory references of the table",
    "refs, redundant": "one reference follows from another",
    "mixed, redundant reference": "one reference follows from another",
    "ref+item, all firm references": "the only mandatory reference of the table is its scope",
    "refs+item, all firm references": "all mandatory references of the table and what tells their rows apart",
    "refs+items, all firm references": "all mandatory references of the table and what tells their rows apart",
    "mixed, the scope of the database": "the scope is one that most tables of this database have",
    "ref+item, owner": "the table is named after the reference: rows of a parent",
    "mixed, actor": "one reference only says who did it",
    "refs, actor": "one reference only says who did it",
    "mixed, nullable reference": "the reference may be NULL",
    "polymorphic pair": "kind and identifier of a row in some other table",
    "half of a polymorphic pair": "half of a pair of kind and identifier",
    "first columns, no primary key": "the first columns of a table without a primary key",
    "items, kind and id": "a kind and an identifier within it",
    "EXACT item, keys indexed": "a plain index stands on exactly this column, as on most likely keys here",
    "EXACT together, keys indexed": "a plain index stands on exactly these columns, as on most likely keys here",
    "EXACT item, few keys indexed": "a plain index stands on exactly this column",
    "EXACT together, few keys indexed": "a plain index stands on exactly these columns",
    "no index, keys indexed": "no index stands on exactly these columns, as one does on most likely keys here",
}


def sentence(feature: str, columns: tuple[str, ...]) -> str | None:
    """The sentence for a feature that holds for `columns`, or None where it says too little."""
    if feature in SENTENCES:
        return SENTENCES[feature]
    for ending, words in ((" alone", "{0} is {1}"), (" with a reference", "{0} is {1}, within what it belongs to")):
        what = _WHAT.get(feature.removesuffix(ending)) if feature.endswith(ending) else None
        if what is not None:
            return words.format(columns[-1], what)
    return None

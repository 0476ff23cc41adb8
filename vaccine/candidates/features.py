"""The features of one candidate key, by name; weights.py says what each is worth, reasons.py how to say it."""

from __future__ import annotations

from vaccine.candidates.context import context
from vaccine.candidates.generate import Members
from vaccine.candidates.place import INTERNAL_KINDS, NAMING, STRONG, KeyPlace, bucket
from vaccine.candidates.shapes import ColumnShape
from vaccine.candidates.wording import form_of, words_said
from vaccine.candidates.words import stems_of

Holds = tuple[str, object]


def features(place: KeyPlace, members: Members) -> list[str]:
    """The names of the features that hold for `members` in their table, each once, the index last."""
    refs = [column for column in members if column.is_ref]
    items = [column for column in members if not column.is_ref]
    if len(members) == 1:
        found = _item_alone(place, items[0]) if items else _ref_alone(place, refs[0])
    elif not items:
        found = _refs(place, refs)
    elif not refs:
        found = _items(place, items)
    else:
        found = _mixed(place, refs, items)
    names = {column.name for column in members}
    if place.shape.pk != "surrogate" and place.shape.primary & names:
        found.append("part of the primary key")
    form = form_of(members)
    found += context(place, members, form)
    found += words_said(place, members, form)
    found.append(_index(place, names, form))
    return list(dict.fromkeys(found))


def _those(*pairs: Holds) -> list[str]:
    return [name for name, holds in pairs if holds]


def _item_alone(place: KeyPlace, column: ColumnShape) -> list[str]:
    what, bare = column.what, place.shape.pk == "none"
    stems = "".join(stem for stem in stems_of(column.name) if stem != "id")
    same = bool(stems) and (stems == place.text or (len(stems) > 3 and place.text.endswith(stems)))
    common = place.around.shared.get(column.name, 1)
    rarity = "rare" if common <= 2 else "shared" if common <= 6 else "common"
    found = _those(
        (f"{what} alone", True),
        (f"{column.type} alone", True),
        ("strong alone, nullable" if what in STRONG else "alone, nullable", not column.not_null),
        ("plain id alone, no primary key", what == "plain id" and bare),
        ("is the table alone", same),
        ("named after table alone", not same and set(stems_of(column.name)) & set(place.shape.stems)),
        (f"alone, {rarity} name", what not in NAMING and what not in ("uuid", "plain id", "token")),
        ("alone, constant default", column.constant),
        ("item alone, no primary key", bare),
        ("alone, first column, no primary key", bare and place.payload and place.payload[0] is column),
        (f"alone, {place.shape.pk} primary key", place.shape.pk in ("natural", "composite", "reference")),
    )
    if column in place.items:
        rank = place.items.index(column)
        found.append(f"alone, item {bucket(rank, 1, 3)}" if rank else "alone, first item")
    if what not in ("uuid", "token", "hash", "surrogate", "plain id"):
        found += _item_beside(place, column)
    return found


def _item_beside(place: KeyPlace, column: ColumnShape) -> list[str]:
    kind = "naming" if column.what in NAMING else "other"
    firm = len(place.firm)
    return _those(
        ("alone, a scope beside", place.tenants),
        (f"{kind} alone, {bucket(firm, 1)} firm references beside", firm),
        (f"{kind} alone, optional references beside", not firm and place.refs),
        (f"{kind} alone, no references beside", not place.refs and place.shape.pk != "none"),
        ("alone in a log", place.log),
        ("naming alone in a lookup" if kind == "naming" else "alone in a lookup", place.lookup),
        (
            "alone, a stronger column beside",
            any(other.what in STRONG and other is not column for other in place.items),
        ),
        (f"alone, {bucket(len(place.payload) - 1, 1, 4, 8, 15)} other columns", True),
    )


def _ref_alone(place: KeyPlace, column: ColumnShape) -> list[str]:
    common = place.around.shared.get(column.name, 1)
    rarity = "rare" if common <= 2 else "shared" if common <= 6 else "common"
    others = sum(ref is not column for ref in place.refs)
    owned, bare = column.name in place.owner, place.shape.pk == "none"
    return _those(
        (f"{column.what} alone", True),
        ("ref alone, nullable", not column.not_null),
        ("ref alone, redundant", column.name in place.redundant),
        (f"ref alone, {bucket(others, 0, 1, 3)} other references", True),
        ("ref alone, settings of the owner", place.settings and owned),
        ("ref alone, owner", not place.settings and owned),
        ("ref alone in a log", place.log),
        ("ref alone, a naming column beside", place.naming),
        (
            "ref alone, kind or order beside",
            any(item.what in ("order", "version", "kind", "date") and item.not_null for item in place.items),
        ),
        (f"ref alone, {rarity} name", True),
        ("ref alone, by name only", not column.declared),
        ("ref alone, no primary key", bare),
        ("ref first column, no primary key", bare and place.payload and place.payload[0] is column),
    )


def _refs(place: KeyPlace, refs: list[ColumnShape]) -> list[str]:
    count, names = len(refs), {column.name for column in refs}
    rest = [
        column
        for column in place.payload
        if column.name not in names and column.name not in place.redundant and column.what != "surrogate"
    ]
    firm = place.firm_names
    found = _those(
        (f"{bucket(count, 2, 3)} refs", True),
        (f"refs, {bucket(len(rest), 0, 1, 3, 6)} other columns", True),
        ("refs, nullable", any(not column.not_null for column in refs)),
        ("refs, all nullable", all(not column.not_null for column in refs)),
        ("refs, redundant", names & place.redundant),
        ("refs, all firm references", names == firm),
        ("refs, some of the firm references", names < firm),
        (f"refs, {bucket(len(names & place.owner), 0, 1)} owners", count == 2),
        ("refs, actor", any(column.what == "actor ref" for column in refs)),
        ("refs, self", any(column.what == "self ref" for column in refs)),
        ("refs in a log", place.log),
        (
            "refs, kind or order beside",
            any(item.what in ("order", "version", "kind") and item.not_null for item in place.items),
        ),
        ("refs, a naming column beside", place.naming),
        ("refs, same target", len({column.target for column in refs}) < count),
        ("refs, by name only", any(not column.declared for column in refs)),
    )
    return found + _leading(place, refs)


def _leading(place: KeyPlace, members: list[ColumnShape]) -> list[str]:
    if place.shape.pk != "none":
        return []
    ranks = sorted(place.payload.index(column) for column in members if column in place.payload)
    if ranks == list(range(len(members))):
        return ["first columns, no primary key", f"first {len(members)} columns, no primary key"]
    return ["together, no primary key"]


def _mixed(place: KeyPlace, refs: list[ColumnShape], items: list[ColumnShape]) -> list[str]:
    left = "ref" if len(refs) == 1 else "refs"
    form = f"{left}+{'item' if len(items) == 1 else 'items'}"
    names = {column.name for column in refs}
    firm = place.firm_names
    rest = len(place.payload) - len(refs) - len(items)
    found = _those(
        (f"form {form}", True),
        ("mixed, 4 or more", len(refs) + len(items) > 3),
        ("mixed, redundant reference", names & place.redundant),
        (f"{form}, all firm references", names == firm),
        (f"{form}, one of the firm references", left == "ref" and names != firm and names & firm),
        ("mixed, nullable reference", any(not c.not_null and c.name not in place.tenants for c in refs)),
        ("mixed, the scope of the database", place.tenants & names),
        ("mixed, actor", any(column.what == "actor ref" for column in refs)),
        ("mixed, self", any(column.what == "self ref" for column in refs)),
        (f"{left}+item, owner", names & place.owner),
        (f"{left}+item, scope of many tables", names & place.scope),
        (f"{left}+item, first reference", place.refs and place.refs[0] is refs[0]),
        ("mixed in a log", place.log),
        ("mixed, a stronger column beside", any(c.what in STRONG and c not in items for c in place.items)),
        ("mixed, by name only", any(not column.declared for column in refs)),
        ("mixed, naming column left out", place.naming and _none_names(place, items)),
        (f"mixed, {bucket(rest, 1, 4, 8, 15)} other columns", True),
    )
    for column in items:
        found += _item_with_refs(place, column)
    return found + _polymorphic(place, items + refs) + _leading(place, refs + items)


def _none_names(place: KeyPlace, items: list[ColumnShape]) -> bool:
    return any(column.what not in NAMING for column in items) and not set(place.naming) & set(items)


def _item_with_refs(place: KeyPlace, column: ColumnShape) -> list[str]:
    strong, naming = column.what in STRONG, column.what in NAMING
    first = next((item for item in place.items if item.what in NAMING), None)
    return _those(
        (f"{column.what} with a reference", True),
        ("strong with a reference, nullable" if strong else "with a reference, nullable", not column.not_null),
        ("together, constant default", column.constant),
        ("naming with a reference, first", naming and first is column),
        ("naming with a reference, later", naming and first is not column),
        ("with a reference, named after table", "".join(stems_of(column.name)) in place.text),
    )


def _items(place: KeyPlace, items: list[ColumnShape]) -> list[str]:
    rest = len(place.payload) - len(items)
    ranks = sorted(place.payload.index(column) for column in items if column in place.payload)
    first = ranks == list(range(len(items)))
    strong = any(column.what in STRONG for column in items)
    found = _those(
        ("form items", True),
        (f"{bucket(len(items), 2, 3)} items", True),
        ("items, nullable", any(not column.not_null for column in items)),
        ("items, all nullable", all(not column.not_null for column in items)),
        ("together, constant default", any(column.constant for column in items)),
        (f"items, {bucket(len(place.firm), 0)} firm references beside", True),
        ("items, one is strong", strong),
        ("items, a stronger column beside", not strong and any(c.what in STRONG for c in place.items)),
        (f"items, {bucket(rest, 1, 4, 8)} other columns", True),
        ("items, first columns", first),
        ("items, neighbours", not first and ranks and ranks[-1] - ranks[0] == len(items) - 1),
        ("items in a log", place.log),
        ("items, kind and id", _kind_and_id(items)),
    )
    found += [f"{column.what} with another" for column in items]
    return found + _polymorphic(place, items) + _leading(place, items)


def _kind_and_id(items: list[ColumnShape]) -> bool:
    kinds = [column.what for column in items]
    return len(kinds) == 2 and kinds.count("kind") == 1 and any(kind in INTERNAL_KINDS for kind in kinds)


def _polymorphic(place: KeyPlace, members: list[ColumnShape]) -> list[str]:
    names, every = {column.name for column in members}, place.shape.table.by_name
    for name in sorted(names):
        for ending in ("_type_id", "_type"):
            stem = name.removesuffix(ending)
            if stem == name:
                continue
            if f"{stem}_id" in names or (ending == "_type_id" and "object_id" in names):
                return ["polymorphic pair", f"polymorphic, {len(members)} columns"]
            if f"{stem}_id" in every:
                return ["half of a polymorphic pair"]
        if name.endswith("_id") and name.removesuffix("_id") + "_type" in every:
            return ["half of a polymorphic pair"]
    return []


def _index(place: KeyPlace, names: set[str], form: str) -> str:
    """Whether an index stands on exactly these columns, on these and more, or none does."""
    kind = {"alone": "item", "ref alone": "ref", "refs": "refs"}.get(form, "together")
    if any(guard <= names for guard in place.guards):
        return "guarded"
    if any(have == names for have in place.indexes):
        return f"EXACT {kind}"
    return f"{'inside a wider index' if any(names < have for have in place.indexes) else 'no index'} {kind}"

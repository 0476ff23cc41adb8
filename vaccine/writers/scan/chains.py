"""Rules matched against the calls of a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from vaccine.writers.model import Conflict, Kind, Span, TableName
from vaccine.writers.scan import read
from vaccine.writers.scan.rules import ChainPlace, Rule, triggers
from vaccine.writers.scan.site import Site
from vaccine.writers.scan.syntax import Chain, Link, Node, Source

# a chain that changes what it finds is no look-up; one that asks for one row looks for "the same" row
CHANGES = frozenset(
    (
        *("delete", "update", "destroy", "remove", "del", "updateMany", "deleteMany", "delete_all", "update_all"),
        *("destroy_all", "adelete", "aupdate", "decrement", "increment", "forceDelete", "Delete", "Update", "Updates"),
    )
)
SINGLE = frozenset(
    (
        *("first", "exists", "get", "one", "one_or_none", "scalar", "scalar_one_or_none", "count", "last", "aget"),
        *("afirst", "aexists", "latest", "earliest", "get_or_none", "exists?", "find_by", "find_by!", "take", "any?"),
        *("none?", "present?", "blank?", "firstOrFail", "doesntExist", "firstWhere", "value", "pluck", "limit"),
        *("single", "maybeSingle", "First", "Take", "findFirst", "findUnique", "findOne", "findOneBy", "sole"),
        *("findFirstOrThrow", "findUniqueOrThrow"),
    )
)
MANY = frozenset({"Django", "SQLAlchemy", "ActiveRecord", "Eloquent", "Prisma"})  # their filters alone are lists


def sites(source: Source) -> Iterator[Site]:
    """The writes and look-ups that the language's rules find in the file's calls."""
    by_name = triggers(source.grammar.language)
    usable = {name: [rule for rule in rules if _required(rule, source)] for name, rules in by_name.items()}
    names = frozenset(name for name, rules in usable.items() if rules)
    seen: set[tuple[int, int]] = set()
    for call in source.calls_named(names):
        outer = source.outermost(call)
        if source.span(outer) in seen:
            continue
        seen.add(source.span(outer))
        yield from _chain_sites(source, source.chain(outer), usable)


def _required(rule: Rule, source: Source) -> bool:
    return rule.requires is None or rule.requires.search(source.text) is not None


def _chain_sites(source: Source, own: Chain, usable: dict[str, list[Rule]]) -> Iterator[Site]:
    expanded: Chain | None = None
    for position, link in enumerate(own.links):
        for rule in usable.get(link.name, ()):
            site = _site(source, own, position, rule)
            if site is None:
                expanded = expanded or source.expanded(own)
                added = len(expanded.links) - len(own.links)
                site = _site(source, expanded, position + added, rule) if expanded is not own else None
            if site is not None:
                yield site
                break


def _site(source: Source, chain: Chain, position: int, rule: Rule) -> Site | None:
    if not _fits(chain, position, rule):
        return None
    for place, pattern in rule.conditions:
        node = _node_at(source, chain, place)
        text = "" if node is None else (source.string(node) or source.resolve(node).text())
        if not pattern.search(text):
            return None
    tables = (_table(source, chain, place, position) for place in rule.tables)
    table = next((found for found in tables if found is not None), None)
    if table is None:
        return None
    return _filled(source, chain, position, rule, table)


def _fits(chain: Chain, position: int, rule: Rule) -> bool:
    if rule.root is not None and not rule.root.search(chain.root):
        return False
    names = [link.name for link in chain.links]
    if rule.absent & set(names) or (rule.kind is Kind.LOOK_UP and CHANGES & set(names[position:])):
        return False
    if rule.between is not None and set(names[:position]) - rule.between:
        return False
    wanted = list(rule.links[:-1])
    for name in names[:position]:
        if wanted and name in wanted[0]:
            wanted.pop(0)
    return not wanted


def _filled(source: Source, chain: Chain, position: int, rule: Rule, table: TableName) -> Site:
    start, end = source.span(chain.node)
    link = chain.links[position]
    site = Site(rule.kind, table, start, end, rule.library, rule.id, rule.confidence, handles=rule.handles)
    if rule.kind is Kind.LOOK_UP:
        site.single = rule.library not in MANY or bool(SINGLE & {one.name for one in chain.links})
        found = [_filter(source, chain, place) for place in rule.columns]
        site.columns = tuple(dict.fromkeys(column for one in found for column in one.columns))
        site.fixed = tuple(dict.fromkeys(column for one in found for column in one.fixed))
        return site
    site.columns = _written(source, chain, rule)
    site.conflict = _conflict(source, chain, rule)
    site.spans = _spans(source, chain, link)
    return site


def _spans(source: Source, chain: Chain, link: Link) -> tuple[Span, ...]:
    start, end = source.span(link.node)
    spans = [Span("call", start, end), Span("chain", *source.span(chain.node))]
    shape = source.grammar.calls[link.node.kind()]
    callee = link.node.field(shape.callee) if shape.callee else None
    if callee is not None:
        spans.append(Span("callee", *source.span(callee)))
    return tuple(spans)


def _link(chain: Chain, place: ChainPlace) -> Link | None:
    return next((link for link in reversed(chain.links) if link.name in place.links), None)


def _node_at(source: Source, chain: Chain, place: ChainPlace) -> Node | None:
    """The node at a place; None when there is none."""
    link = _link(chain, place)
    if link is None:
        return None
    node: Node | None = None
    for depth, part in enumerate(place.path):
        if depth == 0:
            index = int(part) if part.isdigit() else -1
            node = (
                link.keywords.get(part)
                if index < 0
                else (link.positional[index] if index < len(link.positional) else None)
            )
        else:
            node = read.value_at(source, node, part)
        if node is None:
            return None
    return node


def _table(source: Source, chain: Chain, place: ChainPlace, position: int) -> TableName | None:
    if "previous" in place.links:
        return _association(chain, position)
    if "root" in place.links:
        return _root_table(source, chain, place.reader)
    node = _node_at(source, chain, place)
    return read.TABLE_READERS[place.reader](source, node) if node is not None else None


def _root_table(source: Source, chain: Chain, reader: str) -> TableName | None:
    if reader == "repository":  # this.issueRepository, issueRepo, prisma.systemIssue
        name = chain.root.rpartition(".")[2].lstrip("_$")
        for suffix in ("Repository", "Repo"):
            name = name.removesuffix(suffix)
        return TableName(name[:1].upper() + name[1:], exact=False) if name.isidentifier() else None
    found = read.model(chain.root)
    if found is not None and source.grammar.language == "php" and f"Models\\{found.name}" in source.text:
        return replace(found, space="Models")
    return found


def _association(chain: Chain, position: int) -> TableName | None:
    """The table of `family.users.create!`: the word before the last one, a plural without arguments."""
    before = chain.links[position - 1] if position else None
    if before is None or before.positional or before.keywords or not before.name.endswith("s"):
        return None
    return TableName(before.name) if before.name.isidentifier() and before.name.islower() else None


def _filter(source: Source, chain: Chain, place: ChainPlace) -> read.Filter:
    found = []
    for link in chain.links:
        if link.name not in place.links:
            continue
        if place.path == ("*",):
            found.append(read.filters(source, link.positional, link.keywords))
        elif (node := _node_at(source, Chain("", (link,), link.node), place)) is not None:
            found.append(read.filters(source, (node,), {}))
    return read.Filter(
        tuple(column for one in found for column in one.columns), tuple(column for one in found for column in one.fixed)
    )


def _written(source: Source, chain: Chain, rule: Rule) -> tuple[str, ...]:
    for place in rule.columns:
        link = _link(chain, place)
        if link is None:
            continue
        if place.reader == "keywords":
            if link.keywords:
                return (
                    *(name for name in link.keywords if not name.startswith("**")),
                    *(("*",) if link.positional else ()),
                )
        elif (node := _node_at(source, chain, place)) is not None:
            return read.keys(source, node)
    return ("*",)


def _conflict(source: Source, chain: Chain, rule: Rule) -> Conflict | None:
    if rule.ignores is not None and _present(source, chain, rule.ignores):
        return Conflict()
    if rule.target is None or _link(chain, rule.target) is None:
        return Conflict(opaque=True) if rule.kind is Kind.UPSERT else None
    node = _node_at(source, chain, rule.target)
    if node is None and rule.kind is Kind.INSERT and rule.target.links & rule.links[-1]:
        return None  # the argument that makes it an upsert is not given
    columns = read.columns(source, (node,)) if node is not None else ()
    where = _node_at(source, chain, rule.target_where) if rule.target_where is not None else None
    predicate, bound = read.predicate(source, where) if where is not None else (None, False)
    link = _link(chain, rule.target)
    bare = link is not None and not link.positional and not link.keywords
    return Conflict(columns or None, predicate, None, _action(chain), bound, opaque=not columns and not bare)


def _present(source: Source, chain: Chain, place: ChainPlace) -> bool:
    if not place.path:
        return _link(chain, place) is not None
    node = _node_at(source, chain, place)
    return node is not None and node.text() in {"True", "true", "1"}


def _action(chain: Chain) -> str:
    names = {link.name for link in chain.links}
    return "nothing" if names & {"on_conflict_do_nothing", "ignore", "onConflictDoNothing"} else "update"

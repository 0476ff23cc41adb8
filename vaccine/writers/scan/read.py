"""Readers: from a node of source code to a table, columns, filters, a URL. They never guess loudly.

A reader gives nothing when the source does not show the value. The column "*" says that more
columns may be written than were seen (a spread, a variable).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from vaccine.writers.model import TableName
from vaccine.writers.scan import sql
from vaccine.writers.scan.syntax import HOLE, NAMES, Node, Source

REST = re.compile(rf"(?:^|[/}}{HOLE}])(?:items|rest/v1)/([A-Za-z_]\w*)/?(?:\?|$)")
QUERY_FILTER = re.compile(r"filter\[(\w+)\](?:\[_eq\])?=([^&]*)|[?&](\w+)=eq\.([^&]*)")
PARAMETER_FILTER = re.compile(r"^filter\[(\w+)\](\[_eq\])?$")
COMPARISON = re.compile(r"^\(?(?:[\w]+\.)*(\w+)\s*==\s*(.+)$", re.DOTALL)
FRAGMENT = re.compile(rf"([A-Za-z_]\w*)\"?\s*=\s*(\?|\$\d|:\w+|@\w+|%s|{HOLE}|'[^']*'|true\b|false\b)", re.IGNORECASE)
IDENTIFIER = re.compile(r"^[A-Za-z_]\w*$")
CONSTANT_KINDS = frozenset(
    [
        "string",
        "template_string",
        "encapsed_string",
        "number",
        "integer",
        "float",
        "true",
        "false",
        "none",
        "null",
        "nil",
        "boolean",
        "simple_symbol",
        "interpreted_string_literal",
        "string_literal",
        "int_literal",
        "decimal_integer_literal",
    ]
)
GROUPS = frozenset(
    {"where", "filter", "_and", "AND", "and", "query", "params", "defaults", "$and", "data", "attributes"}
)
ALTERNATIVES = frozenset({"OR", "or", "_or", "$or", "NOT", "not", "[Op.or]", "[Op.not]"})  # not equality
OPERATORS = frozenset({"_eq", "equals", "$eq", "eq", "[Op.eq]"})
WRAPPERS = re.compile(r"(^|\.)(stringify|dumps|dict|encode|json_encode|to_json|Equal|of|array|fromEntries|assign)$")


@dataclass(frozen=True, slots=True)
class Filter:
    """Equality conditions: columns compared with a value, and columns compared with a constant."""

    columns: tuple[str, ...]
    fixed: tuple[str, ...] = ()


def table_string(source: Source, node: Node) -> TableName | None:
    """A table named by a string constant, `schema.table` too."""
    text = source.string(node)
    if text is None or HOLE in text or not re.fullmatch(r"[\w.\"]+(?:\s+as\s+\w+)?", text.strip(), re.IGNORECASE):
        return None
    schema, _, name = text.split()[0].replace('"', "").rpartition(".")
    return TableName(name, schema or None)


def table_url(source: Source, node: Node) -> TableName | None:
    """The collection or table in a REST URL: `…/items/NAME`, `…/rest/v1/NAME`."""
    text = source.string(node)
    match = REST.search(text) if text else None
    return TableName(match.group(1)) if match else None


def model_name(source: Source, node: Node) -> TableName | None:
    """A table named by a model class: `Issue`, `models.Issue`, `Issue(…)`, `&Issue{…}`, a variable that holds one."""
    node = source.resolve(node)
    kind = node.kind()
    if kind in source.grammar.calls:
        chain = source.chain(node)
        text = next((link.name for link in chain.links if link.name[:1].isupper()), "")
    elif kind in source.grammar.lists:
        inner = [child for child in node.named_children() if child.kind() not in source.grammar.comments]
        return model_name(source, inner[0]) if inner else None
    else:
        named = node.named_children()[0] if kind in source.grammar.maps and node.named_children() else node
        text = named.text()
    return model(text)


def model(text: str) -> TableName | None:
    """A model class by its text; None when it does not look like one."""
    name = re.sub(r"(\.(objects|query|class|unscoped|__table__)|::class)$", "", text.strip().lstrip("&*[]"))
    name = re.split(r"[.:\\]", name)[-1]
    if not IDENTIFIER.match(name) or not name[0].isupper() or name.isupper():
        return None
    space = text.strip().partition("::")[0] if "::" in text and not text.endswith("::class") else ""
    return TableName(name, exact=False, space=space)


def keys(source: Source, node: Node, depth: int = 0) -> tuple[str, ...]:
    """The columns of a row given as a map, keyword arguments, JSON text, or a list of those."""
    node = source.resolve(node)
    kind = node.kind()
    if depth > 4:
        return ("*",)
    if kind in source.grammar.calls:
        return _call_keys(source, node, depth)
    if kind in source.grammar.maps and (found := _map_keys(source, node)):
        return found
    if kind in source.grammar.lists:
        inner = [child for child in node.named_children() if child.kind() not in source.grammar.comments]
        return keys(source, inner[0], depth + 1) if inner else ()
    text = source.string(node)
    return json_keys(text) if text and "{" in text else ("*",)


def _call_keys(source: Source, node: Node, depth: int) -> tuple[str, ...]:
    chain = source.chain(node)
    link = chain.links[-1]
    if link.keywords:
        return tuple(name for name in link.keywords if name != "**") + (("*",) if link.positional else ())
    if link.positional and (
        WRAPPERS.search(link.name) or link.name[:1].isupper() or link.name in {"new", "create", "build"}
    ):
        return keys(source, link.positional[0], depth + 1)
    return ("*",)


def _map_keys(source: Source, node: Node) -> tuple[str, ...]:
    body = node.named_children()[-1] if node.kind() == "composite_literal" else node
    found: list[str] = []
    for child in body.named_children():
        kind = child.kind()
        if kind in source.grammar.pairs:
            key = pair(source, child)[0]
            found.append(key or "*")
        elif kind == "shorthand_property_identifier":
            found.append(child.text())
        elif kind not in source.grammar.comments:
            if kind in source.grammar.maps | source.grammar.lists or kind == "literal_element":
                return keys(source, child, 1)
            found.append("*")
    return tuple(dict.fromkeys(found))


def pair(source: Source, node: Node) -> tuple[str, Node | None]:
    """The key, as text, and the value of one entry of a map."""
    shape = source.grammar.pairs[node.kind()]
    named = node.named_children()
    if shape.key:
        key, value = node.field(shape.key), node.field(shape.value)
    else:
        key, value = (named[0], named[-1]) if len(named) > 1 else (None, named[0] if named else None)
    if key is None:
        return "", value
    text = source.string(key) if key.kind() in source.grammar.strings else key.text()
    text = (text or "").strip("'\":")
    return ("" if HOLE in text or (text.startswith("[") and not text.startswith("[Op")) else text), value


def json_keys(text: str) -> tuple[str, ...]:
    """The keys of a JSON object, holes and shell variables allowed in its values."""
    return tuple(dict.fromkeys(re.findall(r'[{,]\s*\\?"?([A-Za-z_]\w*)\\?"?\s*:', text))) or ("*",)


def value_at(source: Source, node: Node, name: str) -> Node | None:
    """The value of one entry of a map, None when it is not there."""
    node = source.resolve(node)
    if node.kind() in source.grammar.calls:
        link = source.chain(node).links[-1]
        if name in link.keywords:
            return link.keywords[name]
        return value_at(source, link.positional[0], name) if link.positional and WRAPPERS.search(link.name) else None
    if node.kind() not in source.grammar.maps:
        return None
    for child in node.named_children():
        if child.kind() in source.grammar.pairs:
            key, value = pair(source, child)
            if key == name:
                return value
        elif child.text() == name and child.kind() == "shorthand_property_identifier":
            return child
    return None


def columns(source: Source, nodes: Iterable[Node]) -> tuple[str, ...]:
    """Names given as strings, lists of strings, or attributes: an ON CONFLICT target."""
    found: list[str] = []
    for node in map(source.resolve, nodes):
        if node.kind() in source.grammar.lists and node.kind() not in source.grammar.strings:
            found += columns(source, _elements(source, node))
            continue
        text = source.string(node) if node.kind() not in source.grammar.members else node.text().rpartition(".")[2]
        text = text if text is not None else node.text().lstrip(":")
        found += [part.strip() for part in text.split(",") if IDENTIFIER.match(part.strip())]
    return tuple(found)


def _elements(source: Source, node: Node) -> list[Node]:
    return [
        child.named_children()[-1] if child.kind() in source.grammar.pairs else child
        for child in node.named_children()
        if child.kind() not in source.grammar.comments
    ]


def filters(source: Source, positional: Iterable[Node], keywords: dict[str, Node]) -> Filter:
    """The equality conditions in a call's arguments, in whatever form the library takes them."""
    found: list[tuple[str, bool]] = []
    for name, value in keywords.items():
        if name in GROUPS and source.resolve(value).kind() in source.grammar.maps | source.grammar.strings:
            found += _map_filter(source, value, 0)
        else:
            found += _keyword(source, name, value)
    rest = [source.unwrap(node) for node in positional]
    first = source.string(rest[0]) if rest else None
    if first is not None and IDENTIFIER.match(first) and len(rest) > 1:
        operator = source.string(rest[1]) if len(rest) > 2 else "="
        if operator in {"=", "==", "eq"} or len(rest) == 2:
            found.append((first, _constant(source, rest[-1])))
        rest = []
    for node in rest:
        found += _positional(source, node)
    return Filter(tuple(n for n, constant in found if not constant), tuple(n for n, constant in found if constant))


def _keyword(source: Source, name: str, value: Node) -> list[tuple[str, bool]]:
    match = PARAMETER_FILTER.match(name)
    if match:
        return [(match.group(1), _constant(source, value))]
    name, _, suffix = name.partition("__")
    return [(name, _constant(source, value))] if suffix in {"", "exact", "iexact", "id"} else []


def _positional(source: Source, node: Node) -> list[tuple[str, bool]]:  # noqa: PLR0911  one return a form
    resolved = source.resolve(node)
    if resolved.kind() in source.grammar.maps:
        return _map_filter(source, resolved, 0)
    if resolved.kind() in source.grammar.calls:
        link = source.chain(resolved).links[-1]
        if link.name in {"eq", "Eq"} and len(link.positional) == 2:
            return [(link.positional[0].text().rpartition(".")[2], _constant(source, link.positional[1]))]
        inner = (
            filters(source, link.positional, link.keywords)
            if link.name in {"and", "and_", "Q", "where"}
            else Filter(())
        )
        return [(n, False) for n in inner.columns] + [(n, True) for n in inner.fixed]
    text = source.string(resolved)
    if text is not None:
        if "?" in text and "=" in text and "/" in text:
            return url_filter(text)
        return [(m.group(1), m.group(2)[0] in "'tTfF") for m in FRAGMENT.finditer(text)]
    match = COMPARISON.match(resolved.text())
    if match and not re.search(r"\b(and|or)\b|[|]", match.group(2)[:200]):
        return [(match.group(1), bool(re.match(r"['\"\d]|True|False", match.group(2))))]
    return []


def _map_filter(source: Source, node: Node, depth: int) -> list[tuple[str, bool]]:
    node = source.resolve(node)
    if node.kind() not in source.grammar.maps:
        text = source.string(node)
        return (
            [(n, False) for n in json_keys(text) if not n.startswith("_") and n != "*"]
            if text and "_eq" in text
            else []
        )
    found: list[tuple[str, bool]] = []
    for child in node.named_children() if depth < 5 else ():
        if child.kind() == "shorthand_property_identifier":
            found.append((child.text(), False))
        if child.kind() not in source.grammar.pairs:
            found += _map_filter(source, child, depth + 1) if child.kind() in source.grammar.maps else []
            continue
        key, value = pair(source, child)
        if value is not None and key:
            found += _entry(source, key, value, depth)
    return found


def _entry(source: Source, key: str, value: Node, depth: int) -> list[tuple[str, bool]]:
    resolved = source.resolve(value)
    kind = resolved.kind()
    if key in ALTERNATIVES:
        return []
    if key in GROUPS:
        inner = (
            _elements(source, resolved) if kind in source.grammar.lists and kind not in source.grammar.maps else [value]
        )
        if kind in source.grammar.calls:
            inner = (
                [source.chain(resolved).links[-1].positional[0]] if source.chain(resolved).links[-1].positional else []
            )
        return [entry for part in inner for entry in _map_filter(source, part, depth + 1)]
    match = PARAMETER_FILTER.match(key)
    if match:
        return [(match.group(1), _constant(source, value))]
    if kind in source.grammar.maps and source.grammar.language != "php":
        operators = [pair(source, child) for child in resolved.named_children() if child.kind() in source.grammar.pairs]
        equal = [operand for name, operand in operators if name in OPERATORS and operand is not None]
        return [(key, _constant(source, equal[0]))] if equal else []
    return [(key, _constant(source, value))] if IDENTIFIER.match(key) and not key.startswith(("_", "$")) else []


def url_filter(text: str) -> list[tuple[str, bool]]:
    """The equality filters in a REST URL's query."""
    text = unquote(text)
    found = [
        (m.group(1) or m.group(3), HOLE not in (m.group(2) or m.group(4) or "")) for m in QUERY_FILTER.finditer(text)
    ]
    match = re.search(r"filter=(\{.*)", text, re.DOTALL)
    if match:
        found += [
            (m.group(1), HOLE not in m.group(2)) for m in re.finditer(r'"(\w+)":\{"_eq":"?([^"}]*)', match.group(1))
        ]
    return found


def _constant(source: Source, node: Node) -> bool:
    node = source.unwrap(node)
    if node.kind() in source.grammar.strings:
        return HOLE not in (source.string(node) or HOLE)
    return node.kind() in CONSTANT_KINDS and node.kind() not in NAMES


def predicate(source: Source, node: Node) -> tuple[str | None, bool]:
    """An index predicate in SQL, and whether a value in it is bound: (None, True) for an expression of the library."""
    text = source.string(node)
    if text is None:
        return None, True
    tree = sql.condition(text)
    bound = tree is None or any(True for _ in tree.find_all(*sql.BOUND))
    return text, bound


def json_object(text: str) -> dict[str, object]:
    """A JSON object; empty when the text is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


Reader = Callable[[Source, Node], TableName | None]
TABLE_READERS: dict[str, Reader] = {"string": table_string, "url": table_url, "model": model_name}


def table_variable(source: Source, node: Node) -> TableName | None:
    """A table named by a variable, `issues` or `schema.systemIssues`; its name in snake case is the guess."""
    name = source.unwrap(node).text().rpartition(".")[2]
    return TableName(name, exact=False) if IDENTIFIER.match(name) else None


TABLE_READERS["variable"] = table_variable

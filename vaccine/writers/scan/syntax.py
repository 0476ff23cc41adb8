"""One parsed source file: calls as chains, strings with holes, assignments, functions, handlers.

A *chain* is a call with all that it hangs on: `knex('t').where({a}).first()` has the links knex,
where and first. A *hole* is a part of a string that is only known at run time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from vaccine.writers.scan.grammar import Grammar, NodeShape

HOLE = "\ue000"
MAX_DEPTH = 4
ESCAPES = {"\\n": "\n", "\\t": "\t", '\\"': '"', "\\'": "'", "\\\\": "\\", "\\`": "`", "\\$": "$", "\\r": "\r"}
ESCAPE = re.compile(r"\\[nt\"'\\`$r]")
FORMAT_HOLE = re.compile(r"(?<!\{)\{\w*(?:[!:][^{}]*)?\}(?!\})")

Node = Any  # ast_grep_py.SgNode


@dataclass(frozen=True, slots=True)
class Link:
    """One call of a chain: its name, arguments by position and by name, and its node."""

    name: str
    positional: tuple[Node, ...]
    keywords: dict[str, Node]
    node: Node


@dataclass(frozen=True, slots=True)
class Chain:
    """The links from the innermost call outwards; `root` is the text of what the first one hangs on."""

    root: str
    links: tuple[Link, ...]
    node: Node


@dataclass(frozen=True, slots=True)
class Function:
    """A function's place in the file, by character offsets."""

    name: str
    start: int
    end: int
    small: bool  # a lambda whose body is one expression: no scope of its own for look-ups


@dataclass
class Source:
    """A file with its tree. Raises nothing: a tree-sitter tree exists for any text."""

    file: str
    text: str
    grammar: Grammar
    root: Node
    _resolving: set[int] = field(default_factory=set)

    def span(self, node: Node) -> tuple[int, int]:
        """Character offsets of a node."""
        place = node.range()
        return place.start.index, place.end.index

    def line(self, offset: int) -> int:
        """The line of an offset, from 1."""
        return self.text.count("\n", 0, offset) + 1

    def find(self, kinds: frozenset[str] | set[str]) -> list[Node]:
        """All nodes of some kinds, outer ones first."""
        if not kinds:
            return []
        return list(self.root.find_all(any=[{"kind": kind} for kind in sorted(kinds)]))

    @cached_property
    def functions(self) -> list[Function]:
        """All functions, outer ones first."""
        found = []
        for node in self.find(self.grammar.functions | self.grammar.lambdas):
            start, end = self.span(node)
            body = node.field("body")
            small = node.kind() in self.grammar.lambdas and (body is None or "block" not in body.kind() + node.kind())
            found.append(Function(self._function_name(node), start, end, small))
        return found

    def _function_name(self, node: Node) -> str:
        name = node.field("name")
        if name is None and node.kind() in self.grammar.functions:
            name = next((child for child in node.children() if child.kind() in {"word", "identifier"}), None)
        if name is None:
            parent = node.parent()
            names = (parent.field(field_name) for field_name in ("name", "key", "left", "property")) if parent else ()
            name = next((candidate for candidate in names if candidate is not None), None)
        return re.split(r"[.\s]", name.text().strip())[-1] if name is not None else ""

    def scopes(self, offset: int) -> list[Function]:
        """The functions around an offset, innermost first, small lambdas left out."""
        around = [f for f in self.functions if f.start <= offset < f.end and not f.small]
        return around[::-1]

    def scope_name(self, offset: int) -> str:
        """The innermost named function around an offset; "" at the top level."""
        return next((scope.name for scope in self.scopes(offset) if scope.name), "")

    @cached_property
    def comments(self) -> list[tuple[int, int]]:
        """The spans of all comments."""
        return [self.span(node) for node in self.find(self.grammar.comments)]

    def in_comment(self, offset: int) -> bool:
        """True when the offset lies in a comment."""
        return any(start <= offset < end for start, end in self.comments)

    # -- names and their values --------------------------------------------------------------

    @cached_property
    def assignments(self) -> dict[str, list[tuple[int, Node]]]:
        """Name → (offset, value) of every assignment, in the file's order."""
        found: dict[str, list[tuple[int, Node]]] = {}
        for node in self.find(frozenset(self.grammar.assignments)):
            shape = self.grammar.assignments[node.kind()]
            name, value = node.field(shape.key), node.field(shape.value)
            if name is not None and value is not None:
                found.setdefault(name.text().strip(), []).append((self.span(node)[0], value))
        return found

    def assigned(self, name: str, offset: int) -> Node | None:
        """The value last assigned to a name before an offset, in a function around it or at the top level.

        A name with a dot (`this.items`, `self.url`) counts from anywhere in the file.
        """
        candidates = self.assignments.get(name, [])
        scopes = {(scope.start, scope.end) for scope in self.scopes(offset)}
        best = None
        for start, value in candidates:
            around = self.scopes(start)
            visible = not around or (around[0].start, around[0].end) in scopes
            if (visible and start < offset) or "." in name or name.startswith(("@", "$this")):
                best = value
        return best

    def unwrap(self, node: Node) -> Node:
        """The node inside await, parentheses, casts and the like."""
        while node.kind() in self.grammar.transparent:
            inner = [child for child in node.named_children() if child.kind() not in self.grammar.comments]
            if not inner:
                break
            node = inner[0]
        return node

    def resolve(self, node: Node) -> Node:
        """The node that a name stands for where the file shows it, else the node itself."""
        for _ in range(MAX_DEPTH):
            node = self.unwrap(node)
            kind = node.kind()
            if not (kind in self.grammar.members or kind in NAMES):
                break
            value = self.assigned(node.text().strip(), self.span(node)[0])
            if value is None:
                break
            node = value
        return node

    # -- strings -----------------------------------------------------------------------------

    def string(self, node: Node, depth: int = 0) -> str | None:
        """A string's text, HOLE for each part known only at run time; None when it is no string."""
        node = self.unwrap(node) if depth else self.resolve(node)
        kind = node.kind()
        if depth > MAX_DEPTH:
            return None
        if kind in self.grammar.strings or kind in STRING_PARTS:
            return self._literal(node, depth)
        if kind in self.grammar.joins:
            return self._joined(node, depth)
        if kind in self.grammar.calls:
            return self._wrapped(node, depth)
        return node.text() if kind in {"word", "number"} else None

    def _literal(self, node: Node, depth: int) -> str:
        if not node.children():
            text = node.text()
            return _escaped(text if node.kind() in RAW_PARTS else text.strip("'\"`"))
        if node.kind() == "heredoc_body":
            return self._document(node, depth)
        parts = []
        for child in node.children():
            kind = child.kind()
            if kind in self.grammar.strings:
                parts.append(self._literal(child, depth + 1))
            elif kind.endswith(("_content", "_fragment")) or kind == "escape_sequence":
                parts.append(_escaped(child.text()))
            elif child.is_named() and kind not in SKIPPED_PARTS:
                parts.append(self._hole(child, depth))
        return "".join(parts)

    def _document(self, node: Node, depth: int) -> str:
        """A here document: all its text, as its first part is no node of its own."""
        reached, end = self.span(node)
        parts = []
        for child in node.named_children():
            if child.kind().endswith("_content") or child.kind() in SKIPPED_PARTS:
                continue
            start, after = self.span(child)
            parts += [self.text[reached:start], self._hole(child, depth)]
            reached = after
        last = [self.span(child)[0] for child in node.named_children() if child.kind() == "heredoc_end"]
        return "".join([*parts, self.text[reached : last[0] if last else end]])

    def _hole(self, node: Node, depth: int) -> str:
        """The constant that stands in a hole, where the file shows it."""
        names = [node, *node.named_children()][-1]
        name = names.text().strip()
        value = self.assigned(name, self.span(node)[0]) if depth <= MAX_DEPTH else None
        if value is None or id(value) in self._resolving:
            return HOLE
        self._resolving.add(id(value))
        try:
            return self.string(value, depth + 1) or HOLE
        finally:
            self._resolving.discard(id(value))

    def _joined(self, node: Node, depth: int) -> str | None:
        if not any(kind in self.grammar.strings for kind in _kinds_inside(node)):
            return None
        operands = [child for child in node.named_children() if child.kind() not in self.grammar.comments]
        if "%" in {child.kind() for child in node.children()}:
            operands = operands[:1]
        parts = [self.string(self.resolve(child), depth + 1) for child in operands]
        return "".join(HOLE if part is None else part for part in parts)

    def _wrapped(self, node: Node, depth: int) -> str | None:
        """The string in `"…".format(…)`, `text("…")`, `sql.SQL("…")`, `JSON.stringify` left out."""
        shape = self.grammar.calls[node.kind()]
        callee = node.field(shape.callee) if shape.callee else None
        if callee is None:
            return None
        name = callee.text()
        if name.endswith(".format") and callee.kind() in self.grammar.members:
            inner = self.string(callee.field(self.grammar.members[callee.kind()].object), depth + 1)
            return FORMAT_HOLE.sub(HOLE, inner) if inner is not None else None
        if re.search(r"(^|\.)(text|SQL|dedent|raw|sql|Sprintf)$", name):
            arguments = self.arguments(node, shape)[0]
            return self.string(arguments[0], depth + 1) if arguments else None
        return None

    # -- calls -------------------------------------------------------------------------------

    def arguments(self, call: Node, shape: NodeShape) -> tuple[tuple[Node, ...], dict[str, Node]]:
        """The arguments of a call by position and by name."""
        holder = call.field(shape.arguments) if shape.arguments else None
        positional: list[Node] = []
        keywords: dict[str, Node] = {}
        for child in holder.named_children() if holder is not None else ():
            kind = child.kind()
            if kind in self.grammar.comments:
                continue
            if kind in self.grammar.keywords:
                keyword = self.grammar.keywords[kind]
                key, value = child.field(keyword.key), child.field(keyword.value)
                if key is not None:
                    keywords[key.text().strip("'\":")] = value if value is not None else key
            else:
                positional.append(self.unwrap(child))
        return tuple(positional), keywords

    def outermost(self, call: Node) -> Node:
        """The whole chain that a call is part of."""
        start = self.span(call)[0]
        node = call
        parent = node.parent()
        while parent is not None and self.span(parent)[0] == start:
            kind = parent.kind()
            if kind in self.grammar.calls:
                node = parent
            elif kind not in self.grammar.members and kind != "non_null_expression":
                break
            parent = parent.parent()
        return node

    def chain(self, call: Node) -> Chain:
        """The chain that ends with this call."""
        links: list[Link] = []
        node, root = call, ""
        while True:
            node = self.unwrap(node)
            kind = node.kind()
            if kind in self.grammar.calls:
                name, target = self._callee(node, self.grammar.calls[kind])
                positional, keywords = self.arguments(node, self.grammar.calls[kind])
                links.append(Link(name, positional, keywords, node))
                if target is None:
                    break
                node = target
            elif kind in self.grammar.members and "(" in node.text():
                node = node.field(self.grammar.members[kind].object)
            else:
                root = node.text().strip()
                break
        return Chain(root, tuple(reversed(links)), call)

    def _callee(self, node: Node, shape: NodeShape) -> tuple[str, Node | None]:
        if not shape.callee:
            name, target = node.field(shape.name), node.field(shape.object) if shape.object else None
            return (name.text() if name is not None else ""), target
        callee = node.field(shape.callee)
        if callee is None:
            return "", None
        callee = self.unwrap(callee)
        if callee.kind() in self.grammar.members:
            member = self.grammar.members[callee.kind()]
            name = callee.field(member.name)
            return (name.text() if name is not None else ""), callee.field(member.object)
        if callee.kind() in self.grammar.calls:
            return "()", callee
        return callee.text().strip(), None

    def expanded(self, chain: Chain) -> Chain:
        """The chain with its root's own chain in front, where the root is a name for one."""
        if not chain.root or "(" in chain.root:
            return chain
        value = self.assigned(chain.root, self.span(chain.node)[0])
        value = self.unwrap(value) if value is not None else None
        if value is None or value.kind() not in self.grammar.calls:
            return chain
        front = self.chain(value)
        return Chain(front.root, front.links + chain.links, chain.node)

    def calls_named(self, names: frozenset[str]) -> Iterator[Node]:
        """The calls whose own name is one of `names`, outer ones first."""
        words = "|".join(re.escape(name) for name in sorted(names))
        rules: list[dict[str, Any]] = []
        for shape in self.grammar.calls.values():
            place, regex = (shape.callee, rf"(^|\W)({words})!?$") if shape.callee else (shape.name, f"^({words})$")
            rules.append({"kind": shape.kind, "has": {"field": place, "regex": regex}})
        return iter(self.root.find_all(any=rules)) if rules and names else iter(())


NAMES = frozenset(
    (
        *("identifier", "variable_name", "constant", "instance_variable", "simple_expansion", "name", "expansion"),
        *("shorthand_property_identifier",),
    )
)
STRING_PARTS = frozenset({"heredoc_body", "heredoc_content", "raw_string", "ansi_c_string"})
RAW_PARTS = frozenset({"heredoc_body", "heredoc_content"})
SKIPPED_PARTS = frozenset({"string_start", "string_end", "heredoc_start", "heredoc_end", "heredoc_beginning"})


def _escaped(text: str) -> str:
    return ESCAPE.sub(lambda match: ESCAPES[match.group()], text) if "\\" in text else text


def _kinds_inside(node: Node) -> set[str]:
    kinds = set()
    for child in node.named_children():
        kinds.add(child.kind())
        if child.kind() == node.kind():
            kinds |= _kinds_inside(child)
        elif "parenthesized" in child.kind() or "call" in child.kind():
            kinds |= {grandchild.kind() for grandchild in child.named_children()}
    return kinds

"""The parser behind `parse`: recursive descent over what pg_get_expr prints and people write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from vaccine.predicates.condition import Condition, Predicate, quote
from vaccine.predicates.tokens import MOST, Token, after_type, plain_text, tokenize, unquote

_TEXT_TYPES = {"text", "character varying", "varchar", "bpchar", "character", "citext", "name"}
_WORDS = {"varying", "precision", "with", "without", "time", "zone"}
DEEPEST = 50  # what is nested deeper, or cast more often, is not understood


@lru_cache(maxsize=4096)
def parse(text: str | None) -> Predicate:
    """The conditions of a predicate, in its order, all of which must hold; none for None or "true"."""
    if text is None or not text.strip():
        return ()
    try:
        if len(text) > MOST:
            raise _UnknownForm
        parser = _Parser(tokenize(text))
        node = parser.disjunction()
        if parser.kind():
            raise _UnknownForm
    except _UnknownForm:
        return (Condition("sql", text=text.strip() if len(text) > MOST else plain_text(text)),)
    return tuple(dict.fromkeys(_conditions(node)))


class _UnknownForm(Exception):  # noqa: N818  internal: the text stays as it is
    pass


@dataclass(frozen=True, slots=True)
class _Node:
    """A parsed piece. `kind`: column, literal, list, sql, operation, condition, and, or."""

    kind: str
    text: str = ""
    parts: tuple[_Node, ...] = ()
    condition: Condition | None = None


def _conditions(node: _Node) -> list[Condition]:
    if node.kind == "and":
        return [condition for part in node.parts for condition in _conditions(part)]
    if node.kind == "condition":
        assert node.condition is not None
        return [node.condition]
    if node.kind == "column":
        return [Condition("true", node.text)]
    if node.kind == "literal" and node.text == "true":
        return []
    if node.kind == "or":
        return [_either(node)]
    return [Condition("sql", text=_sql(node))]


def _either(node: _Node) -> Condition:
    """`a = 1 OR a = 2` is `a IN (1, 2)`; any other OR stays text."""
    options = [part.condition for part in node.parts]
    first = options[0]
    if first and all(option and option.kind == "in" and option.column == first.column for option in options):
        values = dict.fromkeys(value for option in options if option for value in option.values)
        return Condition("in", first.column, tuple(sorted(values)))
    return Condition("sql", text=_sql(node))


def _sql(node: _Node) -> str:
    if node.kind == "column":
        return quote(node.text)
    if node.kind in {"and", "or"}:
        return "(" + f" {node.kind.upper()} ".join(_sql(part) for part in node.parts) + ")"
    if node.kind == "condition":
        return str(node.condition)
    if node.kind == "list":
        return "ARRAY[" + ", ".join(_sql(part) for part in node.parts) + "]"
    return node.text


_OPPOSITE = {"in": "not in", "not in": "in", "null": "not null", "not null": "null"}


class _Parser:
    """Recursive descent over the tokens; raises _UnknownForm where a form is not known."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0

    def kind(self) -> str:
        return self.tokens[self.position][0] if self.position < len(self.tokens) else ""

    def peek(self, ahead: int = 0) -> str:
        position = self.position + ahead
        return self.tokens[position][1] if position < len(self.tokens) else ""

    def word(self, *words: str) -> bool:
        """Take the next tokens when they are these words."""
        if all(self.peek(number).lower() == word for number, word in enumerate(words)):
            self.position += len(words)
            return True
        return False

    def expect(self, mark: str) -> None:
        if not self.word(mark):
            raise _UnknownForm

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self.depth += 1
        if self.depth > DEEPEST:
            raise _UnknownForm
        yield
        self.depth -= 1

    def disjunction(self) -> _Node:
        with self._deeper():
            parts = [self.conjunction()]
            while self.word("or"):
                parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else _Node("or", parts=tuple(parts))

    def conjunction(self) -> _Node:
        parts = [self.negation()]
        while self.word("and"):
            parts.append(self.negation())
        return parts[0] if len(parts) == 1 else _Node("and", parts=tuple(parts))

    def negation(self) -> _Node:
        if not self.word("not"):
            return self.comparison()
        with self._deeper():
            inner = self.negation()
        if inner.kind == "column":
            return _Node("condition", condition=Condition("false", inner.text))
        condition = inner.condition
        if condition and condition.kind == "true":  # NOT (x IS TRUE) holds for NULL, NOT x does not
            raise _UnknownForm
        if condition and condition.kind in _OPPOSITE:
            return _Node(
                "condition", condition=Condition(_OPPOSITE[condition.kind], condition.column, condition.values)
            )
        return _Node("sql", f"NOT ({_sql(inner)})")

    def comparison(self) -> _Node:
        left = self.operand()
        if self.word("is"):
            return self._is(left)
        for words in (("in",), ("not", "in")):
            if self.word(*words):
                return _membership(" ".join(words), left, self._list("(", ")"))
        if self.kind() != "operator":
            return left
        operator = self.peek()
        self.position += 1
        for quantifier in ("any", "all"):
            if self.word(quantifier):
                return _quantify(left, operator, quantifier, self._quantified())
        return _compare(left, operator, self.operand())

    def _is(self, left: _Node) -> _Node:
        negative = self.word("not")
        for word in ("null", "true", "false"):
            if self.word(word):
                break
        else:
            raise _UnknownForm
        if left.kind != "column":
            return _Node("sql", f"({_sql(left)}) IS {'NOT ' if negative else ''}{word.upper()}")
        if word == "false" and negative:
            return _Node("sql", f"{quote(left.text)} IS NOT FALSE")
        return _Node("condition", condition=Condition(f"not {word}" if negative else word, left.text))

    def _quantified(self) -> _Node:
        self.expect("(")
        inner = self.disjunction()
        self.expect(")")
        return inner

    def _list(self, opening: str, closing: str) -> _Node:
        self.expect(opening)
        parts = [self.disjunction()]
        while self.word(","):
            parts.append(self.disjunction())
        self.expect(closing)
        return _Node("list", parts=tuple(parts))

    def operand(self) -> _Node:
        node = self.primary()
        casts = 0
        while self.kind() == "cast":
            casts += 1
            if casts > DEEPEST:
                raise _UnknownForm
            start = self.position + 1
            self.position, kind = after_type(self.tokens, start)
            if node.kind != "column" and ("mark", "(") in self.tokens[start : self.position]:
                raise _UnknownForm  # 'opened'::varchar(4) is another value
            node = _cast(node, kind)
        return node

    def primary(self) -> _Node:
        kind, value = self.kind(), self.peek()
        if value == "(":
            return self._quantified()
        if self.word("array"):
            return self._list("[", "]")
        if kind == "name":
            return self._name(value)
        negative = self.word("-")
        if self.kind() not in {"string", "number"}:
            raise _UnknownForm
        self.position += 1
        return _Node("literal", "-" * negative + self.peek(-1))

    def _name(self, value: str) -> _Node:
        self.position += 1
        if value.lower() in {"true", "false", "null"}:
            return _Node("literal", value.lower())
        if value.lower() in _WORDS:
            raise _UnknownForm
        if self.peek() == "(" and not value.startswith('"'):
            return self._call(value)
        return _Node("column", unquote(value))

    def _call(self, function: str) -> _Node:
        if self.peek(1) == ")":
            self.position += 2
            return _Node("sql", f"{function}()")
        arguments = self._list("(", ")")
        return _Node("sql", f"{function}({', '.join(_sql(part) for part in arguments.parts)})")


def _cast(node: _Node, kind: str) -> _Node:
    base = kind.removesuffix("[]")
    if node.kind in {"literal", "list"} or (base in _TEXT_TYPES and node.kind in {"column", "sql", "operation"}):
        return node
    return _Node("sql", f"({_sql(node)})::{kind}")


def _membership(kind: str, left: _Node, right: _Node) -> _Node:
    values = right.parts
    plain = left.kind == "column" and right.kind == "list"
    if plain and all(part.kind == "literal" and part.text != "null" for part in values):
        return _Node("condition", condition=Condition(kind, left.text, tuple(sorted({part.text for part in values}))))
    return _text(left, kind.upper(), "", right)


def _quantify(left: _Node, operator: str, quantifier: str, right: _Node) -> _Node:
    if (operator, quantifier) == ("=", "any"):
        return _membership("in", left, right)
    if operator in {"<>", "!="} and quantifier == "all":
        return _membership("not in", left, right)
    return _text(left, operator, quantifier.upper(), right)


def _compare(left: _Node, operator: str, right: _Node) -> _Node:
    if left.kind == "literal" and right.kind == "column" and operator in {"=", "<>", "!="}:
        left, right = right, left
    if left.kind == "column" and right.kind == "literal" and right.text != "null":
        if operator == "=" and right.text in {"true", "false"}:
            return _Node("condition", condition=Condition(right.text, left.text))
        if operator in {"=", "<>", "!="}:
            kind = "in" if operator == "=" else "not in"
            return _Node("condition", condition=Condition(kind, left.text, (right.text,)))
    return _text(left, operator, "", right)


def _text(left: _Node, operator: str, quantifier: str, right: _Node) -> _Node:
    middle = f"{operator} {quantifier}".strip()
    return _Node("operation", f"{_operand(left)} {middle} {_operand(right, bracketed=bool(quantifier))}")


def _operand(node: _Node, *, bracketed: bool = False) -> str:
    """One side of an operator, in parentheses where precedence could change the meaning."""
    text = _sql(node)
    return f"({text})" if bracketed or node.kind in {"operation", "condition"} else text

"""Predicates by meaning: the text that PostgreSQL prints, or a person writes, as a set of conditions.

`((status)::text = 'open'::text)`, `status = 'open'` and `status IN ('open')` are one condition.
Only what is certain is simplified; the rest stays text, and `implies` then answers "cannot tell".
Casts to the text types are dropped everywhere, other casts only from literals.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>[Ee]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")+"|[^\W\d][\w$]*)
    | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<cast>::)
    | (?P<operator><>|!=|<=|>=|[-+*/<>=~!@\#%^&|?]+)
    | (?P<mark>[()\[\],.:;])
    )""",
    re.VERBOSE,
)
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
_TEXT_TYPES = {"text", "character varying", "varchar", "bpchar", "character", "citext", "name"}
_TYPE_WORDS = {"varying", "precision", "with", "without", "time", "zone"}
_WORDS = {"and", "or", "not", "is", "null", "true", "false", "in", "any", "all", "array", "like", "between", "case"}
_RESERVED = _WORDS | set(
    "analyse analyze as asc both cast check collate column constraint create cross current_date current_role "
    "current_time current_timestamp current_user default deferrable desc distinct do else end except fetch for "
    "foreign from grant group having initially inner intersect into join lateral leading left limit localtime "
    "localtimestamp natural notnull isnull offset on only order outer overlaps placing primary references returning "
    "right select session_user similar some symmetric table then to trailing union unique user using variadic "
    "verbose when where window authorization binary collation concurrently freeze full ilike tablesample "
    "between bigint bit boolean char character coalesce dec decimal exists extract float greatest grouping inout "
    "int integer interval least national nchar none normalize nullif numeric out overlay position precision real "
    "row setof smallint substring time timestamp treat trim values varchar xmlattributes asymmetric".split()
)


def quote(name: str) -> str:
    """A column name as SQL needs it: quoted only where it must be."""
    if _PLAIN.fullmatch(name) and name not in _RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text literal. With a backslash it takes the E form, right under either standard_conforming_strings."""
    doubled = value.replace("'", "''")
    return "E'" + doubled.replace("\\", "\\\\") + "'" if "\\" in value else f"'{doubled}'"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a conjunction.

    `kind`: "in", "not in", "null", "not null", "true", "false", "not true", or "sql" for any other,
    whose `text` is its normalised SQL. `values` are literals as SQL writes them.
    """

    kind: str
    column: str = ""
    values: tuple[str, ...] = ()
    text: str = ""

    def __str__(self) -> str:
        name = quote(self.column)
        if self.kind in {"in", "not in"}:
            if len(self.values) == 1:
                return f"{name} {'=' if self.kind == 'in' else '<>'} {self.values[0]}"
            return f"{name} {self.kind.upper()} ({', '.join(self.values)})"
        forms = {
            "null": f"{name} IS NULL",
            "not null": f"{name} IS NOT NULL",
            "true": name,
            "false": f"NOT {name}",
            "not true": f"{name} IS NOT TRUE",
        }
        return forms.get(self.kind, self.text)


Predicate = tuple[Condition, ...]


def parse(text: str | None) -> Predicate:
    """The conditions of a predicate, in its order, all of which must hold; none for None or "true"."""
    if text is None or not text.strip():
        return ()
    try:
        parser = _Parser(_tokens(text))
        node = parser.disjunction()
        if parser.kind():
            raise _UnknownForm
    except _UnknownForm:
        return (Condition("sql", text=" ".join(text.split())),)
    return tuple(dict.fromkeys(_conditions(node)))


def render(predicate: Iterable[Condition]) -> str | None:
    """The predicate as readable SQL; None when it is empty."""
    conditions = list(predicate)
    return " AND ".join(_bracketed(condition, alone=len(conditions) == 1) for condition in conditions) or None


def implies(given: Predicate, wanted: Predicate, not_null: Collection[str] = ()) -> bool | None:
    """Does every row that satisfies `given` satisfy `wanted`? None when text cannot tell.

    `not_null` names columns that never hold NULL.
    """
    verdicts = [_implies_one(given, condition, not_null) for condition in wanted]
    if all(verdicts):
        return True
    return False if any(verdict is False for verdict in verdicts) else None


def columns_in(text: str, known: Collection[str]) -> tuple[str, ...]:
    """The columns among `known` that an expression reads, in its order."""
    found: dict[str, None] = {}
    tokens = _tokens(text)
    position = 0
    while position < len(tokens):
        kind, value = tokens[position]
        if kind == "cast":
            position = _after_type(tokens, position + 1)[0]
            continue
        called = position + 1 < len(tokens) and tokens[position + 1][1] == "(" and not value.startswith('"')
        name = _unquote(value)
        if kind == "name" and not called and name in known:
            found[name] = None
        position += 1
    return tuple(found)


def _implies_one(given: Predicate, wanted: Condition, not_null: Collection[str]) -> bool | None:
    if wanted in given or (wanted.kind == "not null" and wanted.column in not_null):
        return True
    same = [condition for condition in given if condition.column == wanted.column and wanted.column]
    if any(_settles(condition, wanted) for condition in same):
        return True
    if wanted.kind == "sql" or any(condition.kind == "sql" for condition in given):
        return None
    if wanted.kind == "not null" and wanted.column:
        return False
    # Each kind left says something of one column alone; rows outside `wanted` can then satisfy `given`.
    return False


def _settles(given: Condition, wanted: Condition) -> bool:
    """Does one condition on a column imply another on the same column?"""
    if wanted.kind == "not null":
        return given.kind in {"in", "not in", "true", "false", "not null"}
    if wanted.kind == "in":
        return given.kind == "in" and set(given.values) <= set(wanted.values)
    if wanted.kind == "not in":
        if given.kind == "not in":
            return set(wanted.values) <= set(given.values)
        return given.kind == "in" and not set(given.values) & set(wanted.values)
    if wanted.kind == "not true":
        return given.kind in {"false", "null", "not true"}
    return False


def _bracketed(condition: Condition, *, alone: bool) -> str:
    text = str(condition)
    return f"({text})" if condition.kind == "sql" and not alone and not text.startswith("(") else text


class _UnknownForm(Exception):  # noqa: N818  internal: the text stays as it is
    pass


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position, end = [], 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            found.append(("mark", text[position]))
            position += 1
            continue
        found.append((match.lastgroup, match.group(match.lastgroup)))
        position = match.end()
    return found


def _unquote(word: str) -> str:
    return word[1:-1].replace('""', '"') if word.startswith('"') else word.lower()


def _after_type(tokens: list[tuple[str, str]], position: int) -> tuple[int, str]:
    """The position behind a type's name that starts at `position`, and the name without modifiers."""
    words: list[str] = []
    while position < len(tokens):
        kind, value = tokens[position]
        if kind == "name" and (not words or words[-1] == "." or value in _TYPE_WORDS):
            words.append(_unquote(value))
        elif value == "." and words:
            words.append(value)
        else:
            break
        position += 1
    if position < len(tokens) and tokens[position][1] == "(":
        while position < len(tokens) and tokens[position][1] != ")":
            position += 1
        position += 1
    array = ""
    while position + 1 < len(tokens) and tokens[position][1] == "[" and tokens[position + 1][1] == "]":
        position, array = position + 2, "[]"
    return position, "".join(words if "." in words else [" ".join(words)]) + array


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

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.position = 0

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

    def disjunction(self) -> _Node:
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
        if self.word("in"):
            return _membership("in", left, self._list("(", ")"))
        if self.word("not", "in"):
            return _membership("not in", left, self._list("(", ")"))
        if self.kind() != "operator":
            return left
        operator = self.peek()
        self.position += 1
        if self.word("any"):
            right = self._quantified()
            return _membership("in", left, right) if operator == "=" else _text(left, operator, "ANY", right)
        if self.word("all"):
            right = self._quantified()
            negative = operator in {"<>", "!="}
            return _membership("not in", left, right) if negative else _text(left, operator, "ALL", right)
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
        while self.kind() == "cast":
            self.position, kind = _after_type(self.tokens, self.position + 1)
            node = _cast(node, kind)
        return node

    def primary(self) -> _Node:
        kind, value = self.kind(), self.peek()
        if value == "(":
            return self._quantified()
        if self.word("array"):
            return self._list("[", "]")
        if kind in {"string", "number"}:
            self.position += 1
            return _Node("literal", value)
        if value == "-" and self.tokens[self.position + 1 : self.position + 2]:
            self.position += 2
            return _Node("literal", f"-{self.peek(-1)}")
        if kind != "name":
            raise _UnknownForm
        if value.lower() in {"true", "false", "null"}:
            self.position += 1
            return _Node("literal", value.lower())
        if value.lower() in _WORDS:
            raise _UnknownForm
        self.position += 1
        if self.peek() == "(" and not value.startswith('"'):
            return self._call(value)
        return _Node("column", _unquote(value))

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

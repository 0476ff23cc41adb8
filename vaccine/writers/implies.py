"""Does an ON CONFLICT clause's WHERE imply a partial index's predicate? Proven from the text, or not.

PostgreSQL infers a partial index only when it can prove the implication (manual, INSERT, "conflict_target";
section 11.8 for what its prover knows). What is not proven here is said to be not proven, never wrong the other way.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from vaccine.writers.scan.sql import bare, condition


def implies(clause: str | None, index: str | None) -> bool:
    """True when every row that satisfies `clause` provably satisfies `index` (both SQL conditions)."""
    if index is None:
        return True
    if clause is None:
        return False
    given, wanted = _condition(clause), _condition(index)
    if given is None or wanted is None:
        return False
    known = list(_conjuncts(given))
    return all(any(_proves(fact, part) for fact in known) for part in _conjuncts(wanted))


def _condition(text: str) -> exp.Expression | None:
    tree = condition(text)
    return _plain(tree) if tree is not None else None


def _plain(node: exp.Expression) -> exp.Expression:
    """Without casts, brackets, quotes and table names; `= ANY (ARRAY[…])` as IN; names in lower case."""

    def step(part: exp.Expression) -> exp.Expression:
        part = bare(part)
        if isinstance(part, exp.Column):
            name = part.this.name if part.this.args.get("quoted") else part.name.lower()
            return exp.column(exp.to_identifier(name, quoted=False))
        if isinstance(part, exp.EQ) and isinstance(bare(part.expression), exp.Any):
            array = bare(bare(part.expression).this)
            return exp.In(this=step(part.this), expressions=[bare(one) for one in array.expressions])
        return part

    return node.copy().transform(step)


def _conjuncts(node: exp.Expression) -> Iterator[exp.Expression]:
    node = bare(node)
    if isinstance(node, exp.And):
        yield from _conjuncts(node.this)
        yield from _conjuncts(node.expression)
    else:
        yield node


def _proves(fact: exp.Expression, wanted: exp.Expression) -> bool:
    if _text(fact) == _text(wanted):
        return True
    if isinstance(wanted, exp.Or):
        return _proves(fact, wanted.this) or _proves(fact, wanted.expression)
    if (column := _not_null(wanted)) is not None:
        return _strict_on(fact) == column
    mine, theirs = _values(fact), _values(wanted)
    return mine is not None and theirs is not None and mine[0] == theirs[0] and mine[1] <= theirs[1]


def _text(node: exp.Expression) -> str:
    node = bare(node)
    if isinstance(node, exp.Column | exp.Identifier):
        return node.name
    if isinstance(node, exp.EQ) and _is_true(node.expression):
        return _text(node.this)
    if isinstance(node, exp.EQ) and _is_true(node.this):
        return _text(node.expression)
    if isinstance(node, exp.EQ):
        return " = ".join(sorted((_text(node.this), _text(node.expression))))
    return node.sql("postgres")


def _is_true(node: exp.Expression) -> bool:
    return isinstance(node, exp.Boolean) and bool(node.this)


def _strict_on(fact: exp.Expression) -> str | None:
    """The column that a comparison proves to be NOT NULL."""
    if isinstance(fact, exp.EQ | exp.GT | exp.GTE | exp.LT | exp.LTE | exp.NEQ | exp.In):
        sides = [bare(fact.this), bare(fact.args.get("expression") or exp.Null())]
        return next((_text(side) for side in sides if isinstance(side, exp.Column)), None)
    return _not_null(fact)


def _not_null(node: exp.Expression) -> str | None:
    """The column of `column IS NOT NULL`, in either form that sqlglot gives it."""
    negated = isinstance(node, exp.Not) or bool(node.args.get("negate"))
    inner = node.this if isinstance(node, exp.Not) else node
    if negated and isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null):
        return _text(inner.this)
    return None


def _values(node: exp.Expression) -> tuple[str, frozenset[str]] | None:
    """(column, values) of `column = constant` and `column IN (constants)`."""
    if isinstance(node, exp.EQ):
        left, right = bare(node.this), bare(node.expression)
        if isinstance(right, exp.Column):
            left, right = right, left
        if isinstance(left, exp.Column) and isinstance(right, exp.Literal):
            return left.name, frozenset({right.sql("postgres")})
    if (
        isinstance(node, exp.In)
        and node.expressions
        and all(isinstance(bare(one), exp.Literal) for one in node.expressions)
    ):
        return _text(node.this), frozenset(bare(one).sql("postgres") for one in node.expressions)
    return None

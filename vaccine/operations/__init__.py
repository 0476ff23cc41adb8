"""The run time of a revision. `import vaccine.operations` is the one import that a revision has; it never moves.

Importing this registers four operations with Alembic, as its manual describes ("Operation Plugins"):
`op.resolve_duplicates`, `op.create_unique_index_concurrently` and their ways back
`op.restore_duplicates` and `op.drop_unique_index_concurrently`. What does the work is imported when
a revision runs, so that `alembic history` stays quick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alembic.operations import MigrateOperation, Operations

from vaccine.errors import UsageError

if TYPE_CHECKING:
    from .key import Approved, Key, Policy, Value

Rows = Sequence[Sequence[Sequence[str]]] | str | None


def _texts(name: str, values: object) -> tuple[str, ...]:
    """A list of texts as a revision spells it.

    Raises:
        UsageError: it is something else.
    """
    if not isinstance(values, (list, tuple)) or not all(isinstance(each, str) for each in values):
        raise UsageError(
            f"{name} of the revision is no list of texts", why=f"it is {values!r:.200}", fix=f'write {name}=["…"]'
        )
    return tuple(values)


@dataclass(frozen=True)
class KeyWords:
    """A key as a revision spells it: names as they are in the catalog, `where` as SQL or None."""

    schema: str
    table: str
    columns: Sequence[str]
    where: str | None

    def key(self) -> Key:
        """The key that the run time works with."""
        from .key import Key  # noqa: PLC0415  `alembic history` must not pay for the driver

        return Key(self.schema, self.table, _texts("columns", self.columns), self.where)


@dataclass(frozen=True)
class PolicyWords:
    """A policy as a revision spells it."""

    survivor: Sequence[str]
    assign: Mapping[str, Value]
    keep: Sequence[Sequence[str]]
    max_rows: int
    plan: str
    rows: Rows = None

    def policy(self) -> Policy:
        """The policy that the run time works with."""
        from .key import Policy  # noqa: PLC0415  `alembic history` must not pay for the driver

        keep = tuple(tuple(str(part) for part in row) for row in self.keep)
        return Policy(
            _texts("survivor", self.survivor), dict(self.assign), keep, self.max_rows, self.plan, self._approved()
        )

    def _approved(self) -> Approved | None:
        if self.rows is None or isinstance(self.rows, str):
            return self.rows
        return tuple(tuple(tuple(str(part) for part in row) for row in group) for group in self.rows)


@Operations.register_operation("resolve_duplicates")
class ResolveDuplicatesOp(MigrateOperation):
    """Retire every live row of a key but the survivor, its old image in the journal."""

    def __init__(self, key: KeyWords, policy: PolicyWords, index: str | None = None) -> None:
        self.key = key
        self.policy = policy
        self.index = index

    @classmethod
    def resolve_duplicates(
        cls,
        operations: Operations,
        *,
        schema: str,
        table: str,
        columns: Sequence[str],
        where: str | None = None,
        survivor: Sequence[str],
        assign: Mapping[str, Value],
        keep: Sequence[Sequence[str]] = (),
        max_rows: int,
        plan: str,
        rows: Rows = None,
        index: str | None = None,
    ) -> Any:
        """Resolve the duplicates of a key in batches, under live traffic; each old image goes to the journal.

        Args:
            operations: Alembic's; `op.` fills it in.
            schema: the table's schema.
            table: the table's name.
            columns: the logical key.
            where: the predicate of a live row, as SQL; None when every row is live.
            survivor: an ORDER BY, the row to keep first.
            assign: column to value, or to {"sql": "now()"}: what retires a row.
            keep: primary keys, each a list of text, that survive whatever the order says.
            max_rows: how many rows this revision may resolve in all; more is drift.
            plan: the plan's fingerprint, under which the journal keeps the rows.
            rows: the rows that the plan approved; any other row is drift, fewer rows are none. Either the duplicate
                groups, each a list of primary keys with the survivor first, or, for many, their marks in base64.
                None approves by number alone.
            index: the unique index that a later call builds, so that preflight looks at it before any row changes.

        Raises:
            PreflightError: something stands in the way; nothing was changed.
            DriftedError: there are rows to resolve that the plan did not approve.
        """
        words = PolicyWords(survivor, assign, keep, max_rows, plan, rows)
        return operations.invoke(cls(KeyWords(schema, table, columns, where), words, index))

    def reverse(self) -> RestoreDuplicatesOp:
        """The way back: restore what this resolved."""
        return RestoreDuplicatesOp(self.key, self.policy.plan, undoes=self)


@Operations.register_operation("restore_duplicates")
class RestoreDuplicatesOp(MigrateOperation):
    """Give every row that a plan resolved its old image back, unless someone changed it since."""

    def __init__(self, key: KeyWords, plan: str, undoes: ResolveDuplicatesOp | None = None) -> None:
        self.key = key
        self.plan = plan
        self.undoes = undoes

    @classmethod
    def restore_duplicates(
        cls,
        operations: Operations,
        *,
        schema: str,
        table: str,
        columns: Sequence[str],
        where: str | None = None,
        plan: str,
    ) -> Any:
        """Restore from the journal, byte for byte, every row that is still as Vaccine left it.

        Args:
            operations: Alembic's; `op.` fills it in.
            schema: the table's schema.
            table: the table's name.
            columns: the logical key.
            where: the predicate of a live row, as the upgrade had it.
            plan: the plan's fingerprint, under which the journal keeps the rows.

        Raises:
            PreflightError: something stands in the way; nothing was changed.
            RestoreError: the table lost a column that the journal holds.
        """
        return operations.invoke(cls(KeyWords(schema, table, columns, where), plan))

    def reverse(self) -> ResolveDuplicatesOp:
        """The call that this undoes, when it is known."""
        if self.undoes is None:
            raise NotImplementedError("the policy of the duplicates is not known from restore_duplicates alone")
        return self.undoes


@Operations.register_operation("create_unique_index_concurrently")
class CreateUniqueIndexConcurrentlyOp(MigrateOperation):
    """Build the partial unique index while the application writes."""

    def __init__(self, name: str, key: KeyWords, policy: PolicyWords, gate: str = "auto") -> None:
        self.name = name
        self.key = key
        self.policy = policy
        self.gate = gate

    @classmethod
    def create_unique_index_concurrently(
        cls,
        operations: Operations,
        name: str,
        *,
        schema: str,
        table: str,
        columns: Sequence[str],
        where: str | None = None,
        survivor: Sequence[str],
        assign: Mapping[str, Value],
        keep: Sequence[Sequence[str]] = (),
        max_rows: int,
        plan: str,
        rows: Rows = None,
        gate: str = "auto",
    ) -> Any:
        """Build a unique index CONCURRENTLY; duplicates that arrive meanwhile are resolved under the same policy.

        Args:
            operations: Alembic's; `op.` fills it in.
            name: the index's name.
            schema: the table's schema.
            table: the table's name.
            columns: the logical key.
            where: the predicate of the index, as SQL; None for a full index.
            survivor: an ORDER BY, the row to keep first.
            assign: column to value, or to {"sql": "now()"}: what retires a row.
            keep: primary keys, each a list of text, that survive whatever the order says.
            max_rows: how many rows this revision may resolve in all, those of `resolve_duplicates` included.
            plan: the plan's fingerprint, under which the journal keeps the rows.
            rows: the rows that the plan approved, as in `resolve_duplicates`; a duplicate that is none of them and
                arrives meanwhile is drift. None approves by number alone.
            gate: `auto` puts the gate trigger up after three failed builds, `always` at once, `never` not at all.

        Raises:
            PreflightError: something stands in the way; nothing was changed.
            BlockedError: another session held the build up longer than its budget.
            BuildError: the build failed as often as it may.
        """
        words = PolicyWords(survivor, assign, keep, max_rows, plan, rows)
        return operations.invoke(cls(name, KeyWords(schema, table, columns, where), words, gate))

    def reverse(self) -> DropUniqueIndexConcurrentlyOp:
        """The way back: drop the index."""
        return DropUniqueIndexConcurrentlyOp(self.name, self.key, undoes=self)


@Operations.register_operation("drop_unique_index_concurrently")
class DropUniqueIndexConcurrentlyOp(MigrateOperation):
    """Drop the unique index while the application writes."""

    def __init__(self, name: str, key: KeyWords, undoes: CreateUniqueIndexConcurrentlyOp | None = None) -> None:
        self.name = name
        self.key = key
        self.undoes = undoes

    @classmethod
    def drop_unique_index_concurrently(
        cls,
        operations: Operations,
        name: str,
        *,
        schema: str,
        table: str,
        columns: Sequence[str],
        where: str | None = None,
    ) -> Any:
        """Drop a unique index CONCURRENTLY; one that is already gone is fine, another index of that name is not.

        Args:
            operations: Alembic's; `op.` fills it in.
            name: the index's name.
            schema: the table's schema.
            table: the table's name.
            columns: the logical key.
            where: the predicate of the index, as the upgrade had it.

        Raises:
            PreflightError: the name belongs to another index or relation; nothing was changed.
        """
        return operations.invoke(cls(name, KeyWords(schema, table, columns, where)))

    def reverse(self) -> CreateUniqueIndexConcurrentlyOp:
        """The call that this undoes, when it is known."""
        if self.undoes is None:
            raise NotImplementedError("the policy of the index is not known from drop_unique_index_concurrently alone")
        return self.undoes


@Operations.implementation_for(ResolveDuplicatesOp)
def _resolve_duplicates(operations: Operations, operation: ResolveDuplicatesOp) -> None:
    from .invoke import resolve_duplicates  # noqa: PLC0415  the work is imported when it is done

    key, policy = operation.key.key(), operation.policy.policy()
    resolve_duplicates(operations, key, policy, operation.index)


@Operations.implementation_for(RestoreDuplicatesOp)
def _restore_duplicates(operations: Operations, operation: RestoreDuplicatesOp) -> None:
    from .invoke import restore_duplicates  # noqa: PLC0415  the work is imported when it is done

    restore_duplicates(operations, operation.key.key(), operation.plan)


@Operations.implementation_for(CreateUniqueIndexConcurrentlyOp)
def _create_unique_index(operations: Operations, operation: CreateUniqueIndexConcurrentlyOp) -> None:
    from .invoke import create_unique_index  # noqa: PLC0415  the work is imported when it is done

    create_unique_index(operations, operation.name, operation.key.key(), operation.policy.policy(), operation.gate)


@Operations.implementation_for(DropUniqueIndexConcurrentlyOp)
def _drop_unique_index(operations: Operations, operation: DropUniqueIndexConcurrentlyOp) -> None:
    from .invoke import drop_unique_index  # noqa: PLC0415  the work is imported when it is done

    drop_unique_index(operations, operation.name, operation.key.key())

"""What the plan saw, and whether it is still so."""

from __future__ import annotations

import psycopg

from vaccine.catalog.path import texts_read
from vaccine.errors import DriftError, RefusedError
from vaccine.operations.dry import TEXT_FORM
from vaccine.plan.excess import any_live, count_groups, left_by, other_rows, resolves_before, selection_of
from vaccine.plan.groups import Counted
from vaccine.plan.model import Fingerprint, Plan, Vaccination
from vaccine.plan.request import accepted_assignment, accepted_sql
from vaccine.plan.target import Target, read_target


def fix_text_form(connection: psycopg.Connection) -> None:
    """Fix, for this transaction, the settings that the text form of a value hangs on."""
    for statement in TEXT_FORM:
        connection.execute(statement)


def fingerprint(target: Target, counted: Counted) -> Fingerprint:
    """The fingerprint of one table and its duplicate groups."""
    return Fingerprint(target.shape(), counted.groups, counted.excess_rows, counted.rows)


def refuse_drift(connection: psycopg.Connection, plan: Plan) -> None:
    """Compare every vaccination of the plan with the database, inside the connection's transaction.

    Raises:
        RefusedError: the plan itself says that a vaccination is impossible, or is of another database.
        DriftError: table, indexes, triggers or duplicate rows are no longer as planned.
    """
    fix_text_form(connection)
    _refuse_all_blocked(plan)
    if connection.info.dbname != plan.database:
        raise RefusedError(
            f"plan {plan.id} is for the database {plan.database}, this is {connection.info.dbname}",
            fix="name the planned database with --url, or plan this one",
        )
    changes = [
        change for number, each in enumerate(plan.open) for change in _changes(connection, each, plan.open[:number])
    ]
    if changes:
        raise DriftError(
            f"the database is no longer as plan {plan.id} saw it; no revision was written",
            why="; ".join(changes),
            fix="plan again and look at what changed: vaccine plan -o plan.json",
        )


def _refuse_all_blocked(plan: Plan) -> None:
    if plan.vaccinations and not plan.open:
        raise RefusedError(
            f"plan {plan.id} cannot become a revision: every vaccination of it is blocked",
            why="; ".join(blocked_words(each) for each in plan.vaccinations),
            fix="; ".join(dict.fromkeys(hazard.fix for each in plan.vaccinations for hazard in each.blocked)),
        )


def blocked_words(of: Vaccination) -> str:
    """Which vaccination is blocked, and why."""
    why = ", ".join(f"{hazard.text} [{hazard.code}]" for hazard in of.blocked)
    return f"{of.schema}.{of.table} ({', '.join(of.columns)}): {why}"


def _changes(connection: psycopg.Connection, planned: Vaccination, earlier: tuple[Vaccination, ...]) -> list[str]:
    name = f"{planned.schema}.{planned.table}"
    target = read_target(connection, planned.schema, planned.table)
    if target.shape() != planned.fingerprint.shape:
        return [f"columns, indexes or triggers of {name} changed"]
    with texts_read(connection, (planned.schema, planned.table)):
        accepted_sql(connection, target, planned.where, planned.survivor)
        accepted_assignment(connection, target, planned.assign)
        return _changed_rows(connection, planned, earlier) if planned.primary_key else []


def _changed_rows(connection: psycopg.Connection, planned: Vaccination, earlier: tuple[Vaccination, ...]) -> list[str]:
    name = f"{planned.schema}.{planned.table}"
    left = left_by(connection, resolves_before(earlier, planned.schema, planned.table))
    selection, seen = selection_of(planned, left), planned.fingerprint
    others = other_rows(connection, selection, seen.rows)
    if others.rows and planned.max_rows == seen.excess_rows:
        return [f"in {name} {others}"]
    now = count_groups(connection, selection)
    if now.excess_rows > planned.max_rows:
        return [f"{name} has {now.excess_rows} rows to resolve, the plan allows {planned.max_rows}"]
    if seen.excess_rows and not now.excess_rows and not any_live(connection, selection):
        return [f"no row of {name} is live any more, where the plan saw {seen.excess_rows} duplicates"]
    return []

"""From a connection to a Plan: the audit's HIGH findings, or the keys that were named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from vaccine import __version__
from vaccine.audit.finding import Finding, Priority
from vaccine.audit.run import audit_key, key_text, run_audit
from vaccine.audit.settings import AuditSettings
from vaccine.catalog.keyname import KeyName
from vaccine.errors import UsageError
from vaccine.plan.build import build
from vaccine.plan.file import with_id
from vaccine.plan.fingerprint import fix_text_form
from vaccine.plan.hazard_texts import hazard
from vaccine.plan.model import Plan, Vaccination
from vaccine.plan.request import Choices, locate, refuse_bad_sql, refuse_unknown_columns, refuse_without_order
from vaccine.plan.target import read_target, refuse_unreadable


def make_plan(
    connection: psycopg.Connection,
    keys: Sequence[KeyName],
    choices: Choices,
    groups_shown: int = 20,
    settings: AuditSettings = AuditSettings(),  # noqa: B008  frozen
) -> Plan:
    """The plan for the keys named, or for all that the audit ranks HIGH and nobody accepted. Reads only.

    Raises:
        VaccineError: a key or a choice does not fit the database.
    """
    fix_text_form(connection)
    notes: list[str] = []
    named = [_named(connection, key, choices, settings, notes) for key in dict.fromkeys(keys)]
    once = {(each.schema, each.table, each.columns): each for each in named if each is not None}
    findings = list(once.values()) if keys else _ranked_high(connection, settings, notes)
    vaccinations: tuple[Vaccination, ...] = ()
    for each in findings:
        chosen = choices.over(settings.overrides.get((each.schema, each.table, each.columns)))
        vaccinations = (*vaccinations, build(connection, each, chosen, groups_shown, vaccinations))
    _refuse_one_name_twice(vaccinations)
    if settings.source and vaccinations:
        vaccinations = _with_failing_writers(vaccinations, settings.source)
    role = connection.execute("SELECT current_user::text").fetchone()
    draft = Plan(
        id="",
        made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        vaccine_version=__version__,
        server_version=connection.info.parameter_status("server_version") or "",
        database=connection.info.dbname,
        role=role[0] if role else "",
        vaccinations=vaccinations,
        notes=tuple(notes),
    )
    return with_id(draft)


def _refuse_one_name_twice(planned: Sequence[Vaccination]) -> None:
    """Two indexes of one name: the second upgrade would refuse itself.

    Raises:
        UsageError: names both keys.
    """
    for number, each in enumerate(planned):
        for other in planned[:number]:
            if (each.schema, each.index_name) == (other.schema, other.index_name):
                first, second = (key_text(of.schema, of.table, of.columns) for of in (other, each))
                raise UsageError(
                    f"{first} and {second} would both get the index {each.index_name}",
                    fix="give one of them another name: --name, or name in its [[lifecycle]] of vaccine.toml",
                )


def _ranked_high(connection: psycopg.Connection, settings: AuditSettings, notes: list[str]) -> list[Finding]:
    """What the audit ranks HIGH; what somebody accepted is noted and left out."""
    found = [each for each in run_audit(connection, settings).findings if each.priority is Priority.HIGH]
    accepted = [each for each in found if each.accepted]
    for each in accepted:
        key = key_text(each.schema, each.table, each.columns)
        notes.append(f"{key} is accepted in vaccine.toml ({each.accepted}). To plan it: vaccine plan {key}")
    if len(found) == len(accepted):
        other = "other " if accepted else ""
        notes.append(f"The audit ranks no {other}key HIGH. To plan another: vaccine plan TABLE.COLUMN")
    return [each for each in found if not each.accepted]


def _with_failing_writers(vaccinations: tuple[Vaccination, ...], source: Sequence[Path]) -> tuple[Vaccination, ...]:
    """Each vaccination with a hazard for every writer in the source code that its very index would make fail.

    Raises:
        UsageError: the extra `writers` is not installed, or a folder does not exist.
    """
    from vaccine.audit.sightings.evidence import failing_on_the_day  # noqa: PLC0415  an extra
    from vaccine.writers import KeySpec  # noqa: PLC0415  an extra
    from vaccine.writers.scanner import scan  # noqa: PLC0415  an extra

    keys = [KeySpec(each.schema, each.table, each.columns, each.where, each.index_name) for each in vaccinations]
    found = scan(source, keys=keys)
    folder = " ".join(map(str, source))
    told = []
    for each, key in zip(vaccinations, keys, strict=True):
        failing = (
            hazard(
                "writer-fails", place=one.place, name=one.name, verdict=one.verdict, reasons=one.evidence, folder=folder
            )
            for one in failing_on_the_day(found, key)
        )
        told.append(replace(each, hazards=(*each.hazards, *failing)))
    return tuple(told)


def _named(
    connection: psycopg.Connection, key: KeyName, choices: Choices, settings: AuditSettings, notes: list[str]
) -> Finding | None:
    """The finding of one named key; None, with a note, when the database guards it already."""
    schema = locate(connection, key)
    target = read_target(connection, schema, key.table)
    refuse_unreadable(target)
    refuse_unknown_columns(target, key.columns)
    refuse_without_order(connection, target, key.columns)
    said = choices.over(settings.overrides.get((schema, key.table, key.columns)))
    refuse_bad_sql(connection, target, said.where or None, said.survivor or ())
    finding = audit_key(connection, settings, (schema, key.table), key.columns, choices.where)
    if finding.priority is Priority.GUARDED:
        guards = ", ".join(finding.guarded_by)
        notes.append(f"{schema}.{key.table} ({', '.join(key.columns)}) is guarded already by {guards}: nothing to do.")
        return None
    return finding

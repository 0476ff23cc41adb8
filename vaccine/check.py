"""Is the database as a project wants it? For CI: unguarded keys beyond a baseline, INVALID indexes, live duplicates."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from vaccine.audit import Audit, key_text
from vaccine.errors import ConfigurationError
from vaccine.finding import Finding, Priority

GATES = (Priority.HIGH, Priority.MEDIUM, Priority.LOW)
VERSION = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that fails the check. `kind`: unguarded, duplicates, invalid."""

    kind: str
    name: str
    why: str
    fix: str


def problems(audit: Audit, baseline: Collection[str], at: Priority = Priority.LOW) -> tuple[Problem, ...]:
    """All that fails: live duplicates even when the key is in the baseline, since each is damage of its own."""
    gate = GATES[: GATES.index(at) + 1]
    found = [
        Problem(
            "invalid",
            f"{index.schema}.{index.name}",
            "INVALID: " + ("it rejects duplicates, the planner ignores it" if index.unique and index.ready
                           else "it enforces nothing" if index.unique else "the planner ignores it"),
            "resolve its duplicates, then REINDEX INDEX CONCURRENTLY it, or DROP INDEX CONCURRENTLY it",
        )
        for index in audit.invalid_indexes
    ]  # fmt: skip
    for finding in audit.findings:
        name = name_of(finding)
        if finding.accepted or finding.priority not in GATES:
            continue
        if finding.live_duplicate_groups:
            why = f"{finding.live_duplicate_groups:,} live duplicate groups, {finding.live_excess_rows:,} rows too many"
            found.append(Problem("duplicates", name, why, f"vaccine plan {name} -o plan.json"))
        elif finding.priority in gate and name not in baseline:
            fix = "add a unique index, or accept it in vaccine.toml with a reason"
            found.append(Problem("unguarded", name, f"{finding.priority.value}: {finding.reasons[0]}", fix))
    return tuple(found)


def name_of(finding: Finding) -> str:
    """The key as the baseline and the commands write it."""
    return key_text(finding.schema, finding.table, finding.columns)


def read_baseline(path: Path) -> tuple[str, ...]:
    """The unguarded keys that a baseline file knows.

    Raises:
        ConfigurationError: the file is missing or is no baseline.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"there is no baseline {path}", fix="make it with vaccine check --write-baseline, and commit it"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is no baseline", why=str(error), fix="make it anew") from error
    keys = found.get("unguarded_keys") if isinstance(found, dict) and found.get("version") == VERSION else None
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ConfigurationError(
            f"{path} is no baseline of this version",
            why=f'a baseline is a JSON object with "version": {VERSION} and "unguarded_keys"',
            fix="make it anew with vaccine check --write-baseline",
        )
    return tuple(keys)


def baseline_text(audit: Audit) -> str:
    """The baseline of an audit: every key that is unguarded now, sorted, one a line."""
    keys = sorted(name_of(each) for each in audit.findings if each.priority in GATES and not each.accepted)
    return json.dumps({"version": VERSION, "unguarded_keys": keys}, indent=2, ensure_ascii=False) + "\n"

"""Is the database as a project wants it? For CI: unguarded keys beyond a baseline, INVALID indexes, live duplicates."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaccine.audit.finding import DEFECTS, Finding, Priority
from vaccine.audit.run import Audit, key_text
from vaccine.errors import ConfigurationError
from vaccine.text import json_text
from vaccine.writers.check import fingerprint
from vaccine.writers.model import SourceWriter

VERSION = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that fails the check. `kind`: unguarded, duplicates, invalid, writer."""

    kind: str
    name: str
    why: str
    fix: str


def problems(audit: Audit, baseline: Collection[str], at: Priority = Priority.LOW) -> tuple[Problem, ...]:
    """All that fails: live duplicates even when the key is in the baseline, since each is damage of its own."""
    failing = DEFECTS[: DEFECTS.index(at) + 1]
    found = [
        Problem(
            "invalid",
            f"{index.schema}.{index.name}",
            "INVALID: " + ("not every partition has its part of it" if index.partitioned
                           else "it rejects duplicates, the planner ignores it" if index.unique and index.ready
                           else "it enforces nothing" if index.unique else "the planner ignores it"),
            "resolve its duplicates, then REINDEX INDEX CONCURRENTLY it, or DROP INDEX CONCURRENTLY it",
        )
        for index in audit.invalid_indexes
    ]  # fmt: skip
    for finding in audit.findings:
        name = name_of(finding)
        if finding.accepted or finding.priority not in DEFECTS:
            continue
        if finding.live_duplicate_groups:
            why = f"{finding.live_duplicate_groups:,} live duplicate groups, {finding.live_excess_rows:,} rows too many"
            found.append(Problem("duplicates", name, why, f"vaccine plan {name} -o plan.json"))
        elif finding.priority in failing and name not in baseline:
            fix = "add a unique index, or accept it in vaccine.toml with a reason"
            found.append(Problem("unguarded", name, f"{finding.priority.value}: {finding.reasons[0]}", fix))
    return tuple(found)


def writer_problems(racing: Iterable[SourceWriter], known: Collection[str]) -> tuple[Problem, ...]:
    """Writers that look first and insert then, or write around the safe one, beyond those the baseline knows."""
    return tuple(
        Problem("writer", f"{one.file}:{one.line}", "; ".join(one.reasons), "run vaccine writers for the code to paste")
        for one in racing
        if fingerprint(one) not in known
    )


def name_of(finding: Finding) -> str:
    """The key as the baseline and the commands write it."""
    return key_text(finding.schema, finding.table, finding.columns)


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a project knows of: unguarded keys by name, racing writers by fingerprint."""

    keys: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()


def read_baseline(path: Path) -> Baseline:
    """What a baseline file knows.

    Raises:
        ConfigurationError: the file is missing or is no baseline.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"there is no baseline {path}", fix="make it with vaccine check --write-baseline, and commit it"
        ) from None
    except (ValueError, RecursionError, OSError) as error:
        raise ConfigurationError(f"{path} is no baseline", why=str(error)[:200], fix="make it anew") from error
    right = isinstance(found, dict) and found.get("version") == VERSION
    lists: list[Any] = [found.get("unguarded_keys"), found.get("racing_writers", [])] if right else [None]
    if not all(isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in lists):
        raise ConfigurationError(
            f"{path} is no baseline of this version",
            why=f'a baseline is a JSON object with "version": {VERSION} and "unguarded_keys"',
            fix="make it anew with vaccine check --write-baseline",
        )
    return Baseline(tuple(lists[0]), tuple(lists[1]))


def baseline_text(audit: Audit, racing: Iterable[SourceWriter] = ()) -> str:
    """The baseline of an audit: every key that is unguarded now, and every racing writer, sorted, one a line."""
    keys = sorted(name_of(each) for each in audit.findings if each.priority in DEFECTS and not each.accepted)
    writers = sorted(map(fingerprint, racing))
    content = {"version": VERSION, "unguarded_keys": keys, "racing_writers": writers}
    return json_text(content) + "\n"

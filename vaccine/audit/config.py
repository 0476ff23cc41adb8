"""What a project says of its database: vaccine.toml, or [tool.vaccine] of pyproject.toml.

exclude = ["legacy.*", "public.import_*"]     # schema.table or schema.table.column, * and ?
schemas = ["public"]                          # only these
budget_s = 300

[[accept]]
key = "public.tasks.code"
reason = "numbered by hand, one editor"
until = 2027-01-31                            # the finding counts again after that day

[[lifecycle]]
key = "public.system_issues.violation_hash"
predicate = "status = 'open'"
assign = { status = "resolved" }              # or { deleted_at = { sql = "now()" } }
survivor = ["last_seen_at DESC NULLS LAST"]
keep = [["42"]]                               # these four as the options of `vaccine plan`
name = "uq_system_issues_open"
max_rows = 100
gate = "always"
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from vaccine.audit.finding import Assignment, Expression, Scalar
from vaccine.audit.lifecycle import Override
from vaccine.catalog.keyname import parse_key
from vaccine.errors import ConfigurationError, UsageError

Key = tuple[str, str, tuple[str, ...]]
NAMES = ("vaccine.toml", "pyproject.toml")
MOST_JOBS = 64
GATES = ("auto", "always", "never")
DEFAULT_SCHEMA = "public"  # of a key that names none


@dataclass(frozen=True)
class Accepted:
    """Why a finding is accepted, and the last day on which it is; None is for good."""

    reason: str
    until: date | None = None


@dataclass(frozen=True)
class Config:
    """The configuration as read; `path` None means that there is none."""

    path: Path | None = None
    schemas: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    budget_s: float | None = None
    jobs: int = 1
    min_score: float | None = None
    with_frameworks: bool = False
    baseline: Path | None = None
    accept: Mapping[Key, Accepted] = field(default_factory=dict)
    lifecycle: Mapping[Key, Override] = field(default_factory=dict)

    def accepted_on(self, day: date) -> dict[Key, str]:
        """The findings that are accepted on a day, with the reason to show."""
        return {
            key: of.reason if of.until is None else f"{of.reason} (until {of.until})"
            for key, of in self.accept.items()
            if of.until is None or day <= of.until
        }

    def expired_on(self, day: date) -> dict[Key, date]:
        """The findings that were accepted, but no longer are on a day, with the last day on which they were."""
        return {key: of.until for key, of in self.accept.items() if of.until is not None and day > of.until}


def load(path: Path | None = None, folder: Path | None = None) -> Config:
    """The configuration of `path`, else of vaccine.toml or pyproject.toml in `folder` (the current one).

    Raises:
        ConfigurationError: the file is missing, is not TOML, or says something unknown.
    """
    if path is not None:
        return _parse(path, _section(path, required=True))
    for name in NAMES:
        found = (folder or Path()) / name
        section = _section(found, required=False) if found.is_file() else None
        if section is not None:
            return _parse(found, section)
    return Config()


def _section(path: Path, *, required: bool) -> dict[str, Any] | None:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"there is no file {path}", fix="name an existing file, or leave it out") from None
    except RecursionError:
        raise ConfigurationError(f"{path} is nested too deep", fix="correct the file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        if path.suffix == ".ini":
            raise ConfigurationError(
                f"{path} is no vaccine.toml",
                why="--settings takes vaccine.toml",
                fix=f"give alembic.ini with -c {path}",
            ) from error
        raise ConfigurationError(f"{path} cannot be read as TOML", why=str(error), fix="correct the file") from error
    if any("\0" in text for text in _all_texts(document)):
        raise ConfigurationError(f"{path} holds a zero byte", why="no name and no SQL may", fix="correct the file")
    if path.name != "pyproject.toml":
        return document
    tool = document.get("tool", {})
    section = tool.get("vaccine") if isinstance(tool, dict) else None
    if section is not None and not isinstance(section, dict):
        raise ConfigurationError(f"{path}: tool.vaccine is no table", fix="write [tool.vaccine]")
    return {} if section is None and required else section


def _all_texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from _all_texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _all_texts(each)


def _parse(path: Path, section: dict[str, Any] | None) -> Config:
    given = dict(section or {})
    accept = {_key(path, item): _accepted(path, item) for item in _tables(path, given, "accept")}
    lifecycle = {_key(path, item): _override(path, item) for item in _tables(path, given, "lifecycle")}
    config = Config(
        path=path,
        schemas=_texts(path, given, "schemas"),
        exclude=_texts(path, given, "exclude"),
        budget_s=_number(path, given, "budget_s"),
        jobs=_jobs(path, given),
        min_score=_number(path, given, "min_score"),
        with_frameworks=_typed(path, given, "with_frameworks", bool) or False,
        baseline=_relative(path, _typed(path, given, "baseline", str)),
        accept=accept,
        lifecycle=lifecycle,
    )
    _refuse_rest(path, given, "the file")
    return config


def _accepted(path: Path, item: dict[str, Any]) -> Accepted:
    reason = _typed(path, item, "reason", str)
    until = item.pop("until", None)
    if not reason or not reason.strip():
        raise ConfigurationError(
            f"{path}: an [[accept]] has no reason", why="nobody will know later why", fix='add reason = "…"'
        )
    if isinstance(until, datetime):
        until = until.date()
    if until is not None and not isinstance(until, date):
        raise ConfigurationError(
            f"{path}: until = {until!r:.200} is no date", fix="write until = 2027-01-31, without quotes"
        )
    _refuse_rest(path, item, "[[accept]]")
    return Accepted(reason.strip(), until)


def _override(path: Path, item: dict[str, Any]) -> Override:
    predicate = _typed(path, item, "predicate", str)
    survivor = _texts(path, item, "survivor") or None
    assign = _typed(path, item, "assign", dict)
    name, gate = _typed(path, item, "name", str), _typed(path, item, "gate", str)
    if gate not in (None, *GATES):
        raise ConfigurationError(f"{path}: gate = {gate!r:.200} is unknown", fix=f"write one of {', '.join(GATES)}")
    most = _number(path, item, "max_rows")
    if most is not None and most != int(most):
        raise ConfigurationError(f"{path}: max_rows = {most!r} is no whole number", fix="write a number of rows")
    keep = _keys(path, item)
    _refuse_rest(path, item, "[[lifecycle]]")
    return Override(
        predicate=predicate,
        assign=None if assign is None else _assignment(path, assign),
        survivor=survivor,
        name=name,
        keep=keep,
        max_rows=None if most is None else int(most),
        gate=gate,
    )


def _keys(path: Path, item: dict[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Primary keys: each a list of values, or the value alone where the key is one column."""
    found = item.pop("keep", [])
    rows = [row if isinstance(row, list) else [row] for row in found] if isinstance(found, list) else None
    if rows is None or not all(isinstance(value, (str, int)) for row in rows for value in row):
        raise ConfigurationError(f"{path}: keep is no list of primary keys", fix='write keep = [["42"], ["43"]]')
    return tuple(tuple(map(str, row)) for row in rows)


def _assignment(path: Path, given: dict[str, Any]) -> Assignment:
    found: list[tuple[str, Scalar | Expression]] = []
    for column, value in given.items():
        if isinstance(value, dict) and set(value) == {"sql"} and isinstance(value["sql"], str):
            found.append((column, Expression(value["sql"])))
        elif isinstance(value, (str, int, float, bool)):
            found.append((column, value))
        else:
            raise ConfigurationError(
                f"{path}: assign.{column} = {value!r:.200} is neither a plain value nor an expression",
                fix='write a text, number or boolean, or { sql = "now()" }',
            )
    return tuple(found)


def _key(path: Path, item: dict[str, Any]) -> Key:
    text = item.pop("key", None)
    if not isinstance(text, str):
        raise ConfigurationError(f"{path}: an entry names no key", fix='add key = "schema.table.column"')
    try:
        name = parse_key(text)
    except UsageError as error:
        raise ConfigurationError(f"{path}: {error.what}", fix=error.fix) from error
    return name.schema or DEFAULT_SCHEMA, name.table, name.columns


def _tables(path: Path, given: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = given.pop(name, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ConfigurationError(f"{path}: {name} is no list of tables", fix=f"write [[{name}]] with a key")
    return [dict(item) for item in found]


def _texts(path: Path, given: dict[str, Any], name: str) -> tuple[str, ...]:
    found = given.pop(name, [])
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ConfigurationError(f"{path}: {name} is no list of texts", fix=f'write {name} = ["…"]')
    return tuple(found)


def _jobs(path: Path, given: dict[str, Any]) -> int:
    found = _number(path, given, "jobs")
    if found is not None and not 1 <= found <= MOST_JOBS:
        raise ConfigurationError(f"{path}: jobs is not between 1 and {MOST_JOBS}", fix="correct the value")
    return int(found or 1)


def _number(path: Path, given: dict[str, Any], name: str) -> float | None:
    found = given.pop(name, None)
    if found is not None and (isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 <= found < 2**63):
        raise ConfigurationError(f"{path}: {name} = {found!r:.200} is no number of 0 or more", fix="write a number")
    return found


def _typed(path: Path, given: dict[str, Any], name: str, kind: type) -> Any:
    found = given.pop(name, None)
    if found is not None and not isinstance(found, kind):
        raise ConfigurationError(f"{path}: {name} = {found!r:.200} is no {kind.__name__}", fix="correct the value")
    return found


def _relative(path: Path, name: str | None) -> Path | None:
    if name is None:
        return None
    found = path.parent / name
    if not found.resolve().is_relative_to(path.parent.resolve()):
        raise ConfigurationError(
            f"{path}: baseline = {name!r:.200} lies outside the project",
            why="a file that is read unasked names no other place to read from or to write to",
            fix="keep it beside the file, or give it with --baseline",
        )
    return found


def _refuse_rest(path: Path, given: dict[str, Any], where: str) -> None:
    if given:
        raise ConfigurationError(
            f"{path}: {where} says {', '.join(sorted(given))}, which Vaccine does not know",
            why="a misspelt setting would silently do nothing",
            fix="correct or remove it; docs/commands.md lists the settings (vaccine.toml)",
        )

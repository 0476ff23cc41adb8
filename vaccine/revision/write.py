"""Plan → revision files: readable Python with literals only, through the environment's own template.

Every value enters by repr(), every name that stands in a docstring is escaped: a catalog is hostile input.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import util
from alembic.script import Script, ScriptDirectory

from vaccine.audit.finding import Expression
from vaccine.errors import AlembicEnvironmentError
from vaccine.plan.model import Plan, Vaccination
from vaccine.revision.destination import Destination, head_of, open_environment, refuse_twice, unusable
from vaccine.text import one_line

UPGRADE = ("resolve_duplicates", "create_unique_index_concurrently")
DOWNGRADE = ("drop_unique_index_concurrently", "restore_duplicates")
INDENTS = (4, 2, 8)
MARKS_WIDTH = 112  # columns of the longest lines of a revision


@dataclass(frozen=True)
class Written:
    """One revision file that was written."""

    path: Path
    revision: str
    down_revision: str | None
    index_name: str


def write_revisions(plan: Plan, place: Destination) -> tuple[Written, ...]:
    """One revision per vaccination, each on top of the one before; all or none.

    Raises:
        AlembicEnvironmentError: the environment cannot take them, or its template loses them.
    """
    scripts = open_environment(place.alembic_ini)
    refuse_twice(scripts, plan, place)
    head = head_of(scripts, place)
    written: list[Written] = []
    try:
        for vaccination in plan.vaccinations:
            written.append(_write(scripts, plan, vaccination, head, place))
            head = written[-1].revision
    except BaseException:
        for each in written:
            each.path.unlink(missing_ok=True)
        raise
    return tuple(written)


def message(plan: Plan, of: Vaccination) -> str:
    """The docstring's text: what the revision does, in a DBA's words, safe inside triple quotes."""
    key = ", ".join(of.columns)
    rows = f"WHERE {of.where}" if of.where else "in the whole table"
    counts = of.fingerprint
    resolves = (
        f"Resolves {counts.excess_rows} older row(s) in {counts.groups} group(s), then builds {of.index_name}."
        if counts.excess_rows
        else f"There are no duplicates to resolve; builds {of.index_name}."
    )
    lines = [
        f"One row per {of.schema}.{of.table} ({key})",
        "",
        f"Live rows: {rows}.",
        resolves,
        f"Plan {plan.id} made {plan.made_at} as {plan.role} on {plan.database} (PostgreSQL {plan.server_version}).",
        "alembic upgrade runs it online; alembic downgrade drops the index and restores every row.",
    ]
    return "\n".join(_in_docstring(line) for line in lines)


def constants(plan: Plan, of: Vaccination) -> str:
    """The import and the two literals KEY and POLICY, as module-level Python."""
    key = {"schema": of.schema, "table": of.table, "columns": list(of.columns), "where": of.where}
    policy: dict[str, object] = {
        "survivor": list(of.survivor),
        "assign": {name: {"sql": value.sql} if isinstance(value, Expression) else value for name, value in of.assign},
        "keep": [list(each) for each in of.keep],
        "max_rows": of.max_rows,
        "plan": plan.id,
    }
    lines = ["import vaccine.operations  # noqa: F401  registers the operations below", "", _call("KEY", key)]
    return "\n".join([*lines, _call("POLICY", policy), *_approved(of), *_in_the_model(of), ""])


def _in_the_model(of: Vaccination) -> tuple[str, str]:
    """The index as a model spells it: without it, autogenerate would drop the guard."""
    where = f", postgresql_where=text({of.where!r})" if of.where else ""
    columns = ", ".join(map(repr, of.columns))
    return (
        "# For the table in your model, if you have one; without it `alembic revision --autogenerate` drops the guard:",
        f"# Index({of.index_name!r}, {columns}, unique=True{where})",
    )


def body(plan: Plan, of: Vaccination, indent: int) -> tuple[str, str]:
    """The statements of upgrade() and downgrade(), the lines after the first indented by `indent`."""
    gate = f", gate={of.gate!r}" if of.gate != "auto" else ""
    rows = ", rows=ROWS" if _approved(of) else ""
    up = [
        f"op.resolve_duplicates(**KEY, **POLICY{rows}, index={of.index_name!r})",
        f"op.create_unique_index_concurrently({of.index_name!r}, **KEY, **POLICY{rows}{gate})",
    ]
    down = [
        f"op.drop_unique_index_concurrently({of.index_name!r}, **KEY)",
        f"op.restore_duplicates(**KEY, plan={plan.id!r})",
    ]
    join = "\n" + " " * indent
    return join.join(up), join.join(down)


def _approved(of: Vaccination) -> list[str]:
    """The rows that were approved; nothing where --max-rows makes room for others than those of the plan."""
    counts = of.fingerprint
    if not counts.excess_rows or of.max_rows != counts.excess_rows:
        return []
    if isinstance(counts.rows, str):
        comment = "# a mark of each row that may be resolved, with its survivor (how-it-works.md, Drift), in base64"
        return [comment, "ROWS = (", *(f"    {line!r}" for line in textwrap.wrap(counts.rows, MARKS_WIDTH)), ")"]
    comment = "# each duplicate group by its primary keys: the row that stays, then those that may be resolved"
    return [comment, "ROWS = [", *(line for group in counts.rows for line in _group(group)), "]"]


def _group(rows: tuple[tuple[str, ...], ...]) -> list[str]:
    """One group on one line where it fits."""
    line = f"    {[list(row) for row in rows]!r},"
    if len(line) <= MARKS_WIDTH:
        return [line]
    return ["    [", *(f"        {list(row)!r}," for row in rows), "    ],"]


def _write(scripts: ScriptDirectory, plan: Plan, of: Vaccination, head: str, place: Destination) -> Written:
    """Write one file and check it; with other indents where the template has another one."""
    failure: Exception | None = None
    for indent in INDENTS:
        before, rev_id = _files(scripts), util.rev_id()
        try:
            script = _generate(scripts, plan, of, head, place, indent=indent, rev_id=rev_id)
            _check(script, of)
        except util.CommandError as error:
            _remove(scripts, before, rev_id)
            raise unusable(place.alembic_ini, error) from None
        except IndentationError as error:
            _remove(scripts, before, rev_id)
            failure = error
        except Exception as error:
            _remove(scripts, before, rev_id)
            if isinstance(error, AlembicEnvironmentError):
                raise
            raise unusable(place.alembic_ini, error) from error
        else:
            below = script.down_revision
            assert below is None or isinstance(below, str)  # it stands on one head
            return Written(Path(script.path), script.revision, below, of.index_name)
    assert failure is not None
    raise unusable(place.alembic_ini, failure)


def _generate(
    scripts: ScriptDirectory, plan: Plan, of: Vaccination, head: str, place: Destination, *, indent: int, rev_id: str
) -> Script:
    upgrades, downgrades = body(plan, of, indent)
    options: dict[str, Any] = {"version_path": place.version_path} if place.version_path else {}
    script = scripts.generate_revision(
        rev_id,
        message(plan, of),
        head=head,
        upgrades=upgrades,
        downgrades=downgrades,
        imports=constants(plan, of),
        **options,
    )
    if script is None:
        raise AlembicEnvironmentError("Alembic wrote no revision", fix="see that script.py.mako is a revision template")
    return script


def _check(script: Script, of: Vaccination) -> None:
    """A template that ignores what it was given succeeds with an empty body: look for the operations."""
    tree = ast.parse(Path(script.path).read_text(encoding="utf-8"))
    for function, wanted in (("upgrade", UPGRADE), ("downgrade", DOWNGRADE)):
        called = [name for name in _calls(tree, function) if name in wanted]
        if tuple(called) != wanted:
            raise AlembicEnvironmentError(
                f"the environment's script.py.mako lost the {function} of {of.index_name}",
                why=f"{function}() should call {' and '.join(wanted)}, it calls {' and '.join(called) or 'neither'}",
                fix="use ${upgrades}, ${downgrades} and ${imports} in script.py.mako, as Alembic's own template does",
            )
    if not isinstance(getattr(script.module, "KEY", None), dict):
        raise AlembicEnvironmentError(
            "the environment's script.py.mako leaves ${imports} out",
            why="the revision needs its import and its KEY",
            fix="add ${imports if imports else ''} below the imports of script.py.mako",
        )


def _calls(tree: ast.Module, function: str) -> Iterable[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
                    yield inner.func.attr


def _files(scripts: ScriptDirectory) -> set[Path]:
    """The revision files of the environment, in all its version folders."""
    folders = scripts.version_locations or [str(Path(scripts.dir, "versions"))]
    return {path for folder in folders for path in Path(folder).rglob("*.py")}


def _remove(scripts: ScriptDirectory, before: set[Path], rev_id: str) -> None:
    """Remove the file that we wrote: new, and with our own revision id in it. Anything else is not ours."""
    for path in _files(scripts) - before:
        if rev_id in path.read_text(encoding="utf-8", errors="replace"):
            path.unlink(missing_ok=True)


def _call(name: str, values: Mapping[str, object]) -> str:
    """`NAME = dict(a=…, b=…)`, one value a line."""
    lines = [f"{key}={value!r}," for key, value in values.items()]
    return f"{name} = dict(\n{textwrap.indent(chr(10).join(lines), '    ')}\n)"


def _in_docstring(text: str) -> str:
    """The text on one line, safe in a triple-quoted string whatever a name contains, and shown as such by Alembic."""
    return one_line(text).replace("\\", "\\\\").replace('"', '\\"')

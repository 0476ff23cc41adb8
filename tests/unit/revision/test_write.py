"""Revision files: literals only, whatever a name contains, and nothing half-written."""

import ast
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Index, Integer, MetaData, Table, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

from tests.unit.plan.plans import HOSTILE, VACCINATION, hostile, plan
from vaccine.errors import AlembicEnvironmentError
from vaccine.plan.model import Vaccination
from vaccine.revision.destination import Destination
from vaccine.revision.write import write_revisions


@pytest.fixture
def place(tmp_path: Path) -> Destination:
    """A foreign Alembic environment, as `alembic init` makes it."""
    ini = tmp_path / "alembic.ini"
    command.init(Config(str(ini)), str(tmp_path / "migrations"))
    return Destination(ini)


def files(place: Destination) -> list[Path]:
    return sorted((place.alembic_ini.parent / "migrations/versions").glob("*.py"))


def literals(path: Path) -> dict[str, dict[str, object]]:
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            keywords = {each.arg: ast.literal_eval(each.value) for each in node.value.keywords}
            found[node.targets[0].id] = keywords  # type: ignore[attr-defined]
        elif isinstance(node, ast.Assign) and node.targets[0].id == "ROWS":  # type: ignore[attr-defined]
            found["ROWS"] = ast.literal_eval(node.value)
    return found


def test_a_revision_spells_everything_out(place: Destination) -> None:
    (written,) = write_revisions(plan(), place)
    assert literals(written.path) == {
        "KEY": {
            "schema": "public",
            "table": "system_issues",
            "columns": ["violation_hash"],
            "where": "status = 'open' AND violation_hash IS NOT NULL",
        },
        "POLICY": {
            "survivor": ["last_seen_at DESC NULLS LAST", "id DESC"],
            "assign": {"status": "resolved", "resolved_at": {"sql": "now()"}},
            "keep": [],
            "max_rows": 1,
            "plan": plan().id,
        },
        "ROWS": [[["3896"], ["3994"]]],
    }
    source = written.path.read_text()
    assert "op.resolve_duplicates(**KEY, **POLICY, rows=ROWS, index='uq_system_issues_open_violation_hash')" in source
    assert (
        "op.create_unique_index_concurrently('uq_system_issues_open_violation_hash', **KEY, **POLICY, rows=ROWS)"
        in source
    )
    assert source.startswith(
        '"""One row per public.system_issues (violation_hash)\n\nLive rows: WHERE status = \'open\''
    )


def test_hostile_names_stay_literals(place: Destination) -> None:
    (written,) = write_revisions(plan(hostile()), place)
    assert literals(written.path)["KEY"]["schema"] == HOSTILE
    tree = ast.parse(written.path.read_text(encoding="utf-8"))
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert "os" not in imported


@pytest.mark.parametrize("of", [VACCINATION, hostile()], ids=["plain", "hostile"])
def test_the_index_for_the_model_is_the_guard(place: Destination, of: Vaccination) -> None:
    (written,) = write_revisions(plan(of), place)
    [line] = [each for each in written.path.read_text(encoding="utf-8").splitlines() if each.startswith("# Index(")]
    index = eval(line.removeprefix("# "), {"Index": Index, "text": text})
    Table(of.table, MetaData(), *(Column(name, Integer) for name in of.columns), index, schema=of.schema)
    made = str(CreateIndex(index).compile(dialect=postgresql.dialect()))
    assert made.startswith("CREATE UNIQUE INDEX ")
    assert made.replace("%%", "%").endswith(f"WHERE {of.where}")
    assert [column.name for column in index.columns] == list(of.columns)


def test_several_vaccinations_stand_on_one_another(place: Destination) -> None:
    first, second = write_revisions(plan(VACCINATION, hostile()), place)
    assert first.down_revision is None
    assert second.down_revision == first.revision
    assert ScriptDirectory.from_config(Config(str(place.alembic_ini))).get_heads() == [second.revision]


def test_a_plan_is_written_once(place: Destination) -> None:
    write_revisions(plan(), place)
    with pytest.raises(AlembicEnvironmentError, match="already written"):
        write_revisions(plan(), place)
    assert len(files(place)) == 1


def test_a_missing_environment_is_said(tmp_path: Path) -> None:
    with pytest.raises(AlembicEnvironmentError, match="there is no Alembic environment") as caught:
        write_revisions(plan(), Destination(tmp_path / "alembic.ini"))
    assert "vaccine init" in caught.value.fix


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("${upgrades if upgrades else \"pass\"}", "pass"), "lost the upgrade"),
        (lambda text: text.replace("${imports if imports else \"\"}", ""), "leaves"),
        (lambda text: text + "\nimport a_module_that_is_not_there\n", "cannot take the revision"),
        (lambda text: text + "\n${nonsense(}\n", "cannot take the revision"),
    ],
)  # fmt: skip
def test_a_template_that_loses_the_operations_leaves_nothing(place: Destination, change, said: str) -> None:  # type: ignore[no-untyped-def]
    template = place.alembic_ini.parent / "migrations/script.py.mako"
    template.write_text(change(template.read_text()))
    with pytest.raises(AlembicEnvironmentError, match=said):
        write_revisions(plan(VACCINATION, hostile()), place)
    assert files(place) == []


def test_a_two_space_template_is_followed(place: Destination) -> None:
    template = place.alembic_ini.parent / "migrations/script.py.mako"
    template.write_text(template.read_text().replace("    ", "  "))
    (written,) = write_revisions(plan(), place)
    assert "\n  op.create_unique_index_concurrently(" in written.path.read_text()


def test_several_heads_ask_which(place: Destination) -> None:
    config = Config(str(place.alembic_ini))
    scripts = ScriptDirectory.from_config(config)
    one = scripts.generate_revision("aaa", "one", head="base")
    scripts.generate_revision("bbb", "two", head="base", splice=True)
    assert one is not None
    with pytest.raises(AlembicEnvironmentError, match="2 heads") as caught:
        write_revisions(plan(), place)
    assert "--head" in caught.value.fix
    (written,) = write_revisions(plan(), Destination(place.alembic_ini, head="aaa"))
    assert written.down_revision == "aaa"


def test_cleaning_up_removes_only_the_file_just_written(place: Destination) -> None:
    bystander = place.alembic_ini.parent / "migrations/versions/somebody_elses.py"
    template = place.alembic_ini.parent / "migrations/script.py.mako"
    meanwhile = f"<% open({str(bystander)!r}, 'w').close() %>"
    template.write_text(meanwhile + template.read_text().replace('${upgrades if upgrades else "pass"}', "pass"))
    with pytest.raises(AlembicEnvironmentError, match="lost the upgrade"):
        write_revisions(plan(), place)
    assert files(place) == [bystander]

"""plan.json: what is read is what was written, and an edit is noticed."""

import json
from pathlib import Path

import pytest

from tests.unit.plan.plans import VACCINATION, hostile, plan
from vaccine.errors import PlanFileError
from vaccine.plan import file as planfile


def test_a_plan_survives_the_file(tmp_path: Path) -> None:
    made = plan(VACCINATION, hostile())
    file = tmp_path / "plan.json"
    file.write_text(planfile.dump(made), encoding="utf-8")
    assert planfile.load(file) == made


def test_equal_plans_have_equal_ids_and_others_do_not() -> None:
    assert plan().id == plan().id
    assert plan(database="other").id != plan().id
    assert len(plan().id) == 8


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a plan"),
        ("[" * 100_000, "is not JSON"),
        ('{"vaccine_plan": 99}', "is not a plan that this Vaccine reads"),
        ("{}", "is not a plan that this Vaccine reads"),
        ('{"vaccine_plan": 1}', "was edited"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)
    with pytest.raises(PlanFileError, match=said) as caught:
        planfile.load(file)
    assert caught.value.exit_status == 2
    assert "vaccine plan" in caught.value.fix


def test_a_missing_or_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanFileError, match="cannot read"):
        planfile.load(tmp_path / "none.json")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PlanFileError, match="is not JSON"):
        planfile.load(tmp_path / "binary")


@pytest.mark.parametrize("change", ["max_rows", "id", "where"])
def test_an_edit_by_hand_is_refused(tmp_path: Path, change: str) -> None:
    document = json.loads(planfile.dump(plan()))
    if change == "id":
        document["id"] = "00000000"
    else:
        document["vaccinations"][0][change] = 1000 if change == "max_rows" else "TRUE"
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(document))
    with pytest.raises(PlanFileError, match="was edited"):
        planfile.load(file)

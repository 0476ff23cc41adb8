"""A writer that must be found beside its twin that must not be, in each language; precision and recall."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from vaccine.writers import KeySpec
from vaccine.writers.scanner import scan

FOLDER = Path(__file__).parents[2] / "writers" / "pairs"
KEY = KeySpec(
    "public",
    "system_issues",
    ("violation_hash",),
    "status = 'open' AND violation_hash IS NOT NULL",
    "uq_system_issues_open_violation_hash",
)


@dataclass(frozen=True)
class Case:
    language: str
    name: str
    verdict: str
    found: str
    twin: str
    ending: str


def _cases() -> list[Case]:
    cases = []
    for file in sorted(FOLDER.glob("*.toml")):
        data = tomllib.loads(file.read_text("utf-8"))
        cases += [Case(file.stem, ending=data["ending"], **case) for case in data["case"]]
    return cases


CASES = _cases()


def _writers(folder: Path, ending: str, text: str):
    file = folder / f"code.{ending}"
    file.write_text(text, encoding="utf-8")
    return scan([file], keys=[KEY]).writers


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.language}-{case.name}")
def test_the_writer_is_found_with_its_verdict_and_its_twin_is_not(case: Case, tmp_path: Path) -> None:
    found = _writers(tmp_path, case.ending, case.found)
    assert [str(writer.verdict) for writer in found] == [case.verdict], [writer.reasons for writer in found]
    assert not _writers(tmp_path, case.ending, case.twin)


def test_precision_and_recall_over_the_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = sum(bool(_writers(tmp_path, case.ending, case.found)) for case in CASES)
    wrong = sum(len(_writers(tmp_path, case.ending, case.twin)) for case in CASES)
    wrong += sum(max(0, len(_writers(tmp_path, case.ending, case.found)) - 1) for case in CASES)
    precision, recall = found / (found + wrong), found / len(CASES)
    with capsys.disabled():
        print(
            f"\n{len(CASES)} pairs in {len({case.language for case in CASES})} languages: "
            f"precision {precision:.3f}, recall {recall:.3f}"
        )
    assert len(CASES) >= 60
    assert precision >= 0.95
    assert recall >= 0.95

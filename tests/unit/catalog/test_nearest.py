"""The name that was meant."""

import pytest

from vaccine.catalog.nearest import did_you_mean, way_out


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("tsks", ["tasks", "issues"], "did you mean tasks?"),
        ("Tasks", ["tasks", "task_log"], "did you mean tasks?"),
        ("task", ["tasks", "tasks2", "tasks_old", "tasker", "x"], "did you mean tasks or tasker or tasks2?"),
        ("zebra", ["tasks"], ""),
        ("", [], ""),
    ],
)
def test_the_nearest_name_comes_first(name: str, known: list[str], said: str) -> None:
    assert did_you_mean(name, known) == said


def test_what_else_helps_is_said_too() -> None:
    assert way_out("tsks", ["tasks"], "see the list") == "did you mean tasks? Else see the list"
    assert way_out("tsks", [], "see the list") == "see the list"

"""Keys and assignments as they are typed."""

import pytest

from vaccine.audit.finding import Expression
from vaccine.audit.lifecycle import Override
from vaccine.catalog.keyname import KeyName, parse_key
from vaccine.errors import UsageError
from vaccine.plan.request import Choices, parse_assignment


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("tasks.code", KeyName(None, "tasks", ("code",))),
        ("public.tasks.code", KeyName("public", "tasks", ("code",))),
        ("orders.tenant_id,code", KeyName(None, "orders", ("tenant_id", "code"))),
        ('"we.ird"."ta,b"."c""d",e', KeyName("we.ird", "ta,b", ('c"d', "e"))),
        ("größe.straße", KeyName(None, "größe", ("straße",))),
    ],
)
def test_a_key_is_read(text: str, key: KeyName) -> None:
    assert parse_key(text) == key


@pytest.mark.parametrize(
    "text", ["tasks", "", ".", "tasks.", "tasks.code,", "a.b.c.d", "a..b", '"a.b', "a.b,b", ",a.b"]
)
def test_what_names_no_key_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_key(text)
    assert "TABLE.COLUMN" in caught.value.fix


@pytest.mark.parametrize(
    ("text", "assignment"),
    [
        ("status=resolved", ("status", "resolved")),
        ("status=it's=1", ("status", "it's=1")),
        ("is_current=false", ("is_current", False)),
        ("code=NULL", ("code", None)),
        ("deleted_at=sql:now()", ("deleted_at", Expression("now()"))),
        ("note=", ("note", "")),
    ],
)
def test_an_assignment_is_read(text: str, assignment: tuple[str, object]) -> None:
    assert parse_assignment(text) == assignment


@pytest.mark.parametrize("text", ["status", "=resolved", " =x"])
def test_what_assigns_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_assignment(text)


def test_the_command_line_wins_over_the_file() -> None:
    said = Override("a = 1", (("a", 2),), ("b DESC",), "n", (("1",),), 5, "always")
    assert Choices().over(said) == Choices("a = 1", (("a", 2),), ("b DESC",), "n", (("1",),), 5, "always")
    mine = Choices("", (("c", 3),), ("c",), "m", (("2",),), 0, "never")
    assert mine.over(said) == mine
    assert mine.over(None) == mine

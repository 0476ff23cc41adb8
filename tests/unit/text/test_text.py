"""What leaves is shown and not obeyed, and no password leaves."""

from __future__ import annotations

import json
import re
import string
import time

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from vaccine.connect import describe, to_libpq
from vaccine.errors import UsageError, VaccineError
from vaccine.operations.errors import OperationError
from vaccine.text import cut, json_text, one_line, printable, redacted, shown

ESC, CSI, BIDI = "\x1b]0;owned\x07", "\x9b31m", "\u202egnp.exe"
SECRET = "geheim"


@given(st.text())
def test_what_is_shown_prints(text: str) -> None:
    assert one_line(text).isprintable()
    assert printable(text).replace("\n", "").replace("\t", "").isprintable()
    assert one_line(one_line(text)) == one_line(text)
    if text.isprintable():
        assert one_line(text) == text


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5))
def test_json_says_the_same_and_prints(document: object) -> None:
    text = json_text(document)
    assert json.loads(text) == document
    assert text.replace("\n", "").isprintable()


def test_long_texts_are_cut_and_counted() -> None:
    assert cut("x" * 10, 10) == "x" * 10
    assert cut("x" * 12, 10) == "x" * 10 + "… (12 characters)"
    started = time.monotonic()
    for long in ("x" * 10_000_000, "a://b:" * 1_000_000, "password=" * 1_000_000, "postgres://a:" * 500_000):
        assert len(shown(long)) < 5000
        assert len(redacted(long[:20_000])) <= 20_000
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("kind", [VaccineError, UsageError, OperationError])
@pytest.mark.parametrize("hostile", [ESC, CSI, BIDI, "a\rb"])
def test_an_error_shows_what_it_quotes(kind: type[VaccineError], hostile: str) -> None:
    message = str(kind(f"table {hostile}", why=f"trigger {hostile}", fix=f"drop {hostile}"))
    assert message.replace("\n", "").isprintable()
    assert "\n  why: trigger " in message


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("no such table postgresql://me:geheim@db:5432/app", "no such table postgresql://***@db:5432/app"),
        ("postgresql+psycopg://me:x@geheim@db/app", "postgresql+psycopg://***@db/app"),
        ("postgresql://me:12/geheim@db", "postgresql://***@db"),
        ("'postgres://me:geheim/app'", "'postgres://me:***"),
        ("host=db password=geheim dbname=x", "host=db password=*** dbname=x"),
        ("password = 'ge heim' x", "password = *** x"),
        ("PGPASSWORD=geheim vaccine audit", "PGPASSWORD=*** vaccine audit"),
        ("give postgresql://user@host:5432/database", "give postgresql://user@host:5432/database"),
        ("postgresql://host:5432/database", "postgresql://host:5432/database"),
        ("see https://example.org:443/a", "see https://example.org:443/a"),
    ],
)
def test_connection_strings_lose_their_password(said: str, shown: str) -> None:
    assert redacted(said) == shown


AROUND = st.text(string.ascii_letters + string.digits + "@/:?#%&=+,;!$*()[]~^ '\"\\", max_size=4)
FORMS = [
    "postgresql://me:{}@db:5432/app", "postgresql+psycopg://me:{}@db/app", "postgres://me:{}", "postgresql://me:{}/app",
    "postgresql://me:{}@", "me:{}@db/app", "postgresql:/me:{}@db", "postgresql//me:{}@db", "postgresql://:{}@db/app",
    "host=db password={}", "host=db pasword={}", "host=db user=me pwd={}", "host=me:{}@db", "dbname=postgresql://me:{}@db",
    "postgresql://db/app?password={}", "postgresql://db/app?passwort={}", "mysql://me:{}@db", "service={}",
]  # fmt: skip


@given(st.sampled_from(FORMS), AROUND, AROUND)
@example("postgresql://me:{}@db/app", "x@", "")
@example("postgresql://me:{}@db/app", "12/", "")
def test_a_url_that_is_nearly_right_shows_no_password(form: str, before: str, after: str) -> None:
    text = form.format(before + SECRET + after)
    assume("@" in text or not re.match(r"postgres(ql)?://me:\d*/", text))  # a host, a port and the name of a database
    assume("@" in form or not set("@,") & set(before))  # no password, and a host, or a second one, behind it
    try:
        dsn = to_libpq(text)
    except UsageError as error:
        said = str(error)
    else:
        said = redacted(describe(dsn))
    assert SECRET not in said

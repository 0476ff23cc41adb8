"""The audit in every form, without a server: text for text, hostile names included.

The texts lie in `forms/`; `tests/expected.py` says how they are written anew.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.expected import compare
from tests.unit.report.audits import AUDIT, HOSTILE
from vaccine import __version__
from vaccine.audit.run import Audit
from vaccine.report import html, json, markdown, sarif, table

FOLDER = Path(__file__).parent / "forms"


def terminal(width: int) -> Callable[[Audit], str]:
    def render(audit: Audit) -> str:
        out = io.StringIO()
        table.show(audit, Console(file=out, width=width, highlight=False, soft_wrap=False))
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines())

    return render


FORMS: dict[str, Callable[[Audit], str]] = {
    "table_80.txt": terminal(80),
    "table_160.txt": terminal(160),
    "audit.md": markdown.render,
    "audit.html": html.render,
    "audit.json": json.render,
    "audit.sarif": sarif.render,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_reads_so(form: str) -> None:
    text = FORMS[form](AUDIT).replace(__version__, "VERSION")
    assert HOSTILE not in text
    assert all(line.isprintable() for line in text.split("\n"))
    compare(FOLDER / form, text)


@pytest.mark.parametrize("form", ["table_80.txt", "audit.md", "audit.html"])
def test_nothing_found_is_said(form: str) -> None:
    text = FORMS[form](replace(AUDIT, findings=(), invalid_indexes=()))
    assert "No unguarded logical key found." in text
    assert "168 tables audited: no candidate key." in text
    assert "Next:" not in text

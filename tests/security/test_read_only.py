"""Nobody else's code runs in the commands that read, whoever runs them."""

from __future__ import annotations

import pytest

from tests.security.conftest import Trapped

ROLES = ("superuser", "owner", "auditor")
KEY = ("system_issues.violation_hash", "--where", "status = 'open'", "--assign", "status=resolved")


@pytest.mark.every_version
def test_no_trap_is_sprung(trapped: Trapped) -> None:
    sprung = {}
    for role in ROLES:
        shell = trapped.shells[role]
        runs = {
            "audit": (("audit", "--format", "json"), 0),
            "check": (("check",), 1),
            "plan of all": (("plan",), None),
            "plan": (("plan", *KEY, "-o", "plan.json"), None),
            "plan of moods": (("plan", "moods.mood_code", "--where", "", "--assign", "status=closed"), None),
            "journal": (("journal",), None),
            "journal show": (("journal", "show", "1"), None),
        }
        for name, (words, status) in runs.items():
            shell.vaccine(*words, status=status)
            sprung[role, name] = trapped.sprung()
    assert {of: calls for of, calls in sprung.items() if calls} == {}

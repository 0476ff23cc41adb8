"""Nobody else's code runs in the commands that read, whoever runs them."""

from __future__ import annotations

import pytest

from tests.security.conftest import Trapped
from vaccine.audit.run import AuditSettings, audit_key
from vaccine.connect import read_only

ROLES = ("superuser", "owner", "auditor")
KEY = ("system_issues.violation_hash", "--where", "status = 'open'", "--assign", "status=resolved")


@pytest.mark.every_version
def test_no_trap_is_sprung(trapped: Trapped) -> None:
    sprung, done = {}, {}
    for role in ROLES:
        shell = trapped.shells[role]
        runs = {
            "audit": ("audit", "--format", "json"),
            "check": ("check",),
            "plan of all": ("plan",),
            "plan": ("plan", *KEY, "-o", "plan.json"),
            "plan of moods": ("plan", "moods.mood_code", "--where", "", "--assign", "status=closed"),
            "plan by mood": ("plan", "keyed_by_mood.slug", "--where", "", "--assign", "slug=b"),
            "plan of a domain": ("plan", "moods.slug", "--where", "", "--assign", "state=closed"),
            "revision": ("revision", "plan.json"),
            "journal": ("journal",),
            "journal show": ("journal", "show", "1"),
        }
        for name, words in runs.items():
            done[role, name] = shell.quickly(*words)
            sprung[role, name] = trapped.sprung()
    assert {of: calls for of, calls in sprung.items() if calls} == {}
    for role in ROLES:
        assert "index by_folded of public.folded calls evil.folded of mallory" in done[role, "audit"].stdout
        assert ("this role is a superuser" in done[role, "audit"].stderr) == (role == "superuser")
        assert done[role, "plan"].exception is None
        for name in ("journal", "journal show"):
            assert "vaccine.journal is not the table that Vaccine made" in str(done[role, name].exception)
    with read_only(trapped.shells["superuser"].url) as connection:
        finding = audit_key(connection, AuditSettings(), ("public", "other_issues"), ("violation_hash",))
    assert "would run evil.sprung of mallory" in " ".join(finding.unknowns)
    assert trapped.sprung() == {}

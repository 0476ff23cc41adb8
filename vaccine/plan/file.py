"""plan.json: a Plan written down, with a digest that tells whether anybody edited it since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from vaccine.audit.finding import Expression
from vaccine.errors import PlanFileError
from vaccine.operations.dry import Approved
from vaccine.plan.locks import LockMode
from vaccine.plan.model import DuplicateGroup, Estimate, Fingerprint, Hazard, Member, Plan, Statement, Step, Vaccination

FORMAT = 1
REMAKE = "make it anew: vaccine plan -o plan.json"


def with_id(plan: Plan) -> Plan:
    """The plan under the id that its content gives it."""
    return replace(plan, id=_digest(_body(plan))[:8])


def dump(plan: Plan) -> str:
    """The plan as JSON text; equal plans give equal text."""
    body = _body(plan)
    document = {"vaccine_plan": FORMAT, "id": plan.id, "digest": _digest(body), **body}
    return json.dumps(document, indent=1, ensure_ascii=False, default=_encode) + "\n"


def load(path: Path, text: str | None = None) -> Plan:
    """Read a plan file; `text` is its content where it has been read already, as from stdin.

    Raises:
        PlanFileError: no such file, not JSON, of another version, or edited since it was made.
    """
    document = _document(path, text)
    if document.get("vaccine_plan") != FORMAT:
        raise PlanFileError(
            f"{path} is not a plan that this Vaccine reads",
            why=f"it has the format {document.get('vaccine_plan')!r}, this Vaccine reads {FORMAT}",
            fix=REMAKE,
        )
    body = {name: value for name, value in document.items() if name not in {"vaccine_plan", "id", "digest"}}
    digest = _digest(body)
    if document.get("digest") != digest or document.get("id") != digest[:8]:
        raise PlanFileError(
            f"{path} was edited since it was made",
            why="its digest does not fit its content; what was approved is not what would run",
            fix=f"choose otherwise with the options of vaccine plan (see vaccine plan --help), and {REMAKE}",
        )
    try:
        return _plan(document["id"], body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlanFileError(f"{path} is damaged", why=f"{type(error).__name__}: {error}", fix=REMAKE) from None


def _document(path: Path, text: str | None) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8") if text is None else text)
    except OSError as error:
        raise PlanFileError(f"cannot read {path}", why=error.strerror or str(error), fix=REMAKE) from None
    except (ValueError, RecursionError) as error:
        raise PlanFileError(f"{path} is not JSON", why=str(error)[:200], fix=REMAKE) from None
    if not isinstance(document, dict):
        raise PlanFileError(f"{path} is not a plan", why="it is JSON, but not an object", fix=REMAKE)
    return document


def _body(plan: Plan) -> dict[str, Any]:
    body = asdict(plan)
    del body["id"]
    normal: dict[str, Any] = json.loads(json.dumps(body, default=_encode))
    for each, vaccination in zip(normal["vaccinations"], plan.vaccinations, strict=True):
        each["assign"] = [
            [name, {"sql": value.sql} if isinstance(value, Expression) else value] for name, value in vaccination.assign
        ]
    return normal


def _encode(value: object) -> object:
    raise TypeError(f"{type(value).__name__} does not belong in a plan")


def _digest(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plan(plan_id: str, body: dict[str, Any]) -> Plan:
    fields = {**body, "vaccinations": tuple(map(_vaccination, body["vaccinations"])), "notes": tuple(body["notes"])}
    return Plan(id=plan_id, **fields)


def _vaccination(of: dict[str, Any]) -> Vaccination:
    plain = {name: tuple(of[name]) for name in ("columns", "survivor", "primary_key", "reasons", "afterwards", "after")}
    fields: dict[str, Any] = {
        **of,
        **plain,
        "keep": tuple(map(tuple, of["keep"])),
        "assign": tuple(
            (name, Expression(value["sql"]) if isinstance(value, dict) else value) for name, value in of["assign"]
        ),
        "groups": tuple(map(_group, of["groups"])),
        "up": tuple(map(_step, of["up"])),
        "down": tuple(map(_step, of["down"])),
        "hazards": tuple(Hazard(**hazard) for hazard in of["hazards"]),
        "estimate": Estimate(**{**of["estimate"], "basis": tuple(of["estimate"]["basis"])}),
        "fingerprint": Fingerprint(**{**of["fingerprint"], "rows": _rows(of["fingerprint"]["rows"])}),
    }
    return Vaccination(**fields)


def _rows(of: str | list[list[list[str]]]) -> Approved:
    return of if isinstance(of, str) else tuple(tuple(map(tuple, group)) for group in of)


def _group(of: dict[str, Any]) -> DuplicateGroup:
    return DuplicateGroup(
        key=tuple(of["key"]),
        survivor=_member(of["survivor"]),
        excess=tuple(map(_member, of["excess"])),
        reason=of["reason"],
        differs=tuple(of["differs"]),
        left_out=of["left_out"],
    )


def _member(of: dict[str, Any]) -> Member:
    return Member(primary_key=tuple(of["primary_key"]), order=tuple(of["order"]), values=tuple(of["values"]))


def _step(of: dict[str, Any]) -> Step:
    statements = (Statement(each["sql"], LockMode(each["lock"]), each["note"]) for each in of["statements"])
    return Step(title=of["title"], statements=tuple(statements), note=of["note"])

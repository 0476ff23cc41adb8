"""plan.json: a Plan written down, with a digest that tells whether anybody edited it since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from vaccine.audit.config import GATES
from vaccine.audit.finding import Expression
from vaccine.errors import PlanFileError
from vaccine.plan.decode import MisfitError, decode
from vaccine.plan.model import Plan, Vaccination
from vaccine.text import json_text

FORMAT = 1
REMAKE = "make it anew: vaccine plan -o plan.json"


def with_id(plan: Plan) -> Plan:
    """The plan under the id that its content gives it."""
    return replace(plan, id=_digest(_body(plan))[:8])


def dump(plan: Plan) -> str:
    """The plan as JSON text; equal plans give equal text."""
    body = _body(plan)
    document = {"vaccine_plan": FORMAT, "id": plan.id, "digest": _digest(body), **body}
    return json_text(document, indent=1, default=_encode) + "\n"


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
    digest = _digest_of(path, body)
    if document.get("digest") != digest or document.get("id") != digest[:8]:
        raise PlanFileError(
            f"{path} was edited since it was made",
            why="its digest does not fit its content; what was approved is not what would run",
            fix=f"choose otherwise with the options of vaccine plan (see vaccine plan --help), and {REMAKE}",
        )
    try:
        plan = decode(Plan, {**body, "id": document["id"]})
    except MisfitError as error:
        raise PlanFileError(f"{path} is damaged", why=str(error), fix=REMAKE) from None
    wrong = next(filter(None, map(_senseless, plan.vaccinations)), "")
    if wrong:
        raise PlanFileError(f"{path} is damaged", why=wrong, fix=REMAKE)
    return plan


def _senseless(of: Vaccination) -> str:
    """What of a vaccination no plan says; empty where there is nothing."""
    names = (of.schema, of.table, of.index_name, *of.columns, *of.primary_key, *(name for name, _ in of.assign))
    if not of.columns or not all(names):
        return "a name is empty"
    if of.gate not in GATES:
        return f"gate is {of.gate!r:.60}"
    if of.max_rows < 0 or any(len(key) != len(of.primary_key) for key in of.keep):
        return "max_rows or keep cannot be"
    return ""


def _digest_of(path: Path, body: Mapping[str, Any]) -> str:
    try:
        return _digest(body)
    except RecursionError:
        raise PlanFileError(f"{path} is damaged", why="it is nested too deep", fix=REMAKE) from None


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

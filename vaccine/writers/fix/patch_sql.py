"""ON CONFLICT added to an INSERT, or made to fit the index. The rest of the statement stays as it is."""

from __future__ import annotations

import re

from vaccine.writers.fix.edit import Edit, NotSafe
from vaccine.writers.fix.fix import conflict_target, identifier
from vaccine.writers.model import KeySpec, Kind, SourceWriter

CONFLICT = re.compile(r"\bON\s+CONFLICT\b\s*(ON\s+CONSTRAINT\s+\S+|\((?:[^()]|\([^()]*\))*\))?", re.IGNORECASE)
ACTION = re.compile(r"\bDO\s+(NOTHING|UPDATE)\b", re.IGNORECASE)
RETURNING = re.compile(r"\bRETURNING\b", re.IGNORECASE)
INSERT = re.compile(r"\bINSERT\s+INTO\b", re.IGNORECASE)


def edits(writer: SourceWriter, text: str) -> list[Edit]:
    """The edits for one INSERT; raises NotSafe when the clause's place is not certain."""
    span = next((span for span in writer.spans if span.name == "sql"), None)
    if span is None or writer.kind is Kind.COPY or writer.key is None:
        raise NotSafe("COPY cannot say ON CONFLICT: load a staging table, then INSERT … SELECT … ON CONFLICT")
    raw = text[span.start : span.end]
    if len(INSERT.findall(raw)) != 1 or "%%" in raw or re.search(r"\bMERGE\b|\bWITH\b\s+\w+\s+AS", raw, re.IGNORECASE):
        raise NotSafe("the string holds more than one plain INSERT")
    quote = _quoting(writer, raw)
    clause = CONFLICT.search(raw)
    if clause is not None:
        return [_replaced(writer.key, raw, clause, span.start, quote)]
    return [_added(writer, writer.key, raw, span.start, quote)]


def _quoting(writer: SourceWriter, raw: str) -> str:
    """The quote around the string; "" in an SQL file or a here document."""
    if writer.language == "sql":
        return ""
    if re.search(r"['\"`]\s*(?:\+|\.|\n\s*['\"])", raw[1:-1]) and not raw.startswith(('"""', "'''", "`")):
        raise NotSafe("the statement is joined from several strings")
    match = re.match(r"[rbfuRBFU]*('''|\"\"\"|'|\"|`)", raw)
    return match.group(1) if match else ""


def _escaped(sql: str, quote: str, language: str) -> str:
    if len(quote) == 3 or not quote:
        return sql.replace("$", "\\$") if language == "bash" and not quote else sql
    if quote == "'" and language == "bash":
        return sql.replace("'", "'\\''")
    if quote == "`":
        return sql.replace("`", "\\`").replace("${", "\\${")
    return sql.replace(quote, "\\" + quote)


def _replaced(key: KeySpec, raw: str, clause: re.Match[str], start: int, quote: str) -> Edit:
    action = ACTION.search(raw, clause.end())
    if action is None:
        raise NotSafe("its ON CONFLICT has no action that could be read")
    target = _escaped(f"ON CONFLICT {conflict_target(key)} ", quote, "")
    return Edit(start + clause.start(), start + action.start(), target)


def _added(writer: SourceWriter, key: KeySpec, raw: str, start: int, quote: str) -> Edit:
    returning = RETURNING.search(raw)
    first = identifier(key.columns[0])
    action = f"DO UPDATE SET {first} = EXCLUDED.{first}" if returning else "DO NOTHING"
    clause = _escaped(f"ON CONFLICT {conflict_target(key)} {action}", quote, writer.language)
    if returning is not None:
        return Edit(start + returning.start(), start + returning.start(), clause + " ")
    body = raw[: len(raw) - len(quote)] if quote else raw
    end = len(body.rstrip().rstrip(";").rstrip())
    tail = re.search(r"\n([ \t]*)\S[^\n]*\Z", body[:end])
    separator = f"\n{tail.group(1)}" if tail and len(quote) != 1 else " "
    return Edit(start + end, start + end, separator + clause)

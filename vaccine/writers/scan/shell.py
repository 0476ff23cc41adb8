"""Shell commands: curl to a REST collection, psql with SQL. The commands' options are data in rules/bash/."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Any

from vaccine.writers.model import Kind, Span
from vaccine.writers.scan import read, sql
from vaccine.writers.scan.grammar import RULES
from vaccine.writers.scan.site import Site
from vaccine.writers.scan.strings import site_of
from vaccine.writers.scan.syntax import HOLE, Node, Source


@cache
def commands() -> dict[str, dict[str, Any]]:
    """The rules for commands, by the command's name."""
    found: dict[str, dict[str, Any]] = {}
    for file in (RULES / "bash").iterdir():
        data = tomllib.loads(file.read_text("utf-8"))
        for name in data.get("commands", []):
            found[name] = data | {"id": file.name.removesuffix(".toml")}
    return found


def sites(source: Source) -> Iterator[Site]:
    """The writes and look-ups of the file's commands."""
    for node in source.find({"command"}):
        name = node.field("name")
        rule = commands().get(name.text().rpartition("/")[2]) if name is not None else None
        words = [
            child for child in node.named_children() if child.kind() not in {"command_name", "variable_assignment"}
        ]
        if rule is None and words:  # docker exec db psql -c …
            nested = next((i for i, word in enumerate(words) if word.text() == "psql"), None)
            rule, words = (commands().get("psql"), words[nested + 1 :]) if nested is not None else (None, words)
        if rule is not None:
            yield from _rest(source, node, words, rule) if "data" in rule else _sql(source, node, words, rule)


def _options(words: list[Node], rule: dict[str, Any]) -> tuple[dict[str, list[Node]], list[Node]]:
    """Option → values, and the words that are no options."""
    taking = set(rule.get("method", []) + rule.get("data", []) + rule.get("sql", []) + rule.get("other", []))
    values: dict[str, list[Node]] = {}
    plain: list[Node] = []
    waiting = ""
    for word in words:
        text = word.text()
        if waiting:
            values.setdefault(waiting, []).append(word)
            waiting = ""
        elif text in taking:
            waiting = text
        elif not text.startswith("-"):
            plain.append(word)
        else:
            waiting = _cluster(word, text, values)
    return values, plain


def _cluster(word: Node, text: str, values: dict[str, list[Node]]) -> str:
    """Options written as one word: `-sG`, `-qc SQL`, `-XPOST`. The option that waits for its value, or ""."""
    values.setdefault(text, [])
    method = re.fullmatch(r"-[a-zA-Z]*X([A-Z]*)", text)
    if method is not None and method.group(1):
        values.setdefault("-X", []).append(word)
        return ""
    if not re.fullmatch(r"-[a-zA-Z]{2,}", text):
        return ""
    for letter in text[1:]:
        values.setdefault(f"-{letter}", [])
    return f"-{text[-1]}" if text[-1] in "cdXHo" else ""


def _texts(source: Source, nodes: list[Node]) -> list[str]:
    return [text for node in nodes if (text := source.string(node)) is not None]


def _rest(source: Source, node: Node, words: list[Node], rule: dict[str, Any]) -> Iterator[Site]:
    values, plain = _options(words, rule)
    table = next((found for word in plain if (found := read.table_url(source, word)) is not None), None)
    if table is None:
        return
    start, end = source.span(node)
    method = "".join(_texts(source, [v for name in rule["method"] for v in values.get(name, [])])).upper().lstrip("-")
    bodies = [v for name in rule["data"] for v in values.get(name, [])]
    reads = "-G" in values or "--get" in values or method.endswith("GET")
    if method.endswith("POST") or (bodies and not method and not reads):
        columns = _body_columns(source, bodies)
        spans = (Span("call", start, end),)
        yield Site(Kind.INSERT, table, start, end, rule["library"], rule["id"], 0.9, columns, spans=spans)
    elif not method or reads:
        urls = [*_texts(source, plain), *(f"?{text}" for text in _texts(source, bodies))]
        entries = [entry for text in urls for entry in read.url_filter(text)]
        columns, fixed = tuple(n for n, c in entries if not c), tuple(n for n, c in entries if c)
        if entries:
            yield Site(Kind.LOOK_UP, table, start, end, rule["library"], rule["id"], 0.9, columns, fixed)


def _body_columns(source: Source, bodies: list[Node]) -> tuple[str, ...]:
    for body in bodies:
        text = source.string(body)
        if text == HOLE or text is None:  # "$body" from body=$(jq -n … '{a: $a}') or a here document
            names = re.findall(r"\w+", body.text())
            value = source.assigned(names[0], source.span(body)[0]) if names else None
            text = value.text() if value is not None else ""
            if "jq" in text:
                text = text[text.find("{") :]
        if "{" in text:
            return read.json_keys(text.replace(HOLE, "?"))
    return ("*",)


def _sql(source: Source, node: Node, words: list[Node], rule: dict[str, Any]) -> Iterator[Site]:
    values, _ = _options(words, rule)
    holders = [value for name in rule["sql"] for value in values.get(name, [])]
    parent = node.parent()
    if parent is not None and parent.kind() == "redirected_statement":
        holders += list(parent.find_all(kind="heredoc_body"))
        holders += [child for one in parent.find_all(kind="herestring_redirect") for child in one.named_children()]
    if parent is not None and parent.kind() == "pipeline":
        before = parent.named_children()[0]
        holders += [child for child in before.named_children() if child.kind() in source.grammar.strings]
    for holder in holders:
        text = source.string(holder)
        if text is None or not sql.MAY_HOLD.search(text):
            continue
        start, end = source.span(holder)
        for statement in sql.statements(re.sub(r"\$\w+", HOLE, text)):
            line = source.text.find(re.match(r"\w+", text[statement.start :]).group(), start)  # type: ignore[union-attr]
            spans = (Span("sql", start, end), Span("call", *source.span(node)))
            yield site_of(statement, max(line, start), end, library=rule["library"], spans=spans)

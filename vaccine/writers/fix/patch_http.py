"""POSTs to Directus sent through a helper that meets RECORD_NOT_UNIQUE and answers with the existing row."""

from __future__ import annotations

import re

from vaccine.writers.fix.edit import Edit, NotSafe, after_imports
from vaccine.writers.fix.fix import helper
from vaccine.writers.judge import covers
from vaccine.writers.model import SourceWriter, Span

JSON_KEY = r"\\?\"%s\\?\"\s*:\s*(?:\\?\"|'\")?\s*'?\"?(\$\w+|\$\{\w+\})"


def edits(writer: SourceWriter, text: str) -> list[Edit]:
    """The helper after the imports, once a file, and the call turned to it."""
    code = helper(writer)
    spans = {span.name: span for span in writer.spans}
    if code is None or writer.key is None or not covers(writer.columns, writer.key):
        raise NotSafe("the body that it sends does not show the key")
    name = "post_or_reuse" if writer.language in {"python", "bash"} else "postOrReuse"
    call = _shell(writer, text, spans) if writer.language == "bash" else _call(writer, text, spans, name)
    place = after_imports(text, writer.language)
    if re.search(rf"(def|function)\s+{name}\b|^{name}\(\)", text, re.MULTILINE):
        raise NotSafe(f"the file already has a function {name}")
    blank = "\n\n" if writer.language == "python" else "\n"
    return [Edit(place, place, f"{blank}{code}\n{blank}" if place else f"{code}\n{blank}"), call]


def _call(writer: SourceWriter, text: str, spans: dict[str, Span], name: str) -> Edit:
    callee = spans["callee"]
    called = text[callee.start : callee.end]
    arguments = text[callee.end : spans["call"].end]
    client, _, verb = called.rpartition(".")
    if writer.language == "python":
        if re.search(r"\bawait\s*$", text[: callee.start]) or verb != "post" or not re.search(r"\bjson\s*=", arguments):
            raise NotSafe("only client.post(url, json=…) of a synchronous client is patched")
    elif writer.library == "axios":
        if verb != "post" or "=>" in arguments:
            raise NotSafe("only client.post(url, row, config) is patched")
    elif called != "fetch" or not re.search(r"\bbody\s*:\s*JSON\.stringify\(", arguments):
        raise NotSafe("only fetch(url, {…, body: JSON.stringify(row)}) is patched")
    first = f"{client}, " if client else ""
    opening = re.match(r"\s*(<[^(]*>)?\(\s*", arguments)
    if opening is None:
        raise NotSafe("its arguments could not be read")
    return Edit(callee.start, callee.end + opening.end(), f"{name}({first}")


def _shell(writer: SourceWriter, text: str, spans: dict[str, Span]) -> Edit:
    span = spans["call"]
    command = text[span.start : span.end]
    if re.search(r"\s(-w|--write-out|-o|--output|-i|--include)\b", command):
        raise NotSafe("its curl prints a form of its own (-w, -o or -i)")
    if not re.match(r"#!.*\b(bash|zsh|ksh)\b", text) or writer.key is None or len(writer.key.columns) != 1:
        raise NotSafe("only scripts of bash and a key of one column are patched")
    url = re.search(r"\"[^\"\n]*/items/\w+[^\"\n]*\"|\S*/items/\w+\S*", command)
    value = re.search(JSON_KEY % re.escape(writer.key.columns[0]), text[: span.end][-4000:])
    named = re.search(
        rf"--arg\s+(\w+)\s+(\"?\$\{{?\w+\}}?\"?)(?=.*\b{writer.key.columns[0]}\"?\s*:\s*\$\1\b)", text, re.DOTALL
    )
    if url is None or (value is None and named is None):
        raise NotSafe("the key's value does not stand in the script as a variable")
    given = f'"{value.group(1)}"' if value is not None else named.group(2)  # type: ignore[union-attr]
    opening = re.match(r"\S+", command)
    end = opening.end() if opening else 0
    return Edit(span.start, span.start + end, f"post_or_reuse {given} {url.group()}")

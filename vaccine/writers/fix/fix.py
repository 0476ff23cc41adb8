"""The fix for a writer, ready to paste: its own language and library, the very index of its key.

The texts are data in fixes/<language>.toml, one table a library. A name between double at-signs is
filled in; before a colon stands how it is quoted (`py`, `js`, `py_list`, …).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from vaccine.writers.model import KeySpec, SourceWriter, snake
from vaccine.writers.scan.models import plural

FIXES = files("vaccine.writers") / "fixes"
SHARED = {"typescript": "javascript", "tsx": "javascript"}
HOLE = re.compile(r"@@(?:(\w+):)?(\w+)@@")
TYPE_HOLE = re.compile(r"@@:(\w+)@@")
PLAIN = re.compile(r"^[a-z_][a-z0-9_]*$")
UNKNOWN_KEY = KeySpec("public", "TABLE", ("KEY",), None, "the unique index")


def identifier(name: str) -> str:
    """An SQL name, quoted where it must be."""
    return name if PLAIN.match(name) else '"' + name.replace('"', '""') + '"'


def qualified(key: KeySpec) -> str:
    """The table's SQL name; `public.` left out."""
    return identifier(key.table) if key.schema == "public" else f"{identifier(key.schema)}.{identifier(key.table)}"


def conflict_target(key: KeySpec) -> str:
    """`(a, b) WHERE …`: what ON CONFLICT must say to take the index."""
    where = f" WHERE {key.predicate}" if key.predicate else ""
    return f"({', '.join(map(identifier, key.columns))}){where}"


def live(key: KeySpec) -> dict[str, str]:
    """Column → value of each `column = 'text'` in the predicate: which rows a REST filter must ask for."""
    from sqlglot import exp  # noqa: PLC0415  optional

    from vaccine.writers.scan import sql  # noqa: PLC0415  sqlglot is optional

    tree = sql.condition(key.predicate) if key.predicate else None
    pairs = sql.equalities(tree) if tree is not None else ()
    return {name: str(value.this) for name, value in pairs if isinstance(value, exp.Literal)}


@cache
def templates(language: str) -> dict[str, dict[str, str]]:
    """The fixes of one language by library."""
    file = FIXES / f"{SHARED.get(language, language)}.toml"
    data: dict[str, dict[str, str]] = tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}
    return data


def fix(writer: SourceWriter) -> str:
    """The code to paste for this writer. Without a key, for a table and key named TABLE and KEY."""
    found = templates(writer.language)
    template = found.get(writer.library) or found.get("default") or templates("sql")["default"]
    return fill(template["text"].replace("@@HELPER@@", template.get("helper", "").strip()), writer).strip("\n")


def helper(writer: SourceWriter) -> str | None:
    """The function that a patch adds to the file; None where the library has none."""
    text = templates(writer.language).get(writer.library, {}).get("helper")
    return fill(text, writer).strip("\n") if text is not None else None


def fill(text: str, writer: SourceWriter) -> str:
    """A template with this writer's names."""
    key = writer.key or UNKNOWN_KEY
    values = _values(writer, key)
    typed = writer.language in {"typescript", "tsx"}
    text = TYPE_HOLE.sub(lambda match: f": {match.group(1)}" if typed else "", text)
    return HOLE.sub(lambda match: QUOTES[match.group(1) or ""](values[match.group(2)]), text)


def _values(writer: SourceWriter, key: KeySpec) -> dict[str, Any]:
    columns = list(key.columns)
    fixed = live(key)
    names = _own_names(writer, key)
    predicate = key.predicate or "true"
    model = writer.table.name if writer.table.aliases and not writer.table.exact else _model(key.table)
    equal = [f"{identifier(name)} = " for name in columns]
    select = f"SELECT * FROM {qualified(key)} WHERE "  # noqa: S608  shown, never run; names are quoted
    filters = {f"filter[{name}][_eq]": value for name, value in fixed.items()}
    js_keys = ", ".join([f"{name}: row.{name}" for name in names])
    return {
        "TABLE": qualified(key),
        "TABLE_ESCAPED": qualified(key).replace('"', '\\"'),
        "TABLE_NAME": key.table,
        "INDEX": key.index or "the unique index",
        "COLUMNS": columns,
        "COLUMNS_SQL": ", ".join(map(identifier, columns)),
        "FIELDS": " or ".join(columns),
        "FIRST_SQL": identifier(columns[0]),
        "CONFLICT": f"ON CONFLICT {conflict_target(key)}",
        "TARGET": conflict_target(key),
        "PREDICATE_TRUE": predicate,
        "SELECT_SQL": select + " AND ".join(f"{one}%s" for one in equal).replace("%%", "%") + f" AND ({predicate})",
        "SELECT_DOLLAR": select + " AND ".join(f"{one}${i}" for i, one in enumerate(equal, 1)) + f" AND ({predicate})",
        "SELECT_QUESTION": select + " AND ".join(f"{one}?" for one in equal) + f" AND ({predicate})",
        "MODEL": model,
        "MODEL_CAMEL": model[:1].lower() + model[1:],
        "MODEL_KEYS": ", ".join(f"{model}.{name} == row.{name}" for name in names),
        "DJANGO_KEYS": ", ".join([f"{n}=values[{n!r}]" for n in names] + [f"{n}={v!r}" for n, v in fixed.items()]),
        "RUBY_KEYS": ", ".join(f":{name}" for name in names),
        "JS_VALUES": "[" + ", ".join(f"row.{name}" for name in names) + "]",
        "JS_KEYS": f"{{ {js_keys} }}",
        "JS_WHERE": ", ".join([js_keys, *(f"{name}: {json.dumps(value)}" for name, value in fixed.items())]),
        "JS_COLUMNS": ", ".join(f"table.{name}" for name in names),
        "DIRECTUS_FILTER": _directus_filter(columns, fixed),
        "GO_VALUES": ", ".join(names),
        "PHP_VALUES": ", ".join(f"$row[{name!r}]" for name in columns),
        "PHP_WHERES": "".join(f"->where({name!r}, $values[{name!r}])" for name in columns),
        "LIVE": filters,
        "CURL_FILTER": _curl_filter(columns[0], filters),
    }


def _own_names(writer: SourceWriter, key: KeySpec) -> list[str]:
    """The key's columns as the writer's code spells them (camelCase)."""
    spelled = {snake(name): name for name in writer.columns if name != "*"}
    return [spelled.get(snake(column), column) for column in key.columns]


def _model(table: str) -> str:
    singular = next(
        (table[:cut] + end for cut, end in ((-3, "y"), (-2, ""), (-1, "")) if plural(table[:cut] + end) == table), table
    )
    return "".join(part.capitalize() for part in re.split(r"\W|_", singular))


def _directus_filter(columns: list[str], fixed: dict[str, str]) -> str:
    parts = [f"{json.dumps(name)}: {{ _eq: row[{json.dumps(name)}] }}" for name in columns]
    parts += [f"{json.dumps(name)}: {{ _eq: {json.dumps(value)} }}" for name, value in fixed.items()]
    return "{ " + ", ".join(parts) + " }"


def _curl_filter(column: str, filters: dict[str, str]) -> str:
    shown = [f'--data-urlencode "filter[{column}][_eq]=$key"']
    shown += ["--data-urlencode '" + f"{name}={value}".replace("'", "'\\''") + "'" for name, value in filters.items()]
    return " ".join(shown)


def _js(value: object) -> str:
    return "'" + json.dumps(str(value), ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"


QUOTES: dict[str, Callable[[Any], str]] = {
    "": str,
    "py": repr,
    "py_list": repr,
    "py_dict": repr,
    "js": _js,
    "js_list": lambda names: "[" + ", ".join(map(_js, names)) + "]",
    "js_dict": lambda pairs: "{ " + ", ".join(f"{_js(name)}: {_js(value)}" for name, value in pairs.items()) + " }",
}

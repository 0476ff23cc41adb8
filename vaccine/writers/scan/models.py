"""Which table a model class stands for: said in the code (`__tablename__`), else guessed from its name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from vaccine.writers.model import TableName, snake

# each with the groups `model` and `table`; a class's body is searched up to the next class
DECLARED = re.compile(
    r"""
    class\s+(?P<python>\w+)[^\n]*:\n(?:(?!^class\s).*\n){0,40}?
    \s+(?:__tablename__|db_table)\s*=\s*["'](?P<t1>[\w.]+)["']
  | @(?:Entity|Table)\(\s*(?:\{\s*)?(?:name\s*[:=]\s*)?["'](?P<t2>[\w.]+)["']
    (?:.*\n){0,8}?[^\n]*\bclass\s+(?P<entity>\w+)
  | class\s+(?P<other>\w+)[^\n]*\n(?:(?!^class\s).*\n){0,30}?
    [^\n]*(?:self\.table_name|\$table)\s*=\s*["'](?P<t3>[\w.]+)["']
  | func\s+\((?:\w+\s+)?\*?(?P<go>\w+)\)\s+TableName\(\)\s+string\s*\{\s*return\s+"(?P<t4>[\w.]+)"
  | \.define\(\s*["'](?P<define>\w+)["'](?:.*\n){0,60}?[^\n]*tableName:\s*["'](?P<t5>\w+)["']
  | (?P<init>[A-Z]\w+)\.init\((?:.*\n){0,60}?[^\n]*tableName:\s*["'](?P<t6>\w+)["']
  | (?P<drizzle>\w+)\s*=\s*pgTable\(\s*["'](?P<t7>\w+)["']
  | ^model\s+(?P<prisma>\w+)\s*\{[^}]*@@map\("(?P<t8>\w+)"\)
    """,
    re.VERBOSE | re.MULTILINE,
)
MARKS = (
    "__tablename__",
    "db_table",
    "@Entity",
    "@Table",
    "table_name",
    "$table",
    "TableName()",
    "tableName",
    "pgTable",
    "@@map",
)


def declared(text: str) -> dict[str, str]:
    """Model → table, as a file's text declares it."""
    if not any(mark in text for mark in MARKS):
        return {}
    found = {}
    for match in DECLARED.finditer(text):
        groups = {name: value for name, value in match.groupdict().items() if value}
        table = next(value for name, value in groups.items() if re.fullmatch(r"t\d", name))
        names = [value for name, value in groups.items() if not re.fullmatch(r"t\d", name)]
        found[names[0]] = table
    return found


OPENED = re.compile(
    r"^\s*(?:abstract\s+|final\s+|readonly\s+)*(?:class|module)\s+([A-Z][\w:]*)(?:\s*(?:<|extends)\s*([\w:\\]+))?",
    re.MULTILINE,
)
MODEL = re.compile(r"(Record|ActiveRecord::Base|Model|Authenticatable|Pivot|Eloquent)$")
# libraries that keep their rows in the application's database
RUBY_TABLES = frozenset(
    ("ActiveStorage", "ActionText", "ActionMailbox", "Doorkeeper", "PaperTrail", "GoodJob", "SolidQueue")
)


@dataclass
class Classes:
    """The Ruby and PHP classes and modules of a tree, with what each one inherits from."""

    bases: dict[str, set[str]] = field(default_factory=dict)

    def add(self, text: str) -> None:
        """Take the classes that a file opens; of a nested name, each part."""
        for name, base in OPENED.findall(text):
            parts = name.split("::")
            for part in parts[:-1]:
                self.bases.setdefault(part, set())
            self.bases.setdefault(parts[-1], set()).update({base} - {""})

    def is_model(self, name: str, depth: int = 0) -> bool:
        """True when a class of that name inherits from a model, as far as the tree shows."""
        found = self.bases.get(name, set())
        return any(MODEL.search(base) or (depth < 5 and self.is_model(_last(base), depth + 1)) for base in found)

    def foreign(self, table: TableName, language: str) -> bool:
        """True for a class that is no model: one of the tree that inherits from none, or another library's."""
        if table.exact or language not in {"ruby", "php"}:
            return False
        if table.name in self.bases:
            return not self.is_model(table.name)
        if language == "php":
            return not table.space
        return bool(table.space) and table.space not in RUBY_TABLES


def _last(name: str) -> str:
    return re.split(r"::|\\", name)[-1]


@cache
def plural(word: str) -> str:
    """The usual English plural of a snake-case name."""
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es" if not word.endswith("s") or word.endswith("ss") else word
    return word[:-1] + "ies" if re.search(r"[^aeiou]y$", word) else word + "s"


def resolve(table: TableName, known: dict[str, str]) -> TableName:
    """The table behind a model's name; with all names that it may have when nothing declares it."""
    if table.exact:
        return table
    said = known.get(table.name)
    if said is not None:
        schema, _, name = said.rpartition(".")
        return TableName(name, schema or None, aliases=(name,))
    name = snake(table.name)
    return TableName(plural(name), exact=False, aliases=tuple(dict.fromkeys((plural(name), name, table.name))))

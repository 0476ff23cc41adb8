"""Which keys are proposed from structure, and which are not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from vaccine.candidates import SHOWN_AT, KeyHint, candidate_keys
from vaccine.candidates.habit import INDEXED, NOT_INDEXED, keys_indexed
from vaccine.candidates.shapes import Target
from vaccine.catalog.model import Catalog, Column, ForeignKey, Index, Table

CATEGORIES = {"text": "S", "bigint": "N", "uuid": "U", "boolean": "B", "timestamp with time zone": "D"}


def table(name: str, spec: str, refs: str = "", pk: str = "id", indexes: tuple[Index, ...] = ()) -> Table:
    """A table from `"code text!, name text"` (! is NOT NULL) and references as `"user_id>users"`."""
    columns = [Column("id", 1, "bigint", True, identity="d", category="N")] if pk == "id" else []
    for part in spec.split(", "):
        column, kind = part.split(" ", 1)
        declared = kind.rstrip("!")
        columns.append(Column(column, len(columns) + 1, declared, kind.endswith("!"), category=CATEGORIES[declared]))
    keys = tuple(
        ForeignKey(f"fk_{ref}", (ref.split(">")[0],), "public", ref.split(">")[1], ("id",)) for ref in refs.split()
    )
    primary = (Index(f"{name}_pkey", tuple(pk.split()), "", unique=True, primary=True),) if pk else ()
    return Table("public", name, columns=tuple(columns), foreign_keys=keys, indexes=primary + indexes)


def catalog(*tables: Table) -> Catalog:
    return Catalog("18.0", 180000, "d", tables)


def score(of: Catalog, name: str, *columns: str, hints: tuple[KeyHint, ...] = ()) -> float:
    return next((k.score for k in candidate_keys(of, hints) if k.table == name and set(k.columns) == set(columns)), 0.0)


USERS = table("users", "email text!, full_name text")
GROUPS = table("groups", "title text!")

PAIRS = [
    # (what, table, the likelier key, the less likely one)
    ("a slug, not a description", table("pages", "slug text!, description text!"), ("slug",), ("description",)),
    ("a scope and its code, not the code", table("members", "user_id bigint!, code text!", "user_id>users"),
     ("user_id", "code"), ("code",)),
    ("a join table's pair, not one half", table("groups_users", "group_id bigint!, user_id bigint!",
     "group_id>groups user_id>users"), ("group_id", "user_id"), ("group_id",)),
    ("a UUID, not a flag", table("things", "guid uuid!, active boolean!"), ("guid",), ("active",)),
    ("a polymorphic pair, not its half", table("marks", "owner_type text!, owner_id bigint!, note text"),
     ("owner_type", "owner_id"), ("owner_type",)),
    ("settings of one user, not a log's user", table("user_settings", "user_id bigint!, body text",
     "user_id>users"), ("user_id",), ("body",)),
    ("the head of a table without a primary key", table("facts", "event_id text!, body text", pk=""),
     ("event_id",), ("body",)),
    ("a token, not a time", table("invites", "token text!, sent_at timestamp with time zone"),
     ("token",), ("sent_at",)),
]  # fmt: skip


@pytest.mark.parametrize(("what", "subject", "likely", "unlikely"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_ranks_the_likelier_key_first(
    what: str, subject: Table, likely: tuple[str, ...], unlikely: tuple[str, ...]
) -> None:
    of = catalog(USERS, GROUPS, subject)
    assert score(of, subject.name, *likely) > score(of, subject.name, *unlikely)
    assert score(of, subject.name, *likely) > 0.05


def test_a_join_table_and_a_surrogate_beside_the_primary_key_are_shown() -> None:
    join = table("groups_users", "group_id bigint!, user_id bigint!", "group_id>groups user_id>users")
    coded = table("units", "code text!, number bigint!", pk="code")
    numbered = Column("number", 2, "bigint", True, default="nextval('s'::regclass)", category="N")
    coded = Table("public", "units", columns=(coded.columns[0], numbered), indexes=coded.indexes)
    of = catalog(USERS, GROUPS, join, coded)
    assert score(of, "groups_users", "group_id", "user_id") >= SHOWN_AT
    assert score(of, "units", "number") >= SHOWN_AT


def unique(name: str, *columns: str, predicate: str | None = None, valid: bool = True) -> Index:
    return Index(name, columns, "", unique=True, predicate=predicate, valid=valid)


def test_a_sibling_that_guards_the_column_raises_it_and_is_named() -> None:
    issues = table("issues", "violation_hash text, status text!")
    sibling = table("rules", "violation_hash text", indexes=(unique("uq_open", "violation_hash", predicate="x"),))
    alone, beside = catalog(issues), catalog(issues, sibling)
    assert score(alone, "issues", "violation_hash") < SHOWN_AT <= score(beside, "issues", "violation_hash")
    [key] = [k for k in candidate_keys(beside) if k.table == "issues" and k.columns == ("violation_hash",)]
    assert key.reasons[0] == "public.rules guards violation_hash with uq_open"


def test_an_invalid_sibling_teaches_nothing() -> None:
    issues = table("issues", "violation_hash text")
    sibling = table("rules", "violation_hash text", indexes=(unique("uq", "violation_hash", valid=False),))
    assert score(catalog(issues, sibling), "issues", "violation_hash") < SHOWN_AT


def test_a_copy_of_the_key_of_the_table_it_is_named_after_is_not_raised() -> None:
    tools = table("tools", "file_path text!", indexes=(unique("uq", "file_path"),))
    runs, other = table("tool_runs", "file_path text!"), table("scans", "file_path text!")
    assert score(catalog(tools, runs), "tool_runs", "file_path") < score(catalog(tools, other), "scans", "file_path")


def test_supersets_of_the_primary_key_and_of_a_whole_unique_index_are_not_proposed() -> None:
    subject = table("pages", "slug text!, title text!", indexes=(unique("uq", "slug"),))
    proposed = {key.columns for key in candidate_keys(catalog(subject))}
    assert not any("id" in columns for columns in proposed)
    assert not any(len(columns) > 1 and "slug" in columns for columns in proposed)


def test_the_audits_names_are_candidates_whatever_the_structure_says() -> None:
    names = ("path", "slug", "code", "source_id", "hash", "key", "file_path", "dimension", "business_logic_hash")
    of = catalog(*(table(f"t{n}", f"{name} text, user_id bigint!", "user_id>users") for n, name in enumerate(names)))
    proposed = {key.columns for key in candidate_keys(of)}
    assert {(name,) for name in names} <= proposed


def test_rows_marked_as_deleted_do_not_count() -> None:
    subject = table("pages", "slug text!, deleted_at timestamp with time zone")
    [key] = [key for key in candidate_keys(catalog(subject)) if key.columns == ("slug",)]
    assert key.predicate == "deleted_at IS NULL"
    plain = table("pages", "slug text!, updated_at timestamp with time zone")
    [key] = [key for key in candidate_keys(catalog(plain)) if key.columns == ("slug",)]
    assert key.predicate is None


def test_hostile_names_go_through_unchanged() -> None:
    name = 'ta"ble %s\nü'
    subject = Table(
        "sch ema", name, columns=(Column('co"de', 1, "text", True, category="S"), Column("é" * 31, 2, "text")),
    )  # fmt: skip
    hint = KeyHint("sch ema", name, ('co"de',), "source", 2.0, "seen")
    [key] = [key for key in candidate_keys(catalog(subject), [hint]) if key.columns == ('co"de',)]
    assert key.table == name
    assert key.reasons[0] == "seen"


def test_a_hint_raises_a_key_or_brings_it_and_an_unknown_column_is_ignored() -> None:
    subject = table("jobs", "payload text, status text")
    of = catalog(subject)
    hint = KeyHint("public", "jobs", ("payload", "status"), "source", 3.0, "looked up")
    assert score(of, "jobs", "payload", "status", hints=(hint,)) > score(of, "jobs", "payload", "status")
    lost = KeyHint("public", "jobs", ("nothing",), "source", 3.0, "looked up")
    assert candidate_keys(of, [lost]) == candidate_keys(of)


def tenant(schema: str, *tables: Table) -> list[Table]:
    """The tables as they stand in a schema of their own, references included."""
    return [
        replace(each, schema=schema, foreign_keys=tuple(replace(key, ref_schema=schema) for key in each.foreign_keys))
        for each in tables
    ]


def test_tables_that_look_alike_are_judged_once_and_no_differently(monkeypatch: pytest.MonkeyPatch) -> None:
    members = table("members", "user_id bigint!, code text!", "user_id>users")
    renamed = [replace(members, name=f"members_{year}") for year in (2024, 2025)]
    indexed = replace(members, name="members_2026", indexes=(*members.indexes, Index("i", ("code",), "")))
    elsewhere = tenant("other", table("users", "group_id bigint!", "group_id>groups"), members)
    guarded = replace(members, name="members_2027", indexes=(*members.indexes, unique("uq", "user_id", "code")))
    of = catalog(
        *tenant("a", USERS, members), *tenant("b", USERS, members), *elsewhere, USERS, GROUPS, members, *renamed,
        indexed, guarded,
    )  # fmt: skip
    hint = KeyHint("b", "members", ("code",), "source", 2.0, "looked up")
    shapes, judged = Counter[str](), candidate_keys(of, [hint])

    def apart(one: Table, targets: tuple[Target | None, ...]) -> object:
        shapes[one.name] += 1
        return object()

    monkeypatch.setattr("vaccine.candidates.shapes.likeness", apart)
    assert candidate_keys(of, [hint]) == judged
    assert shapes["members"] == 4
    scores = {(key.schema, key.table): key.score for key in judged if key.columns == ("code",)}
    assert scores["public", "members"] == scores["public", "members_2024"] == scores["public", "members_2025"]
    assert scores["b", "members"] > scores["a", "members"]
    assert scores["public", "members_2026"] != scores["public", "members"]


def test_a_floor_leaves_the_weaker_out_and_changes_nothing_else() -> None:
    of = catalog(USERS, GROUPS, table("members", "user_id bigint!, code text!, name text", "user_id>users"))
    every = candidate_keys(of)
    assert candidate_keys(of, floor=0.1) == tuple(key for key in every if key.score >= 0.1)
    assert len(candidate_keys(of, floor=0.1)) < len(every)


def reasons_of(of: Catalog, name: str, *columns: str) -> tuple[str, ...]:
    [key] = [k for k in candidate_keys(of) if k.table == name and set(k.columns) == set(columns)]
    return key.reasons


def test_a_reason_names_the_column_it_is_about() -> None:
    subject = table("items", "user_id bigint!, content_hash text!, role text!", "user_id>users")
    said = reasons_of(catalog(USERS, subject), "items", "user_id", "content_hash", "role")
    assert "content_hash is a hash, within what it belongs to" in said
    assert not any("role is a hash" in reason for reason in said)


def test_what_speaks_against_a_key_comes_last_and_is_marked() -> None:
    subject = table("items", "slug text, note text")
    said = reasons_of(catalog(subject), "items", "slug")
    assert said[0] == "slug is a slug"
    assert said[-1].startswith("against it: ")
    marked = [reason.startswith("against it: ") for reason in said]
    assert marked == sorted(marked)


def indexed(name: str, *columns: str) -> Table:
    each = table(name, "code text!, title text!")
    return replace(each, indexes=(*each.indexes, *(Index(f"i_{column}", (column,), "") for column in columns)))


def test_a_plain_index_counts_where_the_likely_keys_have_one() -> None:
    habit = [indexed(f"kind{letter}", "code") for letter in "abcdefgh"]
    with_it, without = indexed("subject", "code"), indexed("subject")
    assert score(catalog(*habit, with_it), "subject", "code") > score(catalog(*habit, without), "subject", "code")
    plain = [indexed(f"kind{letter}", "title") for letter in "abcdefgh"]
    kept = score(catalog(*plain, without), "subject", "code")
    assert kept > score(catalog(*habit, without), "subject", "code")


def test_the_share_of_indexed_keys_is_estimated_from_the_likely_ones() -> None:
    likely = [(2.0, "EXACT item", 9), (2.0, "no index item", 1), (-3.0, "EXACT item", 1), (-3.0, "no index item", 40)]
    assert keys_indexed(likely) == INDEXED
    assert keys_indexed([(odds, index.replace("EXACT", "no index"), n) for odds, index, n in likely]) == NOT_INDEXED
    assert keys_indexed([]) == NOT_INDEXED
    references = [(odds, index.replace("item", "ref"), n) for odds, index, n in likely]
    assert keys_indexed(references) == NOT_INDEXED  # an index on a reference says nothing of keys

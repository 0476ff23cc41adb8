"""The checks as text for `alembic … --sql`: the very queries that are asked online, in a block of PL/pgSQL.

The block stands by itself between other statements of a DO block. It raises one error that lists every reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from .every import CODES, EVERY
from .model import Check, Question, Stage

# A probe is taken back by an error of our own, whose message is what it found.
TAKEN_BACK = "VACC0"

BLOCK = """
DECLARE
    v_reasons text[] := '{{}}';
    v_check record;
    v_statement text;
    v_found text;
    v_state text;
    v_detail text;
    v_hint text;
BEGIN
{plain}{probes}
    IF v_reasons <> '{{}}' THEN
        RAISE EXCEPTION USING MESSAGE = {what},
            DETAIL = (SELECT pg_catalog.string_agg(r.place || '. ' || r.text, E'\\n' ORDER BY r.place)
                        FROM pg_catalog.unnest(v_reasons) WITH ORDINALITY AS r (text, place)),
            HINT = 'remove each cause, then run this script again in a new session';
    END IF;
END;
"""

PLAIN = """    SELECT coalesce(pg_catalog.array_agg(
               pg_catalog.format('%s [%s]: %s', r.text, r.code, r.fix) ORDER BY r.place), '{{}}')
      INTO v_reasons
      FROM ({queries}) AS r (place, code, text, fix);
"""

PROBES = r"""    FOR v_check IN
        {queries}
    LOOP
        BEGIN
            FOREACH v_statement IN ARRAY v_check.statements LOOP
                IF v_statement ~* '^(SELECT|WITH) ' THEN
                    EXECUTE v_statement INTO v_found;
                ELSE
                    EXECUTE v_statement;
                END IF;
            END LOOP;
            RAISE EXCEPTION USING ERRCODE = {taken_back}, MESSAGE = coalesce(v_found, ''),
                DETAIL = CASE WHEN v_found IS NULL THEN '' ELSE 'found' END;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            RAISE;  -- the block around it is tried again
        WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_found = MESSAGE_TEXT, v_detail = PG_EXCEPTION_DETAIL,
                v_hint = PG_EXCEPTION_HINT;
            IF v_state = {taken_back} THEN
                v_found := CASE WHEN v_detail = 'found' THEN v_found END;
            ELSIF v_state = ANY (v_check.ignores) OR pg_catalog.left(v_state, 2) = ANY (v_check.ignores) THEN
                v_found := NULL;
            ELSE
                v_found := pg_catalog.regexp_replace(
                    pg_catalog.concat(v_found, ' (', v_state, ')', '; DETAIL: ' || nullif(v_detail, ''),
                                      '; HINT: ' || nullif(v_hint, '')), '\s+', ' ', 'g');
            END IF;
        END;
        IF v_found IS NOT NULL THEN
            v_reasons := v_reasons
                || pg_catalog.format('%s: %s [%s]: %s', v_check.text, v_found, v_check.code, v_check.fix);
        END IF;
    END LOOP;
"""


def script_block(
    question: Question, what: str, *stages: Stage, only: Sequence[str] = CODES, also: Sequence[Check] = ()
) -> str:
    """PL/pgSQL that refuses with `what`, and every reason of these stages; `only` these codes, and `also` those checks.

    Empty where there is nothing to ask.
    """
    asked = [
        (place, check)
        for place, check in enumerate(EVERY)
        if check.stage in stages and check.code in only and check.blocking and not check.unasked
    ]
    asked += enumerate(also, len(EVERY))
    plain = [_query(place, check, question) for place, check in asked if not check.probe]
    probes = [_query(place, check, question) for place, check in asked if check.probe]
    if not asked:
        return ""
    return _text(
        sql.SQL(BLOCK).format(
            plain=sql.SQL(PLAIN).format(queries=_all(plain)) if plain else sql.SQL(""),
            probes=sql.SQL(PROBES).format(queries=_all(probes), taken_back=sql.Literal(TAKEN_BACK))
            if probes
            else sql.SQL(""),
            what=sql.Literal(f"vaccine: {what}"),
        )
    )


def _query(place: int, check: Check, question: Question) -> sql.Composed:
    """The check's query with its place and code; of a probe, the statements and what it ignores."""
    if not check.probe:
        return sql.SQL("SELECT {}, {}, r.* FROM ({}) AS r (text, fix)").format(
            sql.Literal(place), sql.Literal(check.code), check.composed(question)
        )
    return sql.SQL(
        "SELECT {} AS place, {}::text AS code, r.*, {}::text[] AS ignores FROM ({}) AS r (text, fix, statements)"
    ).format(sql.Literal(place), sql.Literal(check.code), sql.Literal(list(check.ignores)), check.composed(question))


def _all(queries: list[sql.Composed]) -> sql.Composed:
    return sql.SQL("\n UNION ALL\n        ").join(queries)


def _text(of: sql.Composable) -> str:
    return of.as_string(None)

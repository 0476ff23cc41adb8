"""The images of a journal, each row with both of its own: those that a batch shares are filled in here by hand."""

from __future__ import annotations

import psycopg
from psycopg import sql

Image = dict[str, str | None]


def image_rows(connection: psycopg.Connection, images: str = "images_1") -> dict[tuple[int, int], tuple[Image, Image]]:
    """(batch, place) to the old and the new image, each column as text."""
    shared = dict(connection.execute("SELECT batch, shared_columns FROM vaccine.journal").fetchall())
    columns = [
        row[0]
        for row in connection.execute(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass('vaccine.' || %s) AND attnum > 0"
            " ORDER BY attnum",
            (images,),
        )
    ]
    texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in columns)
    found = connection.execute(sql.SQL("SELECT {} FROM {}").format(texts, sql.Identifier("vaccine", images)))
    held: dict[tuple[int, int, str], Image] = {
        (int(row[0]), int(row[1]), row[2]): dict(zip(columns[3:], row[3:], strict=True)) for row in found.fetchall()
    }
    both = {}
    for (batch, place, image), old in held.items():
        if image == "before":
            new = held.get((batch, place, "after"))
            if shared[batch]:
                assert (new is not None) == (place == 1)
                new = old | {name: held[batch, 1, "after"][name] for name in shared[batch]}
            assert new is not None
            both[batch, place] = old, new
    return both

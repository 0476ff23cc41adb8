"""Finds documents that the sync has missed, and adds them (around the sync's own writer)."""

import sys

import psycopg


def reconcile(connection, documents):
    """Adds what is missing."""
    for source_id, title, body in documents:
        row = connection.execute(
            "SELECT id FROM knowledge_documents WHERE source_id = %s AND is_current LIMIT 1", (source_id,)
        ).fetchone()
        if row is None:
            connection.execute(
                "INSERT INTO knowledge_documents (source_id, title, body, is_current) VALUES (%s, %s, %s, true)",
                (source_id, title, body),
            )


if __name__ == "__main__":
    with psycopg.connect() as connection:
        reconcile(connection, [line.rstrip("\n").split("\t") for line in sys.stdin])

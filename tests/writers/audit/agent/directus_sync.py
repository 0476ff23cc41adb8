"""Keeps knowledge documents in step with the repository, and reports its own faults."""

import hashlib
import os

import psycopg
import requests

BASE = os.environ.get("DIRECTUS_URL", "http://127.0.0.1:8055")
HEADERS = {"Authorization": f"Bearer {os.environ.get('DIRECTUS_TOKEN', '')}"}


def reportConfigError(source, message):  # noqa: N802
    """One open issue for each fault of the configuration."""
    violation_hash = hashlib.sha256(f"{source}:{message}".encode()).hexdigest()[:16]
    found = requests.get(
        f"{BASE}/items/system_issues",
        params={"filter[violation_hash][_eq]": violation_hash, "filter[status][_eq]": "open", "limit": 1},
        headers=HEADERS,
        timeout=10,
    ).json()["data"]
    if found:
        return found[0]["id"]
    payload = {"violation_hash": violation_hash, "title": message, "status": "open", "source_system": source}
    response = requests.post(f"{BASE}/items/system_issues", json=payload, headers=HEADERS, timeout=10)
    response.raise_for_status()
    return response.json()["data"]["id"]


def _sync_document_atomic(connection, source_id, title, body):
    """The one writer of knowledge documents: the current version, made or renewed in one statement."""
    return connection.execute(
        """
        INSERT INTO knowledge_documents (source_id, title, body, is_current)
        VALUES (%s, %s, %s, true)
        ON CONFLICT (source_id) WHERE is_current AND source_id IS NOT NULL
        DO UPDATE SET title = EXCLUDED.title, body = EXCLUDED.body
        RETURNING id
        """,
        (source_id, title, body),
    ).fetchone()


def sync(folder):
    """Every file of a folder."""
    with psycopg.connect() as connection:
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                _sync_document_atomic(connection, name, name, file.read())

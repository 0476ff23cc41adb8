"""The audited database: loaded once for each server as a template, cloned for each test that asks for it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import psycopg
import pytest
from pytest_postgresql.janitor import DatabaseJanitor

from vaccine.demo.database import load_audit_database
from vaccine.demo.server import Server

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def audit_template() -> Callable[[Server], str]:
    """Server → the name of its template database; loaded when first asked for."""
    loaded: dict[int, str] = {}

    def of(server: Server) -> str:
        if server.port not in loaded:
            name = f"audit_template_{os.getpid()}"
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{name}"')
            with psycopg.connect(server.url_of(name), autocommit=True) as connection:
                load_audit_database(connection)
            loaded[server.port] = name
        return loaded[server.port]

    return of


def _clone(server: Server, template: str) -> DatabaseJanitor:
    name = f"audit_{os.getpid()}_{next(_numbers)}"
    return DatabaseJanitor(user="postgres", host="127.0.0.1", port=server.port, dbname=name, template_dbname=template)


@pytest.fixture
def audit_database(server: Server, audit_template: Callable[[Server], str]) -> Iterator[str]:
    """The libpq URL of a private copy of the audited database, dropped after the test."""
    with _clone(server, audit_template(server)) as clone:
        yield server.url_of(clone.dbname)


@pytest.fixture(scope="module")
def shared_audit_database(server: Server, audit_template: Callable[[Server], str]) -> Iterator[str]:
    """The same, for the tests of one module that only read."""
    with _clone(server, audit_template(server)) as clone:
        yield server.url_of(clone.dbname)

"""The patches work: each is applied with `git apply`, then 8 copies race for the same keys on a guarded table.

Before: a writer that looks first and inserts then. After: one row a key, and no error surfaces.
Directus is a stub that answers like it (400 RECORD_NOT_UNIQUE with extensions.field) on the real PostgreSQL.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import psycopg
import pytest

from vaccine.writers import KeySpec
from vaccine.writers.fix.patch import patch
from vaccine.writers.scanner import scan

COPIES, KEYS = 8, 3
KEY = KeySpec(
    "public",
    "system_issues",
    ("violation_hash",),
    "status = 'open' AND violation_hash IS NOT NULL",
    "uq_system_issues_open_violation_hash",
)
TABLE = f"""
    CREATE TABLE system_issues (id bigserial PRIMARY KEY, violation_hash text, title text, status text);
    INSERT INTO system_issues (violation_hash, title, status)
        SELECT 'key ' || n, 'old', 'resolved' FROM generate_series(0, {KEYS - 1}) AS n;
    CREATE UNIQUE INDEX {KEY.index} ON system_issues (violation_hash) WHERE {KEY.predicate}
"""
WAIT = "import os, sys, time\ntime.sleep(max(0, float(os.environ['START']) - time.time()))\n"
WAIT_JS = (
    "const wait = () => new Promise((go) => setTimeout(go, Math.max(0, process.env.START * 1000 - Date.now())));\n"
)

PSYCOPG = (
    "import psycopg\n"
    + WAIT
    + """
def report(connection, key):
    found = connection.execute(
        "SELECT id FROM system_issues WHERE violation_hash = %s AND status = 'open' LIMIT 1", (key,)
    ).fetchone()
    if found is None:
        found = connection.execute(
            \"\"\"
            INSERT INTO system_issues (violation_hash, title, status)
            VALUES (%s, 'new', 'open')
            RETURNING id
            \"\"\",
            (key,),
        ).fetchone()
    return found[0]

with psycopg.connect(os.environ["DSN"], autocommit=True) as connection:
    for number in range(int(os.environ["KEYS"])):
        print(report(connection, f"key {number}"))
"""
)
SQLALCHEMY = (
    "from sqlalchemy import create_engine, select\n"
    "from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column\n"
    + WAIT
    + """
class Base(DeclarativeBase):
    pass

class SystemIssue(Base):
    __tablename__ = "system_issues"
    id: Mapped[int] = mapped_column(primary_key=True)
    violation_hash: Mapped[str]
    status: Mapped[str]

def report(session, key):
    issue = session.scalars(
        select(SystemIssue).where(SystemIssue.violation_hash == key, SystemIssue.status == "open")
    ).first()
    if issue is None:
        issue = SystemIssue(violation_hash=key, status="open")
        session.add(issue)
    session.commit()
    return issue.id

engine = create_engine(os.environ["DSN"].replace("postgresql://", "postgresql+psycopg://"))
with Session(engine) as session:
    for number in range(int(os.environ["KEYS"])):
        print(report(session, f"key {number}"))
"""
)
SQLALCHEMY_INSERT = (
    "from sqlalchemy import create_engine, insert, select\n"
    "from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column\n"
    + WAIT
    + """
class Base(DeclarativeBase):
    pass

class SystemIssue(Base):
    __tablename__ = "system_issues"
    id: Mapped[int] = mapped_column(primary_key=True)
    violation_hash: Mapped[str]
    status: Mapped[str]

def report(connection, key):
    open_ = select(SystemIssue.id).where(SystemIssue.violation_hash == key, SystemIssue.status == "open")
    if connection.scalar(open_) is None:
        connection.execute(insert(SystemIssue).values(violation_hash=key, status="open"))
    connection.commit()
    return connection.scalar(open_)

engine = create_engine(os.environ["DSN"].replace("postgresql://", "postgresql+psycopg://"))
with engine.connect() as connection:
    for number in range(int(os.environ["KEYS"]) * 4):
        print(report(connection, f"key {number % int(os.environ['KEYS'])}"))
"""
)
REQUESTS = (
    "import requests\n"
    + WAIT
    + """
BASE = os.environ["DIRECTUS_URL"]

def report(key):
    wanted = {"filter[violation_hash][_eq]": key, "filter[status][_eq]": "open", "limit": 1}
    found = requests.get(f"{BASE}/items/system_issues", params=wanted).json()["data"]
    if found:
        return found[0]["id"]
    response = requests.post(f"{BASE}/items/system_issues", json={"violation_hash": key, "status": "open"})
    response.raise_for_status()
    return response.json()["data"]["id"]

for number in range(int(os.environ["KEYS"])):
    print(report(f"key {number}"))
"""
)
CURL = r"""#!/usr/bin/env bash
set -euo pipefail
report() {
  local hash=$1 found
  found=$(curl -sSG "$DIRECTUS_URL/items/system_issues" --data-urlencode "filter[violation_hash][_eq]=$hash" \
    --data-urlencode "filter[status][_eq]=open" -d limit=1)
  if [ "$found" = '{"data": []}' ]; then
    found=$(curl -sSf -X POST "$DIRECTUS_URL/items/system_issues" -H 'Content-Type: application/json' \
      -d "{\"violation_hash\": \"$hash\", \"status\": \"open\"}")
  fi
  [[ $found =~ \"id\":\ ([0-9]+) ]] && echo "${BASH_REMATCH[1]}"
}
while [ "$(date +%s)" -lt "${START%.*}" ]; do sleep 0.02; done
for ((number = 0; number < KEYS; number++)); do report "key $number"; done
"""
PSQL = r"""#!/usr/bin/env bash
set -euo pipefail
while [ "$(date +%s)" -lt "${START%.*}" ]; do sleep 0.02; done
for ((number = 0; number < KEYS; number++)); do
  hash="key $number"
  found=$(psql "$DSN" -XAtqc "SELECT id FROM system_issues WHERE violation_hash = '$hash' AND status = 'open'")
  [ -n "$found" ] || found=$(psql "$DSN" -XAtq -v ON_ERROR_STOP=1 \
    -c "INSERT INTO system_issues (violation_hash, status) VALUES ('$hash', 'open') RETURNING id")
  echo "$found"
done
"""
FETCH = (
    WAIT_JS
    + """
const items = `${process.env.DIRECTUS_URL}/items/system_issues`;
async function report(key) {
  const query = `filter[violation_hash][_eq]=${encodeURIComponent(key)}&filter[status][_eq]=open&limit=1`;
  const found = await (await fetch(`${items}?${query}`)).json();
  if (found.data.length) return found.data[0].id;
  const response = await fetch(items, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ violation_hash: key, status: 'open' }),
  });
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()).data.id;
}
(async () => {
  await wait();
  for (let number = 0; number < process.env.KEYS; number += 1) console.log(await report(`key ${number}`));
})();
"""
)
AXIOS = (
    "const axios = require('axios');\n"
    + WAIT_JS
    + """
const items = `${process.env.DIRECTUS_URL}/items/system_issues`;
async function report(key) {
  const params = { 'filter[violation_hash][_eq]': key, 'filter[status][_eq]': 'open', limit: 1 };
  const found = await axios.get(items, { params });
  if (found.data.data.length) return found.data.data[0].id;
  const created = await axios.post(items, { violation_hash: key, status: 'open' });
  return created.data.data.id;
}
(async () => {
  await wait();
  for (let number = 0; number < process.env.KEYS; number += 1) console.log(await report(`key ${number}`));
})();
"""
)
NODE_PG = (
    "const { Client } = require('pg');\n"
    + WAIT_JS
    + """
async function report(client, key) {
  const found = await client.query("SELECT id FROM system_issues WHERE violation_hash = $1 AND status = 'open'", [key]);
  if (found.rows.length) return found.rows[0].id;
  const sql = "INSERT INTO system_issues (violation_hash, status) VALUES ($1, 'open') RETURNING id";
  const made = await client.query(sql, [key]);
  return made.rows[0].id;
}
(async () => {
  const client = new Client({ connectionString: process.env.DSN });
  await client.connect();
  await wait();
  for (let number = 0; number < process.env.KEYS; number += 1) console.log(await report(client, `key ${number}`));
  await client.end();
})();
"""
)
# starts the copies of a Python writer from one process, so that the libraries are imported once
FORK = """
import os, runpy, sys
import psycopg, sqlalchemy.orm, sqlalchemy.dialects.postgresql.psycopg
sys.path.insert(0, os.path.dirname(sys.argv[1]))
copies = []
for number in range(int(sys.argv[2])):
    copy = os.fork()
    if copy == 0:
        for name, end in (("out", 1), ("err", 2)):
            os.dup2(os.open(f"{sys.argv[1]}.{number}.{name}", os.O_CREAT | os.O_WRONLY), end)
        runpy.run_path(sys.argv[1], run_name="__main__")
        sys.stdout.flush()
        os._exit(0)
    copies.append(copy)
sys.exit(max(os.waitpid(copy, 0)[1] for copy in copies) != 0)
"""
# what `requests` gives its callers, over urllib: the patch must fit the interface, the server is the subject
REQUESTS_MODULE = """
import json, urllib.error, urllib.parse, urllib.request

class Response:
    def __init__(self, status_code, text):
        self.status_code, self.text = status_code, text
    def json(self):
        return json.loads(self.text)
    def raise_for_status(self):
        if self.status_code >= 400:
            raise RuntimeError(f"{self.status_code}: {self.text}")

def _send(method, url, params=None, json_body=None, headers=None):
    url += "?" + urllib.parse.urlencode(params) if params else ""
    data = None if json_body is None else json.dumps(json_body).encode()
    request = urllib.request.Request(url, data, {**(headers or {}), "Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return Response(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        return Response(error.code, error.read().decode())

def get(url, params=None, headers=None):
    return _send("GET", url, params, None, headers)

def post(url, json=None, headers=None):
    return _send("POST", url, None, json, headers)
"""


class Directus(BaseHTTPRequestHandler):
    """items/<collection>: POST, GET by filter, GET by id; errors in Directus' own form."""

    dsn = ""

    def do_POST(self) -> None:
        row = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            with psycopg.connect(self.dsn, autocommit=True) as connection:
                made = connection.execute(
                    "INSERT INTO system_issues (violation_hash, status) VALUES (%(violation_hash)s, %(status)s)"
                    " RETURNING id, violation_hash, status",
                    row,
                ).fetchone()
        except psycopg.errors.UniqueViolation:
            extensions = {"code": "RECORD_NOT_UNIQUE", "collection": "system_issues", "field": "violation_hash"}
            message = 'Value for field "violation_hash" in collection "system_issues" has to be unique.'
            self._answer(400, {"errors": [{"message": message, "extensions": extensions}]})
        else:
            self._answer(200, {"data": self._row(made)})

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        wanted = [(re.match(r"filter\[(\w+)\]", name), value) for name, value in parse_qsl(url.query)]
        conditions = [(match.group(1), value) for match, value in wanted if match]
        number = url.path.rpartition("/")[2]
        if number.isdigit():
            conditions = [("id", number)]
        where = " AND ".join(f"{name} = %s" for name, _ in conditions) or "true"
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            rows = connection.execute(
                f"SELECT id, violation_hash, status FROM system_issues WHERE {where} LIMIT 1",
                [v for _, v in conditions],
            ).fetchall()
        data = [self._row(row) for row in rows]
        self._answer(200, {"data": data[0] if number.isdigit() else data})

    def _row(self, row):
        return dict(zip(("id", "violation_hash", "status"), row, strict=True))

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def table(database: str) -> str:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLE)
    return database


@pytest.fixture
def directus(table: str) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Directus,), {"dsn": table}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("no node or npm on this machine")
    folder = tmp_path_factory.mktemp("node")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "pg@8", "axios@1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, check=False)
    if done.returncode:
        pytest.skip(f"npm could not install pg and axios: {done.stderr[-200:]}")
    return folder / "node_modules"


def _patched(folder: Path, name: str, code: str) -> Path:
    """The writer with Vaccine's patch applied by git."""
    file = folder / name
    file.write_text(code, encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    here = Path.cwd()
    os.chdir(folder)
    try:
        diff = patch(scan([Path(name)], keys=[KEY]))
    finally:
        os.chdir(here)
    assert diff.patched == 1, diff.left_out
    done = subprocess.run(
        ["git", "apply", "-"], cwd=folder, input=diff.text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + diff.text
    assert file.read_text("utf-8") != code
    assert not scan([file], keys=[KEY]).failing
    return file


def _race(command: list[str], folder: Path, table: str, directus: str = "", **environment: str) -> None:
    """8 copies at once: no error, one open row a key, and each copy was told that row's id."""
    mine = _environment(table, directus, **environment)
    copies = [
        subprocess.Popen(command, cwd=folder, env=mine, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(COPIES)
    ]
    answers = [copy.communicate(timeout=120) for copy in copies]
    assert [copy.returncode for copy in copies] == [0] * COPIES, answers
    _one_row_each(table, answers)


def _race_python(file: Path, table: str, directus: str = "") -> None:
    """The same for a Python writer, its copies forked from one process."""
    done = _fork(file, _environment(table, directus))
    answers = [
        (file.with_name(f"{file.name}.{n}.out").read_text(), file.with_name(f"{file.name}.{n}.err").read_text())
        for n in range(COPIES)
    ]
    assert done.returncode == 0, answers
    _one_row_each(table, answers)


def _fork(file: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", FORK, str(file), str(COPIES)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def _environment(table: str, directus: str = "", **more: str) -> dict[str, str]:
    start = str(int(time.time()) + 2)
    return {**os.environ, "DSN": table, "DIRECTUS_URL": directus, "START": start, "KEYS": str(KEYS), **more}


def _one_row_each(table: str, answers: list[tuple[str, str]]) -> None:
    with psycopg.connect(table) as connection:
        rows = connection.execute(
            "SELECT violation_hash, array_agg(id::text) FROM system_issues WHERE status = 'open' GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert [len(ids) for _, ids in rows] == [1] * KEYS
    wanted = [ids[0] for _, ids in rows]
    for out, err in answers:
        assert out.split()[:KEYS] == wanted
        assert "Traceback" not in err


@pytest.mark.parametrize(
    "code", [PSYCOPG, SQLALCHEMY, SQLALCHEMY_INSERT], ids=["psycopg", "sqlalchemy-add", "sqlalchemy-insert"]
)
def test_python_on_the_database(code: str, table: str, tmp_path: Path) -> None:
    file = _patched(tmp_path, "writer.py", code)
    _race_python(file, table)


def test_directus_through_requests(table: str, directus: str, tmp_path: Path) -> None:
    file = _patched(tmp_path, "writer.py", REQUESTS)
    (tmp_path / "requests.py").write_text(REQUESTS_MODULE, encoding="utf-8")
    _race_python(file, table, directus)


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl on this machine")
def test_directus_through_curl(table: str, directus: str, tmp_path: Path) -> None:
    file = _patched(tmp_path, "writer.sh", CURL)
    _race(["bash", str(file)], tmp_path, table, directus)


def test_psql(table: str, tmp_path: Path) -> None:
    psql = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))), None) or shutil.which("psql")
    if psql is None:
        pytest.skip("no psql on this machine")
    file = _patched(tmp_path, "writer.sh", PSQL)
    _race(["bash", str(file)], tmp_path, table, PATH=f"{Path(psql).parent}:{os.environ['PATH']}")


@pytest.mark.skipif(not shutil.which("node"), reason="no node on this machine")
def test_directus_through_fetch(table: str, directus: str, tmp_path: Path) -> None:
    file = _patched(tmp_path, "writer.js", FETCH)
    _race(["node", str(file)], tmp_path, table, directus)


def test_directus_through_axios(table: str, directus: str, tmp_path: Path, node_modules: Path) -> None:
    file = _patched(tmp_path, "writer.js", AXIOS)
    _race(["node", str(file)], tmp_path, table, directus, NODE_PATH=str(node_modules))


def test_node_pg(table: str, tmp_path: Path, node_modules: Path) -> None:
    file = _patched(tmp_path, "writer.js", NODE_PG)
    _race(["node", str(file)], tmp_path, table, NODE_PATH=str(node_modules))


def test_the_unpatched_writer_fails(table: str, tmp_path: Path) -> None:
    """The race is real: without the patch a copy meets 23505 (or the race would prove nothing)."""
    file = tmp_path / "writer.py"
    # the look-up always comes before any copy has inserted
    file.write_text(PSYCOPG.replace("if found is None:", "time.sleep(0.5)\n    if found is None:"), encoding="utf-8")
    done = _fork(file, _environment(table))
    assert done.returncode == 1
    errors = [file.with_name(f"{file.name}.{number}.err").read_text() for number in range(COPIES)]
    assert any("UniqueViolation" in error for error in errors)

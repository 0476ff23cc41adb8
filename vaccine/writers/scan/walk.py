"""The files of a source tree that are worth reading; the others are counted by reason, never an error."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MAX_BYTES = 1_500_000
VENDORED = frozenset(
    (
        *(".git", ".hg", ".svn", ".venv", "venv", "env", "node_modules", "bower_components", "vendor", "third_party"),
        *("site-packages", ".tox", ".nox", ".mypy_cache", "__pycache__", "dist", "build", "out", "target", ".next"),
        *(".nuxt", ".cache", "coverage", ".eggs", ".gradle", ".idea", ".terraform", "Pods"),
    )
)
TESTS = frozenset(
    (
        *("test", "tests", "spec", "specs", "__tests__", "__mocks__", "e2e", "cypress", "testdata", "fixtures"),
        *("factories", "mocks"),
    )
)
ONE_OFF = frozenset(("migrations", "migrate", "seeds", "seeders", "seed", "versions", "post_migrate"))
TEST_MARKS = (".test.", ".spec.", "_test.", "_spec.", ".stories.", ".min.", ".d.ts")


@dataclass
class Tally:
    """Counts while a tree is read."""

    read: int = 0
    lines: int = 0
    skipped: Counter[str] = field(default_factory=Counter)


def files(
    roots: Sequence[Path], extensions: frozenset[str], tally: Tally, *, everything: bool = False
) -> Iterator[Path]:
    """The files with one of `extensions` (or a shebang that names a shell or Python) under `roots`.

    A file given by name is always read. `everything` also reads tests and one-off code
    (migrations and seeds); vendored trees never. No folder is entered twice: a loop of
    symbolic links ends. A link that leads out of its root is not followed.
    """
    seen: set[tuple[int, int]] = set()
    for root in roots:
        if root.is_file():
            yield root
        else:
            yield from _walk(root, root, extensions, tally, seen, everything=everything)


def _walk(
    folder: Path, root: Path, extensions: frozenset[str], tally: Tally, seen: set[tuple[int, int]], *, everything: bool
) -> Iterator[Path]:
    if not _enter(folder, seen, tally):
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        tally.skipped["unreadable folder"] += 1
        return
    for entry in entries:
        path = Path(entry.path)
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError:
            is_folder = is_file = False
        if entry.is_symlink() and not _inside(path, root):
            tally.skipped["link out of the tree"] += 1
        elif is_folder:
            reason = _skip_folder(entry.name, everything=everything)
            if reason:
                tally.skipped[reason] += 1
            else:
                yield from _walk(path, root, extensions, tally, seen, everything=everything)
        elif not is_file:
            tally.skipped["broken link or special file"] += 1
        elif _wanted(path, extensions, tally, everything=everything):
            yield path


def _inside(path: Path, root: Path) -> bool:
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # a loop of links
        return False


def _enter(folder: Path, seen: set[tuple[int, int]], tally: Tally) -> bool:
    try:
        status = folder.stat()
    except OSError:
        tally.skipped["unreadable folder"] += 1
        return False
    identity = (status.st_dev, status.st_ino)
    if identity in seen:
        tally.skipped["folder seen before (a link)"] += 1
        return False
    seen.add(identity)
    return True


def _skip_folder(name: str, *, everything: bool) -> str:
    if name in VENDORED or name.endswith(".egg-info"):
        return "vendored or built folder"
    if everything:
        return ""
    if name.lower() in TESTS:
        return "folder of tests"
    return "folder of migrations or seeds" if name.lower() in ONE_OFF else ""


def _wanted(path: Path, extensions: frozenset[str], tally: Tally, *, everything: bool) -> bool:
    suffix = path.suffix.lower().lstrip(".")
    if suffix not in extensions and (suffix or not _has_shebang(path)):
        tally.skipped["other kind of file"] += 1
        return False
    name = path.name.lower()
    if not everything and (name.startswith(("test_", "conftest")) or any(mark in name for mark in TEST_MARKS)):
        tally.skipped["test file"] += 1
        return False
    if not everything and name in {"seeds.rb", "seed.py", "seed.ts", "seed.js"}:
        tally.skipped["seeds"] += 1
        return False
    return True


def _has_shebang(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def read(path: Path, tally: Tally) -> str | None:
    """The file's text; None, and counted, when it is huge, binary, not UTF-8 or unreadable."""
    try:
        if path.stat().st_size > MAX_BYTES:
            tally.skipped["huge file"] += 1
            return None
        data = path.read_bytes()
    except OSError:
        tally.skipped["unreadable file"] += 1
        return None
    if b"\0" in data:
        tally.skipped["binary file"] += 1
        return None
    try:
        return data.decode("utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8")
    except UnicodeDecodeError:
        tally.skipped["not UTF-8"] += 1
        return None

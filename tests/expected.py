"""Texts that lie beside a test as files. With VACCINE_WRITE_EXPECTED=1 they are written anew: then read the diff."""

from __future__ import annotations

import os
from pathlib import Path

WRITE = bool(os.environ.get("VACCINE_WRITE_EXPECTED"))


def compare(path: Path, text: str) -> None:
    """See that the text is what the file holds, line ends at its end aside."""
    text = text.rstrip("\n") + "\n"
    if WRITE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    assert path.read_bytes().decode() == text

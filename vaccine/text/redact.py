"""The one place that takes secrets out of messages: of connection strings, those that are nearly right too."""

from __future__ import annotations

import re

# Up to the last @ of the word: a password may hold @ and / that should have been percent-encoded. All is bounded, and a
# path has lost one of two slashes.
CREDENTIALS = re.compile(r"((?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}:/{1,2})[^\s:@/]{0,200}:\S{0,2000}@", re.IGNORECASE)
# A host that was forgotten: what follows the colon is no port.
NO_HOST = re.compile(r"(postgres(?:ql)?(?:\+\w+)?:/{1,2}[^\s:@/?]*:)(?!\d{1,5}(?:[,/?\s'\"`)]|$))\S+", re.IGNORECASE)
KEYWORD = re.compile(r"((?:pass(?:word|wd)?|pgpassword)\s*=\s*)('(?:[^'\\]|\\.)*'?|\S+)", re.IGNORECASE)


def redacted(text: str) -> str:
    """The text without the passwords of connection strings in it."""
    text = CREDENTIALS.sub(r"\1***@", text)
    text = NO_HOST.sub(r"\1***", text)
    return KEYWORD.sub(r"\1***", text)

"""Text on its way out: what a terminal would obey is shown instead, and no secret leaves."""

from vaccine.text.printable import LINE
from vaccine.text.printable import cut as cut
from vaccine.text.printable import json_text as json_text
from vaccine.text.printable import one_line as one_line
from vaccine.text.printable import printable as printable
from vaccine.text.redact import redacted as redacted


def shown(text: str) -> str:
    """A message as a person may see it, wherever its parts came from."""
    return "\n".join(cut(redacted(printable(line[: 2 * LINE])), LINE, len(line)) for line in text.split("\n"))

"""The knobs of a run, set with `alembic -x vaccine.NAME=VALUE …`. Times in milliseconds or seconds, as named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from .errors import OptionError

PREFIX = "vaccine."


@dataclass(frozen=True)
class Options:
    """How careful a run is. The defaults suit a table under live traffic."""

    drift: str = "refuse"  # refuse | accept: more rows than approved, or other drift from the plan
    restore: str = "keep"  # keep | strict | partial | lost: see docs/commands.md
    gate: str = "auto"  # auto | always | never: the trigger that keeps new duplicates out during the build
    lock_timeout_ms: int = 200  # one try for a lock on the table or on rows
    lock_tries: int = 30  # tries, with jittered pauses between; each has the timeout
    batch_ms: int = 25  # what a batch aims at; it shrinks when locks were held longer
    pause_ms: int = 0  # rest between two batches
    max_lag_s: int = 10  # pause while a streaming replica replays later than this; 0 never pauses
    wait_s: int = 300  # how long other sessions are waited for: by builds in sum, a drop, another run, a late replica
    build_s: int = 0  # how long the build itself may take; 0 is no limit
    builds: int = 6  # failed builds after which to give up

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> Options:
        """Options from Alembic's `-x` arguments. Those without the prefix `vaccine.` are env.py's, and left to it.

        One that has a name and a value of ours and lacks the prefix would be lost silently, so it is refused;
        unless the prefixed one is given too: then env.py's own is meant.

        Raises:
            OptionError: an unknown name, a value that does not fit, or a prefix that was left out.
        """
        known = {field.name: field.type for field in fields(cls)}
        chosen: dict[str, str | int] = {}
        for name, text in given.items():
            if not name.startswith(PREFIX):
                _refuse_unprefixed(name, text, known, given)
                continue
            short = name.removeprefix(PREFIX)
            if short not in known:
                raise _unfit(name, text, f"the options are {', '.join(PREFIX + each for each in known)}")
            chosen[short] = _number(name, text) if known[short] == "int" else _choice(name, short, text)
        return replace(cls(), **chosen)  # type: ignore[arg-type]


CHOICES = {
    "drift": ("refuse", "accept"),
    "restore": ("keep", "strict", "partial", "lost"),
    "gate": ("auto", "always", "never"),
}


def _refuse_unprefixed(name: str, text: str, known: Mapping[str, object], given: Mapping[str, str]) -> None:
    plain = name.lower().replace("-", "_")
    short = re.sub(r"^vaccine[._:]?", "", plain)
    if short not in known or PREFIX + short in given:
        return
    fits = text.isdigit() if known[short] == "int" else text.lower() in CHOICES[short]
    if plain == short and not fits:  # env.py's own option of that name
        return
    raise OptionError(
        f"-x {name}={text} would not reach Vaccine; nothing was changed",
        why=f"its options begin with `{PREFIX}`; others are left to env.py",
        fix=f"did you mean -x {PREFIX}{short}={text}? If env.py has an option {name} of its own, give "
        f"-x {PREFIX}{short}=… beside it (its default is {getattr(Options, short)})",
    )


def _choice(name: str, short: str, text: str) -> str:
    if text not in CHOICES[short]:
        raise _unfit(name, text, f"give one of {', '.join(CHOICES[short])}")
    return text


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise _unfit(name, text, "give a whole number, 0 or more")
    return int(text)


def _unfit(name: str, text: str, fix: str) -> OptionError:
    return OptionError(f"-x {name}={text} cannot be used; nothing was changed", fix=fix)

"""`-x` options: ours are read, others are left alone, and one of ours without its prefix is not lost silently."""

from __future__ import annotations

import pytest

from vaccine.operations.errors import OptionError
from vaccine.operations.options import Options


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"restore": "strict"}, "-x vaccine.restore=strict"),
        ({"restore": "Strict"}, "-x vaccine.restore=Strict"),
        ({"drift": "accept"}, "-x vaccine.drift=accept"),
        ({"gate": "always"}, "-x vaccine.gate=always"),
        ({"wait_s": "60"}, "-x vaccine.wait_s=60"),
        ({"lock-tries": "9"}, "-x vaccine.lock_tries=9"),
        ({"Vaccine.restore": "strict"}, "-x vaccine.restore=strict"),
        ({"vaccine_restore": "nonsense"}, "-x vaccine.restore=nonsense"),
        ({"vaccine:gate": "never"}, "-x vaccine.gate=never"),
    ],
)
def test_a_prefix_that_was_left_out_is_refused(given: dict[str, str], meant: str) -> None:
    with pytest.raises(OptionError, match="would not reach Vaccine; nothing was changed") as refused:
        Options.parse(given)
    assert f"did you mean {meant}?" in refused.value.fix


@pytest.mark.parametrize(
    "given",
    [
        {"url": "postgresql://host/x"},
        {"gate": "staging"},
        {"restore": "/backup/last.dump"},
        {"drift": ""},
        {"builds": "latest"},
        {"tenant": "strict"},
        {"vaccine": "yes"},
    ],
)
def test_what_is_not_ours_stays_untouched(given: dict[str, str]) -> None:
    assert Options.parse(given) == Options()


def test_both_given_means_both() -> None:
    assert Options.parse({"gate": "always", "vaccine.gate": "never"}) == Options(gate="never")


@pytest.mark.parametrize(
    "given",
    [{"vaccine.drfit": "accept"}, {"vaccine.wait_s": "-1"}, {"vaccine.wait_s": "\u0663"}, {"vaccine.gate": "yes"}],
)
def test_what_does_not_fit_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(OptionError, match="cannot be used; nothing was changed"):
        Options.parse(given)

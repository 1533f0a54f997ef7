"""Two builds that are started into one folder at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.build.fakes import files_of
from tests.faults.kills import Undisturbed
from tests.faults.running import build, start


@pytest.mark.parametrize("options", [(), ("--seed", "7")])
def test_one_of_them_refuses(tmp_path: Path, whole: Undisturbed, options: tuple[str, ...]) -> None:
    out = tmp_path / "out"
    with start(whole.config, out) as one, start(whole.config, out, *options) as other:
        errors = [each.process.communicate(timeout=300)[1].decode() for each in (one, other)]
        states = [one.process.returncode, other.process.returncode]
    refusals = [text for text, state in zip(errors, states, strict=True) if state]

    if options:
        assert sorted(states) == [0, 1]
    if refusals:  # else one began when the other had ended, and found all shards whole
        [refusal] = refusals
        busy = "another build is at work there; wait for it, or stop it" in refusal
        assert busy or "there is a build that differs in config" in refusal
    if options and states[0]:
        assert build(whole.config, tmp_path / "alone", *options)[0] == 0
        assert files_of(out) == files_of(tmp_path / "alone")
    else:
        assert files_of(out) == whole.files

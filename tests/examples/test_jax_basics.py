from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "jax_basics.md"


def test_the_page_shows_what_jax_prints() -> None:
    code, expected = re.findall(r"```(?:python|text)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    command = [sys.executable, "-W", "error", "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == expected


def test_the_page_is_short() -> None:
    assert len(PAGE.read_text().splitlines()) <= 50

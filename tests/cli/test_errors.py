from __future__ import annotations

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from jax_ir_pairs.cli.errors import Commands
from jax_ir_pairs.errors import BuildError, UsageError


def app_that_raises(error: BaseException) -> typer.Typer:
    app = typer.Typer(cls=Commands, pretty_exceptions_enable=False)

    @app.callback()
    def options(debug: bool = False) -> None:
        pass

    @app.command()
    def run() -> None:
        raise error

    return app


def result_of(error: BaseException, *arguments: str) -> Any:
    return CliRunner().invoke(app_that_raises(error), [*arguments, "run"])


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UsageError("No x."), 2, "error: No x.\n"),
        (BuildError("No room."), 1, "error: No room.\n"),
        (OSError(28, "No space left on device", "/a"), 1, "error: /a: No space left on device; "),
        (ZeroDivisionError("by\nzero"), 1, "error: ZeroDivisionError: by zero; this is a fault "),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (typer.Exit(7), 7, ""),
        (typer.BadParameter("not that"), 2, "Usage: "),
    ],
)
def test_an_error_is_one_sentence_and_an_exit_code(
    error: BaseException, code: int, message: str
) -> None:
    result = result_of(error)
    assert result.exit_code == code
    assert result.stderr.startswith(message)
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("error", [UsageError("No x."), ZeroDivisionError("zero")])
def test_debug_shows_the_traceback_and_the_sentence(error: Exception) -> None:
    result = result_of(error, "--debug")
    assert "Traceback (most recent call last)" in result.stderr
    assert "\nerror: " in result.stderr
    assert result.exit_code == getattr(error, "exit_code", 1)

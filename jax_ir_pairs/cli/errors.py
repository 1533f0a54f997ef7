"""One way to report what goes wrong: a sentence on stderr and an exit code."""

from __future__ import annotations

import signal
import sys
import traceback
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from jax_ir_pairs.cli.signals import drop_unwritten, signal_of
from jax_ir_pairs.errors import JaxIrPairsError

_MORE = "`jax-ir-pairs --debug …` shows where"


class Commands(TyperGroup):
    """A group of commands that turns what they raise into one sentence and an exit code.

    `--debug` shows the traceback above it.
    """

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that was asked for."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:  # `| head` has seen enough
            drop_unwritten()
            raise typer.Exit(1) from None
        except KeyboardInterrupt as interrupt:
            fail_interrupted(interrupt)
        except Exception as error:
            # Usage errors and exits of the library, which shows and obeys them itself.
            if type(error).__module__.startswith(("click", "typer")):
                raise
            if ctx.params.get("debug"):
                traceback.print_exc()
            fail(*_explain(error))
        return result


def fail(sentence: str, code: int) -> NoReturn:
    """Prints `sentence` to stderr and ends the command with the exit code `code`."""
    print(sentence, file=sys.stderr)
    raise typer.Exit(code) from None


def fail_interrupted(interrupt: KeyboardInterrupt, rest: str = "") -> NoReturn:
    """Says what ended the command, and the `rest`, and ends it with the shell's code for that."""
    number = signal_of(interrupt)
    cause = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    fail(f"{cause}: {rest}" if rest else cause, 128 + number)


def _explain(error: Exception) -> tuple[str, int]:
    if isinstance(error, JaxIrPairsError):
        return f"error: {error}", error.exit_code
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename is not None else ""
        return f"error: {place}{error.strerror}; {_MORE}.", 1
    kind = type(error).__name__
    return f"error: {kind}: {text}; this is a fault of jax-ir-pairs, {_MORE}.", 1

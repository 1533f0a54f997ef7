"""The child process that reads the texts of rows, and runs them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jax_ir_pairs.extraction.worker import main


def answer(
    row: Mapping[str, Any],
    lap: Callable[[str], None] = lambda stage: None,
    columns: Sequence[str] | None = None,
) -> Any:
    """Gives what parsers say of some `columns` of a row, or without any, what running it does.

    **Raises:** [`Rejected`][] where it does not run.
    """
    # Only now: the child must watch for its parent's end while JAX is imported.
    if columns is not None:
        from jax_ir_pairs.verification.parsing import parse

        return parse(row, columns)
    from jax_ir_pairs.verification.execution import run

    return run(row)


if __name__ == "__main__":
    main(int(sys.argv[1]), extract=answer)

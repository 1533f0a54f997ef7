"""The child process that extracts programs and checks them.

It is that of the extraction, and answers `check` in a request too, a [`CheckRequest`][].
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

from jax_ir_pairs.extraction import Extraction
from jax_ir_pairs.extraction.worker import main


def extract(*request: Any, check: Mapping[str, Any] | None = None, **named: Any) -> Extraction:
    """Gives what [`jax_ir_pairs.extraction.levels.extract`][] does for the rest of a request.

    It is checked as the fields of `check` say, where there is one.

    **Raises:** [`Rejected`][] as the extraction and the check do.
    """
    from jax_ir_pairs.extraction import levels
    from jax_ir_pairs.extraction.execution import load_lapack
    from jax_ir_pairs.quality.check import check as confirm

    if check is None:
        return levels.extract(*request, **named)
    load_lapack()  # a program may call a kernel by its name, and lower nothing that loads it
    checker = partial(confirm, seed=check["seed"], executes=check["executes"])
    # What is run is compiled whole at once, and not stopped first.
    return levels.extract(*request, **named, check=checker, whole=check["executes"])


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:], extract)

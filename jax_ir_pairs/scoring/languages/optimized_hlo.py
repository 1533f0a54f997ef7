"""Optimized HLO for CPU, rewritten to what XLA takes from outside, and then read as HLO. In the child.

What is optimized for another target is only parsed: nothing here runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jax_ir_pairs.scoring.hlo_text.bitcast import BitcastInvalidError
from jax_ir_pairs.scoring.hlo_text.parsing import SyntaxUnknownError, parse
from jax_ir_pairs.scoring.hlo_text.rewriting import NoMeaningError, runnable
from jax_ir_pairs.scoring.languages import hlo
from jax_ir_pairs.scoring.languages.partitioned import whole
from jax_ir_pairs.scoring.module import Module, NotParsedError, NotRunnableError, NotValidError


def read(text: str, row: Mapping[str, Any]) -> Module:
    """Gives the module that an optimized HLO text is, for CPU.

    **Raises:** `NotParsedError`, `NotValidError` for wrong types or shapes, and `NotRunnableError`
    for what calls into the process that it was compiled in.
    """
    hlo.hold_to_syntax(text)
    try:
        rewritten = runnable(parse(text))
    except SyntaxUnknownError as error:
        raise NotParsedError(f"The text is no HLO module: {error}.") from None
    except BitcastInvalidError as error:
        raise NotValidError(f"{error}, which takes other memory.") from None
    except KeyError as error:
        raise NotValidError(f"The module has no value {error}.") from None
    except NoMeaningError as error:
        raise NotRunnableError(f"{error}.") from None
    module = hlo.module_of(str(rewritten))
    return module if row["num_devices"] == 1 else whole(module, row)

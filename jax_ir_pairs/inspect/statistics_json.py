"""Statistics as JSON, and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.inspect.statistics import Statistics


def as_json(statistics: Statistics) -> str:
    """Gives the statistics as JSON, one line for each field; what is None is left out."""
    fields = (f"{json.dumps(k)}: {json.dumps(v)}" for k, v in _present(asdict(statistics)).items())
    return "{\n " + ",\n ".join(fields) + "\n}\n"


def from_json(text: str) -> Statistics:
    """Gives the statistics that [`as_json`][] wrote.

    **Raises:** [`UsageError`][] where the text is of something else.
    """
    try:
        return TypeAdapter(Statistics).validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise UsageError(
            f"These are no statistics ({place}: {first['msg']}); write them with stats --json."
        ) from None


def _present(value: Any) -> Any:
    """Leaves out what is None, and the point of whole numbers."""
    if isinstance(value, dict):
        return {name: _present(item) for name, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_present(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value

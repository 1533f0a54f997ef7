"""The child that runs an answer in Python: forked for it, and gone with it."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from typing import Any, BinaryIO

from jax_ir_pairs.scoring import sandbox
from jax_ir_pairs.scoring.forked import Serve
from jax_ir_pairs.scoring.module import Module, NotParsedError, NotValidError


def serving(memory_bytes: int, cpu_seconds: int) -> Serve:
    """Gives what such a child does, with so much memory and CPU time."""
    return partial(_serve, memory_bytes, cpu_seconds)


def _serve(memory_bytes: int, cpu_seconds: int, requests: BinaryIO, replies: BinaryIO) -> None:
    sandbox.end_with_parent()
    request = json.loads(requests.readline())
    replies.write(json.dumps(_reply(request, memory_bytes, cpu_seconds)).encode() + b"\n")
    replies.flush()


def _reply(request: dict[str, Any], memory_bytes: int, cpu_seconds: int) -> dict[str, Any]:
    """Gives the module of the answer, or why there is none, in the words of `languages.python`."""
    from jax_ir_pairs.scoring.languages import python

    text = request["python"]
    try:
        if request["screen"] and (reason := python.screened(text, request["entry_point"])):
            return {"refused": reason}
        import jax

        jax.devices()  # what a program finds is up, and what it starts is limited
        sandbox.limit(memory_bytes, cpu_seconds)
        return {"module": asdict(python.read(text, request))}
    except NotParsedError as error:
        return {"not_parsed": str(error)}
    except NotValidError as error:
        return {"not_valid": str(error)}


def module_of(fields: dict[str, Any]) -> Module:
    """Gives the module that a reply holds. Raises ValueError or TypeError where it holds none."""
    inputs, outputs = (
        tuple((tuple(int(side) for side in shape), str(dtype)) for shape, dtype in fields[name])
        for name in ("inputs", "outputs")
    )
    return Module(str(fields["stablehlo"]), inputs, outputs, int(fields["num_devices"]))

"""The process that scores: it imports JAX once, and forks the children that answers run in.

It reads one JSON object a line from its stdin and writes one a line to its stdout. It never reads
an answer itself, and starts no backend, so that its forks are whole. One child judges, answer after
answer, until one of them takes it down; an answer in Python is traced in a child of its own, which
knows nothing of the row but the entry point and its abstract arguments, and its module is judged
like any other.
"""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import sys
import time
from dataclasses import asdict
from typing import Any, BinaryIO

from jax_ir_pairs.extraction.lifeline import end_with_parent
from jax_ir_pairs.extraction.line_process import ChildDiedError
from jax_ir_pairs.scoring import judge, tracer
from jax_ir_pairs.scoring.forked import Forked
from jax_ir_pairs.scoring.score import Score

_ANSWERS_PER_CHILD = 2000
_MEMORY_ENDED = re.compile("bad_alloc|allocate|out of memory|MemoryError|RESOURCE_EXHAUSTED", re.I)

_WARM = """
import jax
import jax.numpy as jnp
from jax import lax


def f(x):
    y = jnp.tanh(x @ x.T) + jnp.where(x[:, :1] > 0, 1.0, 2.0)
    z = jax.grad(lambda v: jnp.sum(jnp.sin(v)))(x)
    return jax.nn.softmax(y).sum(), lax.scan(lambda c, a: (c + a, c), y, y[None]), jnp.max(z, 0)
"""


class Worker:
    """Scores answers, with a fresh child where one died, hung or ran out of memory."""

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._row: dict[str, Any] = {}
        self._judge: Forked | None = None
        self._knows_row = False
        self._whole: dict[str, Any] | None = None
        self._answered = 0

    def score(self, request: dict[str, Any]) -> Score:
        """Gives the score of one answer, within `seconds` of the request."""
        if "row" in request:
            self._row, self._knows_row, self._whole = request.pop("row"), False, None
        seconds = request["seconds"]
        deadline = time.monotonic() + seconds
        try:
            return self._score(request, deadline)
        except TimeoutError:
            self.close()
            return Score.refused(f"No verdict within {seconds:g} s.")
        except ChildDiedError as died:
            self.close()
            if _MEMORY_ENDED.search(died.errors):
                return Score.refused(f"It took more than {self._memory_bytes >> 20:,} MiB.")
            if died.cause == "SIGPROF":
                return Score.refused("It runs many times longer than the row's own program.")
            return Score.refused(f"It ended the process that read it: {died.cause}.")

    def _score(self, request: dict[str, Any], deadline: float) -> Score:
        if request["language"] == "python":
            traced = self._trace(request["answer"], deadline, screen=True)
            if (reason := traced.get("refused")) is not None:
                return Score.refused(reason)
            if (reason := traced.get("not_parsed")) is not None:
                return Score.not_parsed(reason)
            if (reason := traced.get("not_valid")) is not None:
                return Score.not_valid(reason)
            request["module"] = traced["module"]
        reply = self._ask(request, deadline)
        if reply.get("needs") == "whole":
            traced = self._trace(self._row["python"], deadline, screen=False)
            if "module" not in traced:
                return Score.refused("The row's own Python does not trace here.")
            self._whole = traced["module"]
            reply = self._ask({**request, "whole": self._whole}, deadline)
        if reply.get("out_of_memory"):
            self.close()
            return Score.refused(f"It took more than {self._memory_bytes >> 20:,} MiB.")
        return Score(**reply["score"])

    def _ask(self, request: dict[str, Any], deadline: float) -> dict[str, Any]:
        if self._answered >= _ANSWERS_PER_CHILD:
            self.close()
        if self._judge is None:
            self._judge = Forked(judge.serving(self._memory_bytes))
        if not self._knows_row:
            request = {**request, "row": self._row}
            if self._whole is not None:
                request["whole"] = self._whole
            self._knows_row = True
        self._answered += 1
        return self._judge.ask(request, deadline)

    def _trace(self, python: str, deadline: float, *, screen: bool) -> dict[str, Any]:
        seconds = max(1, int(deadline - time.monotonic()) + 1)
        fields = {name: self._row[name] for name in ("entry_point", "inputs")}
        with Forked(tracer.serving(self._memory_bytes, seconds)) as child:
            return child.ask({**fields, "python": python, "screen": screen}, deadline)

    def close(self) -> None:
        """Ends the child that judges; the next answer gets a fresh one."""
        child, self._judge, self._knows_row, self._answered = self._judge, None, False, 0
        if child is not None:
            child.close()


def main(memory_bytes: int) -> None:
    """Answers requests until stdin ends."""
    end_with_parent()
    from jax_ir_pairs.extraction.source import abstract_arguments, load
    from jax_ir_pairs.scoring.languages import LANGUAGES, reader

    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for language in LANGUAGES:
        reader(language)
    load(_WARM, "f").trace(*abstract_arguments('[["x", "f32[4,4]"]]'))
    gc.collect()
    gc.freeze()  # so that no collection in a fork writes to what it shares
    worker = Worker(memory_bytes)
    _send(replies, {"ready": True})
    for line in requests:
        _send(replies, asdict(worker.score(json.loads(line))))
    worker.close()


def _send(replies: BinaryIO, reply: dict[str, Any]) -> None:
    replies.write(json.dumps(reply).encode() + b"\n")
    replies.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""The levels of a function that the caller has, in the caller's own process."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jax
from jax.sharding import SingleDeviceSharding

import jax_ir_pairs
from jax_ir_pairs.errors import Rejected, UsageError
from jax_ir_pairs.extraction.environment import PLATFORM_ENVIRONMENT
from jax_ir_pairs.extraction.levels import levels_of
from jax_ir_pairs.extraction.result import Extraction
from jax_ir_pairs.extraction.targets import topology
from jax_ir_pairs.targets import TARGETS, known_targets, require_installed

_PACKAGE = Path(jax_ir_pairs.__file__).parent


def extract(
    fn: Callable[..., Any], /, *args: Any, targets: Sequence[str] = ("cpu",), **kwargs: Any
) -> Extraction:
    """Gives every level that the compiler takes `fn` through, called with these arguments.

    `fn` is any function that JAX traces, jitted or not: what its `jax.jit` says of static and
    donated arguments and of shardings holds. An argument is what `fn` takes, or a
    `jax.ShapeDtypeStruct` in place of an array, at any place of a tree; nothing is computed, and
    where an array lies, on one device, does not matter. A static argument needs a `jax.jit` that
    says so. The first of `targets` is `cpu`; the others, which need not be at hand, are in
    `further`, each with its levels or why it refuses the function. The lines of Python in the line
    map are those of the file that `fn` is written in.

        extraction = jax_ir_pairs.extract(jnp.tanh, jax.ShapeDtypeStruct((8, 16), "float32"))
        print(extraction.optimized_hlo)

    The texts are those of this process, with its versions, its configuration of JAX (64-bit types
    and the like), its XLA_FLAGS, threads and devices. They can differ from those of a build or of
    `jax-ir-pairs extract`, which pin all of it, and, rarely, by what the process traced before
    (jax issue 40312): `jax.clear_caches()` ahead of the call rules that out. It is not done here,
    since every jitted function of the caller would compile again. Configuration, caches,
    environment and the cores of each thread are afterwards what they were; while XLA compiles,
    all threads share one core.

    A function of several devices is compiled for the CPU only, as its mesh is made of those of
    this process: `jax-ir-pairs extract FILE.py` compiles it for the others.

    **Raises:** what JAX or `fn` raises where `fn` does not trace, lower or compile;
    [`UsageError`][] for a target that is unknown, for which something is not installed or whose
    plug-in does not start, and where JAX has no CPU here.
    """
    _check(targets)
    cpu = _cpu()
    traced = False

    def trace() -> Any:
        nonlocal traced
        if traced:
            raise NotImplementedError(
                "a function of several devices has those of its process; "
                "`jax-ir-pairs extract FILE.py` compiles it for other ones"
            )
        traced = True
        function = fn if isinstance(fn, jax.stages.Wrapped) else jax.jit(fn)
        return function.trace(*_placeless(args), **_placeless(kwargs))

    try:
        with patch.dict(os.environ, _environment(targets)), jax.default_device(cpu):
            _find_devices(targets[1:])
            return levels_of(
                trace, targets[1:], source_file=_source_file(fn), forget=_forget_nothing
            )
    except Rejected as rejected:
        error = rejected.__cause__ or rejected
    # Here, and not where it was caught: a rejection is a word of builds, and none of the caller's.
    raise _without_our_frames(error)


def _without_our_frames(error: BaseException) -> BaseException:
    """Gives the error as it would be raised where the caller traced: without what is in between."""
    traceback = error.__traceback__
    while traceback and _PACKAGE in Path(traceback.tb_frame.f_code.co_filename).parents:
        traceback = traceback.tb_next
    return error.with_traceback(traceback)


def _source_file(fn: Callable[..., Any]) -> str:
    """Gives the file whose lines the line map is of, as Python's stacks name it."""
    while isinstance(inner := inspect.unwrap(fn), functools.partial):
        fn = inner.func
    code = getattr(inner, "__code__", None)
    return code.co_filename if code else ""


def _check(targets: Sequence[str]) -> None:
    if isinstance(targets, str):
        raise UsageError(f"targets must be a sequence of names, such as ('cpu', {targets!r}).")
    if known_targets(targets) != tuple(targets):
        raise UsageError("targets must be 'cpu', which the other levels are of, and then others.")
    require_installed(targets)


def _cpu() -> jax.Device:
    # Before the environment changes, which other platforms read as they start.
    jax.devices()
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        raise UsageError(
            "JAX has no CPU in this process: add cpu to JAX_PLATFORMS, such as cuda,cpu."
        ) from None


def _environment(targets: Sequence[str]) -> dict[str, str]:
    """Gives the variables that the targets' platforms need and that nobody has set."""
    needed = [PLATFORM_ENVIRONMENT[TARGETS[name].platform] for name in targets]
    return {k: v for each in needed for k, v in each.items() if k not in os.environ}


def _find_devices(targets: Sequence[str]) -> None:
    for target in targets:
        try:
            topology.devices(target, 1)
        except Exception as error:  # whatever a plug-in raises
            raise UsageError(
                f"{target}: cannot be compiled for in this process ({error}): set "
                "JAX_PLATFORMS=cpu before Python starts, as JAX else looks for the device itself."
            ) from error


def _placeless(tree: Any) -> Any:
    """Gives the arguments with each array that lies on one device as its shape and dtype.

    Else an array on a GPU would be compiled for that, and one that was put on a device says so.
    """
    if not any(map(_lies_on_one_device, jax.tree.leaves(tree))):
        return tree  # static arguments and all, as they are
    return jax.tree.map(lambda leaf: _abstract(leaf) if _lies_on_one_device(leaf) else leaf, tree)


def _lies_on_one_device(leaf: Any) -> bool:
    return (
        isinstance(leaf, jax.Array)
        and not isinstance(leaf, jax.core.Tracer)
        and isinstance(leaf.sharding, SingleDeviceSharding)
    )


def _abstract(array: jax.Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(array.shape, array.dtype, weak_type=jax.typeof(array).weak_type)


def _forget_nothing() -> None:
    pass

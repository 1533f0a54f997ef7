from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from jax._src import xla_bridge

from jax_ir_pairs.extraction.targets.gpu_callbacks import gpus_are_cuda, without_callbacks


def test_gpu_means_cuda_only_inside() -> None:
    with pytest.raises(RuntimeError, match="Unknown backend: 'gpu'"):
        xla_bridge.canonicalize_platform("gpu")
    with gpus_are_cuda():
        assert xla_bridge.canonicalize_platform("gpu") == "cuda"
        assert xla_bridge.canonicalize_platform("cpu") == "cpu"
    with pytest.raises(RuntimeError, match="Unknown backend: 'gpu'"):
        xla_bridge.canonicalize_platform("gpu")


def test_the_compiler_is_handed_no_python() -> None:
    def doubled(x: Any) -> Any:
        return jax.pure_callback(lambda v: np.asarray(v) * 2, x, x)

    lowered = jax.jit(doubled).trace(jax.ShapeDtypeStruct((4,), np.float32)).lower()
    before = lowered.as_text()
    private: Any = lowered
    assert len(private._lowering.compile_args["host_callbacks"]) == 1
    assert without_callbacks(lowered) is lowered
    assert len(private._lowering.compile_args["host_callbacks"]) == 0
    assert lowered.as_text() == before

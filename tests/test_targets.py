from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from jax_ir_pairs import targets
from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.targets import TARGETS, GpuFigures, TpuSlice, further, require_installed, versions

ALL = {name for names in targets.DISTRIBUTIONS.values() for name in names}


def having(*distributions: str) -> Callable[[str], str | None]:
    return lambda name: "1.2.3" if name in distributions else None


def test_the_targets() -> None:
    assert list(TARGETS) == [
        *("cpu", "tpu-v4", "tpu-v5e", "tpu-v5p", "tpu-v6e", "tpu-v7x"),
        *("cuda-a100", "cuda-h100", "cuda-h200", "cuda-b200"),
    ]
    columns = [t.column(level) for t in TARGETS.values() for level in ("stablehlo", "hlo")]
    assert len(set(columns)) == len(columns)
    assert all(re.fullmatch(r"[a-z0-9_]+", column) for column in columns)


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_a_target_has_the_hardware_of_its_platform(target: targets.Target) -> None:
    kinds = {"cpu": type(None), "tpu": TpuSlice, "cuda": GpuFigures}
    assert type(target.hardware) is kinds[target.platform]
    assert target.name.split("-")[0] == target.platform
    if isinstance(target.hardware, TpuSlice):
        assert max(target.hardware.bounds) == 8  # as many as the worker forces on the CPU


def test_further_targets_are_those_after_the_first() -> None:
    assert further(["cpu"]) == ()
    assert [t.name for t in further(["cpu", "tpu-v5e", "cuda-b200"])] == ["tpu-v5e", "cuda-b200"]


def test_what_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "_version", having())
    require_installed(["cpu"])
    with pytest.raises(UsageError) as info:
        require_installed(["cpu", "tpu-v5e", "tpu-v6e"])
    assert str(info.value) == (
        "To compile for tpu-v5e, tpu-v6e this installation lacks libtpu: "
        "pip install 'jax-ir-pairs[tpu]'"
    )
    monkeypatch.setattr(targets, "_version", having(*ALL - {"nvidia-nvvm"}))
    require_installed(["cpu", "tpu-v5e"])
    with pytest.raises(UsageError, match=r"cuda-h100 .* lacks nvidia-nvvm: .*\[cuda\]"):
        require_installed(["cpu", "tpu-v5e", "cuda-h100"])


def test_versions_are_by_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "_version", having("libtpu"))
    assert versions(["cpu", "tpu-v4", "tpu-v5e", "cuda-a100"]) == {"libtpu": "1.2.3"}
    assert versions(["cpu"]) == {}

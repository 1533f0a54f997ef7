from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.inspect import coverage_reasons, coverage_view
from jax_ir_pairs.inspect.coverage import Coverage, Known, coverage, dtype_name
from jax_ir_pairs.inspect.coverage_reasons import (
    KINDS,
    Reason,
    Registry,
    installed_registry,
    reasons,
)
from jax_ir_pairs.inspect.parquet_files import find_config
from tests.inspect.shard_files import write

SAMPLE = Path(__file__).parent.parent.parent / "data" / "sample"
GPU = Reason("other platform", "It needs a GPU.")

STABLEHLO = """\
module @jit_f {
  sdy.mesh @mesh = <["i"=2]>
  func.func public @main(%arg0: tensor<3xf32> {sdy.sharding = #x}) -> tensor<f32> {
    %0 = stablehlo.sine %arg0 : tensor<3xf32>
    %1 = stablehlo.reduce(%0 init: %c) applies stablehlo.maximum across dimensions = [0]
    %2:2 = "stablehlo.case"(%1) ({
      stablehlo.return %1 : tensor<f32>
    }) : (tensor<i32>) -> tensor<f32>
    %3 = stablehlo.custom_call @stablehlo.nothing(%1) {mhlo.layout = 1}
    return %2#0 : tensor<f32>
  }
}
"""
HLO = """\
HloModule jit_f

%region (a: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  ROOT add.1 = (f32[], (s32[2]{0}, /*index=2*/pred[])) while(%a), body=%b
}

ENTRY %main (x: f32[3]) -> f32[3] {
  %c = f32[3]{0:T(128)} get-tuple-element(%x), index=0
  %f = f32[3]{0} fusion(%c), kind=kLoop, calls=%g
  ROOT %d = f32[3]{0} custom-call(%f), custom_call_target="lapack_spotrf_ffi"
}
"""
JAXPR = "{ lambda ; a:f32[] b:i8[2,2]. let c:f32[] = sin a; d:f32[] = neg c in (d,) }"


def registry(**names: tuple[str, ...]) -> Registry:
    return Registry({kind: names.get(kind, ()) for kind in KINDS}, "0.12.0", "0.12.0")


def count(folder: Path, known: Registry, **why: dict[str, Reason]) -> Coverage:
    return coverage(find_config(folder), known, {kind: why.get(kind, {}) for kind in KINDS})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    row = {
        "primitives": ["neg", "sin"],
        "transforms": ["vmap", "grad", "vmap"],
        "jaxpr": JAXPR,
        "stablehlo": STABLEHLO,
        "hlo": HLO,
        "optimized_hlo": HLO.replace("get-tuple-element", "negate"),
    }
    write(tmp_path / "mine", "train", [row, {"primitives": ["sin"]}, {"primitives": ["mine"]}])
    write(tmp_path / "mine", "test", [row])
    return tmp_path


def test_everything_in_the_rows_is_counted(folder: Path) -> None:
    found = count(folder, registry())
    assert found.rows == 4
    assert found.known["primitives"].rows == {"sin": 3, "neg": 2, "mine": 1}
    assert found.known["dtypes"].rows == {"float32": 2, "int8": 2}
    assert set(found.known["stablehlo_ops"].rows) == {
        "sdy.mesh",
        "stablehlo.case",
        "stablehlo.custom_call",
        "stablehlo.maximum",
        "stablehlo.reduce",
        "stablehlo.return",
        "stablehlo.sine",
    }
    assert found.known["hlo_opcodes"].rows == dict.fromkeys(
        ["custom-call", "fusion", "get-tuple-element", "negate", "parameter", "while"], 2
    )
    assert found.fusion_kinds == {"kLoop": 2}
    assert found.custom_call_targets == {"lapack_spotrf_ffi": 2}
    assert found.ranks == {"0": 2, "2": 2}
    assert found.transforms == {"grad": 2, "vmap": 2}
    assert found.transform_pairs == {("grad", "vmap"): 2, ("vmap", "grad"): 2, ("vmap", "vmap"): 2}
    assert found.def_use == {("sin", "neg"): 2}


def test_what_rows_lack_is_explained_or_missing(folder: Path) -> None:
    found = count(
        folder,
        registry(primitives=("cos", "neg", "psend", "sin")),
        primitives={"psend": GPU, "neg": GPU},
    )
    known = found.known["primitives"]
    assert known.covered == ("neg", "sin")
    assert known.missing == ("cos",)
    assert known.explained == {"psend": GPU}
    assert known.stale == ("neg",)
    assert known.unknown == ("mine",)
    assert known.reachable == 3
    assert known.in_at_least(3) == 1
    assert found.missing == {"primitives": ("cos",)}
    assert coverage_view.summary(found, 3) == "1 of 3 reachable primitives in at least 3 rows"


def test_the_views_show_counts_gaps_and_reasons(folder: Path) -> None:
    found = count(
        folder,
        registry(primitives=("cos", "neg", "psend", "sin")),
        primitives={"psend": GPU, "neg": GPU},
    )
    console = Console(width=120, file=io.StringIO(), record=True)
    console.print(coverage_view.tables(found, 3))
    shown = console.export_text()
    page = coverage_view.markdown(found, 3)
    for text in (shown, page):
        assert "1 of 3 reachable primitives in at least 3 rows" in text
        assert "sin → neg 2" in text
        assert "lapack_spotrf_ffi 2" in text
    assert "reason yet" in shown
    assert "- no reason yet: cos" in page
    assert "- other platform: psend (It needs a GPU.)" in page
    assert len(page.splitlines()) <= 150
    document = json.loads(coverage_view.as_json(found, 3))
    assert document["primitives"]["explained"]["psend"]["class"] == "other platform"
    assert document["def_use"] == [["sin", "neg", 2]]


@pytest.mark.parametrize(
    ("short", "name"),
    [
        ("f32", "float32"),
        ("bf16", "bfloat16"),
        ("u8", "uint8"),
        ("c128", "complex128"),
        ("f8_e4m3fn", "float8_e4m3fn"),
        ("bool", "bool"),
        ("key<fry>", "key<fry>"),
    ],
)
def test_dtypes_have_their_long_names(short: str, name: str) -> None:
    assert dtype_name(short) == name


@pytest.fixture(scope="module")
def installed() -> Registry:
    return installed_registry()


def test_the_sample_is_counted_against_the_installed_jax(installed: Registry) -> None:
    found = coverage(find_config(SAMPLE), installed, reasons(installed.jax_version))
    assert found.rows == 100
    assert {"add", "scan"} <= set(found.known["primitives"].covered)
    assert {"stablehlo.add", "stablehlo.return"} <= set(found.known["stablehlo_ops"].covered)
    assert {"fusion", "parameter", "cosine"} <= set(found.known["hlo_opcodes"].covered)
    for kind in ("stablehlo_ops", "hlo_opcodes", "dtypes"):
        assert not {name for name in found.known[kind].unknown if not name.startswith("key<")}
        assert not found.known[kind].stale
    assert len(coverage_view.markdown(found, 10).splitlines()) <= 150


def test_reasons_are_for_what_jax_knows(installed: Registry) -> None:
    major, minor = installed.jax_version.split(".")[:2]
    if (int(major), int(minor)) < (0, 12):
        pytest.skip("the reasons are written against the newest JAX")
    for kind, explained in reasons(installed.jax_version).items():
        assert not explained.keys() - set(installed.names[kind])


def test_reasons_are_one_sentence_each() -> None:
    for version in ("0.10.2", "0.12.0.1"):
        for explained in reasons(version).values():
            for name, reason in explained.items():
                assert not reason.text.startswith(name), name
                assert reason.text.endswith("."), name
                assert len(reason.text) <= 120, name


def test_reasons_may_hold_for_some_versions_only() -> None:
    assert "lt_to" in reasons("0.12.0.1")["primitives"]
    assert "lt_to" not in reasons("0.10.2")["primitives"]
    assert "psum_start" in reasons("0.10.2")["primitives"]
    assert "psum_start" not in reasons("0.12.0")["primitives"]


def test_a_jax_that_cannot_be_asked_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [*coverage_reasons._COMMAND[:1], "-c", "import sys; sys.exit('no jax here')"]
    monkeypatch.setattr(coverage_reasons, "_COMMAND", command)
    with pytest.raises(BuildError, match=r"cannot be listed: no jax here\. See whether"):
        installed_registry()


def test_known_without_gaps() -> None:
    known = Known({"add": 5}, ("add",), {})
    assert (known.missing, known.explained, known.stale, known.unknown) == ((), {}, (), ())

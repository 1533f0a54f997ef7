"""The house rules that a reader counts on, held against the source."""

from __future__ import annotations

import ast
from fnmatch import fnmatch
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "jax_ir_pairs"
SKETCHES = PACKAGE / "synthesis" / "sketches"
"""Read as text, never imported."""
FILES = sorted(path for path in PACKAGE.rglob("*.py") if SKETCHES not in path.parents)

FLOORS = {
    "cli": 12,
    "browse": 11,
    "verification": 11,
    "hub": 10,
    "inspect": 9,
    "training": 9,
    "build": 8,
    "scoring": 8,
    "quality": 7,
    "hlo_text": 6,
    "interpreter": 5,
    "extraction": 5,
    "plan": 5,
    "synthesis": 4,
    "blocks": 3,
    "config": 2,
    "schema": 2,
    "targets": 1,
    "yaml_model": 1,
    "fingerprint": 1,
    "atomic": 2,
    "waiting": 0,
    "location": 1,
    "errors": 0,
    "examples": 0,
}
"""Imports go to a lower floor, or stay within the same part."""

WITH_JAX = {
    "extraction/counting.py",
    "extraction/execution.py",
    "extraction/hlo_module.py",
    "extraction/in_process.py",  # of the caller
    "extraction/levels.py",
    "extraction/optimization.py",
    "extraction/pallas.py",
    "extraction/passes.py",
    "extraction/registry.py",
    "extraction/source.py",
    "extraction/targets/compilation.py",
    "extraction/targets/cuda_passes.py",
    "extraction/targets/gpu_callbacks.py",
    "extraction/targets/parallel.py",
    "extraction/targets/topology.py",
    "extraction/user_file.py",
    "extraction/worker.py",
    "hlo_text/conversion.py",
    "hlo_text/converted.py",
    *(f"interpreter/{name}.py" for name in ("blocks", "collectives", "control", "cost")),
    *(f"interpreter/{name}.py" for name in ("elementwise", "folds", "formats", "lapack")),
    *(f"interpreter/{name}.py" for name in ("manual", "mesh", "module", "movement", "operation")),
    *(f"interpreter/{name}.py" for name in ("products", "reductions", "regions", "scatters")),
    *(f"interpreter/{name}.py" for name in ("sorting", "transforms")),
    *(f"quality/{name}.py" for name in ("check", "execution", "formats", "inputs", "oracles")),
    *(f"quality/{name}.py" for name in ("roundings", "shaking", "texts")),
    *(f"scoring/{name}.py" for name in ("draws", "judge", "program", "tracer")),
    *(f"scoring/jaxpr_binding/{name}.py" for name in ("binding", "known", "rules", "values")),
    *(f"scoring/languages/{name}.py" for name in ("hlo", "jaxpr", "partitioned")),
    *(f"scoring/languages/{name}.py" for name in ("python", "stablehlo")),
    "verification/parsing.py",
}
"""What runs where JAX is, in the child process or in a caller's own, and may import it."""

PRIVATE = {
    "extraction/execution.py",
    "extraction/hlo_module.py",
    "extraction/optimization.py",
    "extraction/registry.py",
    "extraction/targets/cuda_libraries.py",  # of the CUDA plug-in
    "extraction/targets/gpu_callbacks.py",
}
"""The small files that use private modules of JAX, one for each concern."""


def imports(path: Path) -> list[str]:
    modules = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.append(node.module)
    return modules


def part(module: str) -> str | None:
    """Gives the part that a module belongs to: `build` for `jax_ir_pairs.build.run`."""
    names = module.split(".")
    return names[1] if names[0] == "jax_ir_pairs" and len(names) > 1 else None


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_imports_go_one_way(path: Path) -> None:
    own = relative(path).removesuffix(".py").split("/")[0]
    if own in {"__init__", "__main__"}:
        return
    for module in imports(path):
        if (other := part(module)) is not None and other != own:
            assert FLOORS[other] < FLOORS[own], f"{own} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_only_the_child_imports_jax(path: Path) -> None:
    if relative(path) in WITH_JAX:
        return
    assert not [m for m in imports(path) if m.split(".")[0] in {"jax", "jaxlib"}]


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_private_modules_of_jax_are_used_where_it_says(path: Path) -> None:
    private = [
        m for m in imports(path) if m.startswith(("jax._", "jaxlib._", "jax_cuda13_plugin._"))
    ]
    assert not private or relative(path) in PRIVATE


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_files_are_short_and_named_after_what_they_hold(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 320
    assert path.stem not in {"utils", "helpers", "manager", "misc", "common"}


def test_nothing_imports_sketches() -> None:
    assert not [f for f in FILES if any("synthesis.sketches" in module for module in imports(f))]


@pytest.mark.parametrize("path", sorted(SKETCHES.rglob("*.py")), ids=relative)
def test_files_of_sketches_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_every_part_has_a_floor() -> None:
    parts = {relative(path).removesuffix(".py").split("/")[0] for path in FILES}
    assert parts - {"__init__", "__main__"} == set(FLOORS)


def test_pytest_passes_over_no_folder_of_tests(pytestconfig: pytest.Config) -> None:
    patterns = pytestconfig.getini("norecursedirs")
    folders = {path.parent.name for path in Path(__file__).parent.rglob("test_*.py")}
    assert "build" in folders
    assert not [name for name in folders if any(fnmatch(name, p) for p in patterns)]

"""The packages whose code is measured against, and how their sources get into a folder.

Their wheels are downloaded once, without what they depend on, and unpacked; nothing of them is
installed, and nothing of them becomes part of a build or of this repository.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SEEN: Mapping[str, str] = {
    "blackjax": "1.7.1",
    "chex": "0.1.92",
    "diffrax": "0.7.2",
    "distrax": "0.1.9",
    "dm-haiku": "0.0.17",
    "e3nn-jax": "0.21.0",
    "equinox": "0.13.8",
    "evosax": "0.3.2",
    "flax": "0.12.12",
    "gymnax": "1.0.1",
    "jax": "0.12.0.1",
    "jraph": "0.0.6.dev0",
    "jumanji": "1.1.2",
    "kfac-jax": "0.0.8",
    "levanter": "1.1",
    "lineax": "0.1.1",
    "mctx": "0.0.71",
    "mujoco-mjx": "3.17.0",
    "netket": "3.23.0",
    "neural-tangents": "0.6.5",
    "objax": "1.8.0",
    "optax": "0.2.8",
    "optimistix": "0.1.0",
    "penzai": "0.2.5",
    "tinygp": "0.3.1",
    "trax": "1.4.1",
}
"""What an author of programs may look at, with the versions that are measured against."""

HELD_OUT: Mapping[str, str] = {
    "brax": "0.14.2",
    "dm-pix": "0.4.5",
    "dynamax": "1.0.3",
    "jax-md": "0.2.29",
    "jaxopt": "0.8.5",
    "numpyro": "0.22.0",
    "ott-jax": "0.6.0",
    "rlax": "0.1.9",
    "torax": "1.4.3",
}
"""What only the benchmark sees: physics, images, state spaces, molecules, optimizers, statistics,
transport, reinforcement learning, plasmas."""

SUPPORT: Mapping[str, str] = {
    "einops": "0.8.2",
    "jaxtyping": "0.3.11",
    "jmp": "0.0.4",
    "multipledispatch": "1.0.0",
    "tabulate": "0.10.0",
    "toolz": "1.2.0",
    "treescope": "0.1.10",
    "wadler-lindig": "0.1.8",
}
"""What the others import: not measured, and only needed to trace them."""

PARTS: Mapping[str, tuple[str, ...]] = {
    "jax": (
        "jax/_src/image",
        "jax/_src/nn",
        "jax/_src/scipy",
        "jax/example_libraries",
        "jax/experimental/ode.py",
        "jax/experimental/pallas/ops",
        "jax/experimental/rnn.py",
        "jax/experimental/sparse/linalg.py",
    ),
    "flax": ("flax",),
}
"""The parts of a package that read like a user's code, where that is not all of it."""

_NOT_MEASURED = ("test", "tests", "docs", "testing")


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a package."""

    package: str
    path: str
    text: str


def fetch(folder: Path, packages: Mapping[str, str]) -> None:
    """Downloads and unpacks the packages that `folder` lacks, and lays their files out anew.

    All are laid out by the formatter that programs of a build pass, so that indents and quotes do
    not tell them apart.
    """
    for name, version in packages.items():
        place = place_of(folder, name, version)
        if place.exists():
            continue
        wheels = folder / "wheels"
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        only = ["--no-deps", "--only-binary", ":all:", "--ignore-requires-python"]
        subprocess.run([*pip, *only, "--dest", str(wheels), f"{name}=={version}"], check=True)
        [wheel] = wheels.glob(f"{name.replace('-', '_')}-{version}-*.whl")
        unpacked = place.with_name(f"{place.name}.partial")
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                if member.endswith((".py", ".dist-info/METADATA")):
                    archive.extract(member, unpacked)
        lay_out(unpacked)
        unpacked.rename(place)


def lay_out(folder: Path) -> None:
    """Formats all files in `folder`; one that the formatter cannot read stays as it is."""
    ruff = [sys.executable, "-m", "ruff", "format", "--isolated", "--quiet", "--no-cache"]
    subprocess.run([*ruff, str(folder)], check=False, stderr=subprocess.DEVNULL)


def sources(folder: Path, packages: Mapping[str, str]) -> list[Source]:
    """Gives the files of the packages that are measured: no tests, and of JAX a user's parts."""
    found = []
    for name, version in packages.items():
        place = place_of(folder, name, version)
        for path in sorted(place.rglob("*.py")):
            relative = path.relative_to(place)
            if _is_measured(name, relative):
                text = path.read_text(encoding="utf-8", errors="replace")
                found.append(Source(name, relative.as_posix(), text))
    return found


def place_of(folder: Path, name: str, version: str) -> Path:
    """Gives the folder that the files of a package are unpacked into."""
    return folder / "sources" / f"{name}-{version}"


def _is_measured(package: str, path: Path) -> bool:
    if path.stem.endswith("_test") or path.stem.startswith("test_"):
        return False
    if any(part in _NOT_MEASURED for part in path.parts):
        return False
    parts = PARTS.get(package)
    return parts is None or path.as_posix().startswith(parts)

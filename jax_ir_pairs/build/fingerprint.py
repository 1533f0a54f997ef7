"""What decides the bytes of a build: the config, the code, the compiler and the file format."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from dataclasses import asdict, dataclass
from typing import Any

import jax_ir_pairs
from jax_ir_pairs.config import Config
from jax_ir_pairs.extraction import compiler_flags, versions
from jax_ir_pairs.fingerprint import code_digest
from jax_ir_pairs.location import Location

_CODE = (
    "config.py",
    "schema.py",
    "targets.py",
    "blocks.py",
    "plan.py",
    "synthesis",
    "extraction",
    "quality",
    "build/records.py",
    "build/shard.py",
    "build/run.py",
    "build/hashes.py",
    "build/seal.py",
    "build/task.py",
)

_VERSIONS = {"jax": "jax", "jaxlib": "jaxlib", "pyarrow": "pyarrow", "project": "jax-ir-pairs"}
"""Parts that are versions, and of what."""


@dataclass(frozen=True, slots=True)
class BuildFingerprint:
    """Two builds with equal fingerprints write the same bytes."""

    config: str
    code: str
    jax: str
    jaxlib: str
    compiler_flags: str
    pyarrow: str
    project: str = ""
    """Version of this project; nothing in what older ones wrote, which did not tell it."""

    @property
    def digest(self) -> str:
        """16 hex digits that stand for all parts."""
        parts = {part: value for part, value in asdict(self).items() if part != "project" or value}
        content = json.dumps(parts, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """Gives what files of a build say of what made them."""
        return {"fingerprint": self.digest, "build": asdict(self)}

    def is_of(self, path: Location) -> bool:
        """Says whether a file can be read, and says that it is of this build."""
        try:
            content = json.loads(path.read_bytes())
            return bool(content["build"] == asdict(self) and content["fingerprint"] == self.digest)
        except (ValueError, KeyError, TypeError):
            return False

    def differences(self, path: Location) -> list[str]:
        """Gives a phrase for each part in which a sidecar or manifest is of another build.

        A file that cannot be read as either tells of no difference.
        """
        try:
            theirs = json.loads(path.read_bytes())["build"]
        except (ValueError, KeyError, TypeError):
            return []
        if not isinstance(theirs, dict):
            return []
        ours = asdict(self)
        parts = sorted(part for part in ours | theirs if ours.get(part) != theirs.get(part))
        return [
            f"{_VERSIONS[part]} ({theirs.get(part) or 'an older one'} there, {ours.get(part)} here)"
            if part in _VERSIONS
            else part.replace("_", " ")
            for part in parts
        ]


def build_fingerprint(config: Config) -> BuildFingerprint:
    """Gives the fingerprint of a build of `config` with the code and versions of this moment."""
    jax, jaxlib = versions()
    return BuildFingerprint(
        config=config.fingerprint(),
        code=code_digest(*_CODE),
        jax=jax,
        jaxlib=jaxlib,
        compiler_flags=compiler_flags(config.targets),
        pyarrow=importlib.metadata.version("pyarrow"),
        project=jax_ir_pairs.__version__,
    )

"""The manifest against itself."""

from __future__ import annotations

from jax_ir_pairs.build import BuildFingerprint, all_shards, build_fingerprint
from jax_ir_pairs.errors import BuildError, UsageError
from jax_ir_pairs.plan import make_plan
from jax_ir_pairs.verification.dataset import BuiltConfig
from jax_ir_pairs.verification.findings import Finding, shortened


def wrong_fingerprint(built: BuiltConfig) -> list[Finding]:
    """Gives the finding where config, code and versions are not those of the fingerprint."""
    if built.config is None or built.manifest is None:
        return []
    place, made_by = built.place("manifest.json"), built.manifest["build"]
    try:
        expected = BuildFingerprint(**made_by).digest
    except TypeError:  # other parts, of another version
        return []
    found = str(built.manifest.get("fingerprint"))
    if found != expected:
        return [Finding("manifest", place, "fingerprint", expected, shortened(found))]
    ours = build_fingerprint(built.config)
    if made_by["code"] == ours.code and made_by["config"] != ours.config:
        return [Finding("manifest", place, "config", made_by["config"], ours.config)]
    return []


def is_of_this_code(built: BuiltConfig) -> bool:
    """Says whether the very code that runs made the rows."""
    if built.config is None or built.manifest is None:
        return False
    made_by: str | None = built.manifest["build"].get("code")
    return made_by == build_fingerprint(built.config).code


def planned(built: BuiltConfig) -> tuple[bool, list[Finding]]:
    """Says whether this code makes the plan that the rows are of, and gives what is wrong."""
    if built.config is None or not is_of_this_code(built):
        return False, []
    try:
        make_plan(built.config)
    except (BuildError, UsageError) as error:
        place = built.place("manifest.json")
        return False, [Finding("manifest", place, "config", "a plan", shortened(str(error)))]
    return True, []


def wrong_list(built: BuiltConfig) -> list[Finding]:
    """Gives what the manifest lists otherwise than its own config has it."""
    if built.config is None:
        return []
    place = built.place("manifest.json")
    wanted = {
        f"{shard.name}.parquet": built.config.shard_rows(shard.split, shard.number)
        for shard in all_shards(built.config)
    }
    listed = {file: entry.rows for file, entry in built.listed.items()}
    # Of functions, some give no row.
    exact = built.config.recipe.functions is None
    findings = []
    for file in sorted(wanted | listed):
        ours, theirs = wanted.get(file), listed.get(file)
        if (ours is None) != (theirs is None) or (exact and ours != theirs):
            expected = "no such file" if ours is None else f"{ours:,} rows"
            found = "not listed" if theirs is None else f"{theirs:,} rows"
            findings.append(Finding("manifest", place, f"lists {file}", expected, found))
    return findings

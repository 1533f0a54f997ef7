"""A program that eats all memory."""

from __future__ import annotations

from pathlib import Path

from tests.faults.bad_programs import Rows, build_with


def test_it_is_an_incident_and_costs_no_other_row(tmp_path: Path, harmless: Rows) -> None:
    rows, [incident] = build_with("eaten = [bytearray(2**27) for _ in range(2**20)]", tmp_path)

    assert (incident["seed"], incident["reason"]) == (1, "out-of-memory")
    assert rows == {name: harmless[name] for name in ("before", "after")}


def test_it_may_be_the_compiler_that_eats_it(tmp_path: Path, harmless: Rows) -> None:
    rows, [incident] = build_with(
        "x = x + jnp.sum(jnp.asarray(np.arange(2**25, dtype='f4')))", tmp_path
    )

    assert (incident["seed"], incident["reason"]) == (1, "out-of-memory")
    assert rows == {name: harmless[name] for name in ("before", "after")}

from __future__ import annotations

import pytest

from jax_ir_pairs.build import records
from jax_ir_pairs.build.records import Rejection, Row, shard_records, text_hash
from jax_ir_pairs.config import Limits
from jax_ir_pairs.plan import make_plan
from jax_ir_pairs.schema import COLUMNS
from tests.build.fakes import CONFIG, FakeProcess, digest_of, draw, reject_tenth


def test_a_row_has_the_columns_of_the_schema_in_order() -> None:
    row = next(shard_records(CONFIG, "train", 1, process=FakeProcess()))
    seed = make_plan(CONFIG).candidates("train", 1)[0]
    program = draw(CONFIG.recipe, seed).program()

    assert list(row) == [column.name for column in COLUMNS]
    assert (row["id"], row["python"], row["inputs"]) == (program.id, program.python, program.inputs)
    assert (row["config"], row["split"], row["shard"], row["index"]) == ("tiny", "train", 1, 0)
    assert row["seed"] == seed
    assert row["transforms"] == list(program.transforms)
    assert row["primitives"] == ["sin", "tanh"]
    assert row["structure_hash"] == program.structure_hash
    assert row["jax_version"].count(".") >= 2


def test_rows_and_rejections_are_the_candidates_in_order() -> None:
    rejected: list[Rejection] = []
    process = FakeProcess(jaxpr=lambda p: digest_of(p) % 100, check=reject_tenth)
    rows = list(shard_records(CONFIG, "train", 0, process=process, on_rejection=rejected.append))

    assert len(rows) == 20
    assert len({row["jaxpr"] for row in rows}) == 20
    assert {rejection.reason for rejection in rejected} == {"compiler-error", "duplicate"}
    candidates = make_plan(CONFIG).candidates("train", 0)
    assert all(candidates[row["index"]] == row["seed"] for row in rows)
    walked = {row["seed"] for row in rows} | {rejection.seed for rejection in rejected}
    assert walked == set(candidates[: rows[-1]["index"] + 1])


def test_what_is_known_is_not_extracted_again() -> None:
    first = list(shard_records(CONFIG, "train", 0, process=FakeProcess()))
    known: dict[int, Row | Rejection] = {row["seed"]: row for row in first}
    gone = first[3]["seed"]
    known[gone] = Rejection(gone, "duplicate", "another shard has it")
    process = FakeProcess()
    again = list(shard_records(CONFIG, "train", 0, process=process, known=known))

    assert again[:-1] == [row for row in first if row["seed"] != gone]
    assert again[-1]["index"] == 20
    assert list(process.extracted) == [again[-1]["id"]]


def test_a_process_of_its_own_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Own] = []

    class Own(FakeProcess):
        def __init__(self, limits: Limits, targets: tuple[str, ...], *, passes: bool) -> None:
            super().__init__()
            assert (limits, targets) == (CONFIG.limits, ("cpu",))
            opened.append(self)

        def __enter__(self) -> Own:
            return self

        def __exit__(self, *error: object) -> None:
            self.close()

    monkeypatch.setattr(records, "CheckingProcess", Own)
    stream = shard_records(CONFIG, "test", 0)
    assert next(stream)["split"] == "test"
    stream.close()
    assert [process.closed for process in opened] == [True]
    assert len(list(shard_records(CONFIG, "test", 0))) == 6
    assert [process.closed for process in opened] == [True, True]


def test_text_hash() -> None:
    assert text_hash("") == "e3b0c44298fc1c14"
    assert text_hash("é") != text_hash("e")

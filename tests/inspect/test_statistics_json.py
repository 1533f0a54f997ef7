from __future__ import annotations

import json

import pytest

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.inspect.statistics import Statistics
from jax_ir_pairs.inspect.statistics_json import as_json, from_json


def test_statistics_come_back_whole(sample: Statistics, everything: Statistics) -> None:
    for found in (sample, everything):
        text = as_json(found)
        assert from_json(text) == found
        assert as_json(from_json(text)) == text


def test_json_has_a_line_for_each_field_and_nothing_for_what_is_not_there(
    sample: Statistics,
) -> None:
    text = as_json(sample)
    fields = json.loads(text)
    assert len(text.splitlines()) == len(fields) + 2
    assert "null" not in text
    assert "passes" not in fields
    assert fields["splits"]["train"]["rows"] == 100
    assert isinstance(fields["texts"]["python"]["bytes"]["total"], int)


@pytest.mark.parametrize(
    ("text", "place"),
    [("{", "the whole"), ('{"config": 1}', "config"), ('{"config": "x"}', "splits")],
)
def test_other_json_is_refused(text: str, place: str) -> None:
    with pytest.raises(UsageError, match=rf"These are no statistics \({place}: .*stats --json"):
        from_json(text)

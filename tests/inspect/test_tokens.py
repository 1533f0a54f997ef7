from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.inspect import tokens
from jax_ir_pairs.inspect.parquet_files import find_config
from jax_ir_pairs.inspect.statistics import statistics
from jax_ir_pairs.inspect.tokens import token_counter
from tests.inspect.shard_files import write


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A tokenizer of words that would cut and pad texts, and adds a special token."""
    tokenizer = Tokenizer(WordLevel({"?": 0, "<s>": 1}, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding()
    path = tmp_path / "words.json"
    tokenizer.save(str(path))
    return path


def test_whole_texts_are_counted_without_special_tokens(words: Path) -> None:
    assert token_counter(str(words))(["a b c d e", "", "f"]) == [5, 0, 1]


def test_batches_do_not_change_the_counts(words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_BATCH_CHARACTERS", 4)
    assert token_counter(str(words))(["a b c", "d", "e", "f g", "h"]) == [3, 1, 1, 2, 1]


def test_tokens_are_counted_by_level_and_split(words: Path, tmp_path: Path) -> None:
    write(tmp_path / "mine", "train", [{"python": "a b"}, {"python": "c d e", "jaxpr": "f"}])
    write(tmp_path / "mine", "test", [{"python": "a"}])
    found = statistics(find_config(tmp_path / "mine"), str(words))
    assert (found.tokenizer, found.token_rows) == ("words.json", 3)
    train = found.splits["train"].text_tokens
    assert train is not None
    assert (train["python"], train["jaxpr"], found.tokens("python")) == (5, 1, 6)
    spread = found.texts["python"].tokens
    assert spread is not None
    assert (spread.count, spread.total, spread.greatest) == (3, 6, 3)


def test_tokens_of_many_rows_are_told_from_some(words: Path, tmp_path: Path) -> None:
    """Each third row of a split is counted: 0, 3 and 6, whose tokens are half of their bytes."""
    rows = [{"python": "a " * (number + 1)} for number in range(7)]
    write(tmp_path / "mine", "train", rows)
    write(tmp_path / "mine", "test", rows[:2])
    files = find_config(tmp_path / "mine")
    found = statistics(files, str(words), token_rows=3)
    assert (found.rows, found.token_rows) == (9, 4)
    spread = found.texts["python"].tokens
    assert spread is not None
    assert spread.values == (1, 4, 7)
    train = found.splits["train"].text_tokens
    assert train is not None
    assert train["python"] == 1 + 2 + 3 + 4 + 5 + 6 + 7
    assert statistics(files, str(words), token_rows=0).token_rows == 9


@pytest.mark.parametrize("name", ["nothing.json", "broken.json", "no name of a repository"])
def test_a_tokenizer_that_is_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "broken.json").write_text("{}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=rf"--tokenizer {name}: cannot be loaded \("):
        token_counter(name)


def test_without_tokenizers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UsageError, match=r"pip install 'jax-ir-pairs\[tokenizer\]'"):
        token_counter("any")

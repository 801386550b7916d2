"""Hugging Face datasets, from local folders: no test asks the Hub."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest

from tests.sources.reading import read, source_of, write_lines
from transforms.errors import SourceError
from transforms.sources import check_source


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def saved(folder: Path, rows: int = 50) -> datasets.DatasetDict:
    whole = datasets.Dataset.from_list(
        [{"question": f"q{i}", "answer": f"so\n#### {i}", "extra": i} for i in range(rows)],
        info=datasets.DatasetInfo(license="cc-by-4.0"),
    )
    both = datasets.DatasetDict({"train": whole, "test": whole.select(range(2))})
    both.save_to_disk(str(folder))
    return both


@pytest.mark.parametrize("workers", [1, 2])
def test_every_row_of_a_saved_split_is_read_once(tmp_path: Path, workers: int) -> None:
    saved(tmp_path / "set")
    fields = {
        "type": "huggingface",
        "path": str(tmp_path / "set"),
        "columns": {"problem": "question"},
        "license": "MIT",
    }
    check_source(source_of(**fields))
    seen = read(tmp_path, workers, **fields)
    assert {(s["problem"], s["answer"]) for s in seen.seeds} == {
        (f"q{i}", str(i)) for i in range(50)
    }
    assert {(s["license"], s["metadata"]) for s in seen.seeds} == {("cc-by-4.0", "{}")}


def test_a_folder_of_data_files_is_read(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    write_lines(tmp_path / "set" / "train.jsonl", {"problem": "p", "answer": 7})
    fields = {"type": "huggingface", "path": str(tmp_path / "set"), "license": "MIT"}
    check_source(source_of(**fields))
    (seed,) = read(tmp_path, **fields).seeds
    assert (seed["problem"], seed["answer"], seed["license"]) == ("p", "7", "MIT")


def test_a_limit_takes_the_first_rows(tmp_path: Path) -> None:
    saved(tmp_path / "set")
    columns = {"problem": "question"}
    seen = read(tmp_path, type="huggingface", path=str(tmp_path / "set"), columns=columns, limit=3)
    assert {seed["problem"] for seed in seen.seeds} == {"q0", "q1", "q2"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"split": "dev"}, "no split dev (source.split): it has train, test"),
        ({"columns": {"problem": "problem"}}, "its columns are answer, extra, question"),
    ],
)
def test_a_split_or_column_that_is_not_there_is_named(
    tmp_path: Path, change: dict, said: str
) -> None:
    saved(tmp_path / "set")
    with pytest.raises(SourceError) as error:
        check_source(source_of(type="huggingface", path=str(tmp_path / "set"), **change))
    assert said in str(error.value)


def test_a_split_that_a_folder_of_data_files_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    write_lines(tmp_path / "set" / "train.jsonl", {"problem": "p"})
    with pytest.raises(SourceError, match="no split test"):
        check_source(source_of(type="huggingface", path=str(tmp_path / "set"), split="test"))


@pytest.mark.parametrize("path", ["nobody/has-this", "/no/such/folder"])
def test_a_dataset_that_is_not_there_is_one_line(path: str) -> None:
    with pytest.raises(SourceError) as error:
        check_source(source_of(type="huggingface", path=path))
    assert path in str(error.value) and "\n" not in str(error.value)

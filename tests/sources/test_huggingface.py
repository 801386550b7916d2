"""Hugging Face datasets, from local folders: no test asks the Hub."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest

from tests.sources.reading import read, source_of, write_lines
from transforms.engine.errors import SourceError
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


def test_every_row_of_a_saved_split_is_read_once(tmp_path: Path) -> None:
    saved(tmp_path / "set")
    fields = {
        "type": "huggingface",
        "path": str(tmp_path / "set"),
        "columns": {"problem": "question"},
        "license": "MIT",
    }
    check_source(source_of(**fields))
    seen = read(tmp_path, 2, **fields)
    assert {(s["problem"], s["answer"]) for s in seen.seeds} == {
        (f"q{i}", str(i)) for i in range(50)
    }
    assert {(s["license"], s["metadata"]) for s in seen.seeds} == {("CC-BY-4.0", "{}")}


def test_a_folder_of_data_files_is_read(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    write_lines(tmp_path / "set" / "train.jsonl", {"problem": "p", "answer": 7})
    fields = {"type": "huggingface", "path": str(tmp_path / "set"), "license": "MIT"}
    check_source(source_of(**fields))
    (seed,) = read(tmp_path, **fields).seeds
    assert (seed["problem"], seed["answer"], seed["license"]) == ("p", "7", "MIT")


def local(folder: Path, card: str, **files: list) -> str:
    """Writes a local dataset: its card, and files of rows."""
    folder.mkdir()
    (folder / "README.md").write_text(f"---\n{card}\n---\n")
    for name, rows in files.items():
        write_lines(folder / f"{name}.jsonl", *rows)
    return str(folder)


TWO = """license: mit
configs:
- config_name: main
  data_files: main.jsonl
- config_name: socratic
  data_files: socratic.jsonl"""
ROW = {"question": "q", "answer": "1", "hint": None}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            None,
            "several configurations: name one, such as source.config=main; it has main, socratic",
        ),
        ("man", "no configuration man (source.config): it has main, socratic"),
    ],
)
def test_configurations_are_listed_where_none_or_a_wrong_one_is_named(
    tmp_path: Path, config: str | None, said: str
) -> None:
    path = local(tmp_path / "set", TWO, main=[ROW], socratic=[ROW])
    with pytest.raises(SourceError) as error:
        check_source(source_of(type="huggingface", path=path, config=config))
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_configuration_and_the_licence_of_the_card_are_taken(tmp_path: Path) -> None:
    path = local(tmp_path / "set", TWO, main=[ROW], socratic=[{**ROW, "question": "why?"}])
    fields = {"type": "huggingface", "path": path, "config": "socratic", "name": "mine"}
    check_source(source_of(**fields))
    [seed] = read(tmp_path, **fields).seeds
    assert (seed["problem"], seed["license"], seed["source"]) == ("why?", "MIT", "mine")


def test_a_column_that_is_null_in_one_file_and_text_in_another_is_read(tmp_path: Path) -> None:
    rows = [ROW], [{"question": "r", "answer": 2, "hint": "think"}]
    path = local(tmp_path / "set", "license: other", a=rows[0], b=rows[1])
    notes = check_source(source_of(type="huggingface", path=path))
    seen = read(tmp_path, type="huggingface", path=path, license="MIT")
    assert {(s["problem"], s["answer"]) for s in seen.seeds} == {("q", "1"), ("r", "2")}
    assert {s["license"] for s in seen.seeds} == {"MIT"}
    assert any("license other is no SPDX licence" in note for note in notes)


def test_a_lone_file_is_read_whatever_configuration_and_split_are_set(tmp_path: Path) -> None:
    path = str(write_lines(tmp_path / "mine.jsonl", ROW))
    fields = {"type": "huggingface", "path": path, "config": "main", "split": "cot"}
    check_source(source_of(**fields))
    assert [seed["problem"] for seed in read(tmp_path, **fields).seeds] == ["q"]


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

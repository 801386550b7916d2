"""JSON Lines: what is read, what is refused, and what is said before a run starts."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
from pathlib import Path

import pytest

from tests.sources.reading import read, source_of, write_lines
from transforms.engine.errors import SourceError
from transforms.engine.records import Seed
from transforms.sources import check_source
from transforms.sources.jsonl import lines_in, row_of
from transforms.sources.rows import seed_of


def test_good_rows_are_kept_and_bad_ones_rejected_with_their_text(tmp_path: Path) -> None:
    write_lines(
        tmp_path / "a.jsonl", {"problem": "one", "answer": 1}, "", "{broken", {"answer": 2}, "   "
    )
    write_lines(tmp_path / "b.jsonl", {"problem": "zwei\u2028drei\x85\n", "answer": "x"}, b"\xff{}")
    seen = read(tmp_path, 2, type="jsonl", path=str(tmp_path / "*.jsonl"), name="mine")
    assert {seed["problem"] for seed in seen.seeds} == {"one", "zwei\u2028drei\x85\n"}
    assert seen.reasons == {"unreadable_record": 2, "missing_field": 1}
    assert {reject["record"] for reject in seen.rejects} == {
        json.dumps("{broken"),
        '{"answer": 2}',
        json.dumps("\\xff{}"),
    }


def test_a_mapping_names_the_columns_of_gsm8k(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "g.jsonl", {"question": "q", "answer": "6 * 7 = 42\n#### 42"})
    seen = read(
        tmp_path,
        type="jsonl",
        path=str(path),
        name="gsm8k",
        license="MIT",
        columns={"problem": "question", "answer": "answer"},
    )
    (seed,) = seen.seeds
    assert (seed["problem"], seed["answer"]) == ("q", "42")
    assert seed["solution"] == "6 * 7 = 42\nThe answer is 42."
    assert (seed["source"], seed["license"]) == ("gsm8k", "MIT")


def test_compressed_files_with_windows_line_ends_are_read(tmp_path: Path) -> None:
    text = '\ufeff{"problem": "one"}\r\n\r\n{"problem": "two"}'
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    seen = read(tmp_path, type="jsonl", path=str(tmp_path / "a.jsonl.gz"))
    assert {seed["problem"] for seed in seen.seeds} == {"one", "two"}


def test_a_limit_takes_the_first_rows_in_the_order_of_the_files(tmp_path: Path) -> None:
    for name in "ba":
        write_lines(tmp_path / f"{name}.jsonl", *({"problem": f"{name}{i}"} for i in range(3)))
    seen = read(tmp_path, type="jsonl", path=str(tmp_path / "*.jsonl"), limit=4)
    assert {seed["problem"] for seed in seen.seeds} == {"a0", "a1", "a2", "b0"}


def test_which_of_equal_seeds_stays_does_not_depend_on_the_order(tmp_path: Path) -> None:
    rows = [{"problem": "p", "answer": "1", "note": note} for note in "bca"]
    kept = []
    for order in (rows, rows[::-1]):
        for number, row in enumerate(order):
            write_lines(tmp_path / f"{number}.jsonl", row, {"problem": f"other {row['note']}"})
        seen = read(tmp_path, 2, type="jsonl", path=str(tmp_path / "*.jsonl"))
        assert seen.reasons == {"duplicate_id": 2}
        kept.append(seen.seeds)
    assert kept[0] == kept[1]
    assert [s["metadata"] for s in kept[0] if s["problem"] == "p"] == ['{"note":"a"}']


def test_a_duplicate_is_rejected_under_its_id_with_the_whole_seed(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", {"problem": "p"}, {"problem": "p"})
    seen = read(tmp_path, type="jsonl", path=str(path))
    (seed,), (reject,) = seen.seeds, seen.rejects
    assert reject["id"] == seed["id"] and json.loads(reject["record"]) == seed


@pytest.mark.parametrize(
    ("rows", "columns", "said"),
    [
        (
            [{"q": "x", "b": 1}],
            {"problem": "question"},
            "no column question (source.columns.problem): its columns are b, q",
        ),
        ([{"q": "x"}], {}, "no column problem or code"),
        (["not json", "neither"], {}, "the first is not JSON: Expecting value: line 1 column 1"),
        (["not json", "neither"], {}, "'not json'"),
        (["{", '  "problem": 1', "}"], {}, "JSON Lines has one object a line"),
        (["7", "8"], {}, "the first is a int: '7'"),
        (['[{"problem": "x"},'], {}, "is no whole JSON array"),
        (["", " "], {}, "holds no rows"),
        (["[]"], {}, "holds no rows"),
    ],
)
def test_a_file_of_other_columns_is_one_line_that_names_them(
    tmp_path: Path, rows: list, columns: dict, said: str
) -> None:
    path = write_lines(tmp_path / "a.jsonl", *rows)
    with pytest.raises(SourceError) as error:
        check_source(source_of(type="jsonl", path=str(path), columns=columns))
    text = str(error.value)
    assert str(path) in text and said in text and "\n" not in text


def test_a_column_that_the_first_row_lacks_may_come_later(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", "{broken", {"problem": "x"}, {"problem": "y", "a": 1})
    check_source(source_of(type="jsonl", path=str(path), columns={"answer": "a"}))


def test_a_path_that_matches_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="matches no file"):
        check_source(source_of(type="jsonl", path=str(tmp_path / "*.jsonl")))


@pytest.mark.parametrize(
    "damage", [lambda b: b[:40], lambda b: b"no gzip", lambda b: b[:12] + b"x" * 40]
)
def test_an_unreadable_shard_is_named(tmp_path: Path, damage) -> None:
    path = tmp_path / "a.jsonl.gz"
    lines = "".join(json.dumps({"problem": str(i**7)}) + "\n" for i in range(2_000))
    path.write_bytes(damage(gzip.compress(lines.encode())))
    with pytest.raises(SourceError) as error:
        check_source(source_of(type="jsonl", path=str(path)))
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"problem": "x"}'.encode("utf-16"), "is UTF-16, not UTF-8: convert it"),
        ('{"problem": "x"}'.encode("utf-16-le"), "is no text in UTF-8"),
        ('{"problem": "x"}'.encode("utf-32"), "is UTF-32, not UTF-8: convert it"),
        (b'{"problem": "\\ud83d"}', "the first is no text: half a surrogate pair"),
        (b"PAR1....", "is Parquet: use source=parquet"),
        (gzip.compress(b'{"problem": "x"}', mtime=0), "let its name end in .gz"),
        (b"PK\x03\x04....", "is a zip archive"),
        ('{"problem": "caf\xe9"}'.encode("latin-1"), "the first is no text in UTF-8"),
    ],
)
def test_a_file_that_is_no_text_in_utf_8_says_what_it_is(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(SourceError) as error:
        check_source(source_of(type="jsonl", path=str(tmp_path / "a.jsonl")))
    assert said in str(error.value) and "a.jsonl" in str(error.value)


def cut_off(path: Path, pack) -> str:
    """Writes a compressed file of many lines without its end."""
    lines = "".join(f'{{"problem": "{i**9:060}"}}\n' for i in range(40_000))
    path.write_bytes(pack(lines.encode())[:-200])
    return str(path)


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress)])
def test_a_compressed_file_that_was_cut_off_is_an_error_at_its_end(
    tmp_path: Path, ending: str, pack
) -> None:
    path = cut_off(tmp_path / f"a.jsonl.{ending}", pack)
    check_source(source_of(type="jsonl", path=path))  # its first rows are there
    with pytest.raises(SourceError, match=rf"a\.jsonl\.{ending} cannot be read.*cut off"):
        list(lines_in(path))


def test_a_run_ends_with_the_name_of_the_file_that_was_cut_off(tmp_path: Path) -> None:
    path = cut_off(tmp_path / "a.jsonl.gz", gzip.compress)
    with pytest.raises(Exception, match=r"a\.jsonl\.gz cannot be read.*cut off"):
        read(tmp_path, type="jsonl", path=path)


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.csv", "a.tsv"])
def test_arrays_and_tables_of_text_are_read_too(tmp_path: Path, name: str) -> None:
    rows = [{"problem": 'one, "two"\nthree', "answer": "4"}, {"problem": "five\t?", "answer": "6"}]
    text = json.dumps(rows, indent=1)
    if name.endswith("sv"):
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, ["problem", "answer"], delimiter="," if "c" in name else "\t")
        table.writeheader()
        table.writerows(rows)
        text = text.getvalue()
    data = ("\ufeff" + text).encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    check_source(source_of(type="jsonl", path=str(tmp_path / name)))
    assert [json.loads(line) for line in lines_in(str(tmp_path / name))] == rows


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "problem;answer\n6 times 7, or 9?;42\n"),
        ("a.csv", "problem\tanswer\n6 times 7, or 9?\t42\n"),
        ("a.csv", "problem|answer\r\n6 times 7, or 9?|42\r\n"),
        ("a.tsv", 'problem,answer\n"6 times 7, or 9?",42\n'),
        ("a.csv", ' problem , answer \n"6 times 7, or 9?",42\n'),
        ("a.csv", 'problem,answer\r"6 times 7, or 9?",42\r'),
        ("a.csv", '\ufeffproblem,answer,\n\n"6 times 7, or 9?",42,\n'),
    ],
)
def test_tables_in_other_dialects_are_read(tmp_path: Path, name: str, text: str) -> None:
    path = str(tmp_path / name)
    (tmp_path / name).write_bytes(text.encode())
    [row] = [row_of(source_of(type="jsonl", path=path), path, line) for line in lines_in(path)]
    seed = seed_of(row, {}, None)
    assert isinstance(seed, Seed) and (seed.problem, seed.answer) == ("6 times 7, or 9?", "42")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('problem,answer\n"6 times 7?,42\n6 times 8?,48\n', "line 3, is no CSV: unexpected end"),
        ("problem,answer,answer\n6 times 7?,42,43\n", "has column answer twice: rename"),
        ("problem,answer\ncaf\udce9?,42\n", "convert it to UTF-8"),
        ("6 times 7?,42\n6 times 8?,48\n", "has no column problem or code"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SourceError) as error:
        check_source(source_of(type="jsonl", path=str(tmp_path / "a.csv")))
    assert "a.csv" in str(error.value) and said in str(error.value) and "\n" not in str(error.value)


def test_a_row_with_more_or_fewer_values_than_columns_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("problem,answer\nwhat is 6 times 7?,42,x,y\n3 + 4?\n")
    records = [json.loads(line) for line in lines_in(str(tmp_path / "a.csv"))]
    assert records == [
        {"problem": "what is 6 times 7?", "answer": "42", "more": ["x", "y"]},
        {"problem": "3 + 4?", "answer": None},
    ]


def test_a_file_whose_name_looks_like_a_glob_is_read(tmp_path: Path) -> None:
    write_lines(tmp_path / "a[1].jsonl", {"problem": "mine"})
    write_lines(tmp_path / "a1.jsonl", {"problem": "not mine"})
    fields = {"type": "jsonl", "path": str(tmp_path / "a[1].jsonl")}
    check_source(source_of(**fields))
    assert [seed["problem"] for seed in read(tmp_path, **fields).seeds] == ["mine"]


def test_a_list_of_paths_is_read_and_a_folder_is_refused_with_the_way_out(tmp_path: Path) -> None:
    paths = [str(write_lines(tmp_path / f"{n}.jsonl", {"problem": n})) for n in "ab"]
    assert len(read(tmp_path, type="jsonl", path=paths).seeds) == 2
    with pytest.raises(SourceError, match=r"is a folder: .*source=huggingface"):
        check_source(source_of(type="jsonl", path=str(tmp_path)))


def test_a_column_that_one_file_lacks_and_another_has_is_there(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", {"problem": "x", "hint": None})
    write_lines(tmp_path / "b.jsonl", {"problem": "y", "hint": "think", "a": 1}, "")
    (tmp_path / "c.jsonl").write_bytes(b"")
    fields = {"type": "jsonl", "path": str(tmp_path / "*.jsonl"), "columns": {"answer": "a"}}
    check_source(source_of(**fields))
    seen = read(tmp_path, **fields)
    assert len(seen.seeds) == 1 and seen.reasons == {"missing_field": 1}


def test_the_dataset_card_beside_the_files_gives_their_licence(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n")
    path = write_lines(tmp_path / "a.jsonl", {"problem": "p"}, {"problem": "q", "license": "mit"})
    seen = read(tmp_path, type="jsonl", path=str(path), license="Apache-2.0")
    assert {s["problem"]: s["license"] for s in seen.seeds} == {"p": "CC-BY-4.0", "q": "MIT"}


def test_a_licence_that_spdx_does_not_have_is_told_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: other\n---\n")
    path = write_lines(tmp_path / "a.jsonl", {"problem": "p", "answer": 1})
    [line] = check_source(source_of(type="jsonl", path=str(path)))
    assert "license other is no SPDX licence" in line


def test_an_unknown_seed_field_is_refused_by_the_settings() -> None:
    with pytest.raises(ValueError, match="no field question"):
        source_of(type="jsonl", path="x", columns={"question": "problem"})


def test_a_mix_names_the_source_that_is_wrong(tmp_path: Path) -> None:
    bad = {"type": "jsonl", "path": str(tmp_path / "none")}
    with pytest.raises(SourceError, match=r"in source\.sources\.second: "):
        check_source(source_of(type="mix", sources={"second": bad}))


def test_a_mix_reads_all_of_its_sources_and_keeps_them_apart(tmp_path: Path) -> None:
    path = str(write_lines(tmp_path / "a.jsonl", {"problem": "p"}))
    sources = {name: {"type": "jsonl", "path": path, "name": name} for name in ("x", "y")}
    seen = read(tmp_path, type="mix", sources=sources)
    assert {seed["source"] for seed in seen.seeds} == {"x", "y"} and not seen.rejects

"""What is shown of a run depends on its rows, not on their order or number."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.publish.report.folder import examples, run_folder, seeds
from transforms.engine.ids import content_id
from transforms.engine.records import Example, Seed
from transforms.engine.tables import write_table
from transforms.publish.catalog import Catalog
from transforms.publish.report import read
from transforms.publish.report.read import EXAMPLES, REJECTS, accepted, diversity, rejects


@pytest.fixture
def run(tmp_path):
    return run_folder(tmp_path / "run")


def test_rows_programs_and_seeds_are_measured_beside_each_other(run):
    found = diversity(run, run.read_manifest())
    assert list(found) == ["rows", "programs", "seeds"]
    assert [found[name].rows for name in found] == [6, 6, len(seeds())]
    assert found["rows"].wording.texts == found["seeds"].wording.texts == 6
    assert found["programs"].wording is None
    assert [found[name].kinds.shares for name in found] == [{"rates": 1.0}] * 3


def test_many_rows_are_measured_in_several_processes_to_the_same_figures(run, monkeypatch):
    one = diversity(run, run.read_manifest())
    monkeypatch.setattr(read, "PART", 3)
    monkeypatch.setattr(read.os, "sched_getaffinity", lambda _: {0, 1})
    assert diversity(run, run.read_manifest()) == one


@given(st.lists(st.integers(0, 1000), min_size=1), st.integers(1, 5000))
def test_of_many_rows_the_first_of_each_file_are_measured(sizes, most):
    of_file = {f"file {number}": rows for number, rows in enumerate(sizes)}
    first = read.first_rows(of_file, most)
    assert all(0 <= first[path] <= rows for path, rows in of_file.items())
    wanted = min(sum(sizes), most)
    assert wanted <= sum(first.values()) < wanted + len(sizes) + 1


def test_what_sets_of_other_sizes_hold_both_is_measured_in_both(tmp_path):
    ids = sorted(content_id("program", number) for number in range(400))
    some = ids[::2]
    drawn = []
    for count, of in ((4, ids), (1, some)):
        files = [[each for each in of if int(each[-1], 16) % count == n] for n in range(count)]
        first = read.first_rows(dict(enumerate(map(len, files))), 100)
        drawn.append({each for n, rows in enumerate(files) for each in rows[: first[n]]})
    assert len(drawn[0] & set(some) & drawn[1]) > 0.8 * len(drawn[0] & set(some))


def test_a_set_that_is_measured_in_part_says_how_many_rows_it_has(run, monkeypatch):
    monkeypatch.setattr(read, "SURVEYED", (len(seeds()) - 1, len(seeds())))
    found = diversity(run, run.read_manifest())["seeds"]
    assert found.rows + found.left_out == len(seeds())


def test_a_run_that_wrote_seeds_alone_is_measured_by_them(run):
    manifest = run.read_manifest()
    found = diversity(run, {**manifest, "segments": manifest["segments"][:1]})
    assert list(found) == ["seeds"]


def test_seeds_without_a_program_are_not_measured(run):
    bare = Seed.make(problem="How many?", source="here", license="MIT")
    write_table(run.path("stages/01-seeds", "part-2.parquet"), [bare], Seed, "zstd")
    assert diversity(run, run.read_manifest())["seeds"].rows == len(seeds())


def test_the_rows_shown_are_the_same_whatever_the_order_of_the_files(run):
    rows = [
        Example(**{**vars(row), "id": f"{row.id}{n}"})
        for n in range(4)
        for row in examples(count=6)
    ]
    shown = []
    for seed in (0, 1):
        random.Random(seed).shuffle(rows)
        run.clear("data")
        for part in (0, 1):
            write_table(run.path("data", f"{part}.parquet"), rows[part::2], Example, "zstd")
        shown.append([row.id for row in accepted(Catalog(run, run.read_manifest()))])
    assert shown[0] == shown[1]
    assert len(shown[0]) == EXAMPLES


def test_a_few_rejects_of_each_reason_are_shown_whole(run):
    found = rejects(Catalog(run, run.read_manifest()))
    assert {key: len(some) for key, some in found.items()} == {
        ("form", "too_short"): REJECTS,
        ("verify", "low_agreement"): 1,
    }
    [reject] = found["verify", "low_agreement"]
    assert reject.record["id"] == reject.id and reject.record["status"] == "ok"


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    run = run_folder(tmp_path / "run")
    for name in ("data", "rejects"):
        run.clear(name)
    assert (
        accepted(Catalog(run, run.read_manifest())) == []
        and rejects(Catalog(run, run.read_manifest())) == {}
    )

"""Every record of a run is found once, by how it ended, and pages cut the list and nothing else."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.publish.inspect.folder import draft, talk, write_run
from transforms.engine.errors import RunFolderError
from transforms.publish.catalog import Catalog, End, Query
from transforms.publish.inspect.words import gist


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return Catalog.open(write_run(tmp_path_factory.mktemp("catalog") / "run").root)


def ids(catalog, **query):
    return [state.id for state in catalog.find(Query(**query), rows=100).states]


def test_every_record_is_listed_once_by_how_it_ended(catalog):
    found = catalog.find(Query(), rows=100)
    ended = [(state.end, state.stage, state.reason) for state in found.states]
    assert ended == [
        *[(End.ACCEPTED, "grade", "")] * 4,
        *[(End.REJECTED, "check", "too_wordy")] * 2,
        (End.REJECTED, "grade", "wrong_answer"),
        (End.UNANSWERED, "talk", "unanswered"),
    ]
    assert found.total == 8


@settings(max_examples=30)
@given(offset=st.integers(0, 10), rows=st.integers(1, 10))
def test_a_page_is_a_part_of_the_whole_list(catalog, offset, rows):
    everything = catalog.find(Query(), rows=100).states
    page = catalog.find(Query(), offset, rows)
    assert page.states == everything[offset : offset + rows]
    assert page.total == len(everything)


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"reason": "wrong_answer"}, [7005]),
        ({"stage": "grade"}, [7001, 7002, 7003, 7004, 7005]),
        ({"stage": "grade", "end": End.REJECTED}, [7005]),
        ({"end": End.UNANSWERED}, [6]),
        ({"end": End.KEPT, "stage": "tasks"}, [9000, 9001]),
        ({"kind": "rates"}, [7001, 7003, 51, 7005]),
        ({"min_agreement": 0.6}, [7001, 7003, 7005]),
        ({"max_agreement": 0.6}, [7002, 7004]),
        ({"seed": f"{9001:032x}"}, [7001, 7003, 51, 7005]),
        ({"search": "IT IS 120 KM"}, [7002]),
        ({"search": 'train "3" go\nin'}, [7003]),
        ({"search": "i compute 5"}, [7005]),
        ({"search": "50 words"}, [50]),
        ({"search": f"{7003:032x}"}, [7003]),
        ({"search": "question"}, []),
        ({"search": "tool_call_id"}, []),
    ],
    ids=str,
)
def test_filters_let_pass_what_they_name(catalog, query, numbers):
    assert ids(catalog, **query) == [f"{number:032x}" for number in numbers]


def test_a_record_has_all_of_its_fields_whatever_its_type(catalog):
    [state] = catalog.states_of(f"{7001:032x}")
    assert state.record["messages"][1]["tool_calls"][0]["arguments"] == "60*1"
    assert state.seed_ids == talk(1).seed_ids and state.agreement == 1.0


def test_ids_are_found_by_their_beginning(catalog):
    accepted = [f"{number:032x}" for number in (7001, 7002, 7003)]
    assert set(accepted) <= set(catalog.ids_with(f"{7001:032x}"[:-1]))
    assert catalog.ids_with(f"{7001:032x}") == accepted[:1]


def test_rows_without_an_id_are_named_by_file_and_number(tmp_path):
    run = write_run(tmp_path / "run")
    run.clear("data", "rejects")
    rows = pl.DataFrame({"text": ["a", "b"], "image": [b"\xff", b"\x00"], "agreement": [1, 0]})
    (tmp_path / "run/rejects").mkdir(exist_ok=True)
    (tmp_path / "run/data").mkdir(exist_ok=True)
    rows.write_parquet(tmp_path / "run/data/train-0.parquet")
    why = rows.with_columns(rejected_by=pl.lit("check"), reason=pl.lit("odd"), detail=pl.lit(""))
    why.write_parquet(tmp_path / "run/rejects/part-0.parquet")
    found = Catalog.open(run.root).find(Query()).states
    assert [(s.id, s.end, s.reason) for s in found[:4]] == [
        ("train-0:0", End.ACCEPTED, ""),
        ("train-0:1", End.ACCEPTED, ""),
        ("part-0:0", End.REJECTED, "odd"),
        ("part-0:1", End.REJECTED, "odd"),
    ]
    assert found[1].record == {"text": "b", "image": "(bytes)", "agreement": 0}


def test_a_run_that_has_written_nothing_yet_lists_nothing(tmp_path):
    run = write_run(tmp_path / "run")
    run.clear("data", "rejects", "stages", "unanswered")
    assert Catalog.open(run.root).find(Query()).total == 0


@pytest.mark.parametrize(
    "manifest",
    [None, '{"training_id": "1", "made_by": "cotmill"}', '{"name": "an extension of a browser"}'],
    ids=["no run", "a training", "not ours"],
)
def test_a_folder_that_is_no_run_is_named(tmp_path, manifest):
    run = write_run(tmp_path / "run")
    (tmp_path / "run/manifest.json").unlink()
    if manifest:
        (tmp_path / "run/manifest.json").write_text(manifest)
    with pytest.raises(RunFolderError, match="name the folder of a run"):
        Catalog.open(run.root)


def test_a_damaged_file_is_named(tmp_path):
    run = write_run(tmp_path / "run")
    [path] = (tmp_path / "run/rejects").glob("03-*.parquet")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(RunFolderError, match=f"{path.name} cannot be read"):
        Catalog.open(run.root).find(Query())


def test_rows_that_are_drawn_do_not_depend_on_their_files(catalog):
    drawn = catalog.drawn(Query(), most=2)
    assert [(state.end, state.reason) for state in drawn] == [
        *[(End.ACCEPTED, "")] * 2,
        *[(End.REJECTED, "too_wordy")] * 2,
        (End.REJECTED, "wrong_answer"),
        (End.UNANSWERED, "unanswered"),
    ]


@pytest.mark.parametrize(
    ("record", "line"),
    [
        ({"id": "1", "problem": "How\nmany?", "code": "x"}, "How many?"),
        ({"id": "1", "messages": [{"role": "user", "content": "Count."}]}, "Count."),
        ("not { a record", "not { a record"),
        ({"id": "1"}, ""),
    ],
)
def test_a_record_is_told_in_one_line(record, line):
    assert gist(record) == line


def test_drafts_and_rows_are_told_by_their_question(catalog):
    assert draft(1).question.split()[:3] == gist(catalog.find(Query()).states[0].record).split()[:3]

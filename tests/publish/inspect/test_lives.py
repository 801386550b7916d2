"""A record's life is told from its seed to its end, whatever its ids and types on the way."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from tests.publish.inspect.folder import draft, write_run
from transforms.engine.errors import SettingsError
from transforms.publish.catalog import Catalog, End
from transforms.publish.inspect.answers import answers_about, own_texts
from transforms.publish.inspect.lives import life

FIRST_EDITION = Path(__file__).parents[2] / "models/ledgers/first_edition"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return Catalog.open(write_run(tmp_path_factory.mktemp("lives") / "run").root)


def told(found):
    """(segment, answers of each prompt, (end, changed fields)) of each step."""
    return [
        (s.segment, [len(g) for g in s.asked], [(state.end, list(f)) for state, f in s.states])
        for s in found.steps
    ]


def test_an_accepted_row_is_followed_back_to_the_record_that_it_was_made_of(catalog):
    found = life(catalog, f"{7002:032x}")
    assert told(found) == [
        ("02-draft", [1], [(End.KEPT, ["question", "seed_ids"])]),
        ("03-talk", [2], [(End.ACCEPTED, ["messages", "agreement"])]),
    ]
    assert [seed.id for seed in found.seeds] == [f"{9000:032x}"]


def test_a_record_is_followed_on_to_the_row_that_was_made_of_it(catalog):
    assert life(catalog, f"{2:032x}") == life(catalog, f"{7002:032x}")


def test_a_record_is_followed_on_to_its_reject_under_another_id(catalog):
    found = life(catalog, f"{5:032x}")
    assert (found.id, found.last.end, found.last.reason) == (
        f"{7005:032x}",
        "rejected",
        "wrong_answer",
    )


def test_raw_answers_come_with_their_thoughts_and_prompts(catalog):
    [group] = life(catalog, f"{7002:032x}").steps[1].asked
    assert [answer.sample for answer in group] == [0, 1]
    assert group[0].reasoning == "I compute 2." and group[0].text == "It is 120 km. "
    assert group[0].messages[1]["content"] == f"Question: {draft(2).question}"


def test_the_life_of_an_unanswered_record_ends_where_it_was_put_off(catalog):
    found = life(catalog, f"{6:032x}")
    assert (found.last.end, found.last.stage) == (End.UNANSWERED, "talk")
    assert found.last.detail == "timeout: no answer in 60 s"


def test_a_seed_tells_what_became_of_the_records_made_from_it(catalog):
    found = life(catalog, f"{9001:032x}")
    assert sorted(found.descendants) == [
        (End.ACCEPTED, "grade", "", 2),
        (End.REJECTED, "check", "too_wordy", 1),
        (End.REJECTED, "grade", "wrong_answer", 1),
    ]
    assert [len(group) for step in found.steps for group in step.asked] == [3]


def test_seeds_of_another_folder_are_named_as_lost(tmp_path):
    run = write_run(tmp_path / "run")
    shutil.rmtree(tmp_path / "run/stages/01-tasks")
    assert life(Catalog.open(run.root), f"{7002:032x}").lost_seeds == [f"{9000:032x}"]


@pytest.mark.parametrize(("asked", "message"), [("f" * 32, "no record"), ("0", "several")])
def test_an_id_of_no_record_or_of_several_is_one_line(catalog, asked, message):
    with pytest.raises(SettingsError, match=message):
        life(catalog, asked)


def test_a_damaged_part_of_the_ledger_is_named_and_the_others_are_searched(tmp_path):
    run = write_run(tmp_path / "run")
    (tmp_path / "run/ledger/part-damaged.parquet").write_bytes(b"PAR1 no more PAR1")
    found = life(Catalog.open(run.root), f"{7002:032x}")
    assert found.answers == 3
    [part] = found.unreadable
    assert "part-damaged.parquet" in part


def test_a_ledger_of_the_first_edition_is_searched_too():
    rows = pl.read_parquet(FIRST_EDITION / "*.parquet").filter(pl.col("text").str.len_chars() > 20)
    text = rows["text"][0]
    found = answers_about(str(FIRST_EDITION), [text], most=5)
    assert text in [answer.text for answer in found.first]
    assert all(answer.reasoning is None for answer in found.first)


def test_a_ledger_elsewhere_is_read_from_where_the_manifest_says(tmp_path):
    run = write_run(tmp_path / "run")
    shutil.move(tmp_path / "run/ledger", tmp_path / "shared")
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    manifest["config"]["ledger"] = {"dir": str(tmp_path / "shared")}
    run.write_manifest(manifest)
    assert life(Catalog.open(run.root), f"{7002:032x}").answers == 3


def test_a_record_is_known_by_its_texts_and_turns_not_by_where_it_comes_from():
    record = {
        "id": "a b c d e f g h i j k",
        "source": "a long name of a source",
        "code": "input = {'trains': 3, 'hours': 4}",
        "input": "{'trains': 3, 'hours': 4}",
        "messages": [
            {"role": "user", "content": "How many trains run?"},
            {"role": "tool", "content": "1 2 3 4 5 6 7 8 9"},
        ],
    }
    assert own_texts(record) == {"code": record["code"], "messages.0": "How many trains run?"}


def test_a_record_of_short_texts_is_known_by_its_longest():
    messages = [
        {"role": "user", "content": "Square 3."},
        {"role": "assistant", "content": "It is 9"},
    ]
    assert own_texts({"id": "t3", "messages": messages}) == {"messages.0": "Square 3."}
    assert own_texts({"id": "t3", "kind": "rates"}) == {}

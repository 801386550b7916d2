"""What a run shows is what its workers report, and its exact account at the end."""

import io
import os
import tempfile

from rich.console import Console

from pipelines.display import Display, print_funnel, print_rows, stage_line
from tests.waiting import eventually
from transforms.engine import progress

STAGE = {
    "name": "execute",
    "in": 10,
    "kept": 6,
    "rejected": {"timeout": 3, "crashed": 1},
    "models": {"m": {"tokens.generated": 1234}},
}


def test_a_long_folder_for_temporary_files_leaves_room_for_the_socket(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with Display(Console(file=io.StringIO())) as display:
        display.start("01-seeds", ["seeds"])
        progress.report("seeds", "in", 1)
        progress.flush()
        assert eventually(lambda: display.shown("seeds")) == {"in": 1}


def test_a_stage_is_one_line_with_its_reasons():
    assert stage_line(STAGE) == "execute: 10 in, 6 kept, 4 rejected (timeout 3, crashed 1)"


PUT_OFF = {**STAGE, "name": "solve", "in": 12, "unanswered": 2}


def test_unanswered_records_are_told_only_where_there_are_any():
    assert stage_line(PUT_OFF) == (
        "solve: 12 in, 6 kept, 4 rejected (timeout 3, crashed 1), 2 unanswered"
    )
    text = io.StringIO()
    print_funnel(Console(file=text, width=100), {"segments": [{"stages": [STAGE, PUT_OFF]}]})
    lines = [line.split() for line in text.getvalue().splitlines() if line.strip()]
    assert ["execute", "10", "6", "4", "0", "60.0", "1,234"] in lines
    assert ["solve", "12", "6", "4", "2", "50.0", "1,234"] in lines


def test_the_funnel_shows_each_stage_and_the_most_frequent_reasons():
    text = io.StringIO()
    print_funnel(Console(file=text, width=100), {"segments": [{"stages": [STAGE]}]})
    lines = [line.split() for line in text.getvalue().splitlines() if line.strip()]
    assert ["execute", "10", "6", "4", "60.0", "1,234"] in lines
    assert lines.index(["execute", "timeout", "3"]) < lines.index(["execute", "crashed", "1"])


def test_rows_are_shown_word_for_word_with_what_they_have():
    text = io.StringIO()
    rows = [
        {"id": "a" * 32, "instruction": "How much is [3]?", "solution": "It is 3.", "answer": "3"},
        {"id": "b" * 32, "problem": "And 4?", "solution": None, "answer": "4"},
    ]
    print_rows(Console(file=text, width=20), rows)
    assert text.getvalue().split("\n") == [
        *("", "[row aaaaaaaa]", "How much is [3]?", "It is 3.", "=> 3"),
        *("", "[row bbbbbbbb]", "And 4?", "=> 4", ""),
    ]


def test_the_funnel_shows_what_stages_cost_where_there_are_prices():
    text = io.StringIO()
    priced = {**STAGE, "cost": {"paid": 1.5, "recorded": 0.25}}
    print_funnel(Console(file=text, width=120), {"segments": [{"stages": [priced]}]})
    lines = [line.split() for line in text.getvalue().splitlines() if line.strip()]
    assert ["execute", "10", "6", "4", "60.0", "1,234", "1.7500"] in lines


def test_reports_reach_the_display_while_it_is_open_and_nobody_after():
    text = io.StringIO()
    with Display(Console(file=text, width=100)) as display:
        display.start("04-execution", ["execute"])
        progress.report("execute", "in", 5)
        progress.report("execute", "in", 2)
        progress.flush()
        assert eventually(lambda: display.shown("execute").get("in") == 7)
    assert progress.ADDRESS not in os.environ
    progress.report("execute", "in", 1)
    progress.flush()
    assert "04-execution: started" in text.getvalue()


def test_a_display_that_is_gone_does_not_stop_the_work(monkeypatch, tmp_path):
    monkeypatch.setenv(progress.ADDRESS, str(tmp_path / "nobody"))
    progress.report("execute", "in", 1)
    progress.flush()

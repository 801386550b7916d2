"""cotmill inspect in the terminal: the funnel, lists, and one record's whole life."""

import io
import os
import re
import signal
import subprocess
import sys
import urllib.request

import polars as pl
import pytest
from rich.console import Console

from pipelines.inspect import InspectSettings, inspect
from tests.pipelines.commands import cotmill, settings_of
from tests.publish.inspect.folder import HOSTILE, write_run
from tests.publish.report.folder import run_folder
from transforms.engine.errors import SettingsError
from transforms.engine.paths import PROJECT


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("inspect") / "run", text=HOSTILE).root


def printed(root, width=80, **settings):
    console = Console(file=io.StringIO(), width=width)
    inspect(InspectSettings(output_dir=root, **settings), console)
    return console.file.getvalue()


def test_without_a_filter_the_funnel_and_the_ways_on_are_printed(root):
    page = printed(root)
    assert "too_wordy" in page and "unanswered" in page
    assert f"cotmill inspect {root} id=ID" in page


def test_a_list_tells_each_record_in_two_lines_and_names_the_next_page(root):
    page = printed(root, end="accepted", rows=2, width=60)
    assert page.splitlines()[0] == "000000000000  accepted at grade  rates  agreement 1.00"
    assert len(page.splitlines()) == 6
    assert "1 to 2 of 4 records; page=2 for more" in page


def test_one_records_life_is_printed_from_its_seed_to_its_end(root):
    page = printed(root, id=f"{7002:032x}", width=200)
    parts = [
        "accepted at grade", f"seed {9000:032x}", "02-draft", "draft asks small",
        "answer, sample 2", f"kept at check as {2:032x}", "03-talk", "Question: ",
        "assistant thinks: I compute 2.", "accepted at grade", "assistant calls python: 60*2",
        "tool: 120",
    ]  # fmt: skip
    places = [page.find(part) for part in parts]
    assert -1 not in places
    assert page.rfind("accepted at grade") < page.find("assistant calls python")


def test_a_reject_is_printed_with_its_reason_detail_and_record(root):
    page = printed(root, id=f"{50:032x}", width=200)
    assert "rejected at check: too_wordy: 50 words" in page
    assert 'How far does train "50" go' in page


def test_what_a_model_wrote_cannot_command_the_terminal(root):
    for settings in ({"id": f"{7002:032x}"}, {"end": "rejected"}, {"search": "owned"}):
        page = printed(root, **settings)
        assert "\x1b" not in page
    assert "\\x1b[2J" in printed(root, id=f"{7002:032x}")


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"stage": "chek"}, "tasks, draft, check"), ({"reason": "wordy"}, "too_wordy, wrong_answer")],
)
def test_an_unknown_stage_or_reason_is_answered_with_those_that_there_are(root, settings, named):
    with pytest.raises(SettingsError, match=named):
        printed(root, **settings)


def test_the_folder_may_stand_first_and_an_id_may_look_like_a_number(root):
    done = cotmill("inspect", root, "id=12e45678")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "id=12e45678: no record" in line


def test_web_serves_the_pages_until_it_is_interrupted(root):
    command = [sys.executable, "-m", "pipelines.cli", "inspect", root, "web=true", "port=0"]
    serving = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"}, cwd=PROJECT,
    )  # fmt: skip
    try:
        line = serving.stdout.readline()
        url = line.split()[0]
        assert url.startswith("http://127.0.0.1:") and root in line
        assert "too_wordy" in urllib.request.urlopen(url, timeout=600).read().decode()
        serving.send_signal(signal.SIGINT)
        _, errors = serving.communicate(timeout=600)
        assert (serving.returncode, errors) == (0, "")
    finally:
        serving.kill()


def test_without_the_extra_web_names_what_to_install(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "transforms.publish.inspect.web", None)
    with pytest.raises(SettingsError, match=r"pip install 'cotmill\[inspect\]'"):
        printed(root, web=True)


def test_the_commands_of_the_page_on_inspect_do_what_it_says(tmp_path):
    run = run_folder(tmp_path / "run")
    page = (PROJECT / "docs/inspect.md").read_text()
    [block] = re.findall(r"^```sh\n(.*?)^```", page, re.S | re.M)
    ids = pl.read_parquet(tmp_path / "run/data/*.parquet")["id"]
    lines = block.replace("RUN", run.root).replace("1daa418e", ids[0][:8]).splitlines()
    pages = []
    for line in lines:
        overrides = [f"output_dir={run.root}", *line.split()[3:]]
        console = Console(file=io.StringIO(), width=80)
        inspect(settings_of("inspect", InspectSettings, *overrides), console)
        pages.append(console.file.getvalue())
    shown = ["Funnel", "1 to 5 of 6 records", "rejected at verify", "1 to ", "accepted at verify"]
    assert [text in page for text, page in zip(shown, pages, strict=True)] == [True] * 5

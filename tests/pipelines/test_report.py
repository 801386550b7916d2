"""cotmill report: the command, and its page in a real browser."""

import json

import pytest

from pipelines.report import write_report
from tests.browser import browser, needs_browser
from tests.pipelines.commands import cotmill
from tests.publish.inspect.folder import write_run
from tests.publish.report.folder import HOSTILE, run_folder
from transforms.engine.run_folder import RunFolder


def test_the_command_writes_the_page_and_says_where(tmp_path):
    run_folder(tmp_path / "run")
    before = (tmp_path / "run" / "manifest.json").read_bytes()
    done = cotmill("report", f"{tmp_path}/run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{tmp_path}/run/report.html"
    assert "6 verified rows" in (tmp_path / "run" / "report.html").read_text()
    assert (tmp_path / "run" / "manifest.json").read_bytes() == before


def test_a_folder_without_a_run_is_one_line(tmp_path):
    done = cotmill("report", f"output_dir={tmp_path}")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert str(tmp_path) in line and "manifest.json" in line


def test_figures_for_the_manifest_are_json(tmp_path):
    run = run_folder(tmp_path / "run", accepted=0)
    figures = write_report(run, run.read_manifest())
    assert json.loads(json.dumps(figures)) == figures
    assert figures["rows"]["rows"] == 0 < figures["seeds"]["rows"]


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("chromium")) as tab:
        yield tab


@pytest.fixture(scope="module", params=(380, 1280))
def seen(request, tab, tmp_path_factory):
    """The report of a run in whose texts a model was hostile, at a width."""
    root = tmp_path_factory.mktemp("browser")
    run: RunFolder = run_folder(root / "run", text=HOSTILE)
    write_report(run, run.read_manifest())
    tab.events.clear()
    tab.size(request.param)
    tab.open((root / "run/report.html").as_uri())
    return tab


@needs_browser
def test_a_browser_shows_the_funnel(seen):
    assert seen.value("document.querySelector('svg').getAttribute('aria-label')").startswith(
        "Records kept and rejected"
    )
    assert "6 of 11" in seen.value("document.querySelector('svg').textContent")


@needs_browser
def test_a_browser_runs_nothing_that_a_model_wrote(seen):
    assert seen.value("document.title") == "Report: caco, 6 rows"
    assert seen.value("document.body.textContent.split('<script>').length") > 20


@needs_browser
def test_a_browser_finds_no_error_and_asks_nobody_for_anything(seen):
    assert seen.faults() == []
    assert [url for url in seen.requests() if not url.startswith(("file:", "data:"))] == []


@needs_browser
def test_nothing_is_clipped_whatever_names_are_long(seen):
    seen.value("document.querySelectorAll('details').forEach((one) => one.open = true)")
    assert seen.clipped() == []


@needs_browser
@pytest.mark.parametrize("width", [380, 1280])
def test_conversations_are_shown_turn_by_turn_with_thoughts_and_calls_folded(tab, tmp_path, width):
    run = write_run(tmp_path / "run")
    write_report(run, run.read_manifest())
    tab.size(width)
    tab.open((tmp_path / "run/report.html").as_uri())
    roles = tab.value(
        "[...document.querySelector('article .turns').children].map((t) => t.className)"
    )
    assert roles == ["user", "assistant", "tool", "assistant"]
    folded = "[...document.querySelectorAll('article .turns details')].slice(0, 2)"
    assert tab.value(f"{folded}.map((one) => [one.className, one.open])") == [
        ["thought", False],
        ["call", False],
    ]
    tab.value(f"{folded}.forEach((one) => one.open = true)")
    assert tab.clipped() == []


@needs_browser
def test_the_browser_would_have_told_of_a_request_and_of_a_script(tab, tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<img src="http://127.0.0.1:9/x"><script>nothing()</script>')
    tab.events.clear()
    tab.open(page.as_uri())
    assert len(tab.faults()) >= 2
    assert "http://127.0.0.1:9/x" in tab.requests()

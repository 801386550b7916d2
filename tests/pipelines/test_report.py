"""cotmill report: the command, and its page in a real browser."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.report import write_report
from tests.pipelines.commands import cotmill
from tests.publish.report.folder import HOSTILE, run_folder
from transforms.engine.run_folder import RunFolder

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
WIDTHS = (390, 1280)


def test_the_command_writes_the_page_and_says_where(tmp_path):
    run_folder(tmp_path / "run")
    before = (tmp_path / "run" / "manifest.json").read_bytes()
    done = cotmill("report", f"output_dir={tmp_path}/run", timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{tmp_path}/run/report.html"
    assert "6 verified rows" in (tmp_path / "run" / "report.html").read_text()
    assert (tmp_path / "run" / "manifest.json").read_bytes() == before


def test_a_folder_without_a_run_is_one_line(tmp_path):
    done = cotmill("report", f"output_dir={tmp_path}", timeout=120)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert str(tmp_path) in line and "manifest.json" in line


def test_figures_for_the_manifest_are_json(tmp_path):
    run = run_folder(tmp_path / "run", accepted=0)
    figures = write_report(run, run.read_manifest())
    assert json.loads(json.dumps(figures)) == figures
    assert figures["rows"]["rows"] == 0 < figures["seeds"]["rows"]


@dataclass(frozen=True)
class Seen:
    """What a browser made of a page."""

    dom: str
    console: list[str]
    requests: list[str]
    screenshot: Path


def opened(page: Path, folder: Path, width: int) -> Seen:
    """Opens a page in headless Chromium, in a profile of its own."""
    folder.mkdir()
    environment = {**os.environ, "HOME": str(folder)}
    process = subprocess.Popen(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
        + ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        + ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--enable-logging=stderr"]
        + [f"--log-net-log={folder}/net.json"]
        + [f"--user-data-dir={folder}/profile", f"--window-size={width},2000"]
        + [f"--screenshot={folder}/page.png", "--dump-dom", page.as_uri()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    try:
        dom, errors = process.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    log = json.loads((folder / "net.json").read_text())
    asked = [event["params"] for event in log["events"] if "initiator" in event.get("params", {})]
    return Seen(
        dom=dom,
        console=[line for line in errors.splitlines() if "CONSOLE" in line],
        # What the browser asks of its maker on its own account has no origin (and gets nowhere).
        requests=[params["url"] for params in asked if params["initiator"] != "not an origin"],
        screenshot=folder / "page.png",
    )


needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium here: apt-get install chromium"
)


@pytest.fixture(scope="module", params=WIDTHS)
def seen(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("browser")
    run: RunFolder = run_folder(root / "run", text=HOSTILE)
    write_report(run, run.read_manifest())
    return opened(root / "run" / "report.html", root / "chromium", request.param)


@needs_browser
def test_a_browser_shows_the_funnel(seen):
    assert "Records kept and rejected at each stage" in seen.dom
    assert "6 of 11" in seen.dom
    assert seen.screenshot.stat().st_size > 20_000


@needs_browser
def test_a_browser_runs_nothing_that_a_model_wrote(seen):
    assert "<title>Report: caco, 6 rows</title>" in seen.dom
    assert seen.dom.count("&lt;script&gt;") > 20


@needs_browser
def test_a_browser_finds_no_error_and_asks_nobody_for_anything(seen):
    assert seen.console == []
    assert seen.requests == []


@needs_browser
def test_the_browser_would_have_told_of_a_request_and_of_a_script(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<img src="http://127.0.0.1:9/x"><script>console.log("hello")</script>')
    seen = opened(page, tmp_path / "chromium", 390)
    assert seen.requests == ["http://127.0.0.1:9/x"]
    assert len(seen.console) == 1

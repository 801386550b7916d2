"""The pages to browse a run: every number leads to its records, also by keyboard and on a phone."""

import re
import resource
import socket
from html import unescape

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from tests.browser import browser, needs_browser
from tests.publish.inspect.folder import HOSTILE, write_run
from tests.publish.inspect.serving import serving
from transforms.engine.errors import SettingsError
from transforms.publish.catalog import Catalog, End, Query
from transforms.publish.inspect.web import ROWS, application, serve

LINK = re.compile(r'<a href="(/records[^"]*)"[^>]*>([^<]*)</a>')


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    run = write_run(tmp_path_factory.mktemp("web") / "run", rows=ROWS + 5, text=HOSTILE)
    return Catalog.open(run.root)


@pytest.fixture(scope="module")
def client(catalog):
    return TestClient(application(catalog), base_url="http://127.0.0.1")


def test_every_number_of_the_funnel_leads_to_as_many_records(client):
    links = [(unescape(url), text) for url, text in LINK.findall(client.get("/").text)]
    counts = {url: int(re.search(r"[\d,]+", text)[0]) for url, text in links}
    assert len(counts) == 9
    for url, count in counts.items():
        assert re.search(r"<h1>(\d+) record", client.get(url).text)[1] == str(count), url


@pytest.mark.parametrize(
    "url", ["/", "/records", f"/record/{7002:032x}", f"/record/{50:032x}", f"/record/{9001:032x}"]
)
def test_what_a_model_wrote_is_shown_as_text(client, url):
    page = client.get(url)
    assert page.status_code == 200
    assert "<script>" not in page.text and "</pre></pre>" not in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


def test_a_life_shows_prompt_thought_and_call_folded(client):
    page = client.get(f"/record/{7002:032x}").text
    for folded in ("the prompt, 2 turns", "reasoning, 3 words", "calls python"):
        assert re.search(rf"<details[^>]*><summary>{folded}</summary>", page)


@pytest.mark.parametrize(
    "asked", ["end=odd&page=-1", "page=9999999999999", "min_agreement=x", "a=b"]
)
def test_filters_that_mean_nothing_let_all_pass(client, asked):
    total = re.search(r"<h1>(\d+) records", client.get("/records").text)[1]
    assert f"<h1>{total} records" in client.get(f"/records?{asked}").text


def test_an_id_of_no_record_is_said_in_one_line(client):
    page = client.get("/record/ffff")
    assert page.status_code == 404 and page.text.startswith("id=ffff: no record")


def test_only_names_of_this_machine_are_answered(catalog):
    elsewhere = TestClient(application(catalog), base_url="http://example.org")
    assert elsewhere.get("/").status_code == 400


def test_a_run_that_has_just_begun_has_pages(tmp_path):
    run = write_run(tmp_path / "run")
    left = ("accepted", "unanswered", "finished", "lineage")
    manifest = {key: value for key, value in run.read_manifest().items() if key not in left}
    run.write_manifest({**manifest, "status": "running", "segments": []})
    client = TestClient(application(Catalog.open(run.root)), base_url="http://127.0.0.1")
    assert "Nothing has been written yet" in client.get("/").text
    assert client.get("/records").status_code == 200


def test_a_port_in_use_is_one_line(catalog):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port={port}: .*port=0"):
            serve(catalog, port, print)


def test_100_000_rows_are_paged_and_searched_without_being_held(tmp_path):
    run = write_run(tmp_path / "run")
    run.clear("data")
    schema = pa.schema({"id": pa.string(), "instruction": pa.string()})
    (tmp_path / "run/data").mkdir(exist_ok=True)
    with pq.ParquetWriter(tmp_path / "run/data/train-0.parquet", schema) as writer:
        for first in range(0, 100_000, 1000):
            numbers = range(first, first + 1000)
            texts = [f"How much is {n}? " + f"{n} and once more " * 100 for n in numbers]
            writer.write_table(pa.table([[f"{n:032x}" for n in numbers], texts], schema=schema))
    catalog = Catalog.open(run.root)
    catalog.find(Query(end=End.ACCEPTED))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    last = catalog.find(Query(end=End.ACCEPTED), 99_950, ROWS)
    found = catalog.find(Query(end=End.ACCEPTED, search="much is 77777?"))
    [state] = catalog.states_of(f"{54_321:032x}")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert [s.id for s in last.states] == [f"{n:032x}" for n in range(99_950, 100_000)]
    assert last.total == 100_000
    assert [s.id for s in found.states] == [f"{77_777:032x}"]
    assert state.record["instruction"].startswith("How much is 54321?")
    assert grown < 100, "MiB; the texts are 200"


@pytest.fixture(scope="module")
def served(catalog):
    with serving(catalog) as url:
        yield url


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("chromium")) as tab:
        yield tab


@needs_browser
@pytest.mark.parametrize("width", [380, 1280])
@pytest.mark.parametrize("page", ["/", "/records?end=rejected", f"/record/{7002:032x}"])
def test_no_page_is_wider_than_its_window_light_or_dark(served, tab, page, width):
    tab.size(width)
    colours = set()
    for dark in (False, True):
        tab.dark(dark)
        tab.open(served + page)
        tab.value("document.querySelectorAll('details').forEach((one) => one.open = true)")
        assert tab.clipped() == []
        colours.add(tab.value("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2
    assert tab.value("document.title").endswith("trains")
    assert tab.faults() == []


@needs_browser
def test_the_browser_would_have_told_of_what_is_too_wide_and_of_an_error(tab):
    tab.open("data:text/html,<div style='width:90vw;overflow:auto'><p style='width:2000px'>x")
    assert len(tab.clipped()) == 1
    tab.open("data:text/html,<script>nothing()</script>")
    assert "nothing is not defined" in "".join(tab.faults())
    tab.events.clear()


@needs_browser
def test_the_keyboard_leads_from_the_funnel_to_a_record_and_back(served, tab):
    tab.open(served)
    tab.press("/")
    tab.type("it is 120 km")
    tab.press("Enter", leads=True)
    assert tab.value("document.querySelector('h1').textContent") == "1 record"
    tab.press("j")
    tab.press("Enter", leads=True)
    assert tab.value("location.pathname") == f"/record/{7002:032x}"
    tab.press("f", leads=True)
    assert tab.value("location.pathname") == "/"


@needs_browser
def test_the_keyboard_turns_pages(served, tab):
    tab.open(f"{served}/records?end=accepted")
    tab.press("n", leads=True)
    assert tab.value("document.querySelectorAll('.row').length") == 5
    assert tab.value("new URLSearchParams(location.search).get('end')") == "accepted"
    tab.press("p", leads=True)
    assert tab.value("document.querySelectorAll('.row').length") == ROWS

"""The page shows the account of a run, and nothing that a model wrote can do anything in it."""

from html.parser import HTMLParser

import pytest

from tests.publish.report.folder import HOSTILE, run_folder
from transforms.publish.catalog import Catalog, End, State
from transforms.publish.report.formats import number, percent
from transforms.publish.report.page import page, ran
from transforms.publish.report.read import accepted, diversity, rejects


class Page(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def report(tmp_path, change=lambda manifest: manifest, **settings):
    run = run_folder(tmp_path / "run", **settings)
    manifest = change(run.read_manifest())
    catalog = Catalog(run, manifest)
    return page(manifest, diversity(run, manifest), accepted(catalog), rejects(catalog))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return Page(report(tmp_path_factory.mktemp("plain")))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return Page(report(tmp_path_factory.mktemp("hostile"), text=HOSTILE))


def test_the_page_tells_rows_cost_diversity_rejects_and_rows_in_that_order(plain):
    sections = [attributes["id"] for tag, attributes in plain.elements if tag == "section"]
    assert sections == ["funnel", "cost", "diversity", "rejects", "rows", "lineage", "settings"]
    links = [attributes["href"] for tag, attributes in plain.elements if tag == "a"]
    assert links == [f"#{section}" for section in sections]


def test_the_page_says_what_a_row_cost(plain):
    assert "1,200 tokens written by models for 6 accepted rows: 200 each" in plain.text


def test_plots_are_inline_and_named(plain):
    svgs = [attributes for tag, attributes in plain.elements if tag == "svg"]
    assert len(svgs) > 8
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in svgs)


def test_a_page_loads_nothing(hostile):
    for _, attributes in hostile.elements:
        for name in ("src", "href", "data", "action", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:,"))


def test_what_models_wrote_is_shown_as_text(hostile):
    assert not {tag for tag, _ in hostile.elements} & {"script", "img", "iframe", "object"}
    assert not any(name.startswith("on") for _, attrs in hostile.elements for name in attrs)
    assert hostile.text.count(HOSTILE) > 20  # instruction, solution, program, answer, detail ...


def test_a_run_without_accepted_rows_says_so(tmp_path):
    found = Page(report(tmp_path, accepted=0))
    assert "No row was accepted" in found.text
    assert "0 verified rows" in found.text


def test_unanswered_records_have_a_column_where_there_are_any(tmp_path):
    def incomplete(manifest):
        manifest["segments"][1]["stages"][1].update({"in": 14, "unanswered": 3})
        return {**manifest, "status": "incomplete"}

    found = Page(report(tmp_path, incomplete))
    assert "3 records are unanswered" in found.text
    assert "kept + rejected + unanswered" in found.text
    assert "unanswered" not in Page(report(tmp_path / "plain")).text


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        ("not { JSON", "not { JSON"),
        ({"id": "1", "code": "x = '\ud800'"}, "x = '\\ud800'"),
        ({"id": "1", "nested": nested(2000)}, "nested too deeply"),
        ({"id": "1", "code": "y" * 100_000}, "94,000 more characters"),
    ],
    ids=["text", "half a surrogate pair", "deeply nested", "long"],
)
def test_a_record_of_any_kind_is_shown(tmp_path, record, shown):
    run = run_folder(tmp_path / "run")
    refused = State(End.REJECTED, "form", "too_short", "", "1", None, None, (), record)
    html = page(run.read_manifest(), {}, [], {("form", "too_short"): [refused]})
    assert shown in Page(html.encode().decode()).text


@pytest.mark.parametrize("segments", [0, 1, 2])
def test_a_run_that_is_not_finished_is_shown_as_far_as_it_got(tmp_path, segments):
    def interrupted(manifest):
        left = {**manifest, "status": "running", "finished": None}
        left["segments"] = manifest["segments"][:segments]
        return {key: value for key, value in left.items() if key not in ("accepted", "lineage")}

    assert "This run has not finished" in Page(report(tmp_path, interrupted)).text


def test_the_same_run_gives_the_same_page(tmp_path):
    assert report(tmp_path / "a") == report(tmp_path / "b")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (1234567, "1,234,567"), (44.52, "44.5"), (0.18712, "0.187"), (2.0, "2")],
)
def test_numbers_are_written_for_people(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"), [(0, "0 %"), (1, "100 %"), (0.0057, "0.6 %"), (0.333, "33 %")]
)
def test_shares_are_percentages(share, shown):
    assert percent(share).replace("\N{NO-BREAK SPACE}", " ") == shown


def test_a_folder_of_a_command_over_any_parquet_has_a_page():
    stage = {"name": "texts", "in": 3, "kept": 2, "rejected": {"near_duplicate": 1}}
    manifest = {"command": "dedup", "status": "complete", "config": {}, "versions": {}}
    found = Page(page({**manifest, "accepted": 2, "stages": [stage]}, {}, [], {}))
    assert "2 rows, cotmill dedup" in found.text and "near_duplicate" in found.text


def test_cells_are_shown_by_how_they_ended_and_tools_by_name_run_beside_recorded():
    counts = {"cells": {"ok": 5, "timeout": 1}, "cells.recorded": {"ok": 2}}
    counts |= {"cells.rebuilt": {"ok": 4}, "tools.recorded": {"search": 3}}
    assert ran([{"name": "solve", "counts": counts}, {"name": "grade"}]) == [
        {"stage": "solve", "what": "cells: ok", "run": 5, "recorded": 2, "again": 4},
        {"stage": "solve", "what": "cells: timeout", "run": 1, "recorded": 0, "again": 0},
        {"stage": "solve", "what": "tools: search", "run": 0, "recorded": 3, "again": 0},
    ]


def test_a_run_with_cells_shows_them_beside_the_requests(tmp_path):
    def with_cells(manifest):
        manifest["segments"][2]["stages"][0]["counts"] = {"cells": {"ok": 5_000}}
        return manifest

    assert "cells: ok5,0000" in Page(report(tmp_path, with_cells)).text.replace("\n", "")

"""Plots are SVG in the page's colours, with text as text."""

import xml.etree.ElementTree as ElementTree

import pytest

from transforms.publish.report.plots import bars, histogram
from transforms.stages.diversity.measure import BINS


def texts(svg):
    root = ElementTree.fromstring(svg)
    return [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]


def test_labels_and_notes_are_written_as_they_are():
    series = {"kept": [1, 2], "rejected": [3, 0]}
    svg = bars("t", ["a$x_1$ <b>", "c"], series, stacked=True, notes=["1 of 4", "2 of 2"])
    assert {"a$x_1$ <b>", "c", "1 of 4", "2 of 2"} <= set(texts(svg))


def test_colours_are_the_pages_own():
    svg = bars("t", ["a"], {"rows": [0.5], "seeds": [1.0]}, percent=True)
    assert "var(--rows)" in svg and "var(--seeds)" in svg and "var(--ink)" in svg
    assert "#0" not in svg


def test_a_title_cannot_leave_its_attribute():
    svg = bars('"><script>', ["a"], {"kept": [1]}, stacked=True)
    assert ElementTree.fromstring(svg).get("aria-label") == '"><script>'


def test_bars_of_nothing_are_drawn_too():
    assert texts(bars("t", ["a", "b"], {"kept": [0, 0], "rejected": [0, 0]}, stacked=True))


def test_a_histogram_shows_the_bins_that_are_used():
    counts = [0] * len(BINS)
    counts[3], counts[5] = 2, 1
    shown = texts(histogram("t", {"rows": counts, "seeds": counts}))
    assert [text for text in shown if "%" not in text] == ["3", "4", "5"]


def test_the_last_bin_is_open():
    counts = [0] * len(BINS)
    counts[-1] = 1
    assert "2048+" in texts(histogram("t", {"rows": counts}))


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (0, ["0"]),
        (1, ["0", "1"]),
        (7, ["0", "2", "4", "6"]),
        (57, ["0", "20", "40"]),
        (2400, ["0", "500", "1k", "1.5k", "2k"]),
        (3_000_000, ["0", "1M", "2M", "3M"]),
    ],
)
def test_the_axis_of_counts_has_few_round_numbers(highest, ticks):
    shown = texts(bars("t", ["a"], {"kept": [highest]}, stacked=True))
    assert [text for text in shown if text != "a"] == ticks


def test_bars_and_what_is_written_behind_them_stay_within_the_plot():
    svg = bars("t", ["a" * 40], {"kept": [5]}, stacked=True, notes=["5,000,000 of 5,000,000"])
    root = ElementTree.fromstring(svg)
    width = float(root.get("viewBox").split()[2])
    note = root.findall("{*}text")[-1]
    assert float(note.get("x")) + 5.8 * len(note.text) <= width


def test_shares_are_of_the_largest_in_proportion():
    svg = bars("t", ["a", "b"], {"rows": [0.5, 0.25]}, percent=True)
    wide, narrow = (
        float(bar.get("width")) for bar in ElementTree.fromstring(svg).findall("{*}rect")
    )
    assert wide == pytest.approx(2 * narrow, abs=0.2)

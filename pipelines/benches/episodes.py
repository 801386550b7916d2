"""cotmill bench episodes: a thousand conversations with cells at once, and what forks save."""

from __future__ import annotations

import json
import resource
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import wait
from dataclasses import replace
from itertools import pairwise
from typing import Any

from pydantic import Field
from rich.console import Console
from rich.table import Table

from pipelines.benches.synthetic.conversing import PATH
from pipelines.benches.synthetic.pipeline_benchmark import scripted_endpoint
from transforms.engine.machine import machine_line
from transforms.engine.records import Message
from transforms.engine.settings import Group
from transforms.models.asking import Asking
from transforms.models.backends.base import with_some_waiting
from transforms.models.backends.settings import OpenAIBackend
from transforms.models.engines import close_engines
from transforms.models.episode import Driver, Steps
from transforms.models.ledger.ledger import LedgerSettings
from transforms.models.requests import Request, Sampler
from transforms.sandbox.jobs import Cell
from transforms.sandbox.settings import SandboxSettings
from transforms.sandbox.shared import shared_sandbox

TRUNK, BRANCHES = 5, 4
"""Cells of a session before it is branched, and its branches of one cell each."""


class BenchEpisodesSettings(Group):
    """Everything `cotmill bench episodes` can be told."""

    episodes: int = Field(ge=1, description="conversations")
    turns: int = Field(ge=1, description="cells of a conversation, at most")
    limit: int = Field(ge=1, description="requests that the endpoint works on at once")
    seconds: float = Field(gt=0, description="time that it works on each")
    sessions: int = Field(ge=1, description="sessions that are branched, and run again")
    sandbox: SandboxSettings


SETTINGS = BenchEpisodesSettings


def bench(settings: BenchEpisodesSettings) -> None:
    """Episodes and cells per second, how full the endpoint was kept, and what forks save."""
    console = Console()
    console.print(
        f"{settings.episodes:,} episodes of up to {settings.turns} cells, an endpoint of "
        f"{settings.limit} requests at once, {settings.seconds:g} s each; {machine_line()}",
        highlight=False,
    )
    figures = measure(settings)
    table = Table(box=None)
    for name in ("recipe", "episodes/s", "cells/s", "cells", "run again"):
        table.add_column(name, justify="left" if name == "recipe" else "right")
    for row in figures["rows"]:
        speeds = [f"{row[name]:,.1f}" for name in ("episodes_per_second", "cells_per_second")]
        table.add_row(row["recipe"], *speeds, f"{row['cells']:,}", f"{row['rebuilt']:,}")
    console.print(table)
    console.print(
        f"the endpoint at its limit: {100 * figures['at_limit']:.1f} % of the time until the last "
        f"episode began ({100 * figures['filled']:.1f} % of its places taken); "
        f"{figures['most_open']:,} episodes open at once\n"
        f"branches per second, forked over run again: {figures['forked_over_again']}",
        highlight=False,
        soft_wrap=True,
    )
    print(json.dumps({"bench": "episodes", **figures}))


def measure(settings: BenchEpisodesSettings) -> dict[str, Any]:
    """Plays linear conversations against an endpoint, then sessions with branches without a model.

    Returns:
        rows (recipe, episodes_per_second, cells_per_second, cells, rebuilt), at_limit and filled
        (shares, from when the endpoint was first full until the last episode began), most_open,
        forked_over_again (the ratio of branches per second).
    """
    _raise_file_limit()
    place = [str(each) for each in (settings.limit, settings.seconds, settings.turns)]
    with (
        tempfile.TemporaryDirectory(prefix="cotmill-episodes-") as folder,
        shared_sandbox(settings.sandbox) as box,
        scripted_endpoint("pipelines.benches.synthetic.conversing", *place) as (url, _),
    ):
        # what starts once is not timed
        wait([box.submit_cell(Cell("0", seed=2 * n)) for n in range(4 * box.slots)])
        backend = OpenAIBackend(
            engine="openai",
            model="scripted",
            api="chat",
            base_url=url,
            max_in_flight=with_some_waiting(settings.limit),
        )
        driver = Driver("episodes", Asking(backend, folder, LedgerSettings()), settings.sandbox)
        linear, begun, most_open = _play(driver, conversing, range(settings.episodes), "linear")
        with urllib.request.urlopen(url.removesuffix("/v1") + PATH) as reply:
            changes = json.loads(reply.read())
        close_engines()
        rows = [linear]
        for recipe, forks in (("forked", True), ("run again", False)):
            driver = Driver(recipe, None, settings.sandbox)
            numbers = [(number, forks) for number in range(settings.sessions)]
            rows.append(_play(driver, branching, numbers, recipe)[0])
    forked, again = (row["episodes_per_second"] for row in rows[1:])
    at_limit, filled = fullness(changes, settings.limit, begun)
    return {
        "rows": rows,
        "at_limit": round(at_limit, 4),
        "filled": round(filled, 4),
        "most_open": most_open,
        "forked_over_again": round(forked / again, 2),
    }


def conversing(number: int) -> Steps[int]:
    """A conversation with the endpoint: each turn's code is the session's next cell; returns how
    many cells there were."""
    sampler = Sampler(temperature=1.0, top_p=1.0, top_k=0, min_p=0.0, max_tokens=100)
    talk = [Message("user", f"Problem {number}")]
    asked = Request("episodes", "scripted", tuple(talk), None, sampler, 0, 0)
    after: tuple[str, ...] = ()
    while True:
        response = yield replace(asked, messages=tuple(talk))
        if response.error or response.text.startswith("The answer"):
            return len(after)
        seen = yield Cell(response.text, after)
        after = seen.after
        talk += [response.message, Message("tool", seen.value or seen.status, tool_call_id="c")]


def branching(numbered: tuple[int, bool]) -> Steps[int]:
    """A session of `TRUNK` cells with `BRANCHES` of one cell, each forked from the same state, or
    each in a session of its own, which runs the trunk again; returns the cells of the session."""
    number, forks = numbered
    states: list[tuple[tuple[str, ...], int]] = []
    for branch in range(1 if forks else BRANCHES):
        seed = 2 * branch  # odd ones run in other slots
        after: tuple[str, ...] = ()
        for turn in range(TRUNK):
            seen = yield Cell(f"x{turn} = sum(range({number + turn}))", after, seed)
            after = seen.after
        states.append((after, seed))
    places = states * BRANCHES if forks else states
    yield [Cell(f"x0 + {branch}", *place) for branch, place in enumerate(places)]
    return TRUNK + BRANCHES


def _play(
    driver: Driver, episode: Callable[[Any], Steps[int]], records: Iterable[Any], recipe: str
) -> tuple[dict[str, Any], float, int]:
    """Plays an episode for each record; returns its row, the time at which the last one began, and
    how many were open at once."""
    try:
        driver.start()
        most_open, started = 0, time.time()
        for place, record in enumerate(records):
            driver.begin(place, episode(record))
            most_open = max(most_open, driver.open)
            driver.step(wait=False)
            while driver.is_full:
                driver.step(wait=True)
        begun = time.time()
        while driver.open:
            driver.step(wait=True)
        seconds = time.time() - started
        cells = [count for _, count in driver.ended()]
        tallies = {tally.what: 0 for tally in driver.tallies()}
        for tally in driver.tallies():
            tallies[tally.what] += tally.amount
    finally:
        driver.close()
    row = {
        "recipe": recipe,
        "episodes_per_second": round(len(cells) / seconds, 2),
        "cells_per_second": round(sum(cells) / seconds, 2),
        "cells": tallies.get("cells", 0),
        "rebuilt": tallies.get("cells.rebuilt", 0),
        "failed": tallies.get("requests.failed", 0),
    }
    return row, begun, most_open


def fullness(changes: list[tuple[float, int]], limit: int, until: float) -> tuple[float, float]:
    """Returns how full an endpoint was from when it first was full until a time: the share of the
    time in which it was, and the mean share of its places that were taken; 0 where it never was.

    Args:
        changes: (time, requests worked on), in order.

    >>> fullness([(0, 1), (1, 2), (4, 1), (5, 2)], limit=2, until=5)
    (0.75, 0.875)
    """
    first = next((time_ for time_, busy in changes if busy >= limit), until)
    spans = [
        (min(end, until) - start, busy)
        for (start, busy), (end, _) in pairwise([*changes, (until, 0)])
        if first <= start < until
    ]
    whole = sum(span for span, _ in spans)
    if not whole:
        return 0.0, 0.0
    full = sum(span for span, busy in spans if busy >= limit)
    return full / whole, sum(span * busy for span, busy in spans) / whole / limit


def _raise_file_limit() -> None:
    """Allows this process, and the endpoint that it starts, a socket for each request."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

"""cotmill bench episodes: many conversations and searches with cells at once; what forks save."""

from __future__ import annotations

import json
import resource
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

from pydantic import Field

from pipelines.benches.shown import plain, table_of
from pipelines.benches.synthetic.pipeline_benchmark import scripted_endpoint
from transforms.engine.ids import derived_seed
from transforms.engine.machine import machine_line
from transforms.engine.records import Message
from transforms.engine.settings import Group
from transforms.models.asking import Asking
from transforms.models.backends.base import with_some_waiting
from transforms.models.backends.settings import OpenAIBackend
from transforms.models.driver import Driver
from transforms.models.engines import close_engines
from transforms.models.episode import Steps
from transforms.models.ledger.ledger import LedgerSettings
from transforms.models.requests import Request, Sampler
from transforms.sandbox.jobs import Cell
from transforms.sandbox.settings import SandboxSettings
from transforms.sandbox.shared import shared_sandbox
from transforms.stages.trajectories.frontier import Beam, Node, Rated, search

BEAM = Beam(keep=2, draws=2, depth=5)
"""Of searches: 2 cells, then 4 levels of 4."""


class BenchEpisodesSettings(Group):
    """Everything `cotmill bench episodes` can be told."""

    episodes: int = Field(ge=1, description="conversations")
    turns: int = Field(ge=1, description="cells of a conversation, at most")
    limit: int = Field(ge=1, description="requests that the endpoint works on at once")
    seconds: float = Field(gt=0, description="time that it works on each")
    searches: int = Field(ge=1, description="searches with the endpoint, a cell a node")
    sessions: int = Field(ge=1, description="searches without, each with forks and run again")
    sandbox: SandboxSettings


SETTINGS = BenchEpisodesSettings


def bench(settings: BenchEpisodesSettings) -> None:
    """Episodes and cells per second, how full the endpoint was kept, and what forks save."""
    console = plain()
    console.print(
        f"{settings.episodes:,} episodes of up to {settings.turns} cells, an endpoint of "
        f"{settings.limit} requests at once, {settings.seconds:g} s each; {machine_line()}"
    )
    figures = measure(settings)
    table = table_of(["recipe"], ["episodes/s", "nodes/s", "cells", "run again", "at limit"])
    for row in figures["rows"]:
        speeds = [f"{row[name]:,.1f}" for name in ("episodes_per_second", "nodes_per_second")]
        full = f"{100 * row['at_limit']:.1f} %" if "at_limit" in row else ""
        table.add_row(row["recipe"], *speeds, f"{row['cells']:,}", f"{row['rebuilt']:,}", full)
    console.print(table)
    console.print(
        "at limit: share of the time, until the last episode began, in which the endpoint was full "
        f"({100 * figures['rows'][0]['filled']:.1f} % of its places taken by linear episodes, "
        f"{figures['rows'][0]['most_open']:,} of them open at once)\n"
        f"nodes of a search per second, forked over run again: {figures['forked_over_again']}"
    )
    print(json.dumps({"bench": "episodes", **figures}))


def measure(settings: BenchEpisodesSettings) -> dict[str, Any]:
    """Plays conversations against an endpoint, then searches, then searches without a model.

    Returns:
        rows (recipe, episodes_per_second; nodes_per_second, a node being a turn with a cell; cells,
        those run; rebuilt, those run again for a state that was not kept; with an endpoint also
        at_limit and filled, shares of the time from when it was first full until the last
        episode began, and most_open), forked_over_again (the ratio of nodes per second).
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
        rows = []
        for recipe, episode, count in (
            ("linear", conversing, settings.episodes),
            ("search", searching, settings.searches),
        ):
            asking = Asking(backend, folder, LedgerSettings())
            driver = Driver(recipe, asking, settings.sandbox)
            row, started, begun = _play(driver, episode, count, recipe)
            with urllib.request.urlopen(f"{url}/models") as reply:
                changes = [each for each in json.load(reply)["busy"] if each[0] >= started]
            at_limit, filled = fullness(changes, settings.limit, begun)
            rows.append({**row, "at_limit": round(at_limit, 4), "filled": round(filled, 4)})
        close_engines()
        for recipe, forks in (("search, forked", True), ("search, run again", False)):
            driver, episode = Driver(recipe, None, settings.sandbox), partial(scripted, forks)
            rows.append(_play(driver, episode, settings.sessions, recipe)[0])
    forked, again = (row["nodes_per_second"] for row in rows[2:])
    return {"rows": rows, "forked_over_again": round(forked / again, 2)}


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


class Line(NamedTuple):
    """The cells that lead to a node of a search, and what was said on the way."""

    cells: tuple[str, ...]
    talk: tuple[Message, ...] = ()
    after: tuple[str, ...] = ()
    """The state that they left; empty before the last one has run."""


def _cells(line: Line) -> tuple[str, ...]:
    return line.cells


def searching(number: int) -> Steps[int]:
    """A search with the endpoint: the code of each node is a turn, and goes on in a fork of the
    session of the node before it; returns how many nodes had a cell."""
    sampler = Sampler(temperature=1.0, top_p=1.0, top_k=0, min_p=0.0, max_tokens=100)

    def expand(node: Node[Line], samples: range) -> Steps[Sequence[Line]]:
        line = node.state
        asked = Request("search", "scripted", line.talk, None, sampler, 0, 0)
        answers = yield [replace(asked, sample=sample) for sample in samples]
        return [
            Line((*line.cells, answer.text), (*line.talk, answer.message), line.after)
            for answer in answers
        ]

    def evaluate(node: Node[Line]) -> Steps[Rated[Line]]:
        line = node.state
        if line.cells[-1].startswith("The answer"):
            return Rated(1.0, done=True)
        seen = yield Cell(line.cells[-1], line.after)
        said = Message("tool", seen.value or seen.status, tool_call_id="c")
        return Rated(0.0, state=Line(line.cells, (*line.talk, said), seen.after))

    root = Line((), (Message("user", f"Search {number}"),))
    found = yield from search(root, expand=expand, evaluate=evaluate, strategy=BEAM, key=_cells)
    return sum(bool(node.state.after) and not node.done for node in found.nodes)


def scripted(forks: bool, number: int) -> Steps[int]:
    """A search whose code is made here: each node goes on in a fork of the session before it, or
    has a session of its own, in which the cells that lead to it are run again; returns its nodes.
    """

    def expand(node: Node[Line], samples: range) -> Steps[Sequence[Line]]:
        line, depth = node.state, node.depth
        codes = [f"x{depth} = sum(range({9 * number + sample}))" for sample in samples]
        return [Line((*line.cells, code), after=line.after) for code in codes]
        yield  # a generator that asks nobody

    def evaluate(node: Node[Line]) -> Steps[Rated[Line]]:
        line = node.state
        after, seed, cells = line.after, 0, line.cells[-1:]
        if not forks:  # odd seeds run in other slots
            after, seed, cells = (), 2 * derived_seed(number, node.id), line.cells
        for code in cells:
            after = (yield Cell(code, after, seed)).after
        return Rated(0.0, state=line._replace(after=after))

    found = yield from search(Line(()), expand=expand, evaluate=evaluate, strategy=BEAM, key=_cells)
    return len(found.nodes)


def _play(
    driver: Driver, episode: Callable[[int], Steps[int]], count: int, recipe: str
) -> tuple[dict[str, Any], float, float]:
    """Plays an episode for each number below `count`; returns its row, and the times at which the
    first and the last one began (monotonic)."""
    try:
        driver.start()
        most_open, started = 0, time.monotonic()
        for number in range(count):
            driver.begin(number, episode(number))
            most_open = max(most_open, driver.open)
            driver.step(wait=False)
            while driver.is_full:
                driver.step(wait=True)
        begun = time.monotonic()
        while driver.open:
            driver.step(wait=True)
        seconds = time.monotonic() - started
        nodes = [nodes for _, nodes in driver.ended()]
        tallies: Counter[str] = Counter()
        for tally in driver.tallies():
            tallies[tally.what] += tally.amount
    finally:
        driver.close()
    row = {
        "recipe": recipe,
        "episodes_per_second": round(len(nodes) / seconds, 2),
        "nodes_per_second": round(sum(nodes) / seconds, 2),
        "cells": tallies["cells"],
        "rebuilt": tallies["cells.rebuilt"],
        "failed": tallies["requests.failed"],
        "most_open": most_open,
    }
    return row, started, begun


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

"""What cells show is found again: in the bundle, after a retry, and in a replay."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.beam import on_workers
from tests.programs_for_tests import SANDBOX
from transforms.engine.errors import LedgerMiss
from transforms.models import observations
from transforms.models.asking import Asking
from transforms.models.backends.settings import ReplayBackend, VllmBackend
from transforms.models.driver import Drive, Driver, drive
from transforms.models.episode import Steps
from transforms.models.ledger.ledger import LedgerSettings
from transforms.sandbox.jobs import Cell, CellResult, Status
from transforms.sandbox.sandbox import Sandbox

REPLAY = ReplayBackend(engine="replay", model="m", api="completions", continue_prefix=False)


def asking(folder: Path) -> Asking:
    """A model that is not loaded, since nobody asks it."""
    backend = VllmBackend(engine="vllm", model="/no/such/model", api="completions")
    return Asking(backend, str(folder), LedgerSettings())


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, ...]]:
    """How often each cell was handed to the sandbox, by the path that ends in it."""
    counts: Counter[tuple[str, ...]] = Counter()
    real = Sandbox.submit_cell

    def noted(self: Sandbox, cell: Cell) -> Any:
        counts[(*cell.after, cell.code)] += 1
        return real(self, cell)

    monkeypatch.setattr(Sandbox, "submit_cell", noted)
    return counts


def branching(number: int) -> Steps[list[str | None]]:
    """A trunk that all episodes share, a cell of its own, and two branches, one of them shared."""
    trunk = yield Cell("x = [0]")
    own = yield Cell(f"x.append({number})", trunk.after)
    ends = yield [Cell("x.append('a')\nx", after) for after in (own.after, trunk.after, own.after)]
    return [end.value for end in ends]


@pytest.mark.parametrize("recorded", [True, False])
def test_each_cell_is_run_once_after_each_state(
    tmp_path: Path, ran: Counter[tuple[str, ...]], recorded: bool
) -> None:
    ends = drive(range(6), branching, asking(tmp_path) if recorded else None, SANDBOX)
    assert ends == [[f"[0, {n}, 'a']", "[0, 'a']", f"[0, {n}, 'a']"] for n in range(6)]
    assert len(ran) == 1 + 6 + 6 + 1 and set(ran.values()) == {1}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bundle_that_is_run_twice_runs_no_cell_again(
    tmp_path: Path, ran: Counter[tuple[str, ...]], workers: int
) -> None:
    options = on_workers(workers)
    if workers == 1:
        options |= {"options": PipelineOptions(["--direct_runner_bundle_repeat=1"])}
    with TestPipeline(**options) as pipeline:
        numbers = pipeline | beam.Create(range(3), reshuffle=False)
        driven = numbers | Drive("branch", branching, asking(tmp_path), SANDBOX)
        ends = [[f"[0, {n}, 'a']", "[0, 'a']", f"[0, {n}, 'a']"] for n in range(3)]
        assert_that(driven.results, equal_to(ends))
    assert set(ran.values()) <= {1}  # of another process nothing is counted
    again = drive(range(3), branching, Asking(REPLAY, str(tmp_path), LedgerSettings()), SANDBOX)
    assert (again, set(ran.values()) <= {1}) == (ends, True)


@pytest.mark.parametrize("fails_in_episode", [True, False], ids=["in the episode", "later"])
def test_a_bundle_that_failed_and_is_run_again_finds_the_cells_that_it_had_run(
    tmp_path: Path, ran: Counter[tuple[str, ...]], fails_in_episode: bool
) -> None:
    settings = LedgerSettings(flush_seconds=600)  # nothing is written before it has to be
    driver = Driver("again", replace(asking(tmp_path), ledger=settings), SANDBOX)
    raises = [fails_in_episode, False]

    def episode(number: int) -> Steps[str | None]:
        seen = yield Cell(f"{number} + 1")
        if raises.pop(0):
            raise RuntimeError("the bundle fails")
        return seen.value

    for _ in range(2):
        driver.start()
        driver.begin(0, episode(0))
        with suppress(RuntimeError):
            while driver.open:
                driver.step(wait=True)
    assert (list(driver.ended()), set(ran.values())) == ([(0, "1")], {1})
    driver.close()


def test_cells_that_were_run_and_cells_that_were_recorded_are_counted_by_status(
    tmp_path: Path,
) -> None:
    def episode(number: int) -> Steps[Status]:
        return (yield Cell("1 / 0" if number == 2 else "1")).status

    counts = []
    for _ in range(2):
        driver = Driver("count", asking(tmp_path), SANDBOX)
        driver.start()
        for number in range(3):
            driver.begin(number, episode(number))
        while driver.open:
            driver.step(wait=True)
        counts.append({(tally.what, tally.key): tally.amount for tally in driver.tallies()})
        driver.close()
    assert counts == [
        {("cells", "ok"): 1, ("cells", "runtime_error"): 1},
        {("cells.recorded", "ok"): 1, ("cells.recorded", "runtime_error"): 1},
    ]


def test_a_time_out_is_recorded_and_replayed_as_what_it_was(
    tmp_path: Path, ran: Counter[tuple[str, ...]]
) -> None:
    def episode(seconds: float) -> Steps[list[CellResult]]:
        slow = yield Cell(f"import time\nprint('before')\ntime.sleep({seconds})\nx = 1")
        return [slow, (yield Cell("x", slow.after))]

    limits = SANDBOX.model_copy(update={"wall_seconds": 5})
    [first] = drive([3600], episode, asking(tmp_path), limits)
    assert [each.status for each in first] == [Status.TIMEOUT, Status.RUNTIME_ERROR]
    replay = Asking(REPLAY, str(tmp_path), LedgerSettings())
    assert drive([3600], episode, replay, limits) == [first]
    assert set(ran.values()) == {1}


def test_what_memory_does_not_hold_any_more_is_read_from_the_ledger(
    tmp_path: Path, ran: Counter[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observations, "_HELD_CHARS", 1)

    def episode(number: int) -> Steps[list[str]]:
        values = []
        for code in ("1", f"10 + {number}", "1"):
            values.append((yield Cell(code)).value)
        return values

    ends = drive(range(3), episode, asking(tmp_path), SANDBOX)
    assert ends == [["1", str(10 + number), "1"] for number in range(3)]
    assert len(ran) == 4 and set(ran.values()) == {1}


def test_a_cell_that_a_replay_lacks_is_named(tmp_path: Path) -> None:
    def episode(number: int) -> Steps[Any]:
        return (yield Cell(f"never run {number}"))

    with pytest.raises(LedgerMiss, match="count: a cell is not in the ledger .*'never run 7'"):
        drive([7], episode, Asking(REPLAY, str(tmp_path), LedgerSettings()), SANDBOX, "count")

"""Episodes: played by hand, many at once, and with the outcome that they return."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.beam import on_workers
from tests.models.examples import Thing, request, response
from tests.programs_for_tests import SANDBOX
from transforms.engine.accounting import Tally, keep, put_off, reject
from transforms.models.asking import Asking
from transforms.models.backends.base import Reply
from transforms.models.backends.settings import VllmBackend
from transforms.models.driver import Drive, Driver, drive
from transforms.models.engines import use_model
from transforms.models.episode import Episode, Steps, play, side_by_side
from transforms.models.ledger.ledger import LedgerSettings
from transforms.models.requests import Request
from transforms.sandbox.sandbox import Job
from transforms.sandbox.settings import SandboxSettings


def countdown(number: int) -> Steps[list[int]]:
    """Runs a program for each number down to 0, each knowing what the one before it gave."""
    seen = []
    while number:
        number = json.loads((yield Job(f"output = {number} - 1")).output)
        seen.append(number)
    return seen


def test_episodes_of_different_lengths_go_on_side_by_side_and_come_back_in_order() -> None:
    assert drive([3, 0, 1], countdown, sandbox=SANDBOX) == [[2, 1, 0], [], [0]]


@pytest.mark.parametrize("workers", [1, 2])
def test_episodes_end_alike_on_any_number_of_workers(workers: int) -> None:
    with TestPipeline(**on_workers(workers)) as pipeline:
        driven = pipeline | beam.Create([3, 0, 1]) | Drive("count", countdown, sandbox=SANDBOX)
        assert_that(driven.results, equal_to([[2, 1, 0], [], [0]]))


@given(st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=4))
def test_a_list_of_effects_gives_the_list_of_what_became_of_each(turns: list[list[int]]) -> None:
    def episode() -> Steps[list[list[str]]]:
        got = []
        for turn in turns:
            found = yield [request(str(number)) for number in turn]
            got.append([each.text for each in found])
        return got

    def answer(asked: Request) -> Any:
        return response(asked, f"to {asked.prompt}")

    played = play(episode(), answer)
    assert played.result == [[f"to {number}" for number in turn] for turn in turns]
    assert [len(turn) for turn in played.turns] == [len(turn) for turn in turns]


@given(st.lists(st.lists(st.integers(0, 3), max_size=3), max_size=4))
def test_steps_side_by_side_give_what_each_gives_alone(numbers: list[list[int]]) -> None:
    def steps(turns: list[int]) -> Steps[list[Any]]:
        got: list[Any] = []
        for count in turns:
            asked = [request(str(place), sample=count) for place in range(count)]
            got.append((yield asked if count != 1 else asked[0]))
        return got

    def answer(asked: Request) -> Any:
        return response(asked, f"{asked.prompt} of {asked.sample}")

    together = play(side_by_side(map(steps, numbers)), answer)
    assert together.result == [play(steps(turns), answer).result for turns in numbers]
    assert len(together.turns) == max(map(len, numbers), default=0)


def test_what_is_counted_is_summed_and_needs_no_answer() -> None:
    def episode(number: int) -> Steps[int]:
        yield Tally("", "seen", "numbers", number)
        return number

    assert play(episode(3)).result == 3
    with TestPipeline(**on_workers(1)) as pipeline:
        driven = pipeline | beam.Create([1, 2, 3], reshuffle=False) | Drive("count", episode)
        assert_that(driven.tallies, equal_to([Tally("count", "seen", "numbers", 6)]))


def test_an_episode_with_more_effects_than_answers_says_which_has_none() -> None:
    with pytest.raises(ValueError, match="no answer to Job"):
        play(countdown(1))


class _Counting:
    """A model that answers when as many requests are open as it takes, or when it has been asked
    all."""

    owed, open_requests = 0, 3

    def __init__(self, requests: int) -> None:
        self.most, self._left, self._open = 0, requests, []

    def start(self, asked: Request, reply: Callable[[Reply], None]) -> None:
        self._open.append((asked, reply))
        self.most = max(self.most, len(self._open))
        self._left -= 1
        if len(self._open) == self.open_requests or not self._left:
            Thread(target=self._answer, args=[self._open]).start()
            self._open = []

    def _answer(self, waiting: list[tuple[Request, Callable[[Reply], None]]]) -> None:
        for asked, reply in waiting:
            reply(response(asked))

    def close(self) -> None:
        pass


def test_as_many_requests_are_open_as_the_model_takes(tmp_path: Path) -> None:
    backend = VllmBackend(engine="vllm", model="counting", api="completions")
    model = _Counting(requests=20)
    use_model(backend, model)

    def episode(number: int) -> Steps[str]:
        return (yield request(str(number))).text

    asking = Asking(backend, str(tmp_path), LedgerSettings())
    assert drive(range(20), episode, asking) == [" 2"] * 20
    assert model.most == 3


class _Held:
    """A model that answers when it is told to."""

    owed, open_requests = 0, 16

    def __init__(self) -> None:
        self.open: list[tuple[Request, Callable[[Reply], None]]] = []

    def start(self, asked: Request, reply: Callable[[Reply], None]) -> None:
        self.open.append((asked, reply))

    def answer(self) -> None:
        waiting, self.open = self.open, []
        for asked, reply in waiting:
            reply(response(asked))

    def close(self) -> None:
        pass


def test_places_that_become_free_together_are_taken_before_episodes_go_on(tmp_path: Path) -> None:
    backend = VllmBackend(engine="vllm", model="held", api="completions")
    model, begun, taken = _Held(), 0, list[int]()
    use_model(backend, model)

    def episode(number: int) -> Steps[None]:
        yield request(str(number))
        taken.append(len(model.open))

    driver = Driver("held", Asking(backend, str(tmp_path), LedgerSettings()), None)
    driver.start()
    while not driver.is_full:
        driver.begin(begun, episode(begun))
        driver.step(wait=False)
        begun += 1
    model.answer()
    driver.step(wait=True)
    driver.close()
    assert (begun, taken) == (16 + 3, [3] * 16)  # an eighth of the places, and one that is too many


def test_what_is_no_effect_is_named() -> None:
    def episode(_: int) -> Steps[None]:
        yield "a text"

    with pytest.raises(TypeError, match="an episode yields 'a text', not an effect"):
        drive([1], episode)


@dataclass(kw_only=True)
class Sorted(Episode):
    """Ends each record as its id says."""

    name: str = "sorted"
    sandbox: SandboxSettings = SANDBOX

    reads: ClassVar[type] = Thing
    writes: ClassVar[type] = Thing

    def episode(self, thing: Thing) -> Steps[Any]:
        yield []
        changed = replace(thing, id=thing.id * 2)
        return {
            "a": changed, "b": reject("why", "not"), "c": (changed, reject("why")),
            "d": put_off("late"), "e": (changed, keep()),
        }[thing.id]  # fmt: skip


def test_an_episode_may_end_in_a_record_a_verdict_or_both() -> None:
    with TestPipeline(**on_workers(1)) as pipeline:
        outcome = pipeline | beam.Create([Thing(name) for name in "abcde"]) | Sorted()
        assert_that(outcome.kept | beam.Map(lambda t: t.id), equal_to(["aa", "ee"]), "kept")
        lost = outcome.rejected | "Lost" >> beam.Map(lambda r: (r.id, r.reason, r.detail))
        assert_that(lost, equal_to([("b", "why", "not"), ("cc", "why", "")]), "lost")
        late = outcome.unanswered | "Late" >> beam.Map(lambda r: (r.id, r.detail))
        assert_that(late, equal_to([("d", "late")]), "late")

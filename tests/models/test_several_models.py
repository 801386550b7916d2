"""Several models in one episode: who is asked what, and that none waits for another."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.beam import on_workers
from tests.models.examples import held, request
from tests.models.fault_server import FaultServer, fault_server
from transforms.engine.accounting import Verdict
from transforms.engine.errors import BackendError, BudgetReached, LedgerMiss
from transforms.models.asking import Asking, askers
from transforms.models.backends import draining
from transforms.models.backends.draining import Stopped
from transforms.models.backends.settings import Backend, OpenAIBackend
from transforms.models.driver import Drive, Driver, drive
from transforms.models.engines import close_engines
from transforms.models.episode import Steps
from transforms.models.ledger.ledger import LedgerSettings
from transforms.models.replay import replayed, resolve_replay
from transforms.models.requests import Request
from transforms.models.responses import unanswered
from transforms.models.settings import BudgetSettings


def backend(server: FaultServer, model: str, **changes: Any) -> OpenAIBackend:
    settings = {"engine": "openai", "model": model, "base_url": server.base_url, "max_retries": 0}
    settings |= {"api": "completions", "timeout_seconds": 60, "max_in_flight": 4}
    return OpenAIBackend.model_validate({**settings, **changes})


def asking(folder: Path, own: Backend, judge: Backend) -> Asking:
    return Asking(own, str(folder), LedgerSettings(), models={"judge": judge})


def drafted(number: Any) -> Request:
    return request(f"draft {number}", model="writer")


def judged(text: str) -> Request:
    return request(f"judge {text}", model="critic", named="judge")


def reviewed(number: int) -> Steps[str]:
    """A draft by one model, and another's words on it."""
    draft = yield drafted(number)
    said = yield judged(draft.text)
    return f"{said.text} ({said.model})"


def alone(question: str) -> Steps[Verdict | None]:
    """One question, to the judge where it begins so; why it is put off, if it is."""
    asked = judged(question) if question.startswith("judge") else drafted(question)
    return unanswered([(yield asked)])


def counts(driver: Driver) -> dict[tuple[str, str], int]:
    return {(tally.what, tally.key): tally.amount for tally in driver.tallies()}


def play_all(driver: Driver, *episodes: Steps[Any]) -> None:
    driver.start()
    for place, steps in enumerate(episodes):
        driver.begin(place, steps)
    while driver.open:
        driver.step(wait=True)
    driver.close()


def test_each_request_goes_to_the_model_that_it_names_and_counts_as_its(tmp_path: Path) -> None:
    with fault_server() as one, fault_server() as other:
        both = asking(tmp_path, backend(one, "writer"), backend(other, "critic"))
        driver = Driver("s", both, None)
        play_all(driver, *map(reviewed, range(5)))
        close_engines()
        assert set(one.asked) == {f"draft {number}" for number in range(5)}
        assert all(prompt.startswith("judge") for prompt in other.asked) and len(other.asked) == 5
    found = counts(driver)
    assert (found["requests", "writer"], found["requests", "critic"]) == (5, 5)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_replay_asks_neither_model_and_gives_the_same(tmp_path: Path, workers: int) -> None:
    with fault_server() as one, fault_server() as other:
        both = asking(tmp_path, backend(one, "writer"), backend(other, "critic"))
        results = drive(range(6), reviewed, both)
        close_engines()
    again = [
        resolve_replay(replayed(each), str(tmp_path), each.place)
        for each in (both.backend, both.models["judge"])
    ]
    with TestPipeline(**on_workers(workers)) as pipeline:
        numbers = pipeline | beam.Create(range(6), reshuffle=False)
        driven = numbers | Drive("s", reviewed, asking(tmp_path, *again))
        assert_that(driven.results, equal_to(results))


def test_a_replay_that_misses_names_the_model_that_was_not_asked(tmp_path: Path) -> None:
    with fault_server() as one, fault_server() as other:
        both = asking(tmp_path, backend(one, "writer"), backend(other, "critic"))
        drive(["draft", "judge"], alone, both)
        close_engines()
    again = replace(both, backend=replayed(both.backend), models={"judge": replayed(both.backend)})
    with pytest.raises(LedgerMiss, match="model critic, prompt: 'judge good: draft 7'"):
        drive(["x"], lambda _: iter_of(judged(" good: draft 7")), again)


def iter_of(asked: Request) -> Steps[Any]:
    return (yield asked)


def test_a_model_that_does_not_answer_does_not_stop_another(tmp_path: Path) -> None:
    """The judge answers once the other model has answered all of its questions."""
    questions = [f"{who} {number}" for number in range(12) for who in ("judge", "draft")]
    drafts: list[str] = []
    all_drafted = threading.Event()

    def draft(prompt: str) -> str:
        drafts.append(prompt)
        if len(drafts) == 12:
            all_drafted.set()
        return "fine"

    def judge(prompt: str) -> str:
        return "fine" if all_drafted.wait(30) else "too late"

    with fault_server(answer=draft) as one, fault_server(answer=judge) as other:
        both = asking(
            tmp_path,
            backend(one, "writer", max_in_flight=1),
            backend(other, "critic", max_in_flight=1),
        )
        texts = drive(questions, saying, both)
        close_engines()
    assert texts == ["fine"] * 24


def saying(question: str) -> Steps[str]:
    asked = judged(question) if question.startswith("judge") else drafted(question)
    return (yield asked).text


def test_a_model_that_fails_puts_off_what_asks_it_alone(tmp_path: Path) -> None:
    with fault_server() as one, fault_server(fault=lambda prompt: "500") as other:
        judge = backend(other, "critic", pause_after=100)
        both = asking(tmp_path, backend(one, "writer"), judge)
        results = drive([f"{who} {n}" for n in range(3) for who in ("judge", "draft")], alone, both)
        close_engines()
    assert [each is not None for each in results] == [True, False] * 3


def recorded(folder: Path) -> int:
    return len(held(folder))


def test_what_several_models_still_owe_is_recorded_when_the_process_is_to_end(
    tmp_path: Path,
) -> None:
    goes_on = threading.Event()

    def held(prompt: str) -> str:
        goes_on.wait(30)
        return "fine"

    with fault_server(answer=held) as one, fault_server(answer=held) as other:
        both = asking(tmp_path, backend(one, "writer"), backend(other, "critic"))
        driver = Driver("s", both, None)
        driver.start()
        for place, question in enumerate(["draft", "judge"]):
            driver.begin(place, alone(question))
            driver.step(wait=False)
        while not (one.asked and other.asked):
            time.sleep(0.001)
        draining.begin()
        goes_on.set()
        try:
            with pytest.raises(Stopped):
                driver.step(wait=True)
        finally:
            draining.over()
            driver.close()
            close_engines()
    assert recorded(tmp_path) == 2


def test_a_model_that_has_taken_its_share_ends_the_run_and_what_was_paid_is_kept(
    tmp_path: Path,
) -> None:
    def asks_both(number: int) -> Steps[None]:
        yield [drafted(number), replace(judged(str(number)), model="spender")]

    with fault_server() as one, fault_server() as other:
        limited = BudgetSettings(max_tokens=1)
        judge = backend(other, "spender", budget=limited, max_in_flight=1)
        both = asking(tmp_path, backend(one, "writer"), judge)
        with pytest.raises(BudgetReached, match=r"max_tokens=1 of the model spender is reached"):
            drive(range(3), asks_both, both)
        close_engines()
        assert other.asked.total() == 1
        assert recorded(tmp_path) == one.asked.total() + 1


def test_names_of_one_backend_are_asked_together_and_others_apart(tmp_path: Path) -> None:
    with fault_server() as one:
        own = backend(one, "m")
        same = askers("s", asking(tmp_path, own, own.at("models.judge")))
        limited = own.model_copy(update={"budget": BudgetSettings(max_tokens=9)})
        apart = askers("s", asking(tmp_path, own, limited))
    assert same["judge"] is same[None] and apart["judge"] is not apart[None]


def test_an_episode_cannot_ask_a_model_that_its_stage_does_not_name(tmp_path: Path) -> None:
    with fault_server() as one:
        both = asking(tmp_path, backend(one, "writer"), backend(one, "critic"))
        with pytest.raises(TypeError, match="asks a model umpire"):
            drive([0], lambda _: iter_of(request(named="umpire")), both)


def test_an_endpoint_is_named_by_the_setting_it_comes_from(tmp_path: Path) -> None:
    with fault_server() as one:
        gone = backend(one, "critic").at("models.judge")
    gone = gone.model_copy(update={"base_url": "http://127.0.0.1:9/v1"})
    with pytest.raises(BackendError, match=r"nothing answers at models\.judge\.base_url="):
        drive(["judge"], alone, asking(tmp_path, gone, gone))

"""Tests of the shared vLLM server with the real CPU build and the real embedded model."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import psutil
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.beam import on_workers
from tests.conftest import VllmServer
from tests.models.examples import answers_of, asks, chat, prompted, request
from tests.waiting import eventually
from transforms.models.asking import Asking
from transforms.models.backends.engine_log import phase_of
from transforms.models.backends.settings import VllmBackend, VllmServerBackend
from transforms.models.backends.vllm_server import server_log, server_plan
from transforms.models.driver import Drive
from transforms.models.engines import Engine, close_engines, open_engine
from transforms.models.ledger.ledger import LedgerSettings
from transforms.models.requests import ErrorKind
from transforms.models.scores import score, score_labels, scored


@pytest.fixture
def engine(vllm_server: VllmServer) -> Iterator[Engine]:
    yield open_engine(vllm_server.settings)
    close_engines()


_ASKED = {
    "completion": request("Count: one,", prefix=" two, three,"),
    "chat": chat("Count to five.", prefix="one, two, three,"),
    "longer than the context leaves room for": request("x " * 2000, max_tokens=400),
    "too long": request("x " * 3000),
    "regex": request("Phone:", regex=r"\d{3}-\d{4}", max_tokens=20),
    "json": request("Tom is 12. JSON:", json_schema='{"type": "object"}', max_tokens=60),
    "log probabilities": request("one two", logprobs=True),
    "fire": request("Once upon a time", fire_temperature=30.0, fire_top_k=16, logprobs=True),
}


@pytest.mark.model
def test_it_answers_as_the_engine_in_process_does(vllm_server: VllmServer) -> None:
    here = vllm_server.settings.model_dump(include=set(VllmBackend.model_fields))
    backends = [VllmBackend.model_validate({**here, "engine": "vllm"}), vllm_server.settings]
    told = []
    for backend in backends:
        engine = open_engine(backend)
        answers = [answers_of(engine, asked)[0] for asked in _ASKED.values()]
        told.append(
            [
                (a.id, a.text, a.finish_reason, a.error_kind, a.prompt_tokens, a.generated_tokens)
                for a in answers
            ]
        )
        close_engines()
    for name, ours, theirs in zip(_ASKED, *told, strict=True):
        assert ours == theirs, name


@pytest.mark.model
def test_requests_that_are_refused_fail_alone(engine: Engine) -> None:
    long, schema, fine = answers_of(
        engine, request("x " * 3000), request("x", json_schema='{"type": "odd"}'), request("x")
    )
    assert (long.error_kind, schema.error_kind) == (ErrorKind.TOO_LONG, ErrorKind.INVALID)
    assert fine.error is None


@pytest.mark.model
def test_what_the_prefix_cache_held_is_told(engine: Engine) -> None:
    prompt = "good morning " * 100
    answers_of(engine, request(prompt))
    (again,) = answers_of(engine, request(prompt, sample=1))
    assert 100 < again.cached_tokens < again.prompt_tokens


@pytest.mark.model
def test_what_the_server_does_while_it_loads_is_in_its_log(vllm_server: VllmServer) -> None:
    lines = server_log(vllm_server.settings).read_text().splitlines()
    phases = [phase for phase in map(phase_of, lines) if phase is not None]
    assert list(dict.fromkeys(phases))[:2] == ["starting", "loading weights"]
    assert phases[-1] == ""


@pytest.mark.model
def test_two_worker_processes_share_one_server(vllm_server: VllmServer, tmp_path: Path) -> None:
    before = vllm_server.processes()
    work = [prompted(str(i), request(f"{i} + 1 =", max_tokens=4)) for i in range(6)]
    with TestPipeline(**on_workers(2)) as pipeline:
        answered = (
            pipeline
            | beam.Create(work)
            | Drive("solve", asks, Asking(vllm_server.settings, str(tmp_path), LedgerSettings()))
        ).results
        counts = answered | beam.Map(lambda each: each.responses[0].generated_tokens)
        assert_that(counts, equal_to([4] * 6))
    assert vllm_server.processes() == before
    folders = Path(os.environ["XDG_RUNTIME_DIR"]).glob("cotmill-*/vllm-*")
    assert len(list(folders)) == 1


def _connections(server: psutil.Process) -> list[Any]:
    """A server's connections that are open."""
    return [each for each in server.net_connections() if each.status == psutil.CONN_ESTABLISHED]


@pytest.mark.model
def test_a_server_that_is_killed_loses_no_request(vllm_server: VllmServer, engine: Engine) -> None:
    asked = [request(f"Story {i}:", max_tokens=200, ignore_eos=True) for i in range(24)]
    doomed = vllm_server.processes()
    main = psutil.Process(doomed[0])

    def kill() -> None:
        eventually(lambda: len(_connections(main)) >= vllm_server.settings.max_in_flight)
        main.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    answers = answers_of(engine, *asked)
    killer.join()
    assert [answer.error for answer in answers] == [None] * 24
    assert {answer.generated_tokens for answer in answers} == {200}
    assert not set(doomed) & set(vllm_server.processes())


def test_engine_arguments_are_flags_of_the_server() -> None:
    arguments = {"hf_overrides": {"a": 1}, "enable_auto_tool_choice": True, "seed": 3}
    here = {"engine": "vllm_server", "model": "m", "api": "chat", "engine_args": arguments}
    command = server_plan(VllmServerBackend.model_validate(here)).command
    assert command[command.index("--hf-overrides") + 1] == '{"a": 1}'
    assert command[command.index("--seed") + 1] == "3"
    assert "--enable-auto-tool-choice" in command


def test_ids_echo_and_the_answer_itself_give_one_score(vllm_server: VllmServer) -> None:
    asked = request("Count: one, two,", logprobs=True)
    [written] = answers_of(open_engine(vllm_server.settings), asked)
    scoring = [score(asked, written.text), score_labels(asked, [",", "three"])]
    by_ids = answers_of(open_engine(vllm_server.settings), *scoring)
    by_echo = answers_of(open_engine(vllm_server.backend()), *scoring)
    close_engines()
    assert scored(by_ids[0]).mean == pytest.approx(written.mean_logprob, abs=0.05)
    assert scored(by_ids[0]).texts == scored(by_echo[0]).texts
    for one, other in zip(by_ids, by_echo, strict=True):
        assert scored(one).logprobs == pytest.approx(scored(other).logprobs, abs=0.05)

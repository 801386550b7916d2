"""Episodes that ask a model: through the ledger alone, with faults, and on vLLM's own server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.beam import on_workers
from tests.conftest import VllmServer
from tests.models.examples import Answered, Prompted, asks, held, prompted, request, response
from tests.models.fault_server import fault_server
from tests.waiting import eventually
from transforms.models.asking import Asking
from transforms.models.backends.settings import Backend, OpenAIBackend, ReplayBackend, VllmBackend
from transforms.models.driver import Drive
from transforms.models.engines import close_engines
from transforms.models.ledger.ledger import LedgerSettings, LedgerWriter
from transforms.models.requests import ErrorKind, Request

_LEDGER = LedgerSettings(flush_requests=512, flush_seconds=600)
_REPLAY = ReplayBackend(engine="replay", model="embedded", api="completions", continue_prefix=False)


def _record(folder: Path, *requests: Request) -> None:
    writer = LedgerWriter(str(folder), _LEDGER, api="completions", continue_prefix=True)
    for asked in requests:
        writer.add(asked, response(asked, f" recorded {asked.prompt}"))
    writer.flush()


def _recorded_ids(folder: Path) -> list[str]:
    return sorted(answer.id for answer in held(folder))


def _texts(answered: Answered) -> tuple[str, list[str]]:
    return answered.record.id, [r.text or r.finish_reason for r in answered.responses]


def _run(
    folder: Path,
    backend: Backend,
    work: list[Prompted],
    *,
    answers: Any = None,
    tallies: dict[str, int] | None = None,
    options: dict[str, Any] | None = None,
) -> None:
    """Has all of `work` asked, and asserts what comes out, where it is given."""
    with TestPipeline(**(options or on_workers(1))) as pipeline:
        generated = (
            pipeline
            | beam.Create(work, reshuffle=False)
            | Drive("solve", asks, Asking(backend, str(folder), _LEDGER))
        )
        if answers is not None:
            assert_that(generated.results | beam.Map(_texts), equal_to(answers), "answers")
        if tallies is not None:
            amounts = generated.tallies | beam.Map(lambda tally: (tally.what, tally.amount))
            counts = amounts | beam.CombinePerKey(sum)
            assert_that(counts, equal_to(list(tallies.items())), "tallies")


def test_a_replay_answers_in_the_order_of_the_requests(tmp_path: Path) -> None:
    first, second = request("first"), request("second")
    _record(tmp_path, first, second)
    work = [prompted("a", second, first), prompted("b", first)]
    expected = [("a", [" recorded second", " recorded first"]), ("b", [" recorded first"])]
    _run(tmp_path, _REPLAY, work, answers=expected)


def test_a_replay_that_misses_names_the_request(tmp_path: Path) -> None:
    asked = request("a question never asked")
    with pytest.raises(Exception, match=f"solve: request {asked.id} .*never asked"):
        _run(tmp_path, _REPLAY, [prompted("a", asked)])


def test_a_record_without_requests_is_answered(tmp_path: Path) -> None:
    _run(tmp_path, _REPLAY, [prompted("a")], answers=[("a", [])])


def test_what_is_recorded_costs_nothing_and_loads_no_model(tmp_path: Path) -> None:
    asked = request()
    _record(tmp_path, asked)
    no_model = VllmBackend(engine="vllm", model="/no/such/model", api="completions")
    counts = {"requests.recorded": 1, "tokens.recorded": 2, "tokens.recorded.prompt": 4}
    _run(tmp_path, no_model, [prompted("a", asked)], tallies=counts)


def _faulty(base_url: str, **changes: Any) -> OpenAIBackend:
    settings = {"engine": "openai", "model": "embedded", "base_url": base_url, "max_retries": 0}
    settings |= {"api": "completions", "timeout_seconds": 120, "max_in_flight": 4}
    return OpenAIBackend.model_validate({**settings, **changes})


def test_a_failed_request_is_counted_and_asked_again_by_the_next_run(tmp_path: Path) -> None:
    work = [prompted("a", request("ok 1"), request("500 x")), prompted("b", request("ok 2"))]
    expected = [("a", [" good: ok 1", "error"]), ("b", [" good: ok 2"])]
    with fault_server() as server:
        backend = _faulty(server.base_url)
        counts = {"requests": 3, "requests.failed": 1}
        counts |= {"tokens.prompt": 6, "tokens.cached": 2, "tokens.generated": 4}
        _run(tmp_path, backend, work, answers=expected, tallies=counts)
        again = {"requests": 1, "requests.failed": 1}
        again |= {"requests.recorded": 2, "tokens.recorded": 4}
        again |= {"tokens.recorded.prompt": 6, "tokens.recorded.cached": 2}
        _run(tmp_path, backend, work, answers=expected, tallies=again)
        assert dict(server.asked) == {"ok 1": 1, "500 x": 2, "ok 2": 1}
        close_engines()


def test_an_answer_that_is_not_the_json_asked_for_fails_and_is_not_paid_for_twice(
    tmp_path: Path,
) -> None:
    with fault_server() as server:
        for _ in range(2):
            with TestPipeline(**on_workers(1)) as pipeline:
                work = pipeline | beam.Create([prompted("a", request("ok", json_schema="{}"))])
                backend = _faulty(server.base_url)
                driven = work | Drive("solve", asks, Asking(backend, str(tmp_path), _LEDGER))
                kinds = driven.results | beam.Map(lambda a: a.responses[0].error_kind)
                assert_that(kinds, equal_to([ErrorKind.BAD_JSON]))
        assert dict(server.asked) == {"ok": 1}
        close_engines()


def test_a_request_that_two_records_share_is_asked_once(tmp_path: Path) -> None:
    asked = request("ok shared")
    work = [prompted(str(i), asked, asked) for i in range(10)]
    with fault_server() as server:
        expected = [(str(i), [" good: ok shared"] * 2) for i in range(10)]
        _run(tmp_path, _faulty(server.base_url, max_in_flight=1), work, answers=expected)
        assert server.asked["ok shared"] == 1
        close_engines()
    assert _recorded_ids(tmp_path) == [asked.id]


def test_a_request_that_another_record_was_answered_is_served_from_the_ledger_uncounted(
    tmp_path: Path,
) -> None:
    asked = request("ok shared")
    work = [prompted(str(i), request(f"ok {i}"), asked) for i in range(20)]
    expected = [(str(i), [f" good: ok {i}", " good: ok shared"]) for i in range(20)]
    with fault_server() as server:
        backend = _faulty(server.base_url, max_in_flight=1)
        counts = {"requests": 21, "tokens.prompt": 63, "tokens.cached": 21, "tokens.generated": 42}
        _run(tmp_path, backend, work, answers=expected, tallies=counts)
        again = {"requests.recorded": 21, "tokens.recorded": 42}
        again |= {"tokens.recorded.prompt": 63, "tokens.recorded.cached": 21}
        _run(tmp_path, backend, work, answers=expected, tallies=again)
        assert set(server.asked.values()) == {1}
        close_engines()


def test_a_failure_that_records_share_reaches_each_of_them(tmp_path: Path) -> None:
    work = [prompted(str(i), request("500 x"), request(f"ok {i}")) for i in range(3)]
    expected = [(str(i), ["error", f" good: ok {i}"]) for i in range(3)]
    with fault_server() as server:
        _run(tmp_path, _faulty(server.base_url), work, answers=expected)
        assert server.asked["500 x"] == 1
        close_engines()


def test_many_records_keep_many_requests_open_at_once(tmp_path: Path) -> None:
    work = [prompted(str(i), request(f"ok {i}")) for i in range(30)]

    def when_eight_are_open(prompt: str) -> str:
        eventually(lambda: server.most_open >= 8)
        return "good"

    with fault_server(answer=when_eight_are_open) as server:
        _run(tmp_path, _faulty(server.base_url, max_in_flight=8), work)
        assert server.most_open == 8
        close_engines()


def test_a_bundle_that_is_run_twice_changes_nothing(tmp_path: Path) -> None:
    work = [prompted(str(i), request(f"ok {i}")) for i in range(5)]
    options = on_workers(1) | {"options": PipelineOptions(["--direct_runner_bundle_repeat=1"])}
    expected = [(str(i), [f" good: ok {i}"]) for i in range(5)]
    with fault_server() as server:
        _run(tmp_path, _faulty(server.base_url), work, answers=expected, options=options)
        close_engines()
    assert len(_recorded_ids(tmp_path)) == 5


def test_two_worker_processes_share_the_work_and_the_ledger(tmp_path: Path) -> None:
    work = [prompted(str(i), request(f"ok {i}"), request(f"fine {i}")) for i in range(20)]
    expected = [(str(i), [f" good: ok {i}", f" good: fine {i}"]) for i in range(20)]
    with fault_server() as server:
        backend = _faulty(server.base_url)
        _run(tmp_path, backend, work, answers=expected, options=on_workers(2))
        counts = {"requests.recorded": 40, "tokens.recorded": 80}
        counts |= {"tokens.recorded.prompt": 120, "tokens.recorded.cached": 40}
        _run(tmp_path, backend, work, answers=expected, tallies=counts, options=on_workers(2))
        assert sum(server.asked.values()) == 40


def test_what_was_answered_before_a_crash_is_kept(tmp_path: Path) -> None:
    def crash_at_three(answered: Answered) -> None:
        if answered.record.id == "3":
            raise RuntimeError("crash")

    work = [prompted(str(i), request(f"ok {i}")) for i in range(6)]
    settings = LedgerSettings(flush_requests=1, flush_seconds=600)
    with fault_server() as server:
        backend = _faulty(server.base_url, max_in_flight=1)
        with pytest.raises(Exception, match="crash"), TestPipeline(**on_workers(1)) as pipeline:
            generated = (
                pipeline
                | beam.Create(work)
                | Drive("s", asks, Asking(backend, str(tmp_path), settings))
            )
            generated.results | beam.Map(crash_at_three)
        close_engines()
    assert request("ok 3").id in _recorded_ids(tmp_path)


@pytest.mark.model
@pytest.mark.parametrize("workers", [1, 2])
def test_a_real_model_answers_every_record(
    tmp_path: Path, vllm_server: VllmServer, workers: int
) -> None:
    work = [
        prompted(str(i), *[request(f"{i} + 1 =", max_tokens=4, sample=s) for s in range(2)])
        for i in range(6)
    ]
    counts = {"requests": 12, "tokens.generated": 48, "tokens.prompt": 12 * 5}
    _run(tmp_path, vllm_server.backend(), work, tallies=counts, options=on_workers(workers))
    assert len(_recorded_ids(tmp_path)) == 12

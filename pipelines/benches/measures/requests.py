"""`cotmill bench requests`: of one generated token each, so that handing them over is measured."""

from __future__ import annotations

import asyncio
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from statistics import median
from typing import Any

import apache_beam as beam
from pydantic import Field

from pipelines.benches.measures.generation import WORDS, in_process
from transforms.engine.errors import BackendError
from transforms.engine.paths import PROJECT
from transforms.engine.runner_settings import DirectSettings
from transforms.engine.runners import open_pipeline
from transforms.engine.settings import Group
from transforms.models.asking import Asking
from transforms.models.backends.base import Reply, with_some_waiting
from transforms.models.backends.settings import VllmBackend
from transforms.models.backends.vllm_engine import vllm_params
from transforms.models.backends.vllm_setup import engine_arguments
from transforms.models.driver import Drive
from transforms.models.engines import close_engines, use_model
from transforms.models.episode import Steps
from transforms.models.ledger.ledger import LedgerSettings
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Request, Response
from transforms.models.settings import SamplerSettings

_SAMPLER = SamplerSettings(samples=1, temperature=0.8, max_tokens=1)
_WARM = 16
"""Requests of a way that are not timed, before those that are."""


class BenchRequestsSettings(Group):
    """Everything `cotmill bench requests` can be told."""

    requests: int = Field(ge=1, description="requests of each way and round, to vLLM")
    handed: int = Field(ge=1, description="the same, to a model that answers at once")
    rounds: int = Field(ge=1, description="times that each way is run, in turn")
    words: int = Field(ge=1, description="words of each problem that a prompt states")
    engine: bool = Field(description="also measure the ways that ask vLLM (loads the model twice)")
    backend: VllmBackend = Field(description="engine settings, the same for every way")


@dataclass(frozen=True)
class Run:
    """One way, run once."""

    way: str
    round: int
    requests: int
    seconds: float
    cpu: float
    """CPU seconds of this process: what asking costs beside the model's own process."""


class Instant:
    """A model that answers each request at once, from a thread of its own."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[tuple[Request, Callable[[Reply], None]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._answer, name="instant", daemon=True)
        self._thread.start()

    @property
    def owed(self) -> int:
        return 0

    @property
    def open_requests(self) -> int:
        return 320

    def start(self, request: Request, reply: Callable[[Reply], None]) -> None:
        self._asked.put((request, reply))

    def close(self) -> None:
        self._asked.put(None)
        self._thread.join()

    def _answer(self) -> None:
        while (asked := self._asked.get()) is not None:
            request, reply = asked
            about = (request.id, request.stage, request.model, "instant 1")
            reply(Response(*about, "5", "length", None, len(request.prompt or "") // 4, 1, 0.0))


def problems(count: int, number: int, words: int) -> list[str]:
    """Returns problems to ask about; those of one round, `number`, are not those of another."""
    draw = random.Random(f"requests {number}")
    return [" ".join(draw.choices(WORDS.split(), k=words)) for _ in range(count)]


def bench_requests(settings: BenchRequestsSettings, say: Callable[[str], None]) -> list[Run]:
    """Asks for one token about each of many problems, in every way.

    `handed over`: a pipeline with a ledger, whose model answers at once: all that cotmill does.
    `bare`: `vllm.LLM.generate`; `pipeline`: the same engine behind the pipeline, the two in turn.
    `asyncio`: tasks over vLLM's AsyncLLM, once the other engine is closed.

    Raises:
        BackendError: vLLM is not installed, the model cannot be loaded, or a request failed.
    """
    backend, rounds = settings.backend, range(settings.rounds)
    prompt = PromptTemplate.load(str(PROJECT / "data/prompts/caco/solve.yaml"))
    runs: list[Run] = []

    def done(run: Run) -> None:
        runs.append(run)
        say(f"{run.way}: {run.requests / run.seconds:,.0f} requests/s")

    with _instant(backend):
        _pipeline("warm", prompt, backend, 0, problems(_WARM, -1, settings.words))
        for number in rounds:
            texts = problems(settings.handed, number, settings.words)
            done(_pipeline("handed over", prompt, backend, number, texts))
    if not settings.engine:
        return runs
    say("loading the engine")
    with in_process(backend) as (llm, _):
        for number in rounds:
            texts = problems(settings.requests, number, settings.words)
            for way in ("bare", "pipeline") if number % 2 == 0 else ("pipeline", "bare"):
                llm.reset_prefix_cache()
                if way == "bare":
                    done(_bare(llm, _requests(prompt, backend, texts), number))
                else:
                    done(_pipeline(way, prompt, backend, number, texts))
    say("loading the engine of AsyncLLM")
    for run in asyncio.run(_asyncio(settings, prompt)):
        done(run)
    return runs


def summary(runs: list[Run]) -> dict[str, float | None]:
    """Returns of each way the median of requests/s and of CPU ms a request, and the median over
    the rounds of the pipeline's requests/s over the bare engine's."""
    figures: dict[str, float | None] = {}
    for way in dict.fromkeys(run.way for run in runs):
        of_way = [run for run in runs if run.way == way]
        name = way.replace(" ", "_")
        figures[f"{name}_per_second"] = round(median(r.requests / r.seconds for r in of_way), 1)
        cpu = median(run.cpu / run.requests for run in of_way)
        figures[f"{name}_cpu_ms"] = round(1000 * cpu, 3)
    seconds = {(run.way, run.round): run.seconds for run in runs}
    pairs = [
        bare / seconds["pipeline", number]
        for (way, number), bare in seconds.items()
        if way == "bare" and ("pipeline", number) in seconds
    ]
    return {**figures, "pipeline_over_bare": round(median(pairs), 3) if pairs else None}


@contextmanager
def _instant(backend: VllmBackend) -> Iterator[None]:
    use_model(backend, Instant())
    try:
        yield
    finally:
        close_engines()


def _requests(prompt: PromptTemplate, backend: VllmBackend, texts: list[str]) -> list[Request]:
    return [request for text in texts for request in _asked(prompt, backend, text)]


def _asked(prompt: PromptTemplate, backend: VllmBackend, text: str) -> tuple[Request, ...]:
    return prompt.requests(
        stage="bench", backend=backend, sampler=_SAMPLER, run_seed=0, instruction=text, shots=[]
    )


def _episode(prompt: PromptTemplate, backend: VllmBackend, text: str) -> Steps[str | None]:
    (response,) = yield list(_asked(prompt, backend, text))
    return response.error


def _check(errors: list[str | None]) -> None:
    if said := next(filter(None, errors), None):
        raise BackendError(f"the bench's requests fail: {said}")


def _pipeline(
    way: str, prompt: PromptTemplate, backend: VllmBackend, number: int, texts: list[str]
) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        asking = Asking(backend, folder, LedgerSettings())
        started, cpu = time.perf_counter(), time.process_time()
        with open_pipeline(DirectSettings()) as pipeline:
            asked = (
                pipeline
                | "Problems" >> beam.Create(texts, reshuffle=False)
                | "Ask" >> Drive("bench", partial(_episode, prompt, backend), asking)
            )
            asked.results | "Check" >> beam.Map(lambda error: _check([error]))
        return _run(way, number, len(texts), started, cpu)


def _run(way: str, number: int, requests: int, started: float, cpu: float) -> Run:
    seconds = time.perf_counter() - started
    return Run(way, number, requests, seconds, time.process_time() - cpu)


def _bare(llm: Any, requests: list[Request], number: int) -> Run:
    started, cpu = time.perf_counter(), time.process_time()
    params = [vllm_params(request) for request in requests]
    outputs = llm.generate([request.prompt for request in requests], params, use_tqdm=False)
    run = _run("bare", number, len(requests), started, cpu)
    _check([None if output.outputs else "no output" for output in outputs])
    return run


async def _asyncio(settings: BenchRequestsSettings, prompt: PromptTemplate) -> list[Run]:
    from vllm import AsyncEngineArgs
    from vllm.usage.usage_lib import UsageContext
    from vllm.v1.engine.async_llm import AsyncLLM

    backend = settings.backend
    arguments = AsyncEngineArgs(**engine_arguments(backend), disable_log_stats=True)
    engine = AsyncLLM.from_engine_args(arguments, usage_context=UsageContext.LLM_CLASS)
    room = asyncio.Semaphore(with_some_waiting(engine.vllm_config.scheduler_config.max_num_seqs))

    async def ask(request: Request) -> None:
        assert request.prompt is not None
        async with room:
            async for _ in engine.generate(request.prompt, vllm_params(request), request.id):
                pass

    async def ask_all(number: int, count: int) -> Run:
        requests = _requests(prompt, backend, problems(count, number, settings.words))
        await engine.reset_prefix_cache()
        started, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*map(ask, requests))
        return _run("asyncio", number, count, started, cpu)

    try:
        await ask_all(-1, _WARM)
        return [await ask_all(number, settings.requests) for number in range(settings.rounds)]
    finally:
        engine.shutdown()

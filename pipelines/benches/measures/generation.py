"""`cotmill bench generation`: bare vLLM, the pipeline and the spawned server, in one run."""

from __future__ import annotations

import pickle
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import apache_beam as beam
from pydantic import Field

from transforms.engine.errors import BackendError
from transforms.engine.runner_settings import DirectSettings
from transforms.engine.runners import open_pipeline
from transforms.engine.settings import Group
from transforms.models.asking import Asking
from transforms.models.backends.base import Model, Reply
from transforms.models.backends.settings import VllmBackend, VllmServerBackend
from transforms.models.backends.vllm_engine import VllmModel, vllm_params
from transforms.models.backends.vllm_setup import engine_arguments, prepare_environment
from transforms.models.driver import Drive
from transforms.models.engines import close_engines, use_model
from transforms.models.episode import Steps
from transforms.models.ledger.ledger import LedgerSettings
from transforms.models.requests import Request, Response, Sampler

WORDS = "amber basin cedar delta ember fjord grove haven inlet jetty knoll ledge marsh north"
_LENGTHS = (8, 16, 32, 48, 64, 96, 160, 256)
"""Output lengths of the mixed mixes, tokens: most answers are short, and some are long."""


class BenchGenerationSettings(Group):
    """Everything `cotmill bench generation` can be told."""

    requests: int = Field(ge=8, description="requests of each mix")
    repetitions: int = Field(
        ge=1, description="times that the mix of output lengths is run, each way in turn"
    )
    server: bool = Field(description="also measure the spawned server (another load of the model)")
    backend: VllmBackend = Field(description="engine settings, the same for every way")


@dataclass
class Watch:
    """When requests began and ended, on one clock."""

    began: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)

    def busy(self) -> float:
        """Seconds in which at least one request was open."""
        total, open_, since = 0.0, 0, 0.0
        for at, step in self._steps():
            if open_ == 0:
                since = at
            open_ += step
            if open_ == 0:
                total += at - since
        return total

    def tail(self, enough: int) -> float:
        """Seconds at the end in which fewer than `enough` requests were open."""
        last_full, open_ = min(self.began), 0
        for at, step in self._steps():
            if open_ >= enough > open_ + step:
                last_full = at
            open_ += step
        return max(self.ended) - last_full

    def _steps(self) -> list[tuple[float, int]]:
        steps = [(at, 1) for at in self.began] + [(at, -1) for at in self.ended]
        return sorted(steps, key=lambda step: (step[0], -step[1]))


class Watched:
    """A model whose requests are timed."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.watch = Watch()
        self.responses: list[Response] = []

    @property
    def owed(self) -> int:
        return 0

    @property
    def open_requests(self) -> int:
        return self._model.open_requests

    def start(self, request: Request, reply: Callable[[Reply], None]) -> None:
        watch, responses = self.watch, self.responses
        watch.began.append(time.perf_counter())

        def ended(answer: Reply) -> None:
            watch.ended.append(time.perf_counter())
            if isinstance(answer, Response):
                responses.append(answer)
            reply(answer)

        self._model.start(request, ended)

    def reset(self) -> None:
        self.watch, self.responses = Watch(), []

    def close(self) -> None:
        self._model.close()


def mixes(count: int, repetition: int, model: str) -> dict[str, list[list[Request]]]:
    """Returns the requests of each mix, about `count`, grouped by prompt.

    Lengths are fixed, so that every way of asking generates the same number of tokens; prompts
    differ between repetitions, so that none finds another's in the prefix cache.
    """
    numbers = random.Random(f"bench {repetition}")
    words = WORDS.split()

    def prompts(number: int, length: int) -> list[str]:
        return [" ".join(numbers.choices(words, k=length)) for _ in range(number)]

    def grouped(texts: list[str], samples: int, lengths: list[int]) -> list[list[Request]]:
        left = iter(lengths)
        return [
            [_request(text, model, next(left), sample) for sample in range(samples)]
            for text in texts
        ]

    mixed = [_LENGTHS[index % len(_LENGTHS)] for index in range(count)]
    numbers.shuffle(mixed)
    return {
        "short": grouped(prompts(count, 20), 1, [32] * count),
        "long": grouped(prompts(count // 2, 400), 1, [32] * (count // 2)),
        "mixed": grouped(prompts(count, 60), 1, mixed),
        "mixed, n=8": grouped(prompts(count // 8, 60), 8, mixed),
    }


def _request(prompt: str, model: str, tokens: int, sample: int) -> Request:
    sampler = Sampler(
        temperature=0.8, top_p=1.0, top_k=0, min_p=0.0, max_tokens=tokens, ignore_eos=True
    )
    return Request("bench", model, (), prompt, sampler, 0, sample)


@dataclass(frozen=True)
class Run:
    """One mix, run one way."""

    mix: str
    way: str
    repetition: int
    seconds: float
    outside: float
    """Seconds in which the model had nothing to do."""
    tail: float
    prompt_tokens: int
    generated_tokens: int
    cpu: float
    """CPU seconds of this process: what asking costs beside the model, however busy the machine."""


def bench_generation(settings: BenchGenerationSettings, say: Callable[[str], None]) -> list[Run]:
    """Runs every mix through bare `vllm.LLM.generate`, the pipeline, and the spawned server.

    The first two use one engine in this process, in turn; what starts once (loading, the first
    requests) is not timed.

    Raises:
        BackendError: vLLM is not installed, the model cannot be loaded, or a request failed.
    """
    backend = settings.backend
    plan = [
        (repetition, name, requests)
        for repetition in range(settings.repetitions)
        for name, requests in mixes(settings.requests, repetition, backend.answering).items()
        if repetition == 0 or name == "mixed"
    ]
    runs: list[Run] = []
    say("loading the engine")
    with in_process(backend) as (llm, model):
        for repetition, name, requests in plan:
            for way in ("bare", "pipeline") if repetition % 2 == 0 else ("pipeline", "bare"):
                llm.reset_prefix_cache()
                if way == "bare":
                    run = _bare(llm, name, repetition, requests)
                else:
                    run = _pipeline(model, backend, name, way, repetition, requests)
                runs.append(run)
                say(f"{name}, {way}: {run.seconds:.1f} s")
    if settings.server:
        say("starting the server")
        values = {**backend.model_dump(), "engine": "vllm_server"}
        server = VllmServerBackend.model_validate(values)
        with _spawned(server) as model:
            for repetition, name, requests in plan:
                runs.append(_pipeline(model, server, name, "server", repetition, requests))
                say(f"{name}, server: {runs[-1].seconds:.1f} s")
    return runs


def summary(runs: list[Run]) -> dict[str, float | None]:
    """Returns the ratios of speed (1: as fast as bare vLLM), and what the model did not fill.

    `pipeline_over_engine` and `server_over_engine` are of the mix of output lengths, medians over
    the repetitions, each against the bare run of the same repetition.
    """

    def over(way: str, mix: str) -> float | None:
        seconds = {(run.way, run.repetition): run.seconds for run in runs if run.mix == mix}
        found = [
            bare / seconds[way, repetition]
            for (name, repetition), bare in seconds.items()
            if name == "bare" and (way, repetition) in seconds
        ]
        return round(median(found), 4) if found else None

    mixed = [run for run in runs if run.way == "pipeline" and run.mix == "mixed"]
    return {
        "pipeline_over_engine": over("pipeline", "mixed"),
        "server_over_engine": over("server", "mixed"),
        "pipeline_over_engine_n8": over("pipeline", "mixed, n=8"),
        "server_over_engine_n8": over("server", "mixed, n=8"),
        "outside_engine_share": round(median(run.outside / run.seconds for run in mixed), 4),
        "outside_engine_seconds": round(median(run.outside for run in mixed), 3),
        "tail_seconds_bare": _tail(runs, "bare"),
        "tail_seconds_pipeline": _tail(runs, "pipeline"),
    }


def _tail(runs: list[Run], way: str) -> float:
    return round(median(run.tail for run in runs if run.way == way and run.mix == "mixed"), 2)


@contextmanager
def in_process(backend: VllmBackend) -> Iterator[tuple[Any, Watched]]:
    """One engine, warm, for vLLM's `LLM` and for what asks `backend` in this process."""
    prepare_environment(backend)
    from vllm import LLM

    llm = LLM(**engine_arguments(backend))
    model = Watched(VllmModel(backend, lambda _: llm.llm_engine))
    use_model(backend, model)
    try:
        warm = mixes(8, -1, backend.answering)["short"]
        _bare(llm, "warm", 0, warm)
        _pipeline(model, backend, "warm", "pipeline", 0, warm)
        yield llm, model
    finally:
        close_engines()


@contextmanager
def _spawned(backend: VllmServerBackend) -> Iterator[Watched]:
    from transforms.models.backends.vllm_server import VllmServerModel

    model = Watched(VllmServerModel(backend))
    use_model(backend, model)
    try:
        warm = mixes(8, -1, backend.answering)["short"]
        _pipeline(model, backend, "warm", "server", 0, warm)
        yield model
    finally:
        close_engines()


class _Bar:
    """What `LLM.generate` takes for its progress bar: it is told of every request that ends."""

    def __init__(self, watch: Watch, items: Iterable[Any] = (), **_: Any) -> None:
        self._watch, self._items = watch, items
        self.n, self.postfix, self.format_dict = 0, "", {"elapsed": 1.0}

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def update(self, count: int) -> None:
        self.n += count
        self._watch.ended += [time.perf_counter()] * count

    def refresh(self) -> None:
        pass

    def close(self) -> None:
        pass


def _bare(llm: Any, mix: str, repetition: int, groups: list[list[Request]]) -> Run:
    watch = Watch()
    requests = [request for group in groups for request in group]
    params = [vllm_params(request) for request in requests]
    started, cpu = time.perf_counter(), time.process_time()
    outputs = llm.generate(
        [request.prompt for request in requests],
        params,
        use_tqdm=lambda *given, **named: _Bar(watch, *given, **named),
    )
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    in_flight = llm.llm_engine.vllm_config.scheduler_config.max_num_seqs
    watch.began = [started] * len(requests)
    return Run(
        mix,
        "bare",
        repetition,
        seconds,
        seconds - watch.busy(),
        watch.tail(min(in_flight, len(requests)) // 2),
        sum(len(output.prompt_token_ids) for output in outputs),
        sum(len(output.outputs[0].token_ids) for output in outputs),
        cpu,
    )


def _stored(path: str) -> list[list[Request]]:
    groups: list[list[Request]] = pickle.loads(Path(path).read_bytes())
    return groups


def _asked(requests: list[Request]) -> Steps[int]:
    return len((yield requests))


def _pipeline(
    model: Watched,
    backend: VllmBackend,
    mix: str,
    way: str,
    repetition: int,
    groups: list[list[Request]],
) -> Run:
    """Runs an episode for each group of requests in a Beam pipeline of one worker, with a ledger
    of its own.

    The requests are read from a file, as a recipe reads its records: in the job itself they would
    be compressed and sent as part of its graph.
    """
    model.reset()
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / "requests.pickle"
        stored.write_bytes(pickle.dumps(groups))
        started, cpu = time.perf_counter(), time.process_time()
        with open_pipeline(DirectSettings()) as pipeline:
            (
                pipeline
                | "File" >> beam.Create([str(stored)], reshuffle=False)
                | "Requests" >> beam.FlatMap(_stored)
                | "Ask" >> Drive("bench", _asked, Asking(backend, folder, LedgerSettings()))
            )
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    errors = [response.error for response in model.responses if response.error]
    if errors:
        raise BackendError(f"the bench's requests fail: {errors[0]}")
    return Run(
        mix,
        way,
        repetition,
        seconds,
        seconds - model.watch.busy(),
        model.watch.tail(min(model.open_requests * 4 // 5, len(model.responses)) // 2),
        sum(response.prompt_tokens for response in model.responses),
        sum(response.generated_tokens for response in model.responses),
        cpu,
    )

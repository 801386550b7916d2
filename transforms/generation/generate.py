"""Generate: the one transform through which every stage asks a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

import apache_beam as beam
from apache_beam.pvalue import AsDict, PCollection, TaggedOutput
from apache_beam.transforms.window import GlobalWindow
from apache_beam.typehints.decorators import no_annotations
from apache_beam.utils.windowed_value import WindowedValue

from transforms import progress
from transforms.accounting import Tally
from transforms.errors import LedgerMiss
from transforms.generation import draining
from transforms.generation.budget import cost_of, open_meter, over_budget
from transforms.generation.draining import Stopped
from transforms.generation.engines import Engine, open_engine
from transforms.generation.ledger import LedgerWriter, backend_hash
from transforms.generation.ledger_index import open_index
from transforms.generation.models import checked
from transforms.generation.requests import Answered, Prompted, Request, Response
from transforms.settings import (
    Backend,
    BudgetSettings,
    LedgerSettings,
    Price,
    ReplayBackend,
)

_RECALLED_AT_ONCE = 20_000
"""Recorded requests that a worker gathers before it reads their texts: enough that a ledger in
any order is read few times over, few enough (100 to 200 MB) to hold."""


_NONE: Mapping[str, Response] = MappingProxyType({})


class Generated(NamedTuple):
    """What `Generate` returns.

    answered: PCollection[Answered], one for each Prompted.
    tallies: PCollection[Tally] of tokens and requests, by model.
    """

    answered: PCollection
    tallies: PCollection


def as_it_is(prompted: Prompted) -> Prompted:
    """The prompt of what is a `Prompted` already."""
    return prompted


@dataclass
class Generate(beam.PTransform):
    """PCollection[record] -> `Generated`: what `prompt` asks for each record, answered.

    `prompt` makes a record `Prompted`; `sides` are its other arguments by name, side inputs among
    them. It is called wherever the requests are needed, and must give the same each time: what a
    runner has to hold between two steps is records, not prompts that repeat the same examples.

    Record ids are unique. Requests that the ledger holds are answered from it; the others go to
    the model, up to `backend.open_requests` at once in each worker, across records, and are
    written to the ledger as they come back. A record leaves when its last response is there,
    responses in the order of its requests. A request that fails is a response with
    `finish_reason` `error`; its neighbours are not touched. A bundle whose requests are all
    recorded never loads the model.

    Tallies, with the model as key: `requests`, `requests.recorded`, `requests.failed`,
    `tokens.prompt`, `tokens.cached` (of those of the prompt), `tokens.generated`, and for what an
    earlier run or attempt paid for `tokens.recorded` (generated), `tokens.recorded.prompt`,
    `tokens.recorded.cached`.

    The anti-join with the ledger is a broadcast join: each worker asks a `LedgerIndex` (28 bytes a
    response) about its own requests, and reads the texts of those recorded a few thousand
    requests at a time, only the row groups that hold them. A shuffle of the ledger and the
    prompts by request id would be the other way: local runners hold shuffles in memory at several
    times their size, and it would move every text of a shared ledger for every stage.

    Requests of equal content have equal ids. Those that several records make are found by a
    shuffle of ids alone, and are asked first, by one record each, whichever worker has it; all
    of these records then find the answers in a side input. So each is paid for once, and no
    record passes through a shuffle for it. The side input holds all answers that are shared: few,
    since prompts differ by their record, or by the examples drawn for it.

    A bundle is a barrier, since a bundle's records must have left by its end; within it there is
    none. FnApiRunner gives each worker its share of the whole stage as one bundle, so there the
    engine drains once a stage: 600 requests of 0.1 to 4 s, 32 open, took 13.7 s, where the best
    order of starting them would take 13.6 s and batches of 32 would take 36.4 s.

    Why not Beam's `RunInference`: one set of sampling arguments holds for its whole transform
    (here each request has its own seed), a batch is a barrier (the longest answer of a batch
    idles the engine that continuous batching would fill), one refused request loses its whole
    batch, and two steps load the model twice.

    Raises (as the pipeline runs):
        BackendError: the model cannot be loaded or reached.
        BudgetReached: `budget` is spent; what was asked until then is in the ledger.
        LedgerMiss: a replay's ledger does not hold a request.
    """

    stage: str
    backend: Backend
    ledger_dir: str
    ledger: LedgerSettings
    budget: BudgetSettings = BudgetSettings()
    prices: Mapping[str, Price] = field(default_factory=dict)
    prompt: Callable[..., Prompted] = as_it_is
    sides: Mapping[str, Any] = field(default_factory=dict)

    def expand(self, records: PCollection) -> Generated:
        prompt, sides = self.prompt, self.sides
        shared = (
            records
            | "Request ids"
            >> beam.ParDo(_RequestIds(prompt), **sides).with_output_types(tuple[bytes, str])
            | "By request" >> beam.GroupByKey()
            | "Shared" >> beam.FlatMapTuple(shared_requests)
        )
        how = (self.stage, self.backend, self.ledger_dir, self.ledger, self.budget, self.prices)
        first = (
            records
            | "Shared alone" >> beam.ParDo(_AskForOthers(prompt), shared=AsDict(shared), **sides)
            | "Ask shared" >> beam.ParDo(_Ask(*how)).with_outputs("tallies", main="answered")
        )
        answers = first["answered"] | "By id" >> beam.FlatMap(
            lambda answered: [(response.id, response) for response in answered.responses]
        )
        asked = records | "Ask" >> beam.ParDo(
            _Ask(*how, prompt), answers=AsDict(answers), **sides
        ).with_outputs("tallies", main="answered")
        tallies = (first["tallies"], asked["tallies"]) | "Tallies" >> beam.Flatten()
        return Generated(asked["answered"], tallies)


class _RequestIds(beam.DoFn):
    def __init__(self, prompt: Callable[..., Prompted]) -> None:
        self._prompt = prompt

    @no_annotations  # Beam cannot bind arguments by name to **sides
    def process(self, element: Any, *args: Any, **sides: Any) -> Iterator[tuple[bytes, str]]:
        yield from request_ids(self._prompt(element, **sides))


class _AskForOthers(beam.DoFn):
    def __init__(self, prompt: Callable[..., Prompted]) -> None:
        self._prompt = prompt

    @no_annotations  # Beam cannot bind arguments by name to **sides
    def process(self, element: Any, *args: Any, **sides: Any) -> Iterator[Prompted]:
        shared = sides.pop("shared")
        if shared:
            yield from asking_for_others(self._prompt(element, **sides), shared)


def request_ids(prompted: Prompted) -> Iterator[tuple[bytes, str]]:
    """Yields (request id, record id) for every different request of `prompted`."""
    for key in dict.fromkeys(request.id for request in prompted.requests):
        yield bytes.fromhex(key), prompted.record.id


def shared_requests(key: bytes, records: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yields (request id, the record that asks for all) where several records make a request."""
    first, *others = sorted(records)
    if others:
        yield key.hex(), first


def asking_for_others(prompted: Prompted, shared: Mapping[str, str]) -> Iterator[Prompted]:
    """Yields the record with those of its requests that it asks for others too, if any."""
    asks = {r.id: r for r in prompted.requests if shared.get(r.id) == prompted.record.id}
    if asks:
        yield Prompted(prompted.record, tuple(asks.values()))


class _Waiting:
    """A record whose responses are not all there yet."""

    def __init__(self, prompted: Prompted, answers: Mapping[str, Response]) -> None:
        self.prompted = prompted
        self.responses = {r.id: answers[r.id] for r in prompted.requests if r.id in answers}
        self.missing = {r.id: r for r in prompted.requests if r.id not in answers}

    def add(self, response: Response) -> None:
        self.responses[response.id] = checked(self.missing.pop(response.id), response)

    def answered(self) -> Answered:
        return Answered(
            self.prompted.record, tuple(self.responses[r.id] for r in self.prompted.requests)
        )


class _Ask(beam.DoFn):
    """Keeps requests of many records open at once; everything is answered by the bundle's end."""

    def __init__(
        self,
        stage: str,
        backend: Backend,
        ledger_dir: str,
        ledger: LedgerSettings,
        budget: BudgetSettings,
        prices: Mapping[str, Price],
        prompt: Callable[..., Prompted] = as_it_is,
    ) -> None:
        self._stage, self._backend = stage, backend
        self._is_replay = isinstance(backend, ReplayBackend)
        self._ledger_dir, self._ledger = ledger_dir, ledger
        self._budget, self._prices = budget, prices
        self._prompt = prompt

    def setup(self) -> None:
        self._engine: Engine | None = None
        self._meter = open_meter()
        self._writer = LedgerWriter(
            self._ledger_dir,
            self._ledger,
            api=self._backend.api or "",
            continue_prefix=self._backend.sends_prefix,
            backend=backend_hash(self._backend),
        )

    def start_bundle(self) -> None:
        self._index = open_index(self._ledger_dir, failures=self._is_replay)
        self._open: dict[str, Request] = {}
        self._recorded: dict[str, Request] = {}
        self._waiting: dict[str, list[_Waiting]] = {}
        self._tallies: dict[tuple[str, str], int] = {}

    @no_annotations
    def process(
        self, element: Any, *args: Any, answers: Mapping[str, Response] = _NONE, **sides: Any
    ) -> Iterator[Answered]:
        prompted = self._prompt(element, **sides)
        waiting = _Waiting(prompted, answers)
        if not waiting.missing:
            yield waiting.answered()
            return
        missing = list(waiting.missing.values())
        recorded = self._index.holds(missing)
        for request, held in zip(missing, recorded, strict=True):
            self._waiting.setdefault(request.id, []).append(waiting)
            if held:
                self._recorded[request.id] = request
            else:
                yield from self._submit(request, prompted)
        if len(self._recorded) >= _RECALLED_AT_ONCE:
            yield from self._recall()
        yield from self._collect(wait=False)

    def finish_bundle(self) -> Iterator[Any]:
        for answered in self._recall():
            yield _global(answered)
        while self._open:
            for answered in self._collect(wait=True):
                yield _global(answered)
        self._writer.flush()
        for (what, model), amount in self._tallies.items():
            yield TaggedOutput("tallies", _global(Tally(self._stage, what, model, amount)))
        progress.flush()

    def teardown(self) -> None:
        self._writer.flush()
        if self._engine is not None:
            self._engine.close()

    def _recall(self) -> Iterator[Answered]:
        """Answers from the ledger what it holds; asks what turns out to be unreadable there."""
        asked, self._recorded = self._recorded, {}
        how = None if self._is_replay else backend_hash(self._backend)
        responses = self._index.read(asked.values(), how)
        for key, request in asked.items():
            if key in responses:
                yield from self._answer(replace(responses[key], stage=self._stage))
            else:
                yield from self._submit(request, self._waiting[key][0].prompted)

    def _submit(self, request: Request, prompted: Prompted) -> Iterator[Answered]:
        if isinstance(self._backend, ReplayBackend):
            raise _miss(self._stage, self._ledger_dir, request, prompted)
        if self._engine is None:
            self._engine = open_engine(self._backend)
        while self._engine.in_flight >= self._backend.open_requests:
            yield from self._collect(wait=True)
        if reached := over_budget(self._budget, self._meter.spent()):
            while self._open:  # they are paid for: a later run must find them
                for _ in self._collect(wait=True):
                    pass
            self._writer.flush()
            raise reached
        self._open[request.id] = request
        self._engine.submit(request)

    def _collect(self, wait: bool) -> Iterator[Answered]:
        """Takes in what the engine has finished; yields the records that are complete by it."""
        if self._engine is None:
            if draining.has_begun():
                self._end()
            return
        try:
            responses = self._engine.finished(wait)
        except BaseException:  # the run ends here: what came before is not lost
            self._writer.flush()
            raise
        for response in responses:
            self._record(response)
        if draining.has_begun():
            self._end()
        for response in responses:
            yield from self._answer(response)
        self._writer.flush_if_due()

    def _record(self, response: Response) -> None:
        self._writer.add(self._open.pop(response.id), response)
        self._meter.add(cost_of(response, self._prices))
        if self._engine is not None:
            self._engine.unrecorded -= 1

    def _end(self) -> NoReturn:
        """Records the answers that are paid for and still come, then ends the bundle."""
        if self._engine is not None:
            for response in self._engine.last():
                self._record(response)
            self._engine.close()
        self._writer.flush()
        raise Stopped

    def _answer(self, response: Response) -> Iterator[Answered]:
        """Gives a response to the records that wait for it; yields those that leave by it."""
        self._count(response)
        for record in self._waiting.pop(response.id):
            record.add(response)
            if not record.missing:
                yield record.answered()

    def _count(self, response: Response) -> None:
        if response.recorded:
            amounts = {
                "requests.recorded": 1,
                "tokens.recorded": response.generated_tokens,
                "tokens.recorded.prompt": response.prompt_tokens,
                "tokens.recorded.cached": response.cached_tokens,
            }
        else:
            amounts = {
                "requests": 1,
                "requests.failed": int(response.finish_reason == "error"),
                "tokens.prompt": response.prompt_tokens,
                "tokens.cached": response.cached_tokens,
                "tokens.generated": response.generated_tokens,
            }
            progress.report(self._stage, "tokens", response.generated_tokens)
        progress.report(self._stage, "requests", 1)
        for what, amount in amounts.items():
            if amount:
                key = (what, response.model)
                self._tallies[key] = self._tallies.get(key, 0) + amount


def _global(value: Any) -> WindowedValue:
    return WindowedValue(value, GlobalWindow().max_timestamp(), (GlobalWindow(),))


def _miss(stage: str, ledger_dir: str, request: Request, prompted: Prompted) -> LedgerMiss:
    text = request.prompt if request.prompt is not None else request.messages[-1].content
    start = " ".join(text.split())[:80]
    return LedgerMiss(
        f"{stage}: request {request.id} of record {prompted.record.id} is not in the ledger "
        f"{ledger_dir} (model {request.model}, prompt: {start!r}): run with the backend that "
        "made the ledger, or with the settings it was made with"
    )

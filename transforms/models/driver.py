"""Plays many episodes at once, over their models and one sandbox; as a Beam transform, too."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, NoReturn

import apache_beam as beam
from apache_beam.pvalue import PCollection, TaggedOutput
from apache_beam.transforms.window import GlobalWindows
from apache_beam.typehints.decorators import no_annotations
from apache_beam.utils.windowed_value import WindowedValue

from transforms.engine import progress
from transforms.engine.accounting import Tally
from transforms.engine.errors import BackendError, LedgerMiss
from transforms.engine.ids import canonical_json, content_id
from transforms.images.blobs import Blobs
from transforms.models.asking import Asker, Asking, askers, missed
from transforms.models.backends import draining
from transforms.models.backends.base import checked
from transforms.models.backends.draining import Stopped
from transforms.models.effects import Effect, Ending, Keep, R, Recall, Steps
from transforms.models.engines import last, take
from transforms.models.observations import Observations
from transforms.models.requests import Request, Response
from transforms.models.results import ResultReader, ResultWriter, key_of
from transforms.models.tools import THREADS, Invoke, Invoked, ToolThreads
from transforms.sandbox.jobs import Cell, CellResult, Check, Job, Status
from transforms.sandbox.sandbox import Sandbox
from transforms.sandbox.settings import SandboxSettings
from transforms.sandbox.shared import shared_sandbox

_RECALLED_AT_ONCE = 20_000
"""Recorded requests that a worker gathers before it reads their texts: enough that a ledger in
any order is read few times over, few enough (100 to 200 MB) to hold."""

_WAITING = 1000
"""Requests that wait for one model, at most, before no further episode begins for another model
that has room."""

_LATE = 1.0
"""Seconds by which the ledger's own thread must be late, as where the disk is full, before the
driver writes in its place: it meets the error, and plays no episode meanwhile."""

JOBS_PER_SLOT = 64
"""Jobs of a worker that wait or run, for each slot and each thread of tools: these stay busy behind
a program that takes long."""


class _Open:
    """An episode under way: whose it is, and what became of the effects it waits for.

    Args:
        number: how many began before it.
    """

    def __init__(self, place: Any, steps: Steps[Any], number: int) -> None:
        self.place, self.steps, self.number = place, steps, number

    def wait_for(self, yielded: Any) -> list[Effect]:
        self._is_list = isinstance(yielded, list)
        effects: list[Effect] = yielded if self._is_list else [yielded]
        self._found: list[Any] = [None] * len(effects)
        self.missing = len(effects)
        return effects

    def give(self, index: int, what: Any) -> None:
        self._found[index] = what
        self.missing -= 1

    def found(self) -> Any:
        return self._found if self._is_list else self._found[0]


_Waiter = tuple[_Open, int]
"""An episode, and the place among its effects of the one that it waits for."""


@dataclass(frozen=True)
class _Ran:
    """What an episode had run has ended."""

    effect: Job | Check | Cell | Invoke
    future: Future[Any]
    key: str = ""
    """That of its observation; empty for what is not observed."""
    waiters: tuple[_Waiter, ...] = ()
    """Who waits for it; empty where `key` says so."""


class Driver:
    """Plays many episodes at once over their models and the process's sandbox.

    Any number of episodes is open at a time, each where its own effects have brought it: none
    waits for another. Requests that the ledger holds are answered from it; the others go to the
    model that they name (`Asker`), up to `Model.open_requests` at once, those of older episodes
    before those of new ones, and are written to the ledger as they come back. A request that is
    open or was answered since `start` is not asked a second time. A cell that several episodes or
    branches run from the same state is run once, and so is a call of a tool (`Observations`); what
    they showed is in the ledger too, so a replay runs none. A model is loaded, and the sandbox is
    opened, when the first request or job needs it.

    Args:
        stage: name under which tallies and progress are counted.
        asking: None for episodes that ask no model.
        sandbox: None for episodes that run no program.
        ran_ahead: folder of what episodes that were played ahead came to; empty where none are.
    """

    def __init__(
        self,
        stage: str,
        asking: Asking | None,
        sandbox: SandboxSettings | None,
        ran_ahead: str = "",
    ) -> None:
        self._stage, self._asking, self._sandbox = stage, asking, sandbox
        self._folder = Path(ran_ahead)
        self._looks_up = bool(ran_ahead)
        self._results = ResultWriter(self._folder)
        self._leases = ExitStack()
        self._box: Sandbox | None = None
        self._tools: ToolThreads | None = None
        self._futures: set[Future[Any]] = set()
        self.open = 0
        """Episodes that have begun and not ended."""
        self._by_name = {} if asking is None else askers(stage, asking)
        self._askers: tuple[Asker, ...] = tuple(dict.fromkeys(self._by_name.values()))
        self._own = self._by_name.get(None)
        self._observations = Observations(self._own.writer if self._own else None)

    def start(self) -> None:
        """Begins anew, with the ledger as it is now; forgets what an earlier start left open."""
        self._cancel()
        self.flush()
        self._inbox: SimpleQueue[Any] = SimpleQueue()
        self.open = self._begun = 0
        self._ended: deque[tuple[Any, Any]] = deque()
        self._waiting: dict[str, list[tuple[_Open, int, Request]]] = {}
        self._answered: set[str] = set()
        self._tallies: dict[tuple[str, str], int] = {}
        for asker in self._askers:
            asker.start(self._inbox)
        self._observations.start(self._own.index if self._own else None)

    def begin(self, place: Any, steps: Steps[Any]) -> None:
        """Begins an episode; `place` is what `ended` names it by."""
        self.open += 1
        self._begun += 1
        self._go_on(_Open(place, steps, self._begun), None)

    @property
    def is_full(self) -> bool:
        """Whether the models, the sandbox and the tools have as much to do as they take at a
        time."""
        slots = (self._box.slots if self._box else 0) + (THREADS if self._tools else 0)
        if len(self._futures) > JOBS_PER_SLOT * slots:
            return True
        if not self._askers:
            return False
        return all(asker.has_stock for asker in self._askers) or any(
            asker.waiting > _WAITING for asker in self._askers
        )

    def step(self, wait: bool) -> None:
        """Takes in what the model and the sandbox have finished; episodes go on with it.

        With `wait`, blocks until there is something.

        Raises:
            BackendError: a model cannot be loaded or reached, or is gone.
            BudgetReached: the budget is spent; what was asked until then is in the ledger.
            LedgerMiss: a replay's ledger does not hold a request.
            SandboxError: programs cannot be run.
        """
        try:
            self._send()
            if self._recall(wait):
                return
            self._take_in(take(self._inbox, wait and self._is_owed()))
            if draining.has_begun():
                self._drain()
            self._send()
            for asker in self._askers:
                asker.writer.flush_if_due(late=_LATE)
        except BaseException:  # the run ends here: what came before is not lost
            self.flush()
            raise

    def ended(self) -> Iterator[tuple[Any, Any]]:
        """Yields (place, result) of the episodes that have ended since the last call."""
        while self._ended:
            yield self._ended.popleft()

    def tallies(self) -> Iterator[Tally]:
        """Yields what was counted since `start` (see `Drive`)."""
        for (what, key), amount in self._tallies.items():
            yield Tally(self._stage, what, key, amount)

    def flush(self) -> None:
        """Writes the answers that are not yet in the ledger, and results for later segments."""
        for asker in self._askers:
            asker.writer.flush()
        self._results.close()

    def close(self) -> None:
        self._cancel()
        self.flush()
        for asker in self._askers:
            asker.close()
        if self._tools is not None:
            self._tools.close()
        self._leases.close()

    def _go_on(self, episode: _Open, sent: Any) -> None:
        """Sends an episode what it waited for, until it waits again or ends."""
        while True:
            try:
                yielded = episode.steps.send(sent)
            except StopIteration as end:
                self.open -= 1
                self._ended.append((episode.place, end.value))
                return
            effects = episode.wait_for(yielded)
            asked = []
            for index, effect in enumerate(effects):
                if isinstance(effect, Request):
                    asked.append((index, effect))
                elif isinstance(effect, (Cell, Invoke)):
                    self._observe((episode, index), effect)
                elif isinstance(effect, (Job, Check)):
                    self._run(effect, "", (episode, index))
                elif isinstance(effect, Tally):
                    self._count(effect.what, effect.key, effect.amount)
                    episode.give(index, None)
                elif isinstance(effect, Recall):
                    episode.give(index, self._recalled(effect))
                elif isinstance(effect, Keep):
                    key = key_of(self._sandbox_identity, effect.recall)
                    self._results.add(key, effect.ending)
                    episode.give(index, None)
                else:
                    raise TypeError(f"{self._stage}: an episode yields {effect!r}, not an effect")
            if asked:
                self._ask(episode, asked)
            if episode.missing:
                return
            sent = episode.found()

    def _recalled(self, recall: Recall) -> Ending | None:
        if not self._looks_up or not self._kept:
            return None
        ending: Ending | None = self._kept.get(key_of(self._sandbox_identity, recall))
        return ending

    @cached_property
    def _kept(self) -> ResultReader:
        return ResultReader(self._folder)

    def _run(self, effect: Job | Check | Cell | Invoke, key: str, *waiters: _Waiter) -> None:
        future = self._submit(effect)
        self._futures.add(future)
        inbox = self._inbox
        future.add_done_callback(lambda done: inbox.put(_Ran(effect, done, key, waiters)))

    def _submit(self, effect: Job | Check | Cell | Invoke) -> Future[Any]:
        if isinstance(effect, Invoke):
            if self._tools is None:
                self._tools = ToolThreads()
            return self._tools.submit(effect)
        if self._box is None:
            self._box = self._leases.enter_context(shared_sandbox(self._sandbox_settings))
        if isinstance(effect, Cell):
            return self._box.submit_cell(effect)
        if isinstance(effect, Check):
            return self._box.submit_check(effect)
        return self._box.submit(effect)

    def _observe(self, waiter: _Waiter, effect: Cell | Invoke) -> None:
        """Gives what a cell or tool showed before, and has it run where that is not known."""
        key = effect.key if isinstance(effect, Invoke) else self._cell_key(effect)
        if not self._observations.is_under_way(key):
            text = self._observations.find(key)
            if text is not None:
                episode, index = waiter
                result = self._observed(effect, text)
                if self._observations.is_first(key):
                    self._count_observation(effect, result, ".recorded")
                episode.give(index, result)
                return
            if self._own is not None and self._own.is_replay:
                raise self._unobserved(effect)
        if self._observations.wait(key, waiter):
            self._run(effect, key)

    def _cell_key(self, cell: Cell) -> str:
        identity = [self._sandbox_identity, cell.code, cell.after, cell.seed]
        if cell.files or cell.wanted:
            identity += [cell.origin, cell.wanted]
        return content_id("cell", *identity)

    @property
    def _sandbox_settings(self) -> SandboxSettings:
        if self._sandbox is None:
            raise TypeError(f"{self._stage} runs programs, and has no field `sandbox`")
        return self._sandbox

    @cached_property
    def _sandbox_identity(self) -> Any:
        return self._sandbox_settings.identity()

    def _ask(self, episode: _Open, asked: list[tuple[int, Request]]) -> None:
        if self._asking is None:
            raise TypeError(f"{self._stage} asks a model, and is not a ModelEpisode")
        new: dict[Asker, list[Request]] = {}
        for index, request in asked:
            if request.id not in self._waiting:
                new.setdefault(self._asked(request), []).append(request)
            self._waiting.setdefault(request.id, []).append((episode, index, request))
        ids = (request.id for requests in new.values() for request in requests)
        if not self._answered.isdisjoint(ids):  # asked before: by now the ledger has it
            for asker in self._askers:
                asker.writer.flush()
            for asker in new:
                asker.refresh()
        for asker, requests in new.items():
            asker.ask(episode.number, requests)

    def _asked(self, request: Request) -> Asker:
        if request.named not in self._by_name:
            raise TypeError(f"{self._stage} asks a model {request.named}, and has no such model")
        return self._by_name[request.named]

    def _send(self) -> None:
        """Has the models take up what they have room for."""
        for asker in self._askers:
            if reached := asker.send():
                while any(each.sent for each in self._askers):  # paid for: a later run needs them
                    self._take_in(take(self._inbox, True))
                self.flush()
                raise reached

    def _is_owed(self) -> bool:
        """Whether something is under way that will be put into the inbox."""
        return bool(self._futures) or any(asker.sent for asker in self._askers)

    def _recall(self, wait: bool) -> bool:
        """Answers from the ledger where much is to be read there, or with `wait` anything that is
        not held back by a full model; returns whether it did."""
        due = [
            asker
            for asker in self._askers
            if len(asker.recorded) >= _RECALLED_AT_ONCE
            or (wait and asker.recorded and not asker.waiting)
        ]
        for asker in due:
            self._answer(asker.recall())
        return bool(due)

    def _take_in(self, events: list[Any]) -> None:
        """Records the responses among `events`, then has the episodes go on with all of them."""
        responses: list[Response] = []
        gone: BackendError | None = None
        for event in events:
            if isinstance(event, BackendError):
                gone = event
            elif isinstance(event, Response):
                responses.append(event)
        self._record(responses)
        ran = [(event, self._result(event)) for event in events if isinstance(event, _Ran)]
        if gone is not None:
            raise gone
        if draining.has_begun():
            return
        for asker in self._askers:  # at once: before the episodes go on, which takes time
            asker.send()
        self._answer(responses)
        for event, result in ran:
            if isinstance(result, BaseException):
                raise result
            waiters = self._observations.waited_for(event.key) if event.key else event.waiters
            for episode, index in waiters:
                self._give(episode, index, result)

    def _result(self, event: _Ran) -> Any:
        """Returns what became of what was run, or the error that hindered it; records what was
        observed."""
        self._futures.discard(event.future)
        try:
            result = event.future.result()
        except BaseException as error:
            return error
        if not isinstance(event.effect, (Cell, Invoke)):
            return result
        text = self._observations.add(event.key, self._told(result))
        if self._observations.is_first(event.key):
            self._count_observation(event.effect, result)
        return self._observed(event.effect, text)

    def _told(self, result: CellResult | Invoked) -> str:
        """What a cell or tool showed, as JSON; files by their hashes, and their bytes as blobs."""
        values = asdict(result)
        if files := values.pop("files", {}):
            values["files"] = {name: self._blobs.keep(data) for name, data in files.items()}
        return canonical_json(values)

    def _observed(self, effect: Cell | Invoke, text: str) -> CellResult | Invoked:
        """Returns what a cell or tool showed, as the ledger has it."""
        values = json.loads(text)
        files = {name: self._blobs.named(hash) for name, hash in values.pop("files", {}).items()}
        if isinstance(effect, Invoke):
            return Invoked(files=files, **values)
        status, after = Status(values.pop("status")), tuple(values.pop("after"))
        return CellResult(status=status, after=after, files=files, **values)

    @property
    def _blobs(self) -> Blobs:
        if self._asking is None or not self._asking.blobs:
            raise TypeError(f"{self._stage} wants files of cells, and is not a ModelEpisode")
        return Blobs(self._asking.blobs)

    def _record(self, responses: list[Response]) -> None:
        by_asker: dict[Asker, list[Response]] = {}
        for response in responses:
            *_, request = self._waiting[response.id][0]  # the first one was sent
            by_asker.setdefault(self._by_name[request.named], []).append(response)
        for asker, own in by_asker.items():
            asker.record(own)

    def _drain(self) -> NoReturn:
        """Records the answers that are paid for and still come, then ends."""
        engines = [asker.engine for asker in self._askers if asker.engine is not None]
        for response in last(engines, self._inbox):
            self._record([response])
        for engine in engines:
            engine.close()
        self.flush()
        raise Stopped

    def _answer(self, responses: list[Response]) -> None:
        """Gives responses to the episodes that wait for them."""
        new = [response for response in responses if response.id not in self._answered]
        self._answered.update(response.id for response in new)
        generated = sum(response.generated_tokens for response in new if not response.recorded)
        progress.report(self._stage, "tokens", generated)
        progress.report(self._stage, "requests", len(new))
        for response in new:
            self._count_response(response)
        for response in responses:
            for episode, index, request in self._waiting.pop(response.id):
                self._give(episode, index, checked(request, response))

    def _give(self, episode: _Open, index: int, what: Any) -> None:
        episode.give(index, what)
        if not episode.missing:
            self._go_on(episode, episode.found())

    def _count_response(self, response: Response) -> None:
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
        for what, amount in amounts.items():
            self._count(what, response.model, amount)

    def _count_observation(self, effect: Cell | Invoke, result: Any, how: str = "") -> None:
        if isinstance(effect, Invoke):
            self._count(f"tools{how}", effect.tool.name, 1)
            self._count("tools.failed", effect.tool.name, int(result.error is not None))
        else:
            self._count(f"cells{how}", result.status, 1)
            if not how:
                self._count("cells.rebuilt", result.status, result.replayed)

    def _count(self, what: str, key: str, amount: int) -> None:
        if not amount:
            return
        self._tallies[what, key] = self._tallies.get((what, key), 0) + amount

    def _cancel(self) -> None:
        for future in self._futures:
            future.cancel()
        self._futures.clear()

    def _unobserved(self, effect: Cell | Invoke) -> LedgerMiss:
        if isinstance(effect, Invoke):
            return self._miss(f"a call of {effect.tool.name}", f"with {effect.arguments[:80]!r}")
        return self._miss("a cell", f"its code begins {effect.code[:80]!r}")

    def _miss(self, what: str, which: str) -> LedgerMiss:
        assert self._asking is not None
        return missed(self._stage, self._asking.ledger_dir, what, which)


def drive(
    records: Iterable[Any],
    episode: Callable[[Any], Steps[R]],
    asking: Asking | None = None,
    sandbox: SandboxSettings | None = None,
    stage: str = "",
) -> list[R]:
    """Plays an episode for each record in this process, without Beam; returns the results, in the
    order of the records.

    Raises: as `Driver.step` does.
    """
    driver = Driver(stage, asking, sandbox)
    try:
        driver.start()
        for place, record in enumerate(records):
            driver.begin(place, episode(record))
            driver.step(wait=False)
            while driver.is_full:
                driver.step(wait=True)
        while driver.open:
            driver.step(wait=True)
        found: dict[int, R] = dict(driver.ended())
        return [found[place] for place in sorted(found)]
    finally:
        driver.close()


class Driven(NamedTuple):
    """What `Drive` returns.

    results: PCollection of what the episodes returned, one for each record.
    tallies: PCollection[Tally]: those that episodes yielded, and of tokens and requests by model.
    """

    results: PCollection
    tallies: PCollection


@dataclass
class Drive(beam.PTransform):
    """PCollection[record] -> `Driven`: `episode` played for each record.

    A worker has as many episodes open as its model and its sandbox can serve (see `Driver`); an
    episode lives within a bundle, and a bundle that is run again takes from the ledger what was
    answered before. A bundle is a barrier, since its records must have left by its end; within it
    there is none. FnApiRunner gives each worker its share of the whole stage as one bundle, so
    there the model drains once a stage.

    Tallies of each model: `requests`, `requests.recorded`, `requests.failed`, `tokens.prompt`,
    `tokens.cached` (of those of the prompt), `tokens.generated`, and for what an earlier run or
    attempt paid for `tokens.recorded` (generated), `tokens.recorded.prompt`,
    `tokens.recorded.cached`. Of cells, by the status in which they ended: `cells`, those run;
    `cells.recorded`, those that an earlier run or attempt ran; `cells.rebuilt`, those run again
    before one of that status because the state it begins with was not kept. Of tools, by name:
    `tools`, calls made; `tools.recorded`; `tools.failed`, those of both that gave an error.

    Requests of equal content have equal ids, and are paid for once within a bundle; equal cells
    after equal cells are run once. Two bundles that run at the same time, in two workers or in one
    of a portable runner, may both pay; what one of them has written to the ledger before the other
    begins is paid for once.

    Why not Beam's `RunInference`: one set of sampling arguments holds for its whole transform
    (here each request has its own seed), a batch is a barrier (the longest answer of a batch
    idles the engine that continuous batching would fill), one refused request loses its whole
    batch, and two steps load the model twice.

    Args:
        stage: name under which tallies and progress are counted.
        episode: (record, **sides) -> its steps.
        asking: None for episodes that ask no model.
        sandbox: None for episodes that run no program.
        sides: further arguments of `episode` by name, side inputs among them.
        ran_ahead: folder of what episodes that were played ahead came to; empty where none are.

    Raises (as the pipeline runs): as `Driver.step` does.
    """

    stage: str
    episode: Callable[..., Steps[Any]]
    asking: Asking | None = None
    sandbox: SandboxSettings | None = None
    sides: Mapping[str, Any] = field(default_factory=dict)
    ran_ahead: str = ""

    def expand(self, records: PCollection) -> Driven:
        played = records | "Play" >> beam.ParDo(
            _Play(self.stage, self.episode, self.asking, self.sandbox, self.ran_ahead), **self.sides
        ).with_outputs("tallies", main="results")
        return Driven(played["results"], played["tallies"])


class _Play(beam.DoFn):
    def __init__(
        self,
        stage: str,
        episode: Callable[..., Steps[Any]],
        asking: Asking | None,
        sandbox: SandboxSettings | None,
        ran_ahead: str,
    ) -> None:
        self._episode = episode
        self._driver_of = partial(Driver, stage, asking, sandbox, ran_ahead)

    def setup(self) -> None:
        self._driver = self._driver_of()

    def start_bundle(self) -> None:
        self._driver.start()

    @no_annotations  # Beam cannot bind arguments by name to **sides
    def process(
        self,
        element: Any,
        timestamp: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
        **sides: Any,
    ) -> Iterator[WindowedValue]:
        driver = self._driver
        driver.begin((timestamp, window), self._episode(element, **sides))
        driver.step(wait=False)
        while driver.is_full:
            yield from self._ended()
            driver.step(wait=True)
        yield from self._ended()

    def finish_bundle(self) -> Iterator[Any]:
        while self._driver.open:
            yield from self._ended()
            self._driver.step(wait=True)
        yield from self._ended()
        self._driver.flush()
        for tally in self._driver.tallies():
            yield TaggedOutput("tallies", GlobalWindows.windowed_value(tally))
        progress.flush()

    def teardown(self) -> None:
        self._driver.close()

    def _ended(self) -> Iterator[WindowedValue]:
        for (timestamp, window), result in self._driver.ended():
            yield WindowedValue(result, timestamp, (window,))

"""Asks the models of a stage: requests wait for each of its backends, ledger and engine answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from queue import SimpleQueue
from typing import Any

from transforms.engine.errors import BudgetReached, LedgerMiss
from transforms.models.backends.settings import Backend, ReplayBackend
from transforms.models.budget import Account, Price
from transforms.models.engines import Engine, model_key, open_engine
from transforms.models.ledger.index import LedgerIndex, open_index
from transforms.models.ledger.ledger import LedgerSettings, LedgerWriter, backend_hash
from transforms.models.requests import Request, Response
from transforms.models.settings import BudgetSettings


@dataclass(frozen=True)
class Asking:
    """Which models an episode asks, where their answers are recorded, and what they may cost."""

    backend: Backend
    """Of the requests that name no model (`Request.named`)."""
    ledger_dir: str
    ledger: LedgerSettings
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    prices: Mapping[str, Price] = field(default_factory=dict)
    models: Mapping[str, Backend] = field(default_factory=dict)
    """Of the requests that name one, by its name."""
    blobs: str = ""
    """Folder of pictures, and of files that cells leave; empty where neither is asked for."""


class Asker:
    """Has one backend answer requests: the ledger those that it holds, the model the others.

    The model is loaded when the first request needs it. It is given as many requests as it takes
    at once; the others wait, those of older episodes in front.

    Args:
        stage: who asks.
    """

    def __init__(self, stage: str, backend: Backend, asking: Asking) -> None:
        self._stage, self._backend, self._ledger_dir = stage, backend, asking.ledger_dir
        self.is_replay = isinstance(backend, ReplayBackend)
        self._account = Account(asking.budget, backend, asking.prices)
        self.writer = LedgerWriter(
            asking.ledger_dir,
            asking.ledger,
            api=backend.api or "",
            continue_prefix=backend.sends_prefix,
            backend=backend_hash(backend),
        )
        self.engine: Engine | None = None

    def start(self, inbox: SimpleQueue[Any]) -> None:
        """Begins anew, with the ledger as it is now; replies will be put into `inbox`."""
        self._inbox = inbox
        self._waiting: list[tuple[int, int, Request]] = []  # a heap: oldest episodes in front
        self._queued = 0
        self.sent: dict[str, Request] = {}
        self.recorded: dict[str, tuple[int, Request]] = {}
        """Requests that the ledger holds, each with its episode's number; not yet read."""
        if self.engine is not None:
            self.engine.reply_to(inbox)
        self.index: LedgerIndex = open_index(self._ledger_dir, failures=self.is_replay)

    def refresh(self) -> None:
        """Takes in what was written to the ledger."""
        self.index = open_index(self._ledger_dir, failures=self.is_replay)

    @property
    def waiting(self) -> int:
        """Requests that the model has no room for."""
        return len(self._waiting)

    @property
    def has_stock(self) -> bool:
        """Whether more requests wait than an eighth of those that the model takes at once: where
        many of these end together, others take their places before episodes go on."""
        places = 0 if self.engine is None else self.engine.places
        return self.waiting > places // 8

    def ask(self, episode: int, requests: list[Request]) -> None:
        """Takes up requests.

        Args:
            episode: number of the episode that asks.

        Raises:
            LedgerMiss: a replay's ledger does not hold one.
        """
        for request, held in zip(requests, self.index.holds(requests), strict=True):
            if held:
                self.recorded[request.id] = episode, request
            else:
                self._wait(episode, request)

    def send(self) -> BudgetReached | None:
        """Has the model take up what it has room for; returns why it may not, where it may not.

        Raises:
            BackendError: the model cannot be loaded or reached.
        """
        if not self._waiting:
            return None
        if self.engine is None:
            self.engine = open_engine(self._backend)
            self.engine.reply_to(self._inbox)
        while self._waiting and self.engine.has_room:
            if reached := self._account.reached():
                return reached
            *_, request = heappop(self._waiting)
            self.sent[request.id] = request
            self.engine.submit(request)
        return None

    def recall(self) -> list[Response]:
        """Returns what the ledger holds; asks what turns out to be unreadable there."""
        asked, self.recorded = self.recorded, {}
        how = None if self.is_replay else backend_hash(self._backend)
        found = self.index.read((request for _, request in asked.values()), how)
        for key, (episode, request) in asked.items():
            if key not in found:
                self._wait(episode, request)
        return [replace(found[key], stage=self._stage) for key in asked if key in found]

    def record(self, responses: list[Response]) -> None:
        """Takes in responses that were put into the inbox: pays for them and records them."""
        assert self.engine is not None
        for response in responses:
            self.writer.add(self.sent.pop(response.id), self.engine.receive(response))
        self._account.pay(responses)
        self.engine.unrecorded -= len(responses)

    def close(self) -> None:
        if self.engine is not None:
            self.engine.close()

    def _wait(self, episode: int, request: Request) -> None:
        if self.is_replay:
            raise self._unasked(request)
        heappush(self._waiting, (episode, self._queued, request))
        self._queued += 1

    def _unasked(self, request: Request) -> LedgerMiss:
        text = request.prompt if request.prompt is not None else request.messages[-1].content
        start = " ".join(text.split())[:80]
        which = f"model {request.model}, prompt: {start!r}"
        return missed(self._stage, self._ledger_dir, f"request {request.id}", which)


def askers(stage: str, asking: Asking) -> dict[str | None, Asker]:
    """Returns who is asked by the name of the model (`Request.named`), None among the names: one
    for each backend, which several names may share."""
    by_backend: dict[str, Asker] = {}
    by_name: dict[str | None, Asker] = {}
    for name, backend in [(None, asking.backend), *asking.models.items()]:
        key = model_key(backend, budget=True)
        if key not in by_backend:
            by_backend[key] = Asker(stage, backend, asking)
        by_name[name] = by_backend[key]
    return by_name


def missed(stage: str, ledger_dir: str, what: str, which: str) -> LedgerMiss:
    return LedgerMiss(
        f"{stage}: {what} is not in the ledger {ledger_dir} ({which}): run "
        "with the backend that made the ledger, or with the settings it was made with"
    )

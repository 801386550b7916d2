"""Engines: what answers requests, opened once a process and shared by all who ask it."""

from __future__ import annotations

import atexit
import contextlib
import threading
import weakref
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any

from transforms.engine.errors import BackendError
from transforms.engine.ids import canonical_json
from transforms.models.backends import draining
from transforms.models.backends.base import Model, Reply, read_thought, valid_text
from transforms.models.backends.settings import (
    Backend,
    OpenAIBackend,
    ReplayBackend,
    VllmServerBackend,
)
from transforms.models.requests import Request, Response

_LOOK_SECONDS = 0.2
"""How often an engine that waits looks whether the process has been told to end."""


class Engine:
    """One user's view of a model: submit requests, collect responses as they finish.

    An engine belongs to one thread (a DoFn instance); the model behind it is shared.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._inbox: SimpleQueue[Any] = SimpleQueue()
        self.in_flight = 0
        self.unrecorded = 0
        """Requests submitted whose responses its user has not yet recorded in the ledger."""
        _engines.add(self)

    @property
    def has_room(self) -> bool:
        """Whether the model takes another request before one in flight is answered."""
        return self.in_flight < self.places

    @property
    def places(self) -> int:
        """Requests that the model takes at once."""
        return self._model.open_requests

    def submit(self, request: Request) -> None:
        """Begins `request`; never waits for the model."""
        self.in_flight += 1
        self.unrecorded += 1
        inbox = self._inbox  # another one may have replaced it when the reply comes
        self._model.start(request, lambda reply: inbox.put(_read(request, reply)))

    def reply_to(self, inbox: SimpleQueue[Any]) -> None:
        """Forgets what is in flight; replies to what is submitted from now on are put into `inbox`,
        for `receive`."""
        self._inbox = inbox
        self.in_flight = self.unrecorded = 0

    def receive(self, reply: Reply) -> Response:
        """Returns the response of a reply that was put into the inbox.

        Its texts are valid Unicode, and a thought stands apart from the answer. A request that
        failed is a response with `finish_reason` `error`.

        Raises:
            BackendError: the model itself is gone.
        """
        if isinstance(reply, BackendError):
            raise reply
        self.in_flight -= 1
        return reply

    def finished(self, wait: bool) -> list[Response]:
        """Returns the responses that have come since the last call, in no particular order.

        With `wait`, blocks until there is at least one, unless nothing is in flight or the
        process is draining.

        Raises:
            BackendError: as `receive`, once what came before it is returned.
        """
        responses: list[Response] = []
        replies = take(self._inbox, wait and self.in_flight > 0)
        for place, reply in enumerate(replies):
            if isinstance(reply, BackendError) and responses:
                for later in replies[place:]:
                    self._inbox.put(later)
                break
            responses.append(self.receive(reply))
        return responses

    @property
    def owed(self) -> int:
        """Answers on their way to this process from its model that are paid for."""
        return self._model.owed

    def last(self) -> Iterator[Response]:
        """Yields, while the process drains, the answers that have come and those still owed."""
        return last([self], self._inbox)

    def close(self) -> None:
        """Forgets what is in flight; the model stays for others (`close_engines` frees it)."""
        self.reply_to(SimpleQueue())


def take(inbox: SimpleQueue[Any], wait: bool) -> list[Any]:
    """Returns what is in an inbox; with `wait`, blocks until it holds something, or the process
    drains."""
    found: list[Any] = []
    while not inbox.empty() or (wait and not found):
        try:
            found.append(inbox.get(timeout=_LOOK_SECONDS))
        except Empty:
            if draining.has_begun():
                break
    return found


def last(engines: Collection[Engine], inbox: SimpleQueue[Any]) -> Iterator[Response]:
    """Yields, while the process drains, the answers that have come into the inbox of engines and
    those still owed."""
    while any(engine.owed for engine in engines) or not inbox.empty():
        with contextlib.suppress(Empty):
            reply = inbox.get(timeout=_LOOK_SECONDS)
            if isinstance(reply, Response):
                yield reply


def _read(request: Request, reply: Reply) -> Reply:
    """Returns a reply in valid Unicode, with the thought apart from the answer."""
    if isinstance(reply, BackendError):
        return reply
    text, reasoning = valid_text(reply.text), reply.reasoning and valid_text(reply.reasoning)
    if (text, reasoning) != (reply.text, reply.reasoning):
        reply = replace(reply, text=text, reasoning=reasoning)
    return read_thought(request, reply)


_lock = threading.Lock()
_models: dict[str, Future[Model]] = {}
_leases: list[Any] = []
_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


def open_engine(backend: Backend) -> Engine:
    """Returns an engine on the model that `backend` names, loading it if this process has not.

    Waits where another thread is loading it.

    Raises:
        BackendError: the model cannot be loaded or the endpoint cannot be reached.
    """
    key = model_key(backend)
    with _lock:
        model = _models.get(key)
        if is_new := model is None:
            model = _models[key] = Future()
    if is_new:
        try:
            model.set_result(_load(backend))
        except BaseException as error:  # the next one to ask tries again
            with _lock:
                if _models.get(key) is model:
                    del _models[key]
            model.set_exception(error)
    return Engine(model.result())


def model_key(backend: Backend, budget: bool = False) -> str:
    """What models are told apart by: names that differ in their budgets alone share one, unless
    `budget` tells them apart too."""
    values = backend.model_dump(mode="json", exclude=None if budget else {"budget"})
    secrets = getattr(backend, "headers", {}).items()
    return canonical_json([values, {name: value.get_secret_value() for name, value in secrets}])


def unrecorded() -> int:
    """Returns how many requests of this process are submitted and not yet recorded."""
    return sum(engine.unrecorded for engine in list(_engines))


def owed() -> int:
    """Returns how many answers are on their way to this process that are paid for."""
    return sum(model.owed for model in map(_loaded, list(_models.values())) if model is not None)


def _loaded(model: Future[Model]) -> Model | None:
    return model.result() if model.done() and model.exception() is None else None


def use_model(backend: Backend, model: Model) -> None:
    """Has `open_engine` use `model` for `backend`; for measuring."""
    ready: Future[Model] = Future()
    ready.set_result(model)
    with _lock:
        _models[model_key(backend)] = ready


def hold_server(backend: VllmServerBackend) -> Callable[[], object]:
    """Keeps the server that worker processes share, once they have started it, until
    `close_engines`: their own hold on it ends with each pipeline.

    Returns a function that starts the server and waits until it is healthy; it raises BackendError
    where it does not start.
    """
    from transforms.models.backends.vllm_server import Lease, server_plan

    lease = Lease(server_plan(backend), backend.model)
    with _lock:
        _leases.append(lease)
    return lease.place


def close_engines() -> None:
    """Frees every model of this process, and its hold on servers; also done at exit.

    A model that another thread is still loading is freed once it is loaded.
    """
    with _lock:
        models, leases = list(_models.values()), list(_leases)
        _models.clear()
        _leases.clear()
    for model in models:
        model.add_done_callback(_close)
    for lease in leases:
        lease.close()


def _close(model: Future[Model]) -> None:
    if loaded := _loaded(model):
        loaded.close()


atexit.register(close_engines)


def _load(backend: Backend) -> Model:
    if isinstance(backend, ReplayBackend):
        raise ValueError("a replay has no engine: it is answered from the ledger")
    if isinstance(backend, OpenAIBackend):
        from transforms.models.backends.openai_engine import OpenAIModel

        return OpenAIModel(backend)
    if isinstance(backend, VllmServerBackend):
        from transforms.models.backends.vllm_server import VllmServerModel

        return VllmServerModel(backend)
    from transforms.models.backends.vllm_engine import VllmModel

    return VllmModel(backend)

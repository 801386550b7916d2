"""What a run has paid for so far, over all of its processes and attempts, and when to stop."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from glob import escape, glob

from pydantic import Field

from transforms.engine.errors import BudgetReached
from transforms.engine.ids import content_id
from transforms.engine.settings import Group
from transforms.models.backends.settings import Backend
from transforms.models.requests import Response
from transforms.models.settings import BudgetSettings

SPENT = "COTMILL_SPENT"
"""Environment variable that names the file in which a machine's processes add up their spending."""

_ENTRY = struct.Struct("<qd")


class Price(Group):
    """What a model's tokens cost, per million, in any one currency."""

    prompt: float = Field(ge=0, description="per million prompt tokens")
    cached: float = Field(
        ge=0, description="per million prompt tokens that the engine's prefix cache held"
    )
    generated: float = Field(ge=0, description="per million generated tokens")


@dataclass(frozen=True)
class Spent:
    """Tokens paid for, prompt and generated, and what they cost in the price table's currency."""

    tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.tokens + other.tokens, self.cost + other.cost)


def price_of(price: Price, prompt: int, cached: int, generated: int) -> float:
    """Returns what tokens cost; `cached` are those of `prompt` that the engine had already."""
    return (
        (prompt - cached) * price.prompt + cached * price.cached + generated * price.generated
    ) / 1e6


def cost_of(response: Response, prices: Mapping[str, Price]) -> Spent:
    """Returns what one response took; a model without a price costs nothing."""
    tokens = response.prompt_tokens, response.cached_tokens, response.generated_tokens
    price = prices.get(response.model)
    return Spent(tokens[0] + tokens[2], price_of(price, *tokens) if price else 0.0)


class Meter:
    """The spending of a run. With a file, that of all processes that share it, and of earlier
    ones; without, that of this process.

    The file only grows, by one short write a response, which is whole or not there whenever a
    process is killed; nothing waits for anything. Any thread may use a meter.
    """

    def __init__(self, path: str | None) -> None:
        self._lock = threading.Lock()
        self._total = Spent()
        self._read = 0
        self._file = None
        if path is not None:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)

    def add(self, spent: Spent) -> None:
        if self._file is not None:
            os.write(self._file, _ENTRY.pack(spent.tokens, spent.cost))
            return
        with self._lock:
            self._total += spent

    def spent(self) -> Spent:
        """Returns the total until now."""
        with self._lock:
            while self._file is not None:
                entries = os.pread(self._file, 1 << 20, self._read)
                entries = entries[: len(entries) // _ENTRY.size * _ENTRY.size]
                if not entries:
                    break
                self._read += len(entries)
                for tokens, cost in _ENTRY.iter_unpack(entries):
                    self._total += Spent(tokens, cost)
            return self._total


def begin_meter(path: str) -> None:
    """Makes a meter's files fit to be gone on with: a full disk may have left half an entry."""
    for each in {path, *glob(f"{escape(path)}.*")}:
        with open(each, "ab") as file:
            file.truncate(file.tell() // _ENTRY.size * _ENTRY.size)


def open_meter(model: str = "") -> Meter:
    """Returns this process's meter: the machine's, where the driver named a file.

    Args:
        model: the meter of what this model took alone; empty for that of all.
    """
    path = os.environ.get(SPENT)
    if path is not None and model:
        path = f"{path}.{content_id('model', model)[:8]}"
    return _open_meter(path, model)


@cache
def _open_meter(path: str | None, model: str) -> Meter:
    return Meter(path)


class Account:
    """What may be spent on one model: by the budget of the run, and by a budget of its own."""

    def __init__(self, run: BudgetSettings, backend: Backend, prices: Mapping[str, Price]) -> None:
        self._run, self._prices = run, prices
        self._own = getattr(backend, "budget", BudgetSettings())
        self._model = (backend.answering or "") if self._own != BudgetSettings() else ""
        self._is_limited = bool(self._model) or run != BudgetSettings()

    def pay(self, responses: Iterable[Response]) -> None:
        """Counts what responses took."""
        cost = sum((cost_of(response, self._prices) for response in responses), Spent())
        open_meter().add(cost)
        if self._model:
            open_meter(self._model).add(cost)

    def reached(self) -> BudgetReached | None:
        """Returns why nothing more may be asked, or None where it may."""
        if not self._is_limited:
            return None
        reached = over_budget(self._run, open_meter().spent())
        if reached is None and self._model:
            own = open_meter(self._model).spent()
            reached = over_budget(self._own, own, f"of the model {self._model} ")
        return reached


def over_budget(budget: BudgetSettings, spent: Spent, whose: str = "") -> BudgetReached | None:
    """Returns why nothing more may be asked, or None where it may."""
    if budget.max_tokens is not None and spent.tokens >= budget.max_tokens:
        limit = f"budget.max_tokens={budget.max_tokens}"
        paid = f"{spent.tokens:,} tokens"
    elif budget.max_cost is not None and spent.cost >= budget.max_cost:
        limit, paid = f"budget.max_cost={budget.max_cost:g}", f"{spent.cost:,.4f}"
    else:
        return None
    return BudgetReached(
        f"{limit} {whose}is reached ({paid} paid for, all of it in the ledger): raise it and go on "
        "with resume=true"
    )

"""Recipes' episodes played by hand: the model is a function, the sandbox a real one."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from typing import Any

from pipelines.benches.planted.attempts import WAYS, scripted
from tests.models.examples import response
from tests.programs_for_tests import SANDBOX as LIMITS
from tests.settings_for_tests import composed
from transforms.engine.recipe import build_segments
from transforms.models.episode import Steps, play
from transforms.models.requests import Request
from transforms.sandbox.sandbox import Sandbox
from transforms.sandbox.shared import shared_sandbox

SANDBOX = LIMITS.model_copy(update={"cpu_seconds": 3})
"""Programs that never end, which some episodes run, end soon. To import pandas takes 0.3 s of CPU
time, on a slow machine several times that."""


@cache
def stage(recipe: str, name: str, *overrides: str) -> Any:
    """A stage of a recipe, on an endpoint that chats."""
    settings = composed(
        f"recipe={recipe}", "backend=openai", "backend.base_url=http://127.0.0.1:1/v1",
        "backend.model=m", "backend.api=chat", "output_dir=x", *overrides,
    )  # fmt: skip
    segments = build_segments(settings, "x", "x/ledger")
    return {s.name: s for segment in segments for s in segment.stages}[name]


@cache
def sandbox() -> Sandbox:
    """The sandbox of all tests that play recipes: to open one takes longer than most tests."""
    lease = ExitStack()
    atexit.register(lease.close)
    return lease.enter_context(shared_sandbox(SANDBOX))


def player(
    model: Callable[[str], str | tuple[str, str]] = lambda question: "",
) -> Callable[[Steps[Any]], Any]:
    """Returns a function that plays an episode and returns its result.

    Args:
        model: the text of the last message of a request -> the response's text, or that and the
            finish reason.
    """

    def answer(effect: Any) -> Any:
        if isinstance(effect, Request):
            said = model(effect.messages[-1].content)
            text, finish = said if isinstance(said, tuple) else (said, "stop")
            return response(effect, text, finish_reason=finish)
        return sandbox().submit(effect).result()

    return lambda steps: play(steps, answer).result


def answering(*texts: str | tuple[str, str]) -> Callable[[Steps[Any]], Any]:
    """A player whose model gives these responses, one after another."""
    rest = iter(texts)
    return player(lambda _: next(rest))


def in_all_ways(recipe: str, task: Any, right: str, wrong: str) -> list[Any]:
    """Returns the pairs (row, verdict) of one attempt in each of `WAYS`."""
    samples = f"recipe.stages.attempt.sampler.samples={len(WAYS)}"
    made = stage(recipe, "attempt", samples)
    return answering(*(scripted(way, right, wrong) for way in WAYS))(made.episode(task))

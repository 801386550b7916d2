"""Recipes' episodes played by hand: the model is a function, the sandbox a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.models.examples import response
from tests.programs_for_tests import SANDBOX as LIMITS
from tests.settings_for_tests import composed
from transforms.engine.recipe import build_segments
from transforms.models.episode import Played, Steps, play
from transforms.models.requests import Request
from transforms.sandbox.shared import shared_sandbox

SANDBOX = LIMITS.model_copy(update={"cpu_seconds": 1})
"""Programs that never end, which some episodes run, end soon."""


def stage(recipe: str, name: str, *overrides: str) -> Any:
    """A stage of a recipe, on an endpoint that chats."""
    settings = composed(
        f"recipe={recipe}", "backend=openai", "backend.base_url=http://127.0.0.1:1/v1",
        "backend.model=m", "backend.api=chat", "output_dir=x", *overrides,
    )  # fmt: skip
    segments = build_segments(settings, "x", "x/ledger")
    return {s.name: s for segment in segments for s in segment.stages}[name]


@contextmanager
def player(
    model: Callable[[str], str] = lambda question: "",
) -> Iterator[Callable[[Steps[Any]], Played[Any]]]:
    """Yields a function that plays an episode.

    Args:
        model: the text of the last message of a request -> the response's text.
    """
    with shared_sandbox(SANDBOX) as box:

        def answer(effect: Any) -> Any:
            if isinstance(effect, Request):
                return response(effect, model(effect.messages[-1].content))
            return box.submit(effect).result()

        yield lambda steps: play(steps, answer)

"""Conversations played by hand: the model is a script, cut as an engine cuts it; the sandbox is a
real one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.models.examples import response
from tests.recipes.playing import sandbox, stage
from transforms.engine.records import Seed
from transforms.models.backends.openai_engine import cut_at
from transforms.models.effects import Played
from transforms.models.episode import Steps, play
from transforms.models.requests import Request, Response
from transforms.models.tools import Invoke
from transforms.sandbox.jobs import Cell, Check
from transforms.stages.trajectories.converse import Converse
from transforms.stages.trajectories.dialogue_forms import dialogue_of

SEED = Seed.make(problem="What is 6 times 7, plus 1?", answer="43", source="mine", license="MIT")


def conversing(dialogue: Any = "fence", *overrides: str, **fields: Any) -> Converse:
    """The stage of `tool_math` in another dialogue, on an endpoint that continues a text."""
    made = stage(
        "tool_math", "solve", "backend.continue_prefix=true",
        "recipe.stages.solve.sampler.samples=1", *overrides,
    )  # fmt: skip
    limits = {"cells": 3, "turns": None}
    return replace(made, dialogue=dialogue_of(dialogue), **{**limits, **fields})


Script = Callable[[Request], str | Response]


def script(*texts: str | Response) -> Script:
    """A model that gives these answers, one after another, and then an empty one."""
    rest = iter(texts)
    return lambda _: next(rest, "")


def played(steps: Steps[Any], model: Script) -> Played[Any]:
    """Plays an episode; what the model gives is cut at the request's stops."""

    def answer(effect: Any) -> Any:
        if isinstance(effect, Invoke):
            return effect.tool(effect.arguments)
        if isinstance(effect, Cell):
            return sandbox().submit_cell(effect).result()
        if isinstance(effect, Check):
            return sandbox().submit_check(effect).result()
        if not isinstance(effect, Request):
            return sandbox().submit(effect).result()
        text = model(effect)
        if isinstance(text, Response):
            return replace(text, id=effect.id)
        cut, _ = cut_at(text, effect.sampler.stop)
        return response(effect, effect.sampler.prefix + cut)

    return play(steps, answer)


def once(steps: Steps[Any], *texts: str | Response) -> tuple[Any, Any, Played[Any]]:
    """Plays an episode of one attempt by a script: its row, the verdict on it, and the play."""
    play = played(steps, script(*texts))
    [(row, verdict)] = play.result
    return row, verdict, play


def asked(play: Played[Any]) -> list[Request]:
    """The requests of an episode, in order."""
    return [each for turn in play.turns for each in turn if isinstance(each, Request)]


def prompt_of(request: Request) -> str:
    """All that a model saw for its answer: the messages, and the text that it continued."""
    return "".join(message.content for message in request.messages) + request.sampler.prefix

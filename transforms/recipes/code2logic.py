"""code2logic: questions about positions of puzzles and games, answered by their engines.

After Code2Logic (arXiv 2505.13886). Seeds are instances of `transforms.worlds.instances.positions`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import derived_seed
from transforms.engine.records import Message, Seed
from transforms.models.episode import Episode, Steps
from transforms.models.prompts import PromptTemplate
from transforms.programs.questions import Question
from transforms.stages.exercises import Exercise, exercise
from transforms.worlds.instances import Instance
from transforms.worlds.questions import KINDS, Position, analysis, ask, asked, midgame


@dataclass(kw_only=True)
class AskAboutPosition(Episode):
    """PCollection[Seed] (an instance of a world) -> Outcome of Exercise: questions with options
    about a position that some random moves lead to from it, each of another kind."""

    name: str = "ask"
    prompt: PromptTemplate
    kinds: tuple[str, ...] = tuple(KINDS)
    """Kinds of questions, drawn without replacement."""
    questions: Annotated[int, Field(ge=1)] = 3
    """Questions about a position, at most."""
    moves: Annotated[int, Field(ge=0)] = 6
    """Random moves made before it is asked, at most; never as many as end the game."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Exercise
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = ("no_instance", "no_question")

    def __post_init__(self) -> None:
        if unknown := set(self.kinds) - set(KINDS):
            raise TypeError(
                f"kinds: there is no {', '.join(sorted(unknown))}: use {', '.join(KINDS)}"
            )

    def episode(self, seed: Seed) -> Steps[Verdict | list[Exercise]]:
        yield from ()
        instance = Instance.of(seed)
        if instance is None:
            return reject("no_instance", "seeds come from transforms.worlds.instances.positions")
        world, rng = instance.world, random.Random(derived_seed(0, "code2logic", seed.id))
        made, state = midgame(world, instance.state, rng, self.moves)
        position = Position(world, instance.state, state)
        shown = {
            **{"world": instance.name, "level": instance.level, "seed": instance.seed},
            **{"made": list(made), "position": world.render(state)},
        }
        rows: list[Exercise] = []
        for kind in rng.sample(self.kinds, len(self.kinds)):
            choice = ask(position, kind, rng) if len(rows) < self.questions else None
            if choice is None:
                continue
            gold = str(choice.right + 1)
            params = {
                **shown, "question": choice.text, "options": list(choice.options),
                "asked": asked(world, state, choice),
            }  # fmt: skip
            row = exercise(seed, Question(choice.kind, (gold,), params=params), self.prompt)
            said = Message("assistant", f"{analysis(choice)}\n\n```\n{gold}\n```")
            rows.append(replace(row, messages=(*row.messages[:-1], said)))
        return rows or reject("no_question")

"""Fresh instances of verified problems: their programs run on new inputs, and their texts follow.

The module imports neither Beam nor a model library: an exported environment draws with it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, NamedTuple

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.ids import derived_seed
from transforms.engine.records import Seed, Variant
from transforms.publish.games import Match, Player, Plays, matches, solution
from transforms.publish.reward import reward
from transforms.recipes.augment.rewrite import AugmentationSettings, jobs, plan_redraws, rewrite
from transforms.sandbox.shared import process_sandbox
from transforms.worlds import world
from transforms.worlds.questions import Position, analysis, ask, asked, midgame

Walls = Literal["auto", "strict"]
"""Walls around the programs, as `sandbox=` of a run."""

_AT_ONCE = 8
"""Instances made from one set of runs, at most: the runs cost more than the texts."""
_MOVES = 6
"""Random moves before a position of a world is asked about, at most."""
_DRY = 3
"""Drawings in a row without a new instance after which a problem is given up."""


class Asked(NamedTuple):
    """What a row of `recipe=code2logic` asks."""

    world: str
    level: int
    kind: str
    """One of `transforms.worlds.questions.KINDS`."""


class Graded(NamedTuple):
    """How a row of a recipe with graders is graded (`transforms.stages.graders`)."""

    grader: str
    answer: str
    """What its graders hold a reply against, as JSON."""
    code: str

    @property
    def row(self) -> dict[str, str]:
        return self._asdict()


@dataclass(frozen=True)
class Problem:
    """A row of a run as a source of instances."""

    seed: Seed
    """Verified: its code gives its output."""
    seed_ids: tuple[str, ...]
    """The seeds behind the row."""
    difficulty: float
    """Its place among the problems of its environment: 0 for the easiest, 1 for the hardest."""
    redrawn: bool
    """Whether its numbers can be drawn anew; else the problem stays as it is."""
    asked: Asked | None = None
    """What it asks about positions of a world, of which others are drawn."""
    plays: Plays | None = None
    """The games that are played; None, as `asked`, for a problem with a program."""
    graded: Graded | None = None
    """How replies are graded where the row has a grader; its problem is then the whole prompt, and
    its solution a reply that is right."""


@dataclass(frozen=True)
class Instance:
    """A problem to be solved."""

    problem_id: str
    """The problem that it is drawn from."""
    instruction: str
    output: str
    """What its program gives, as JSON: the reference answer."""
    reference: str
    """A solution that the grader accepts; of a game the answers that win it, as JSON, or []."""
    match: Match | None = None
    """The game that is to be played; None for a problem with one answer."""
    graded: Graded | None = None
    """As of its problem."""

    @property
    def in_words(self) -> bool:
        """Whether an answer in words is wanted: neither moves nor what a grader reads."""
        return self.match is self.graded is None

    @property
    def row(self) -> dict[str, str]:
        """What `reward` holds a reply against."""
        if self.graded is not None:
            return self.graded.row
        return {"instruction": self.instruction, "output": self.output}


def redraws(
    seed: Seed, settings: AugmentationSettings, sandbox: Walls
) -> tuple[list[Variant], Verdict]:
    """Returns a verified seed with other numbers, and why there are none if there are none.

    They are the redraws of `cotmill augment` whose own solutions earn their reward.

    Raises:
        SandboxError: the kernel does not give what `sandbox` needs.
    """
    plan = plan_redraws(seed, settings)
    if isinstance(plan, Verdict):
        return [], plan
    results = list(process_sandbox(sandbox).run(jobs(plan)))
    judged = rewrite(plan, results, settings)
    variants = [
        record for record, verdict in judged if verdict.kept and earns_reward(record, sandbox)
    ]
    if variants:
        return variants, keep()
    lost = (verdict for _, verdict in judged if not verdict.kept)
    return [], next(lost, reject("no_redraw", "no values, or none whose solution is accepted"))


def earns_reward(seed: Seed, sandbox: Walls, graded: Graded | None = None) -> bool:
    """Whether a verified seed's own solution earns its reward."""
    instance = instance_of(seed, graded=graded)
    return reward(instance.reference, instance.row, sandbox=sandbox) == 1


def instances(
    problems: Sequence[Problem],
    *,
    seed: int = 0,
    draws: int = 240,
    spread: float = 1.67,
    sandbox: Walls = "auto",
) -> Iterator[Instance]:
    """Yields an instance of each problem in turns, each turn in another order.

    An instance has numbers that none before it had. Fixed problems come in the first turn alone,
    and a problem that gives nothing new is left out from then on.

    Args:
        seed: another one draws other numbers, in another order.
        draws: inputs drawn at a time for a problem, of which most are refused.
        spread: a new value is at most so many times the old one, or that part of it.
        sandbox: walls around the programs.

    Raises:
        SandboxError: the kernel does not give what `sandbox` needs.
    """
    sources = {
        problem.seed.id: _positions(problem.seed, problem.asked, seed, sandbox)
        if problem.asked
        else _games(problem.seed, problem.plays, seed)
        if problem.plays
        else _drawn(problem.seed, seed, draws, spread, sandbox)
        if problem.redrawn
        else iter([instance_of(problem.seed, graded=problem.graded)])
        for problem in problems
    }
    for turn in count():
        order = sorted(sources)
        random.Random(derived_seed(seed, "turn", turn)).shuffle(order)
        for key in order:
            instance = next(sources[key], None)
            if instance is None:
                del sources[key]
            else:
                yield instance
        if not sources:
            return


def instance_of(
    seed: Seed, problem_id: str | None = None, graded: Graded | None = None
) -> Instance:
    """A verified seed as an instance of a problem; of itself where no other is named."""
    texts = seed.problem, seed.output or "", seed.solution or ""
    return Instance(problem_id or seed.id, *texts, graded=graded)


def _drawn(
    problem: Seed, seed: int, draws: int, spread: float, sandbox: Walls
) -> Iterator[Instance]:
    """Yields instances of a problem, each text once, as long as there are new ones."""
    seen = {problem.problem}
    dry = 0
    for number in count():
        settings = AugmentationSettings(
            draws=draws,
            rows_per_seed=_AT_ONCE,
            spread=spread,
            seed=derived_seed(seed, problem.id, "drawing", number),
        )
        new = [v for v in redraws(problem, settings, sandbox)[0] if v.problem not in seen]
        dry = 0 if new else dry + 1
        if dry == _DRY:
            return
        for variant in new:
            seen.add(variant.problem)
            yield instance_of(variant, problem.id)


def _positions(problem: Seed, about: Asked, seed: int, sandbox: Walls) -> Iterator[Instance]:
    """Yields questions of a kind about positions of a world, each text once, as long as there are
    new ones."""
    made, seen, dry = world(about.world), {problem.problem}, 0
    for number in count():
        if dry == _DRY * _AT_ONCE:
            return
        rng = random.Random(derived_seed(seed, problem.id, "position", number))
        start = made.generate(rng.getrandbits(32), about.level)
        _, state = midgame(made, start, rng, _MOVES)
        choice = ask(Position(made, start, state), about.kind, rng)
        text = asked(made, state, choice) if choice else problem.problem
        dry += 1
        if choice is None or text in seen:
            continue
        seen.add(text)
        right = str(choice.right + 1)
        said = f"{analysis(choice)}\n\nThe answer is \\boxed{{{right}}}."
        if reward(said, {"instruction": text, "output": right}, sandbox=sandbox) == 1:
            dry = 0
            yield Instance(problem.id, text, right, said)


def _games(problem: Seed, plays: Plays, seed: int) -> Iterator[Instance]:
    """Yields games, each instance once, as long as there are new ones."""
    for match in matches(plays, seed, problem.id, "game"):
        answers = json.dumps(solution(match))
        yield Instance(problem.id, Player(match).said, "", answers, match)


def problem_of(values: dict[str, Any]) -> Problem:
    """Reads a problem from its JSON object."""
    asked, plays, graded = (values.get(name) for name in ("asked", "plays", "graded"))
    changes = {
        "seed": Seed(**values["seed"]),
        "seed_ids": tuple(values["seed_ids"]),
        "asked": asked and Asked(*asked),
        "plays": plays and Plays(*plays),
        "graded": graded and Graded(*graded),
    }
    return Problem(**{**values, **changes})

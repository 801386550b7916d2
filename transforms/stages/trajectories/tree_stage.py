"""What the recipes of tree search share: a budget, the requests of nodes, and the row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.ids import canonical_json
from transforms.engine.records import Seed, derived
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Request, Response
from transforms.models.responses import ResponseReason, unanswered
from transforms.models.settings import SamplerSettings
from transforms.stages.graders import runs_of_tests
from transforms.stages.pairs import Pair, several_pairs
from transforms.stages.trajectories.frontier import Budget, Found, Node
from transforms.stages.trajectories.records import Trajectory, Turn

R = TypeVar("R")
Limit = Annotated[int, Field(ge=1)] | None


@dataclass(kw_only=True)
class TreeSearch(ModelEpisode):
    """PCollection[Seed] -> Outcome of Trajectory: the path that a search chooses for each problem.

    A subclass plays `search` in its `episode`. How many samples are drawn is for its strategy to
    say: `sampler.samples` has no effect.
    """

    name: str = "search"
    sampler: SamplerSettings
    nodes: Limit = None
    """Nodes of a search, at most (null: no limit)."""
    asks: Limit = None
    """Requests of a search, at most (null: no limit)."""
    cells: Limit = None
    """Programs and calls of tools of a search, at most (null: no limit)."""
    keeps_tree: bool = False
    """Whether a row's `data` has the whole tree: id, parent, depth and score of each node."""
    keeps_wrong: bool = False
    """Whether what fails is a row too, with its score."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Trajectory
    reasons: ClassVar[Iterable[str]] = (*ResponseReason,)

    @property
    def most(self) -> Budget:
        return Budget(self.nodes, self.asks, self.cells)

    @cached_property
    def _one(self) -> SamplerSettings:
        return self.sampler.model_copy(update={"samples": 1})

    def asked(
        self,
        sample: int,
        prompt: PromptTemplate | None = None,
        model: str | None = None,
        /,
        **words: Any,
    ) -> Request:
        """Returns the request of one sample of a prompt to a model (the stage's own); its words may
        also depend on `sample`."""
        return self.requests(self._one, sample, prompt, model, sample=sample, **words)[0]

    def outcome(
        self,
        seed: Seed,
        found: Found[Any],
        chosen: Node[Any],
        responses: list[Response],
        turns: Iterable[Turn],
        *,
        wrong: str,
        data: dict[str, Any],
        **fields: Any,
    ) -> tuple[Trajectory, Verdict]:
        """Returns the row of a search, which is kept where its score is 1, or wrong ones are.

        Args:
            turns: the chosen path.
            wrong: reason for which it is rejected else.
            data: what the recipe says of it.
            fields: further fields of the row, `score` among them.
        """
        path = found.path(chosen)
        data = {**data, "nodes": len(found.nodes), "path": [node.score for node in path]}
        if self.keeps_tree:
            data["tree"] = [[n.id, n.parent, n.depth, n.score] for n in found.nodes]
            data["chosen"] = chosen.id
        row = Trajectory(
            problem=seed.problem,
            messages=self.stored(turns),  # type: ignore[arg-type]
            asks=len(responses),
            cells=found.spent.cells or 0,
            attempts=1,
            data=canonical_json(data),
            **{"reference": None, **fields},
            **derived(seed, "found", chosen.id, calls=self.calls(*responses)),
        )
        kept = row.score >= 1 or self.keeps_wrong
        return row, keep() if kept else reject(wrong, f"score {row.score:.3g}")


def heard(steps: Steps[R]) -> Steps[tuple[R, list[Response], Verdict | None]]:
    """Goes through steps; returns their result, all responses, and why the record is put off where
    one of these stayed out."""
    responses: list[Response] = []
    try:
        wanted = next(steps)
        while True:
            sent = yield wanted
            several = sent if isinstance(sent, list) else [sent]
            responses += [each for each in several if isinstance(each, Response)]
            wanted = steps.send(sent)
    except StopIteration as end:
        return end.value, responses, unanswered(responses)


class Cases(NamedTuple):
    """Tests of a problem."""

    shown: list[Pair]
    """Those that a search sees."""
    hidden: list[Pair]
    """Those that decide about the row."""


def cases_of(seed: Seed, most: int) -> Steps[Verdict | Cases]:
    """Makes tests of a verified seed, two to `most`: outputs of its program, half of them shown
    (see `several_pairs`)."""
    pairs = yield from several_pairs(seed, most)
    if isinstance(pairs, Verdict):
        return pairs
    half = (len(pairs) + 1) // 2
    return Cases(pairs[:half], pairs[half:])


def share_passed(code: str | None, cases: Sequence[Pair]) -> Steps[float]:
    """Returns the share of tests that a program passes."""
    runs = yield from runs_of_tests(code, cases)
    return sum(run.passed for run in runs or ()) / len(cases)

"""What the recipes of tree search share: a budget, the requests of nodes, and the row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.ids import canonical_json
from transforms.engine.records import Message, Seed, derived
from transforms.models.episode import ModelEpisode, Steps, side_by_side
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Request, Response
from transforms.models.responses import ResponseReason, unanswered
from transforms.models.settings import SamplerSettings
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.graders import runs_of_tests
from transforms.stages.pairs import UNPAIRED, Pair, several_pairs
from transforms.stages.trajectories.converse import Conversation, Limits, ask, begin
from transforms.stages.trajectories.dialogues import DIALOGUES
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

    def branches(
        self, parent: Conversation | None, samples: range, said: Callable[[int], str], **words: Any
    ) -> Steps[list[Conversation]]:
        """Has the model write after the prompt, which is rendered with `words`, or go on from
        `parent`.

        Args:
            said: a sample's number -> what the user says to go on from `parent`.
        """
        talks = []
        for sample in samples:
            asked = self.asked(sample, **words)
            if parent is None:
                talks.append(begin(asked, DIALOGUES["native"], Limits()))
            else:
                talks.append(parent.branched(asked))
                talks[-1].add(Message("user", said(sample)))
        yield from side_by_side(map(ask, talks))
        return talks

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


@dataclass(kw_only=True)
class TestedSearch(TreeSearch):
    """PCollection[Seed] (verified) -> Outcome of Trajectory: the best program that a search finds
    by the tests that are shown; a row where it also passes those that are not.

    Tests are outputs of the seed's program (`several_pairs`). A subclass writes `searched` and
    `path`.
    """

    tests: Annotated[int, Field(ge=2)] = 6
    """Tests of a problem, at most: half of them are shown."""
    sandbox: SandboxSettings

    reasons: ClassVar[Iterable[str]] = (
        *(*TreeSearch.reasons, *UNPAIRED, "nothing_runs", "failed_tests"),
    )

    def episode(self, seed: Seed) -> Steps[Any]:
        pairs = yield from several_pairs(seed, self.tests)
        if isinstance(pairs, Verdict):
            return pairs
        half = (len(pairs) + 1) // 2
        shown, hidden = pairs[:half], pairs[half:]
        found, responses, lost = yield from heard(self.searched(seed, shown))
        if lost or found.best is None:
            return lost or reject("nothing_runs", f"{len(found.nodes)} nodes")
        code, turns, data = self.path(seed, shown, found)
        runs = yield from runs_of_tests(code, hidden)
        score = sum(run.passed for run in runs or ()) / len(hidden)
        return self.outcome(
            seed, found, found.best, responses, turns, wrong="failed_tests", data=data,
            score=score, answer=code,
        )  # fmt: skip

    def searched(self, seed: Seed, shown: Sequence[Pair]) -> Steps[Found[Any]]:
        """Searches for a program that passes the tests that are shown."""
        raise NotImplementedError

    def path(
        self, seed: Seed, shown: Sequence[Pair], found: Found[Any]
    ) -> tuple[str | None, Iterable[Turn], dict[str, Any]]:
        """Returns the program that was found, the turns that led to it, and a row's `data`."""
        raise NotImplementedError


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

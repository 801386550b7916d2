"""What the recipes of tree search share: a budget, the requests of nodes, and the row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar

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
from transforms.stages.pairs import UNPAIRED, several_pairs
from transforms.stages.trajectories.conversation import Conversation, Limits, ask, begin
from transforms.stages.trajectories.dialogue_forms import DIALOGUES
from transforms.stages.trajectories.dialogues import Called, Dialogue
from transforms.stages.trajectories.frontier import (
    Budget,
    Found,
    Node,
    Rated,
    Strategy,
    best,
    search,
)
from transforms.stages.trajectories.records import Trajectory, Turn

R = TypeVar("R")
Limit = Annotated[int, Field(ge=1)] | None


@dataclass(frozen=True)
class Draft:
    """A state of a search: a conversation that ends with what the model drafted. The root is None,
    before the first one."""

    talk: Conversation

    @property
    def id(self) -> str:
        return self.talk.turns[-1].id


class Solution(NamedTuple):
    """What a search has come to."""

    found: Found[Any]
    turns: Iterable[Turn]
    """The chosen path."""
    answer: str | None
    """None where the path ends without one: it is rejected as `no_answer`."""
    score: float = 1.0
    """What its grader makes of it, 0 to 1."""
    data: dict[str, Any] = {}
    """What the recipe says of it, as JSON values."""
    reference: str | None = None
    """The right answer; None where something else decides."""


@dataclass(kw_only=True)
class TreeSearch(ModelEpisode):
    """PCollection[Seed] -> Outcome of Trajectory: the path that a search chooses for each problem;
    a row where its score is 1.

    A subclass says by `strategy`, `grow`, `rate` and more how it searches, and in `solve`
    what it makes of that. How many samples are drawn is for its strategy to say: `sampler.samples`
    has no effect.
    """

    name: str = "search"
    sampler: SamplerSettings
    nodes: Limit = None
    """Nodes of a search, at most (null: no limit)."""
    asks: Limit = None
    """Requests of a search, at most (null: no limit)."""
    cells: Limit = None
    """Programs and calls of tools of a search, at most (null: no limit)."""
    tokens: Limit = None
    """Tokens that a search generates, at most (null: no limit)."""
    keeps_tree: bool = False
    """Whether a row's `data` has the whole tree: id, parent, depth and score of each node."""
    keeps_wrong: bool = False
    """Whether what fails is a row too, with its score."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Trajectory
    root: ClassVar[Any] = None
    """The state that a search begins with."""
    wrong: ClassVar[str] = "wrong_answer"
    """Why a path with an answer is rejected."""
    reasons: ClassVar[Iterable[str]] = (*ResponseReason, "no_answer", "wrong_answer")

    def solve(self, seed: Seed) -> Steps[Solution | Verdict]:
        """Searches, and grades what was chosen; returns why there is nothing to grade."""
        raise NotImplementedError

    @property
    def strategy(self) -> Strategy:
        """What is expanded next."""
        raise NotImplementedError

    def grow(self, words: dict[str, Any], node: Node[Any], samples: range) -> Steps[Any]:
        """Returns the states that follow a node, one a sample at most (see `frontier.search`).

        Args:
            words: what the prompts are rendered with.
        """
        raise NotImplementedError

    def rate(self, words: dict[str, Any], node: Node[Any]) -> Steps[Rated[Any]]:
        """Returns what a node is worth."""
        raise NotImplementedError

    def rethink(self, words: dict[str, Any], node: Node[Any]) -> Steps[Any]:
        """Returns the state to take a node's place; None leaves the node."""
        yield from ()

    def choose(self, nodes: Sequence[Node[Any]]) -> Node[Any] | None:
        """Returns the node to take; None where there is none."""
        return best(nodes)

    def search(self, words: dict[str, Any]) -> Steps[Found[Any]]:
        """Searches within the stage's budget."""
        return search(
            self.root,
            expand=partial(self.grow, words),
            evaluate=partial(self.rate, words),
            rethink=partial(self.rethink, words),
            strategy=self.strategy,
            budget=Budget(self.nodes, self.asks, self.cells, self.tokens),
            choose=self.choose,
        )

    def episode(self, seed: Seed) -> Steps[Any]:
        solved, responses, lost = yield from heard(self.solve(seed))
        if lost or isinstance(solved, Verdict):
            return lost or solved
        row = self._row(seed, solved, responses)
        if row.score >= 1 or self.keeps_wrong:
            return row, keep()
        reason = "no_answer" if row.answer is None else self.wrong
        return row, reject(reason, f"score {row.score:.3g}")

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
        return self.requests(self.sampler, sample, prompt, model, 1, sample=sample, **words)[0]

    def branches(
        self,
        parent: Draft | None,
        samples: range,
        said: Callable[[int], str],
        dialogue: Dialogue = DIALOGUES["native"],
        models: Sequence[str] = (),
        **words: Any,
    ) -> Steps[list[tuple[Conversation, tuple[Called, ...]]]]:
        """Has the model write after the prompt, which is rendered with `words`, or go on from
        `parent`; returns the conversations, each with the calls that its last turn makes.

        Args:
            said: a sample's number -> what the model is told before it goes on from `parent`.
            models: those that are asked in turn, by the samples' numbers; none asks the stage's.
        """
        talks = []
        for sample in samples:
            model = models[sample % len(models)] if models else None
            asked = self.asked(sample, None, model, **words)
            if parent is None:
                talks.append(begin(asked, dialogue, Limits()))
                continue
            talks.append(parent.talk.branched(asked))
            if talks[-1].turns[-1].sampled:
                talks[-1].add(Message("user", said(sample)))
            else:
                talks[-1].tell(said(sample))
        written = yield from side_by_side(map(ask, talks))
        return [(t, each.calls if each else ()) for t, each in zip(talks, written, strict=True)]

    def _row(self, seed: Seed, solved: Solution, responses: list[Response]) -> Trajectory:
        found, chosen = solved.found, solved.found.best
        assert chosen is not None
        path = [node.score for node in found.path(chosen)]
        data = {**solved.data, "nodes": len(found.nodes), "path": path}
        if self.keeps_tree:
            data["tree"] = [[n.id, n.parent, n.depth, n.score] for n in found.nodes]
            data["chosen"] = chosen.id
        return Trajectory(
            problem=seed.problem,
            reference=solved.reference,
            messages=self.stored(solved.turns),  # type: ignore[arg-type]
            answer=solved.answer,
            score=solved.score,
            asks=len(responses),
            cells=found.spent.cells or 0,
            attempts=1,
            data=canonical_json(data),
            **derived(seed, "found", chosen.id, calls=self.calls(*responses)),
        )


@dataclass(kw_only=True)
class TestedSearch(TreeSearch):
    """PCollection[Seed] (verified) -> Outcome of Trajectory: the best program that a search finds
    by the tests that are shown; a row where it also passes those that are not.

    Tests are outputs of the seed's program (`several_pairs`). What prompts are rendered with are
    `problem`, and `cases`, the tests that are shown. A subclass writes `path` in place of `solve`.
    """

    tests: Annotated[int, Field(ge=2)] = 6
    """Tests of a problem, at most: half of them are shown."""
    sandbox: SandboxSettings

    wrong: ClassVar[str] = "failed_tests"
    reasons: ClassVar[Iterable[str]] = (
        *(*TreeSearch.reasons, *UNPAIRED, "nothing_runs", "failed_tests"),
    )

    def solve(self, seed: Seed) -> Steps[Solution | Verdict]:
        pairs = yield from several_pairs(seed, self.tests)
        if isinstance(pairs, Verdict):
            return pairs
        half = (len(pairs) + 1) // 2
        shown, hidden = pairs[:half], pairs[half:]
        words = {"problem": seed.problem, "cases": shown}
        found = yield from self.search(words)
        if found.best is None:
            return reject("nothing_runs", f"{len(found.nodes)} nodes")
        code, turns, data = self.path(words, found)
        runs = yield from runs_of_tests(code, hidden)
        score = sum(run.passed for run in runs or ()) / len(hidden)
        return Solution(found, turns, code, score, data)

    def path(
        self, words: dict[str, Any], found: Found[Any]
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

"""Solutions written step by step, in one phase or several; value models choose the steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.errors import SettingsError
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Response
from transforms.models.scores import score_labels, scored
from transforms.models.settings import SamplerSettings
from transforms.stages.trajectories.conversation import Limits, begin
from transforms.stages.trajectories.converse import agrees
from transforms.stages.trajectories.dialogue_forms import DIALOGUES
from transforms.stages.trajectories.frontier import Beam, Node, Rated
from transforms.stages.trajectories.records import Turn, appended, in_one, sampled
from transforms.stages.trajectories.tree_stage import Solution, TreeSearch
from transforms.text.answers import final_answer

_UNSAMPLED = SamplerSettings(samples=1, temperature=0.0, max_tokens=1)
_END = "\\boxed{"
_Share = Annotated[float, Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=1)]


class Text(NamedTuple):
    """A solution as far as it is written: lines, each with the mark before it."""

    turns: tuple[Turn, ...] = ()
    depth: int = 0
    """Steps that it has."""

    @property
    def id(self) -> str:
        """What is written."""
        return "".join(turn.content for turn in self.turns)

    @property
    def is_whole(self) -> bool:
        """Whether its last line boxes the answer."""
        return bool(self.turns) and _END in self.turns[-1].content


@dataclass(kw_only=True)
class StepBeam(TreeSearch):
    r"""PCollection[Seed] -> Outcome of Trajectory: of the solutions of a beam, the one that the
    value model finds best; a row where its answer is the seed's.

    A step is a line of the text that the model goes on with; a line with \boxed{} ends it. Steps
    take turns in as many phases as there are `marks`, such as a plan and its execution, each with
    a value model and thresholds of its own: a step that is pruned in one phase has none after it.

    The prompt is rendered with `problem`; `value_prompt` with `problem`, `steps`, the text so far,
    and `phase`, counted from 0. Beams that share their draws are those of OVM (arXiv 2311.09724),
    thresholds and phases those of DREAM (arXiv 2509.25420).
    """

    name: str = "search"
    value_prompt: PromptTemplate
    value_models: tuple[str, ...] = ()
    """The model that values the steps of each phase; the last one those of further phases. Empty
    has `model` do it."""
    labels: Annotated[tuple[str, ...], Field(min_length=2)] = ("+", "-")
    """What a value model may answer, each one token: a step's value is the probability of the
    first."""
    marks: Annotated[tuple[str, ...], Field(min_length=1)] = ("",)
    """What the lines of each phase begin with; it is given, not sampled."""
    keep: _Count = 4
    """Solutions of each length that are gone on with."""
    candidates: _Count = 20
    """Next steps that are drawn at a time: for all of these together, or for each."""
    shared: bool = True
    """Whether `candidates` are for all of them together."""
    depth: _Count = 10
    """Steps of a solution, at most; those of all phases count."""
    upper: tuple[_Share, ...] = ()
    """Value of a step, of each phase, above which no more are drawn; empty draws all."""
    lower: tuple[_Share, ...] = ()
    """Value, of each phase, below which all steps have to stay for `extra` more to be drawn."""
    extra: Annotated[int, Field(ge=0)] = 0

    root: ClassVar[Text] = Text()
    reasons: ClassVar[Iterable[str]] = (*TreeSearch.reasons, "no_reference", "no_step")

    def __post_init__(self) -> None:
        backend, stage = self.backend, f"recipe.stages.{self.name}"
        if backend.api is not None and not backend.sends_prefix:
            raise SettingsError(
                f"{stage} has the model continue its text: set {backend.place}.continue_prefix="
                f"true where the server can (vLLM, SGLang), or {backend.place}.api=completions"
            )
        for name, values in (("upper", self.upper), ("lower", self.lower)):
            if values and len(values) != len(self.marks):
                raise SettingsError(f"{stage}.{name}: give one value for each of its marks")

    def solve(self, seed: Seed) -> Steps[Solution | Verdict]:
        if seed.answer is None:
            return reject("no_reference", "the seed has no answer to hold one against")
        found = yield from self.search({"problem": seed.problem})
        if found.best is None:
            return reject("no_step", f"{len(found.nodes)} steps")
        text = found.best.state
        asked = self.asked(0, problem=seed.problem)
        before = begin(asked, DIALOGUES["native"], Limits()).turns
        lines = in_one(text.turns, continues=before[-1].role == "assistant")
        answer = final_answer(text.id, "stop") if text.is_whole else None
        score = 0.0 if answer is None else (yield from agrees(seed, answer))
        turns = appended(before, lines)
        return Solution(found, turns, answer, score, reference=seed.answer)

    @property
    def strategy(self) -> Beam:
        size = (self.keep, self.candidates, self.depth, self.shared)
        return Beam(*size, self.upper, self.lower, self.extra)

    def grow(self, words: dict[str, Any], node: Node[Text], samples: range) -> Steps[list[Text]]:
        """Draws next steps; one that is cut off, or is empty, is none."""
        asked = self.asked(0, **words)
        text, mark = node.state, self.marks[node.depth % len(self.marks)]
        before = asked.sampler.prefix + text.id + mark
        sampler = replace(asked.sampler, prefix=before, stop=("\n", *asked.sampler.stop))
        going_on = replace(asked, sampler=sampler, think_tags=None)
        answers: list[Response] = yield [replace(going_on, sample=sample) for sample in samples]
        given = (Turn("assistant", mark, continues=True),) if mark else ()
        texts = []
        for answer in answers:
            line = answer.text.removeprefix(before)
            if answer.finish_reason == "stop" and line.strip():
                line += "" if _END in line else "\n"  # which the engine cut off
                drawn = (*text.turns, *given, sampled(line, answer.id, continues=True))
                texts.append(Text(drawn, text.depth + 1))
        return texts

    def rate(self, words: dict[str, Any], node: Node[Text]) -> Steps[Rated[Text]]:
        phase = (node.depth - 1) % len(self.marks)
        names = self.value_models
        model = names[min(phase, len(names) - 1)] if names else None
        about = {"steps": node.state.id, "phase": phase, **words}
        [asked] = self.requests(_UNSAMPLED, 0, self.value_prompt, model, **about)
        response: Response = yield score_labels(asked, self.labels)
        value = 0.0 if response.error else scored(response).probability(self.labels[0])
        return Rated(value, node.state.is_whole)

"""Solutions written step by step, in one phase or several; value models choose the steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from transforms.engine.accounting import reject
from transforms.engine.errors import SettingsError
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Request, Response
from transforms.models.scores import score_labels, scored
from transforms.models.settings import SamplerSettings
from transforms.stages.trajectories.converse import Limits, agrees, begin
from transforms.stages.trajectories.dialogues import DIALOGUES
from transforms.stages.trajectories.frontier import Beam, Node, Rated, search
from transforms.stages.trajectories.records import Turn, appended
from transforms.stages.trajectories.tree_stage import TreeSearch, heard
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
    def text(self) -> str:
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

    reasons: ClassVar[Iterable[str]] = (
        *(*TreeSearch.reasons, "no_reference", "no_step", "no_answer", "wrong_answer"),
    )

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

    def episode(self, seed: Seed) -> Steps[Any]:
        if seed.answer is None:
            return reject("no_reference", "the seed has no answer to hold one against")
        asked = self.asked(0, problem=seed.problem)
        steps = search(
            Text(),
            expand=partial(self.lines, asked),
            evaluate=partial(self.valued, seed),
            strategy=Beam(
                *(self.keep, self.candidates, self.depth, self.shared),
                *(self.upper, self.lower, self.extra),
            ),
            budget=self.most,
            key=lambda text: text.text,
        )
        found, responses, lost = yield from heard(steps)
        if lost or found.best is None:
            return lost or reject("no_step", f"{len(found.nodes)} steps")
        text = found.best.state
        before = begin(asked, DIALOGUES["native"], Limits()).turns
        answer = final_answer(text.text, "stop") if text.is_whole else None
        score = 0.0 if answer is None else (yield from agrees(seed, answer))
        return self.outcome(
            seed, found, found.best, responses, appended(before, joined(before, text)),
            wrong="no_answer" if answer is None else "wrong_answer", data={}, score=score,
            answer=answer, reference=seed.answer,
        )  # fmt: skip

    def lines(self, asked: Request, node: Node[Text], samples: range) -> Steps[Sequence[Text]]:
        """Draws next steps; one that is cut off, or is empty, is none."""
        text, mark = node.state, self.marks[node.depth % len(self.marks)]
        before = asked.sampler.prefix + text.text + mark
        sampler = replace(asked.sampler, prefix=before, stop=("\n", *asked.sampler.stop))
        going_on = replace(asked, sampler=sampler, think_tags=None)
        answers: list[Response] = yield [replace(going_on, sample=sample) for sample in samples]
        given = (Turn("assistant", mark, continues=True),) if mark else ()
        texts = []
        for answer in answers:
            line = answer.text.removeprefix(before)
            if answer.finish_reason == "stop" and line.strip():
                line += "" if _END in line else "\n"  # which the engine cut off
                drawn = Turn("assistant", line, continues=True, sampled=True, request=answer.id)
                texts.append(Text((*text.turns, *given, drawn), text.depth + 1))
        return texts

    def valued(self, seed: Seed, node: Node[Text]) -> Steps[Rated[Text]]:
        phase = (node.depth - 1) % len(self.marks)
        names = self.value_models
        model = names[min(phase, len(names) - 1)] if names else None
        words = {"problem": seed.problem, "steps": node.state.text, "phase": phase}
        [asked] = self.requests(_UNSAMPLED, 0, self.value_prompt, model, **words)
        response: Response = yield score_labels(asked, self.labels)
        value = 0.0 if response.error else scored(response).probability(self.labels[0])
        return Rated(value, node.state.is_whole)


def joined(before: Sequence[Turn], text: Text) -> list[Turn]:
    """Returns the turns of a text as one message, which goes on in the last one where that is the
    model's."""
    first, *rest = text.turns
    return [replace(first, continues=before[-1].role == "assistant"), *rest]

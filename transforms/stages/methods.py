"""Methods of asking: a task is asked in several ways, of several models; of each kind of task the
best pair of the two stays, and can be frozen.

After The Future of MLLM Prompting is Adaptive (arXiv 2504.10179), which finds that no method is the
best everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, ClassVar

from transforms.engine.accounting import Tally, Verdict, reject
from transforms.engine.errors import SettingsError
from transforms.engine.records import derived, grow
from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Request, Response
from transforms.models.responses import judge_response
from transforms.programs.questions import Attempted, Task
from transforms.stages.attempt import AttemptTasks
from transforms.stages.trajectories.select import Group, Losers, rejects

ZERO_SHOT = "zero_shot"
"""The method that asks by the stage's own prompt."""


@dataclass(frozen=True, kw_only=True)
class MethodAttempt(Attempted):
    """An attempt at a task by one method; its messages are the plain question and the answer."""

    method: str
    """How it was asked, by the method's name in the recipe."""
    asked: str
    """What the recipe calls the model that was asked; `backend` is the run's own."""


@dataclass(kw_only=True)
class TryMethods(AttemptTasks):
    """PCollection[Task] -> Outcome of MethodAttempt: `sampler.samples` attempts at each task by
    each method, of each model.

    All attempts are rows, right and wrong, as `best_cell` needs them.
    """

    method_prompts: Mapping[str, Sequence[PromptTemplate]]
    """Method -> its prompts: turns of one conversation, of which the last answer counts. The
    stage's own prompt is the method `zero_shot`."""
    grid_models: tuple[str, ...] = ()
    """Models that are asked beside the stage's own."""
    frozen: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Kind of task -> method and model that alone are asked; kinds that are not here are asked by
    all."""
    keeps_wrong: bool = True

    writes: ClassVar[type] = MethodAttempt

    def __post_init__(self) -> None:
        super().__post_init__()
        for kind, cell in self.frozen.items():
            if cell not in self.grid:
                raise SettingsError(
                    f"recipe.stages.{self.name}.frozen.{kind}={[*cell]}: give one of the methods "
                    f"{', '.join((ZERO_SHOT, *self.method_prompts))} and one of the models "
                    f"{', '.join((self.own, *self.grid_models))}"
                )

    @property
    def own(self) -> str:
        """The name of the stage's own model in rows."""
        return self.model or "backend"

    @property
    def grid(self) -> list[tuple[str, str]]:
        """All pairs of a method and a model."""
        return [*product((ZERO_SHOT, *self.method_prompts), (self.own, *self.grid_models))]

    def episode(self, task: Task) -> Steps[list[tuple[Attempted, Verdict]]]:
        words = self.variables(task)
        cells = [self.frozen[task.task]] if task.task in self.frozen else self.grid
        talks = [talk for cell in cells for talk in self._talks(words, *cell)]
        while opened := [talk for talk in talks if talk.is_open]:
            for talk, response in zip(opened, (yield [t.request for t in opened]), strict=True):
                talk.hear(response, words)
        marks = []
        for talk in talks:
            marks.append((yield from self._judged(task, talk.responses[-1])))
            if marks[-1][0].fault is None:
                cell = f"{task.task}, {talk.method}, {talk.model}"
                yield Tally(self.name, "right by kind, method, model", cell, 1)
        answered = [mark for mark, verdict in marks if not verdict.unanswered]
        right = sum(mark.fault is None for mark in answered)
        plain = self.prompt.rendered("chat", **words).messages
        rows = []
        for talk, (mark, verdict) in zip(talks, marks, strict=True):
            last = talk.responses[-1]
            row: Attempted = grow(
                self.writes, task, task_id=task.id, method=talk.method, asked=talk.model,
                messages=self.stored((*plain, last.message)), final_answer=mark.answer,
                score=mark.score, turns=len(talk.responses), attempts=len(answered),
                agreement=right / len(answered) if answered else 0.0,
                **derived(task, "attempt", talk.method, talk.model, talk.request.sample,
                          calls=self.calls(*talk.responses)),
            )  # fmt: skip
            rows.append((row, verdict))
        return rows

    def _talks(self, words: Mapping[str, Any], method: str, model: str) -> list[_Talk]:
        first, *later = [self.prompt] if method == ZERO_SHOT else self.method_prompts[method]
        named = None if model == self.own else model
        requests = self.requests(self.sampler, prompt=first, model=named, **words)
        return [_Talk(method, model, request, [*later], []) for request in requests]


@dataclass
class _Talk:
    """One attempt as it goes on."""

    method: str
    model: str
    request: Request
    prompts: list[PromptTemplate]
    """Those of the turns to come."""
    responses: list[Response]
    is_open: bool = True

    def hear(self, response: Response, words: Mapping[str, Any]) -> None:
        """Takes an answer, and asks what comes next; one that is cut off or failed is the last."""
        self.responses.append(response)
        self.is_open = bool(self.prompts) and judge_response(response).kept
        if self.is_open:
            turn = self.prompts.pop(0).message(**words)
            talk = (*self.request.messages, response.message, turn)
            self.request = replace(self.request, messages=talk)


@rejects("other_cell", "wrong")
def best_cell(group: Group, *, right: float = 1.0) -> Losers:
    """Of the attempts at a kind of task, those stay that are right and of the method and model with
    the most right ones, by name where several have as many. An attempt that was cut off counts as
    wrong: every cell has as many."""
    score = Counter((each.method, each.asked) for each in group if each.score >= right)
    cells = {(each.method, each.asked) for each in group}
    best = min(cells, key=lambda cell: (-score[cell], cell))
    for each in group:
        cell = each.method, each.asked
        if cell != best:
            detail = f"{score[cell]} right, {score[best]} by {' of '.join(best)}"
            yield each.id, reject("other_cell", detail)
        elif each.score < right:
            yield each.id, reject("wrong", each.final_answer or "")

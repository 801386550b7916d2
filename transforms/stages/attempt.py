"""Attempts at tasks: a model answers, the task's grader decides, and a failure is revised once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.records import Message, derived, grow
from transforms.engine.stage import AnyRecord, Map
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Request, Response
from transforms.models.responses import ResponseReason, judge_response
from transforms.models.settings import SamplerSettings
from transforms.programs.questions import Attempted, Task
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.graders import Fault, Mark, grade


class _Try(NamedTuple):
    """One attempt as it was made, before the others are known."""

    talk: tuple[Message, ...]
    responses: list[Response]
    mark: Mark
    verdict: Verdict


@dataclass(kw_only=True)
class AttemptTasks(ModelEpisode):
    """PCollection[Task] -> Outcome of Attempted: `sampler.samples` attempts at each task.

    The prompt is rendered with `task`, `code` and what the task shows. A failure has `revisions`
    more turns, begun by the `revise_prompt`: it is rendered with the `fault` and what the model's
    own answer gave when it ran (`seen`), never with what is right (CodeI/O++, arXiv 2502.07316).
    """

    name: str = "attempt"
    sampler: SamplerSettings
    sandbox: SandboxSettings
    revise_prompt: PromptTemplate | None = None
    """Words of the feedback; None where there are no revisions."""
    revisions: Annotated[int, Field(ge=0)] = 0
    """Further turns of an attempt that is wrong, at most."""
    keeps_wrong: bool = False
    """Whether attempts that are wrong in the end are rows too, told by their score."""

    reads: ClassVar[type] = Task
    writes: ClassVar[type] = Attempted
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (*ResponseReason, *Fault)

    def __post_init__(self) -> None:
        if self.revisions and self.revise_prompt is None:
            raise TypeError("revisions need a revise_prompt, the words of the feedback")

    def variables(self, task: Task) -> dict[str, Any]:
        """What the prompt is rendered with."""
        return {"task": task.task, "code": task.code, **json.loads(task.shown)}

    def episode(self, task: Task) -> Steps[list[tuple[Attempted, Verdict]]]:
        requests = self.requests(self.sampler, **self.variables(task))
        responses = yield list(requests)
        tries = []
        for request, response in zip(requests, responses, strict=True):
            tries.append((yield from self._try(task, request, response)))
        answered = [each for each in tries if not each.verdict.unanswered]
        right = sum(each.mark.fault is None for each in answered)
        rate = right / len(answered) if answered else 0.0
        return [
            (self._row(task, sample, each, rate, len(answered)), each.verdict)
            for sample, each in enumerate(tries)
        ]

    def _try(self, task: Task, request: Request, response: Response) -> Steps[_Try]:
        responses, talk = [response], (*request.messages, response.message)
        mark, verdict = yield from self._judged(task, response)
        for _ in range(self.revisions):
            if mark.fault is None or not judge_response(response).kept:
                break
            talk = (*talk, *self._feedback(task, mark))
            response = yield replace(request, messages=talk)
            responses.append(response)
            talk = (*talk, response.message)
            mark, verdict = yield from self._judged(task, response)
        return _Try(talk, responses, mark, verdict)

    def _feedback(self, task: Task, mark: Mark) -> tuple[Message, ...]:
        assert self.revise_prompt is not None and mark.fault is not None
        shown: dict[str, Any] = {"fault": mark.fault.value, "seen": mark.seen}
        return self.revise_prompt.rendered("chat", task=task.task, **shown).messages

    def _judged(self, task: Task, response: Response) -> Steps[tuple[Mark, Verdict]]:
        mark, verdict = yield from judged(task, response)
        if self.keeps_wrong and judge_response(response).kept:
            verdict = keep()
        return mark, verdict

    def _row(self, task: Task, sample: int, each: _Try, rate: float, attempts: int) -> Attempted:
        made = derived(task, "attempt", sample, calls=self.calls(*each.responses))
        row: Attempted = grow(
            self.writes,
            task,
            task_id=task.id,
            messages=self.stored(each.talk),
            final_answer=each.mark.answer,
            score=each.mark.score,
            turns=len(each.responses),
            agreement=rate,
            attempts=attempts,
            **made,
        )
        return row


def judged(task: Task, response: Response) -> Steps[tuple[Mark, Verdict]]:
    """Grades a whole response to a task; one that is cut off, or not right, is rejected."""
    verdict = judge_response(response)
    if not verdict.kept:
        return Mark(0.0, Fault.NO_ANSWER), verdict
    mark = yield from grade(task, response.text)
    if mark.fault is None:
        return mark, verdict
    return mark, reject(
        mark.fault, f"{mark.answer}: {mark.seen}" if mark.seen else mark.answer or ""
    )


@dataclass(kw_only=True)
class PassRate(Map):
    """PCollection[record] -> Outcome of the same: tasks of a difficulty that can be learned from.

    With `at_least` above 0 and `at_most` below 1, tasks that no attempt or every attempt solves are
    dropped, as in Absolute Zero (arXiv 2505.03335).
    """

    name: str = "pass_rate"
    rate: str = "agreement"
    """The record's field that holds the share of attempts that are right."""
    at_least: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Lowest share that is kept."""
    at_most: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Highest share that is kept."""

    reads: ClassVar[type] = AnyRecord
    by_field: ClassVar[tuple[str, ...]] = ("rate",)
    reasons: ClassVar[Iterable[str]] = ("too_hard", "too_easy")

    def of(self, record: Any) -> Any:
        rate = getattr(record, self.rate)
        if rate < self.at_least:
            return reject("too_hard", f"{self.rate} {rate:.3g}")
        return reject("too_easy", f"{self.rate} {rate:.3g}") if rate > self.at_most else record

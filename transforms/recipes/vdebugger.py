"""vdebugger: errors put into right programs, to be found and repaired by their traces.

After VDebugger (arXiv 2406.13444), on Python programs in place of calls of vision models.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import content_id
from transforms.engine.records import Call, Seed
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Response
from transforms.models.responses import ResponseReason, judge_response
from transforms.models.settings import SamplerSettings
from transforms.programs.form import is_same_program
from transforms.programs.holes import Hole, filled, holes, with_hole
from transforms.programs.questions import Question
from transforms.sandbox.jobs import Job, Result, Status, TraceLimits
from transforms.stages.exercises import Exercise, MakeExercises, exercise
from transforms.stages.graders import same_output
from transforms.stages.pairs import UNFIT, unfit
from transforms.stages.traces import trace_of

_RIGHT = "The program is right."


@dataclass(kw_only=True)
class InjectErrors(MakeExercises, ModelEpisode):
    """PCollection[Seed] (verified) -> Outcome of Exercise: of each program with one node filled
    anew by the model that no longer gives its output, a critic's row and a refiner's; and one of a
    critic who finds the program right.

    The prompt is rendered with `problem` and with `holed`, the program with `<hole>` in it;
    `lesson_prompt` with `task`, which is `critic` or `refiner`, and with `problem`, `code` (marked
    for the refiner), `output` and `trace`.
    """

    name: str = "inject"
    sampler: SamplerSettings
    lesson_prompt: PromptTemplate
    nodes: Annotated[int, Field(ge=1)] = 3
    """Nodes of each program that are filled anew, at most."""
    events: Annotated[int, Field(ge=1)] = 2000
    """Events of a traced run, at most."""
    characters: Annotated[int, Field(ge=1)] = 6000
    """Characters of a trace that are shown, at most; a longer one lacks its middle."""

    reasons: ClassVar[Iterable[str]] = (
        *ResponseReason, *UNFIT, "no_node", "not_in_place", "unchanged", "repeated", "still_right",
        "trace_cut",
    )  # fmt: skip

    def episode(self, seed: Seed) -> Steps[list[Verdict | Exercise] | Verdict]:
        if (verdict := unfit(seed)) is not None:
            return verdict
        code = seed.code or ""
        drawn = sorted(holes(code), key=lambda hole: content_id("hole", seed.id, *hole[:3]))
        if not drawn:
            return reject("no_node")
        asked = [
            (hole, request)
            for hole in drawn[: self.nodes]
            for request in self.requests(
                self.sampler, problem=seed.problem, holed=with_hole(code, hole)
            )
        ]
        responses: list[Response] = yield [request for _, request in asked]
        rows: list[Verdict | Exercise] = []
        faulty: dict[str, tuple[Hole, Response]] = {}
        for (hole, _), response in zip(asked, responses, strict=True):
            program = injected(code, hole, response)
            if isinstance(program, Verdict):
                rows.append(program)
            elif program in faulty:
                rows.append(reject("repeated"))
            else:
                faulty[program] = hole, response
        limits = TraceLimits(events=self.events)
        right, *wrong = yield [Job(each, trace=limits) for each in (code, *faulty)]
        rows += self.lessons(seed, code, None, right, ())
        for (program, (hole, response)), ran in zip(faulty.items(), wrong, strict=True):
            if ran.status is Status.OK and same_output(ran.output or "", seed.output or ""):
                rows.append(reject("still_right", ran.output or ""))
            else:
                rows += self.lessons(seed, program, hole, ran, self.calls(response))
        return rows

    def lessons(
        self, seed: Seed, program: str, hole: Hole | None, ran: Result, calls: Iterable[Call]
    ) -> list[Exercise] | list[Verdict]:
        """Returns the rows of both roles about the run of a program; a right one, which has no
        changed node, is the critic's alone."""
        if not (trace := trace_of(program, ran, self.characters)):
            return [reject("trace_cut", ran.status)]
        output = ran.output if ran.status is Status.OK else ran.error
        said = {"problem": seed.problem, "output": output or "", "trace": trace}
        code, program, mark = (seed.code or "").rstrip(), program.rstrip(), _RIGHT
        roles = [("critic", program, mark)]
        if hole is not None:
            said, mark = {**said, "node": hole.kind}, marked(code, hole, program)
            roles = [("critic", program, mark), ("refiner", mark, code)]
        return [
            exercise(seed, Question(role, (gold,), params={**said, "code": shown}, grader="lines"),
                     self.lesson_prompt, calls=calls)
            for role, shown, gold in roles
        ]  # fmt: skip


def injected(code: str, hole: Hole, response: Response) -> str | Verdict:
    """Returns the program with a model's text in place of a node, or why there is none."""
    if not (verdict := judge_response(response)).kept:
        return verdict
    made = filled(code, hole, response.text)
    if made is None:
        return reject("not_in_place", response.text[-80:])
    if is_same_program(made, code):
        return reject("unchanged", code[hole.start : hole.end])
    return made


def marked(code: str, hole: Hole, program: str) -> str:
    """Returns a program with marks around the node that was changed."""
    there = hole._replace(end=len(program) - len(code) + hole.end)
    return with_hole(program, there, f"<error>{program[there.start : there.end]}</error>")

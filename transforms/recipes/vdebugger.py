"""vdebugger: errors put into right programs, to be found and repaired by their traces.

After VDebugger (arXiv 2406.13444), on Python programs in place of calls of vision models.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.ids import content_id
from transforms.engine.records import Call, Derived, Message, Seed, derived
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Response
from transforms.models.responses import ResponseReason, judge_response
from transforms.models.settings import SamplerSettings
from transforms.programs.form import is_same_program
from transforms.programs.holes import Hole, filled, holes, with_hole
from transforms.sandbox.jobs import Job, Result, Status, TraceLimits
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.graders import same_output
from transforms.stages.pairs import UNFIT, unfit
from transforms.stages.traces import trace_of

_MARKS = ("<error>", "</error>")


@dataclass(frozen=True, kw_only=True)
class Lesson(Derived):
    """A program with what it did, and what a critic or a refiner has to say of it."""

    role: str
    """critic (says that it is right, or marks the error) or refiner (given the mark, repairs)."""
    problem: str
    code: str
    """The right program."""
    faulty: str | None
    """The program that is shown, with one node changed; None where the right one is shown."""
    node: str | None
    """What was changed: value, condition or statements; None where nothing was."""
    output: str
    """What the shown program gave, as JSON, or its exception."""
    messages: tuple[Message, ...]


@dataclass(kw_only=True)
class InjectErrors(ModelEpisode):
    """PCollection[Seed] (verified) -> Outcome of Lesson: of each program with one node filled anew
    by the model that no longer gives its output, a critic's row and a refiner's; and one of a
    critic who finds the program right.

    The prompt is rendered with `problem` and with `holed`, the program with `<hole>` in it;
    `critic_prompt` and `refiner_prompt` with `problem`, `code` (marked for the refiner), `output`
    and `trace`.
    """

    name: str = "inject"
    sampler: SamplerSettings
    sandbox: SandboxSettings
    critic_prompt: PromptTemplate
    refiner_prompt: PromptTemplate
    nodes: Annotated[int, Field(ge=1)] = 3
    """Nodes of each program that are filled anew, at most."""
    roles: tuple[Literal["critic", "refiner"], ...] = ("critic", "refiner")
    """Whose rows are made."""
    events: Annotated[int, Field(ge=1)] = 2000
    """Events of a traced run, at most."""
    characters: Annotated[int, Field(ge=1)] = 6000
    """Characters of a trace that are shown, at most; a longer one lacks its middle."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Lesson
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (
        *ResponseReason, *UNFIT, "no_node", "not_in_place", "unchanged", "repeated", "still_right",
        "trace_cut",
    )  # fmt: skip

    def episode(self, seed: Seed) -> Steps[list[Verdict | tuple[Lesson, Verdict]] | Verdict]:
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
        responses = yield [request for _, request in asked]
        programs: list[str | Verdict] = []
        for (hole, _), response in zip(asked, responses, strict=True):
            made = injected(code, hole, response)
            is_new = isinstance(made, Verdict) or made not in programs
            programs.append(made if is_new else reject("repeated"))
        runs = [each for each in programs if isinstance(each, str)]
        [right, *ran] = yield [
            Job(each, trace=TraceLimits(events=self.events)) for each in (code, *runs)
        ]
        results = dict(zip(runs, ran, strict=True))
        rows: list[Verdict | tuple[Lesson, Verdict]] = []
        if "critic" in self.roles and (trace := trace_of(code, right, self.characters)):
            rows.append((self._lesson("critic", seed, code, None, right, trace, ()), keep()))
        for (hole, _), program, response in zip(asked, programs, responses, strict=True):
            if isinstance(program, Verdict):
                rows.append(program)
            else:
                rows += self._lessons(seed, hole, program, results[program], response)
        return rows

    def _lessons(
        self, seed: Seed, hole: Hole, program: str, ran: Result, response: Response
    ) -> Iterator[Verdict | tuple[Lesson, Verdict]]:
        output = ran.output if ran.status is Status.OK else None
        if output is not None and same_output(output, seed.output or ""):
            yield reject("still_right", output)
        elif not (trace := trace_of(program, ran, self.characters)):
            yield reject("trace_cut", ran.status)
        else:
            for role in self.roles:
                calls = self.calls(response)
                yield self._lesson(role, seed, program, hole, ran, trace, calls), keep()

    def _lesson(
        self,
        role: str,
        seed: Seed,
        program: str,
        hole: Hole | None,
        ran: Result,
        trace: str,
        calls: Iterable[Call],
    ) -> Lesson:
        right = (seed.code or "").rstrip()
        is_critic, mark = role == "critic", marked(seed.code or "", hole, program)
        output = ran.output if ran.status is Status.OK else ran.error
        prompt = self.critic_prompt if is_critic else self.refiner_prompt
        shown = program if is_critic else mark
        target = "The program is right." if hole is None else fenced(mark if is_critic else right)
        asked = prompt.rendered(
            "chat", problem=seed.problem, code=shown.rstrip(), output=output or "", trace=trace
        )
        return Lesson(
            role=role,
            problem=seed.problem,
            code=seed.code or "",
            faulty=None if hole is None else program,
            node=None if hole is None else hole.kind,
            output=output or "",
            messages=(*asked.messages, Message("assistant", target)),
            **derived(seed, "lesson", role, program, calls=calls),
        )


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


def marked(code: str, hole: Hole | None, program: str) -> str:
    """Returns a program with marks around the node that was changed."""
    if hole is None:
        return program
    end = len(program) - (len(code) - hole.end)
    changed = program[hole.start : end]
    return f"{program[: hole.start]}{_MARKS[0]}{changed}{_MARKS[1]}{program[end:]}"


def fenced(code: str) -> str:
    return f"```python\n{code.rstrip()}\n```"

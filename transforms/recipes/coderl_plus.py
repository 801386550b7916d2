"""coderl_plus: what a model's own failed programs do: their output and last variables.

After CodeRL+ (arXiv 2510.18471).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Seed
from transforms.models.episode import ModelEpisode, Steps, side_by_side
from transforms.models.requests import Response
from transforms.models.responses import ResponseReason, judge_program
from transforms.models.settings import SamplerSettings
from transforms.programs import literal_input, parse
from transforms.programs.checks import RUN_REASONS
from transforms.programs.facts import CutTrace, InvalidTrace, is_plain, read_trace, returned_values
from transforms.programs.questions import Task, task_about
from transforms.sandbox.jobs import Job, Status, TraceLimits
from transforms.stages.graders import tests
from transforms.stages.pairs import UNPAIRED, Pair, is_small
from transforms.stages.tasks import MakeTasksOfPairs


@dataclass(kw_only=True)
class WriteFailing(MakeTasksOfPairs, ModelEpisode):
    """PCollection[Seed] (verified) -> Outcome of Task: of the programs that a model writes for a
    problem, those that fail its tests and run to an end.

    The tests are the pairs of the seed's program.
    """

    name: str = "fail"
    sampler: SamplerSettings
    variables: Annotated[int, Field(ge=0)] = 3
    """Variables asked for, at most: those that `solution` set last, no unchanged inputs."""

    reasons: ClassVar[Iterable[str]] = (
        *ResponseReason, *RUN_REASONS, *UNPAIRED, "passes_tests", "trace_cut",
    )  # fmt: skip

    def make(self, seed: Seed, pairs: list[Pair]) -> Steps[list[Verdict | Task]]:
        known = pairs[0].input
        responses = yield self.requests(self.sampler, problem=seed.problem, known=known)
        return (yield from side_by_side(self._asked(seed, pairs, each) for each in responses))

    def _asked(self, seed: Seed, cases: list[Pair], response: Response) -> Steps[Verdict | Task]:
        code, verdict = judge_program(response)
        if not verdict.kept:
            return verdict
        mark = yield from tests("", cases, response.text)
        if mark.fault is None:
            return reject("passes_tests")
        [result] = yield [Job(code, trace=TraceLimits())]
        if result.status is not Status.OK:
            return reject(result.status, result.error or "")
        try:
            values = returned_values(read_trace(result.trace or ""), "solution")
        except (InvalidTrace, CutTrace) as error:
            return reject("trace_cut", str(error))
        output = json.loads(result.output or "null")
        if not is_small(output):
            return reject(Status.OUTPUT_LIMIT, "the output is not small")
        own = literal_input(parse(code)) or {}
        unlike = {name: v for name, v in values.items() if own.get(name, ...) != v}
        asked = {name: repr(v) for name, v in unlike.items() if is_plain(v) and is_small(v)}
        golds = dict(list(asked.items())[-self.variables :] if self.variables else ())
        answer, shown = {**golds, "output": repr(output)}, {"names": [*golds]}
        calls = self.calls(response)
        return task_about(seed, "final_values", code, "parts", answer, shown, calls)


def run_of(task: Task) -> str:
    """What tasks with the same input and output share: one of them is enough."""
    return json.dumps([task.seed_ids, json.loads(task.answer)["output"]])

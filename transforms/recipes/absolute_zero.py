"""absolute_zero: a model proposes programs, and three tasks are made of each that it then solves.

After Absolute Zero (arXiv 2505.03335): deduction asks for an output, abduction for an input,
induction for a program from some of its inputs and outputs.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any, ClassVar

from apache_beam.pvalue import AsSingleton, PCollection
from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import content_id
from transforms.engine.records import Execution, Program, Seed, with_calls
from transforms.models.episode import ModelEpisode, Steps, side_by_side
from transforms.models.pool import Pool, SeedPool, draw_shots, lineage
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Response
from transforms.models.responses import ResponseReason, judge_program, judge_response
from transforms.models.settings import SamplerSettings
from transforms.programs import fingerprint, literal_input, masked_input, parse
from transforms.programs.checks import RUN_REASONS, FilterSettings, FormReason
from transforms.programs.questions import NotLiteral, Task, read_value, task_about
from transforms.stages.execute import execute_checked
from transforms.stages.graders import answer_in
from transforms.stages.pairs import is_small, run_on
from transforms.stages.tasks import MakeTasks


@dataclass(kw_only=True)
class Propose(MakeTasks, ModelEpisode):
    """PCollection[Seed] (verified) -> Outcome of Task: of `sampler.samples` new programs for each
    seed a deduction, an abduction and, with inputs that the model proposes too, an induction.

    A program is kept where it has the unified form, uses nothing banned, and gives the same output
    in two processes with different hash seeds.
    """

    name: str = "propose"
    induce_prompt: PromptTemplate
    """Asks for a message and further inputs of a program."""
    sampler: SamplerSettings
    """`shots` programs of other seeds are shown."""
    inputs: Annotated[int, Field(ge=4)] = 10
    """Inputs that are asked for; half of the pairs are shown, the other half is the test."""
    pool: Annotated[int, Field(ge=1)] = 1000
    """Seeds to draw programs from that are shown."""
    filter: FilterSettings

    reasons: ClassVar[Iterable[str]] = (
        *ResponseReason, *FormReason, *RUN_REASONS, "not_small", "no_message", "few_pairs",
    )  # fmt: skip

    def sides(self, records: PCollection) -> Mapping[str, Any]:
        return {"pool": AsSingleton(records | "Seed pool" >> SeedPool(self.pool))}

    def episode(self, seed: Seed, pool: Pool) -> Steps[list[Task | Verdict]]:
        shots = draw_shots(pool, self.sampler.shots, self.run_seed, "propose", seed.id)
        responses = yield self.requests(self.sampler, shots=shots)
        made = yield from side_by_side(
            self._tasks(seed, shots, sample, each) for sample, each in enumerate(responses)
        )
        return list(chain.from_iterable(made))

    def _tasks(
        self, seed: Seed, shots: Sequence[Seed], sample: int, response: Response
    ) -> Steps[list[Task | Verdict]]:
        code, verdict = judge_program(response)
        if not verdict.kept:
            return [verdict]
        written = with_calls((), *self.calls(response))
        number = content_id("program", seed.id, sample, code)
        program = Program(id=number, code=code, **lineage(shots), **written)
        execution, verdict = yield from execute_checked(program, "always", self.filter)
        if execution is None or not verdict.kept:
            return [verdict]
        given, output = literal_input(parse(code)), execution.output or "null"
        if not (is_small(given) and is_small(json.loads(output))):
            return [reject("not_small")]
        golds = [repr(json.loads(output))]
        shown = {"code": masked_input(code), "known": output}
        return [
            task_about(execution, "deduction", code, "tolerant", golds, {}),
            task_about(execution, "abduction", code, "witness", output, shown),
            (yield from self._induction(sample, execution)),
        ]

    def _induction(self, sample: int, program: Execution) -> Steps[Task | Verdict]:
        asked = self.requests(
            self.sampler, prompt=self.induce_prompt, code=program.code, count=self.inputs
        )
        response = yield asked[sample]
        verdict = judge_response(response)
        if not verdict.kept:
            return verdict
        message, inputs = induction_in(response.text)
        if not message:
            return reject("no_message", response.text[-200:])
        pairs = yield from run_on(program.code, inputs)
        if len(pairs) < 4:
            return reject("few_pairs", f"{len(pairs)} inputs that the program runs on")
        half = len(pairs) // 2
        shown = {"message": message, "pairs": [p._asdict() for p in pairs[:half]]}
        calls, hidden = self.calls(response), pairs[half:]
        return task_about(program, "induction", program.code, "tests", hidden, shown, calls)


def induction_in(response: str) -> tuple[str, list[dict[str, Any]]]:
    """Returns the message and the inputs in a response; an empty message where it has not both."""
    try:
        value = read_value(answer_in(response) or "")
        message, inputs = value["message"], value["inputs"]
        return str(message), [each for each in inputs if isinstance(each, dict)]
    except (NotLiteral, LookupError, TypeError):
        return "", []


def structure_of(task: Task) -> str:
    """What tasks of one kind share whose programs have the same structure."""
    return content_id("structure", task.task, fingerprint(task.code))

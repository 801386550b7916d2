"""absolute_zero: a model proposes programs, and three tasks are made of each that it then solves.

After Absolute Zero (arXiv 2505.03335): deduction asks for an output, abduction for an input,
induction for a program from some of its inputs and outputs.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import AsSingleton, PCollection
from pydantic import Field

from transforms.engine.accounting import Verdict, first_rejection, keep, reject
from transforms.engine.ids import content_id
from transforms.engine.records import Execution, Program, Seed, with_calls
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.pool import Pool, SeedPool, combined_license, combined_source, draw_shots
from transforms.models.prompts import PromptTemplate
from transforms.models.responses import ResponseReason, judge_program, judge_response
from transforms.models.settings import SamplerSettings
from transforms.programs import fingerprint, literal_input, masked_input, parse
from transforms.programs.checks import (
    RUN_REASONS,
    FilterSettings,
    FormOf,
    FormReason,
    form_checks,
    run_checks,
)  # fmt: skip
from transforms.programs.questions import NotLiteral, Task, read_value, task_about
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.execute import execute
from transforms.stages.graders import answer_in
from transforms.stages.pairs import is_small, run_on

Proposal = tuple[Seed, int]
"""A seed and a number: one request for a new program."""
Proposed = tuple[Task | Seed, Verdict]


@dataclass(kw_only=True)
class Propose(ModelEpisode):
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
    sandbox: SandboxSettings
    filter: FilterSettings

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Task
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (
        *ResponseReason, *FormReason, *RUN_REASONS, "not_small", "no_message", "few_pairs",
    )  # fmt: skip

    def opened(self, records: PCollection) -> PCollection:
        samples = range(self.sampler.samples)
        return records | "Proposals" >> beam.FlatMap(lambda seed: [(seed, n) for n in samples])

    def sides(self, records: PCollection) -> Mapping[str, Any]:
        return {"pool": AsSingleton(records | "Seed pool" >> SeedPool(self.pool))}

    def episode(self, proposal: Proposal, pool: Pool) -> Steps[list[Proposed]]:
        seed, sample = proposal
        shots = draw_shots(pool, self.sampler.shots, self.run_seed, "propose", seed.id, sample)
        response = yield self.requests(self.sampler, shots=shots)[sample]
        code, verdict = judge_program(response)
        program = Program(
            id=content_id("program", seed.id, sample, code),
            code=code,
            seed_ids=tuple(shot.id for shot in shots),
            source=combined_source(shots),
            license=combined_license(shots),
            **with_calls((), *self.calls(response)),
        )
        if verdict.kept:
            verdict = FormOf(form_checks(self.filter))(program)
        if not verdict.kept:
            return [(seed, verdict)]
        execution = yield from execute(program, "always")
        verdict = first_rejection(run_checks(self.filter), execution)
        given, output = literal_input(parse(code)), execution.output or "null"
        if verdict.kept and not (is_small(given) and is_small(json.loads(output))):
            verdict = reject("not_small")
        if not verdict.kept:
            return [(seed, verdict)]
        golds = [repr(json.loads(output))]
        shown = {"code": masked_input(code), "known": output}
        return [
            (task_about(execution, "deduction", code, "tolerant", golds, {}), keep()),
            (task_about(execution, "abduction", code, "witness", output, shown), keep()),
            (yield from self._induction(seed, sample, execution)),
        ]

    def _induction(self, seed: Seed, sample: int, program: Execution) -> Steps[Proposed]:
        asked = self.requests(
            self.sampler, prompt=self.induce_prompt, code=program.code, count=self.inputs
        )
        response = yield asked[sample]
        verdict = judge_response(response)
        if not verdict.kept:
            return seed, verdict
        message, inputs = induction_in(response.text)
        if not message:
            return seed, reject("no_message", response.text[-200:])
        pairs = yield from run_on(program.code, inputs)
        if len(pairs) < 4:
            return seed, reject("few_pairs", f"{len(pairs)} inputs that the program runs on")
        half = len(pairs) // 2
        shown = {"message": message, "pairs": [p._asdict() for p in pairs[:half]]}
        calls = self.calls(response)
        return task_about(
            program, "induction", program.code, "tests", pairs[half:], shown, calls
        ), keep()


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

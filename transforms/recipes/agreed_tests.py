"""agreed_tests: problems whose tests several solutions agree on (rStar-Coder, arXiv 2505.21297)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Seed
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Response
from transforms.models.responses import ResponseReason, judge_program, unanswered
from transforms.models.settings import SamplerSettings
from transforms.programs.form import Unparsable, with_input
from transforms.programs.questions import NotLiteral, Task, read_literal, task_about
from transforms.sandbox.jobs import Job, Result, Status
from transforms.stages.graders import last_block
from transforms.stages.tasks import MakeTasks


@dataclass(kw_only=True)
class AgreeOnTests(MakeTasks, ModelEpisode):
    """PCollection[Seed] -> Outcome of Task: problems with inputs that a model proposes, and the
    outputs that enough of its solutions agree on.

    The `prompt` asks for a program, `sampler.samples` of them; the `inputs_prompt`, rendered with
    `problem` and `own`, an input of one of them, for a list of inputs. An input is a test where at
    least `agreement` of the solutions give the same on it; a problem needs `least` of them, of
    which two outputs differ. The task's program is the shortest of those that are right on all.
    """

    name: str = "agree"
    sampler: SamplerSettings
    inputs_prompt: PromptTemplate
    agreement: Annotated[float, Field(gt=0.5, le=1)] = 0.6
    """Share of the solutions that give the same on an input."""
    least: Annotated[int, Field(ge=2)] = 4
    """Tests of a problem, at least."""
    most: Annotated[int, Field(ge=2)] = 20
    """Inputs that are run, at most."""

    reasons: ClassVar[Iterable[str]] = (
        *ResponseReason, "few_programs", "few_inputs", "few_tests", "one_output", "none_is_right",
    )  # fmt: skip

    def episode(self, seed: Seed) -> Steps[Task | Verdict]:
        responses: list[Response] = yield self.requests(self.sampler, problem=seed.problem)
        if lost := unanswered(responses):
            return lost
        read = [judge_program(response) for response in responses]
        codes = [code for code, verdict in read if verdict.kept]
        first = yield [Job(code) for code in codes]
        ran = [(code, r) for code, r in zip(codes, first, strict=True) if r.status is Status.OK]
        if len(ran) < 2:
            return reject("few_programs", f"{len(ran)} of {len(responses)} run")
        own = ran[0][1].input or "{}"
        words: dict[str, Any] = {"problem": seed.problem, "own": own}
        [said] = yield self.requests(self.sampler, 0, self.inputs_prompt, samples=1, **words)
        if lost := unanswered([said]):
            return lost
        inputs = proposed(said.text, self.most)
        if len(inputs) < self.least:
            return reject("few_inputs", f"{len(inputs)} inputs")
        programs = [code for code, _ in ran]
        outputs = yield from _outputs(programs, inputs)
        cases = agreed(inputs, outputs, self.agreement)
        if len(cases) < self.least:
            return reject("few_tests", f"solutions agree on {len(cases)} of {len(inputs)} inputs")
        if len({output for _, output in cases}) < 2:
            return reject("one_output", cases[0][1])
        wanted = dict(cases)
        right = [
            code
            for code, gave in zip(programs, outputs, strict=True)
            if all(wanted.get(repr(i), o) == o for i, o in zip(inputs, gave, strict=True))
        ]
        if not right:
            return reject("none_is_right", "no solution agrees with all tests")
        made = self.calls(*responses, said)
        code = min(right, key=lambda code: (len(code), code))
        shown = {"problem": seed.problem, "known": cases[0][0]}
        return task_about(seed, "write", code, "tests", cases, shown, made)


def proposed(text: str, most: int) -> list[dict[str, Any]]:
    """Returns the different inputs in the last block of a response, a list of dicts.

    >>> proposed("```python\\n[{'n': 1}, {'n': 1}, 3]\\n```", 9)
    [{'n': 1}]
    """
    try:
        values = read_literal(last_block(text) or "")
    except NotLiteral:
        return []
    found = [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []
    return list({repr(each): each for each in found}.values())[:most]


def agreed(
    inputs: Sequence[dict[str, Any]], outputs: Sequence[Sequence[str | None]], share: float
) -> list[tuple[str, str]]:
    """Returns (input as a literal, output as JSON) where enough programs give the same.

    Args:
        outputs: of each program, on each input; None where it failed.
    """
    cases = []
    for place, given in enumerate(inputs):
        votes = Counter(gave[place] for gave in outputs)
        output, count = max(votes.items(), key=lambda each: (each[1], str(each[0])))
        if output is not None and count >= share * len(outputs):
            cases.append((repr(given), output))
    return cases


def _outputs(
    programs: Sequence[str], inputs: Sequence[dict[str, Any]]
) -> Steps[list[list[str | None]]]:
    """Runs each program on each input."""
    jobs: list[Job | None] = []
    for code in programs:
        for given in inputs:
            try:
                jobs.append(Job(with_input(code, given)))
            except (Unparsable, ValueError):
                jobs.append(None)
    results = iter((yield [job for job in jobs if job is not None]))
    found = [None if job is None else _output(next(results)) for job in jobs]
    return [found[n : n + len(inputs)] for n in range(0, len(found), len(inputs))]


def _output(result: Result) -> str | None:
    well = result.status is Status.OK and result.output is not None
    return json.dumps(json.loads(result.output or ""), sort_keys=True) if well else None

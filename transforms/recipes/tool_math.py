"""tool_math: problems solved in several turns with a Python tool (after arXiv 2504.16891)."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection
from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Derived, Message, Seed, derived
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.requests import tool_json
from transforms.models.responses import ResponseReason, judge_response
from transforms.models.settings import SamplerSettings
from transforms.sandbox.jobs import Cell, CellResult
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.judge import as_pair, compare
from transforms.text.answers import final_answer

_ARGUMENTS = {"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"]}
PYTHON = tool_json("python", "Runs code in a session that keeps its variables.", _ARGUMENTS)
TOOLS = f"[{PYTHON}]"


@dataclass(frozen=True, kw_only=True)
class Trajectory(Derived):
    """A solved problem, with every call of the tool and what it showed."""

    messages: tuple[Message, ...]
    """The conversation."""
    answer: str | None
    """The final answer, which agrees with the seed's."""
    tools: str = TOOLS
    """The tools that the model could call, as a JSON list: trainers and chat templates read it."""


@dataclass(kw_only=True)
class SolveWithPython(ModelEpisode):
    """PCollection[Seed] -> Outcome of Trajectory: `sampler.samples` attempts at each problem."""

    name: str = "solve"
    sampler: SamplerSettings
    turns: Annotated[int, Field(ge=1)] = 8
    """Turns of the model, at most."""
    sandbox: SandboxSettings

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Trajectory
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (*ResponseReason, "out_of_turns", "wrong_answer")

    def opened(self, records: PCollection) -> PCollection:
        samples = range(self.sampler.samples)
        return records | "Attempts" >> beam.FlatMap(lambda seed: [(seed, n) for n in samples])

    def episode(self, attempt: tuple[Seed, int]) -> Steps[tuple[Trajectory, Verdict]]:
        seed, sample = attempt
        asked = self.requests(self.sampler, instruction=seed.problem)[sample]
        talk, answer, responses = list(asked.messages), None, []
        after: tuple[str, ...] = ()
        verdict = reject("out_of_turns")
        for _ in range(self.turns):
            response = yield replace(asked, messages=tuple(talk), tools=(PYTHON,))
            talk.append(response.message)
            responses.append(response)
            if not response.tool_calls:
                answer = final_answer(response.text, response.finish_reason)
                verdict = judge_response(response)
                right = yield from compare([as_pair(seed.answer or "", answer or "")])
                if verdict.kept and not right[0]:
                    verdict = reject("wrong_answer", f"says {answer}, reference {seed.answer}")
                break
            for call in response.tool_calls:
                seen = yield Cell(code_of(call.arguments), after)
                after = seen.after
                talk.append(Message("tool", shown(seen), tool_call_id=call.id))
        made = derived(seed, "trajectory", sample, calls=self.calls(*responses))
        return Trajectory(messages=self.stored(talk), answer=answer, **made), verdict


def code_of(arguments: str) -> str:
    """The code in a call's arguments; arguments that are no JSON are taken to be the code."""
    try:
        return str(json.loads(arguments)["code"])
    except (ValueError, KeyError, TypeError):
        return arguments


def shown(seen: CellResult) -> str:
    """What a cell printed, the value it ends with, or the end of its error."""
    return "\n".join(filter(None, [seen.stdout.strip(), seen.value, seen.error])) or seen.status

"""retool: solutions in words rewritten so that code calculates, every output run again.

After the cold start of ReTool (arXiv 2504.11536).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import canonical_json
from transforms.engine.records import derived
from transforms.models.episode import ModelEpisode, Steps, side_by_side
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Response
from transforms.models.responses import ResponseReason, judge_response
from transforms.models.settings import SamplerSettings
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.trajectories.conversation import Limits, begin
from transforms.stages.trajectories.converse import answer_in
from transforms.stages.trajectories.dialogue_forms import DialogueSetting
from transforms.stages.trajectories.records import Trajectory
from transforms.stages.trajectories.rerun import RERUN_REASONS, rerun


@dataclass(kw_only=True)
class Rewrite(ModelEpisode):
    """PCollection[Trajectory] -> Outcome of the same: `sampler.samples` rewritings of a solution
    in which scripts calculate, with what they really print.

    The prompt is rendered with `problem` and `solution`, `asked_prompt` with `problem`.
    """

    name: str = "rewrite"
    sampler: SamplerSettings
    sandbox: SandboxSettings
    dialogue: DialogueSetting
    """The form of the rewriting; each script is run by itself."""
    asked_prompt: PromptTemplate
    """The prompt that rows begin with."""

    reads: ClassVar[type] = Trajectory
    writes: ClassVar[type] = Trajectory
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (
        *(*ResponseReason, *RERUN_REASONS, "no_answer", "wrong_answer"),
    )

    def episode(self, row: Trajectory) -> Steps[list[tuple[Trajectory, Verdict]]]:
        said = [text for t in row.messages if t.sampled for text in (t.reasoning, t.content)]
        solution = "\n\n".join(filter(None, said))
        asked = self.requests(self.sampler, problem=row.problem, solution=solution)
        responses: list[Response] = yield [replace(each, think_tags=None) for each in asked]
        tries = (self.rewritten(row, *each) for each in enumerate(responses))
        return (yield from side_by_side(tries))

    def rewritten(
        self, row: Trajectory, sample: int, response: Response
    ) -> Steps[tuple[Trajectory, Verdict]]:
        [asked] = self.requests(self.sampler, 0, self.asked_prompt, None, 1, problem=row.problem)
        talk = begin(asked, self.dialogue, Limits())
        answer, right = yield from answer_in(response, row.reference)
        verdict = judge_response(response)
        if verdict.kept:
            verdict = yield from rerun(talk, response.text, request=response.id)
        if verdict.kept and answer is None:
            verdict = reject("no_answer")
        elif verdict.kept and not right:
            verdict = reject("wrong_answer", f"says {answer}, reference {row.reference}")
        data = canonical_json({"dialogue": talk.dialogue.name})
        values: dict[str, Any] = {"messages": talk.turns, "answer": answer, "sample": sample}
        made = derived(row, "rewritten", response.id, calls=self.calls(response))
        return replace(row, cells=talk.cells, data=data, **values, **made), verdict

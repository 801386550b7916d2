"""predict: what a verified program gives, or which input makes it give that, proved by running it.

After CRUXEval (arXiv 2401.03065) and CodeI/O (arXiv 2502.07316).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from transforms import programs
from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.records import Derived, Message, Seed, derived
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.responses import ResponseReason, judge_response, literal_in
from transforms.models.settings import SamplerSettings
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.judge import Pair, compare, reproduces


@dataclass(frozen=True, kw_only=True)
class Prediction(Derived):
    """A question about what a program does, and a right answer."""

    task: str
    """`output`: what the program gives; `input`: an input that makes it give its output."""
    code: str
    """The whole program, which answers the question when it is run."""
    prediction: str | None
    """The value that was predicted, as JSON."""
    messages: tuple[Message, ...]
    """Question and answer."""


@dataclass(kw_only=True)
class Predict(ModelEpisode):
    """PCollection[Seed] (verified, with code) -> Outcome of Prediction: both questions of each."""

    name: str = "predict"
    sampler: SamplerSettings
    sandbox: SandboxSettings

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Prediction
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (
        *ResponseReason, "no_program", "no_prediction", "wrong_prediction",
    )  # fmt: skip

    def episode(self, seed: Seed) -> Steps[list[Verdict | tuple[Prediction, Verdict]]]:
        if seed.code is None:
            return [reject("no_program")]
        shown = {"output": seed.code, "input": programs.masked_input(seed.code)}
        asked = [
            (task, request)
            for task, code in shown.items()
            for request in self.requests(self.sampler, task=task, code=code, output=seed.output)
        ]
        found: list[Verdict | tuple[Prediction, Verdict]] = []
        responses = yield [request for _, request in asked]
        for (task, request), response in zip(asked, responses, strict=True):
            said, verdict = literal_in(response.text), judge_response(response)
            if verdict.kept:
                verdict = yield from judged(task, seed, said)
            made = derived(seed, task, response.text, calls=self.calls(response))
            talk = (*request.messages, response.message)
            what = Prediction(task=task, code=seed.code, prediction=said, messages=talk, **made)
            found.append((what, verdict))
        return found


def judged(task: str, seed: Seed, said: str | None) -> Steps[Verdict]:
    """Judges a predicted input by running the program on it, an output by what it gave."""
    code, output = seed.code or "", seed.output or "null"
    if said is not None and task == "input":
        try:
            right = yield from reproduces(code, output, said)
        except ValueError as error:
            return reject("no_prediction", str(error))
    else:
        [right] = yield from compare([Pair(output, said)])
    return keep() if right else reject("wrong_prediction", f"{task}: {said}"[:200])

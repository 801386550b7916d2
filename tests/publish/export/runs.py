"""Small finished runs of each recipe, written as a run writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.programs_for_tests import SPAM
from tests.publish.report.folder import examples, executions
from transforms.engine.accounting import Reject, reject, rejected
from transforms.engine.ids import content_id
from transforms.engine.records import Attempt, Attempts, Example, Message, ToolCall, Variant, grow
from transforms.engine.run_folder import RunFolder
from transforms.engine.tables import write_table
from transforms.models.requests import tool_json
from transforms.programs.questions import Attempted
from transforms.recipes.caco.verify import example
from transforms.recipes.judge import Preference
from transforms.recipes.predict import Prediction
from transforms.stages.trajectories.records import Trajectory, turns_of

_ARGUMENTS = {"type": "object", "properties": {"code": {"type": "string"}}}
LINEAGE = {"calls": (), "tokens": 0, "seed_ids": ("s1",), "source": "mine", "license": "MIT"}
ERROR = "Traceback (most recent call last):\n  ...\nNameError: name 'a' is not defined"


def finished(
    root: Path,
    recipe: str,
    rows: Sequence[Any],
    rejects: Sequence[Reject] = (),
    stage: Sequence[Any] = (),
) -> RunFolder:
    """Writes a run of two segments: `stage` and the rows."""
    run = RunFolder(str(root))
    folders = [("stages/01-solving", stage), ("data", rows), ("rejects", rejects)]
    for folder, records in folders:
        if records:
            path = run.path(folder, "part-00000-of-00001.parquet")
            write_table(path, records, type(records[0]), "zstd")
    segments = [{"name": name.split("/")[-1], "folder": name} for name, _ in folders[:2]]
    run.write_manifest(
        {"run_id": "0" * 32, "recipe": recipe, "status": "complete", "segments": segments}
    )
    return run


def attempts(number: int = 0) -> Attempts:
    """A problem of four attempts: two agree, one of them long; one is wrong, one was cut off."""
    short = "Take 3 and 4.\n3 + 4 = 7\nThe answer is 7."
    long = "First read the text: it gives 3 and 4, to be added.\n" * 3 + short
    return grow(
        Attempts,
        executions(number + 1)[number],
        instruction=f"What is 3 plus 4, for the {number}th time?",
        output="7",
        attempts=(
            Attempt(short, "stop", answer="7", agrees=True, reasoning="3 and 4, so 7."),
            Attempt(long, "stop", answer="7", agrees=True),
            Attempt("3 + 4 = 8\nThe answer is 8.", "stop", answer="8", agrees=False, value="8"),
            Attempt("Let me begin", "length", agrees=False),
        ),
    )


def caco(root: Path, count: int = 3) -> RunFolder:
    """Accepted rows with their attempts."""
    records = [attempts(number) for number in range(count)]
    rows = [example(record, "caco", "run") for record in records]
    return finished(root, "caco", rows, stage=records)


def plain_rows(root: Path, count: int = 6) -> RunFolder:
    """Accepted rows of Caco whose stages are gone."""
    rows: list[Example] = examples(count)
    return finished(root, "caco", rows)


def _call(code: str, number: int) -> Message:
    call = ToolCall(f"c{number}", "python", json.dumps({"code": code}))
    return Message("assistant", "", "I compute it.", tool_calls=(call,))


def trajectory(problem: str, said: str, *between: Message, sample: int = 0) -> Trajectory:
    """A conversation that ends in `said`; of three about a sum of 43, two are right."""
    asked = (Message("system", "Use the tool."), Message("user", problem))
    talk = (*asked, *between, Message("assistant", f"It is \\boxed{{{said}}}."))
    made = content_id("trajectory", problem, said, sample)
    return Trajectory(
        id=made,
        problem=problem,
        reference=None,
        messages=tuple(replace(t, sampled=t.role == "assistant") for t in turns_of(talk)),
        tools=f"[{tool_json('python', 'Runs code.', _ARGUMENTS)}]",
        answer=said,
        score=1.0,
        agreement=2 / 3 if problem == "What is 42 + 1?" else 1.0,
        attempts=3 if problem == "What is 42 + 1?" else 1,
        **LINEAGE,
    )


def tool_math(root: Path) -> RunFolder:
    """Two problems: of the first two right conversations, one with an error on the way, and a wrong
    one; of the second a right one."""
    failing = _call("a + 1", 1), Message("tool", ERROR, tool_call_id="c1")
    working = _call("42 + 1", 2), Message("tool", "43", tool_call_id="c2")
    rows = [
        trajectory("What is 42 + 1?", "43", *working),
        trajectory("What is 42 + 1?", "43", *failing, *working, sample=1),
        trajectory("What is 2 + 2?", "4", sample=2),
    ]
    wrong = trajectory("What is 42 + 1?", "44", *working, sample=3)
    other = trajectory("What is 9 * 9?", "18", sample=4)
    refused = [
        rejected("solve", wrong, reject("wrong_answer", "says 44, reference 43")),
        rejected("solve", other, reject("wrong_answer", "says 18, reference 81")),
        rejected("dedup", rows[0], reject("duplicate_instruction", "same")),
    ]
    return finished(root, "tool_math", rows, refused)


def prediction(task: str, value: str, said: str) -> Prediction:
    talk = (Message("user", f"What about {task}?"), Message("assistant", said))
    made = content_id("prediction", task, said)
    code = str(executions(1)[0].code)
    return Prediction(id=made, task=task, code=code, prediction=value, messages=talk, **LINEAGE)


def predict(root: Path) -> RunFolder:
    """A right output and a right input; another output was wrong."""
    rows = [prediction("output", "560", "It is 560."), prediction("input", '{"a": 1}', "Take 1.")]
    wrong = prediction("output", "561", "It is 561.")
    refused = [rejected("predict", wrong, reject("wrong_prediction", "output: 561"))]
    return finished(root, "predict", rows, refused)


def attempt(kind: str, grader: str, answer: str, said: str) -> Attempted:
    talk = (Message("user", f"What about {kind}?"), Message("assistant", f"```\n{said}\n```"))
    return Attempted(
        id=content_id("attempt", kind, said), task=kind, code=SPAM, grader=grader, answer=answer,
        task_id=content_id("task", kind), messages=talk, final_answer=said, score=1.0, turns=1,
        agreement=0.5, attempts=8, **LINEAGE,
    )  # fmt: skip


def attempted(root: Path) -> RunFolder:
    """A right output and a right input of an execution recipe; another output was wrong."""
    given = "{'emails': 112, 'percent_spam': 0, 'days': 5}"
    rows = [
        attempt("output", "tolerant", '["560"]', "560"),
        attempt("input", "witness", '"560"', given),
    ]
    wrong = attempt("output", "tolerant", '["560"]', "561")
    return finished(root, "codeio", rows, [rejected("attempt", wrong, reject("wrong_answer"))])


def judge(root: Path) -> RunFolder:
    """A pair of answers."""
    pair = Preference(
        id="p1",
        prompt=(Message("user", "Why?"),),
        chosen=(Message("assistant", "Because."),),
        rejected=(Message("assistant", "So."),),
        **LINEAGE,
    )
    return finished(root, "judge", [pair])


def augment(root: Path) -> RunFolder:
    """Variants of a seed, one of them without a worked solution."""
    rows = [
        Variant(
            id=f"v{number}",
            problem=f"What is {number} + 1?",
            answer=str(number + 1),
            code=f"input = {{'a': {number}}}\nsolution = input['a'] + 1\noutput = solution\n",
            solution=f"{number} + 1 = {number + 1}" if number else None,
            kind="sums",
            source="mine",
            license="MIT",
            metadata="{}",
            output=str(number + 1),
            input=f'{{"a": {number}}}',
            seed_ids=(f"s{number}",),
        )
        for number in range(3)
    ]
    return finished(root, "augment", rows)


RUNS = {
    "caco": caco,
    "tool_math": tool_math,
    "codeio": attempted,
    "predict": predict,
    "judge": judge,
    "augment": augment,
}
"""Recipe -> a run of it."""

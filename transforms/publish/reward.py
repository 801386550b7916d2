"""Rewards for trainers: the verdict of verification on one completion of a published row.

    reward("2 + 3 = 5. The answer is 5.", row)  # 1.0 or 0.0

`reward` is for any loop, `rewards` has the signature of TRL's GRPO, `compute_score` that of verl.
The module imports neither Beam nor a model library.

A completion is text, or the messages of a chat, of which the last one answers; its thoughts are cut
off. It earns 1 where its final answer agrees with the row's reference answer and, on a row with a
program, its steps hold: what `Verify` asks of each attempt. A row whose solution is a program is
answered by a program, which is run.

A row is a mapping with the columns of a published row: `answer`, and where they are there
`instruction` (or `problem`), `answer_type`, `output` and `solution`; of the recipe predict `task`,
`code` and `prediction`; of the execution recipes `grader`, `answer` and `code`, whose grader may
give any score from 0 to 1.

What exact rules cannot compare is left to algebra in the sandbox, since sympy evaluates the text
that it parses, and that text is a model's. With `sandbox="none"` nothing is run: such a completion
earns 0, and `undecided()` counts it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import yaml

from transforms.engine.paths import CONF
from transforms.engine.records import Attempt
from transforms.models.responses import extract_program, literal_in, solution_of
from transforms.programs import with_input
from transforms.programs.checks import FilterSettings, FormOf, form_checks
from transforms.recipes.caco.mark import answered, as_held
from transforms.sandbox.jobs import Job, Result
from transforms.sandbox.shared import process_sandbox
from transforms.stages.graders import grade
from transforms.stages.judge import Pair, as_pair, compare, reproduces
from transforms.text.reasoning import judge_reasoning
from transforms.text.thoughts import visible

if TYPE_CHECKING:
    from transforms.models.episode import Steps

Completion = str | Sequence[Mapping[str, Any]]
"""Text, or the messages of a chat."""
Mode = Literal["auto", "strict", "none"]
"""Walls around what is run, as `sandbox=` of a run; `none` runs nothing."""


class Task(NamedTuple):
    """What a completion is held against."""

    kind: str
    """What answers it: `cot`, a language solution; `code`, a program; `output` and `input`, what a
    program gives, and an input on which it gives that; `graded`, what its grader reads."""
    reference: str
    """The right answer: JSON, but for a language solution of a row without a program, whose answer
    is as its source states it. Of `input` it is the input that was predicted."""
    instruction: str = ""
    code: str = ""
    """The program of `output` and `input`, and what a grader may run."""
    has_program: bool = True
    grader: str = ""
    """Of `transforms.stages.graders`, which then decides; empty for other rows."""

    @property
    def answer(self) -> str:
        """The right answer, as graders name it."""
        return self.reference


def task_of(row: Mapping[str, Any]) -> Task:
    """Returns what a row asks.

    Raises:
        ValueError: the row has no reference answer, or one that is not as its columns say.
    """
    if row.get("grader") and row.get("answer"):
        return Task("graded", row["answer"], code=row.get("code") or "", grader=row["grader"])
    if row.get("prediction") and row.get("task") in ("output", "input"):
        return Task(row["task"], row["prediction"], code=row["code"])
    output = row.get("output") or (row.get("answer") if row.get("answer_type") else None)
    reference = output or row.get("answer")
    if not reference:
        raise ValueError(
            "the row has no reference answer: keep the column answer (and answer_type or output) "
            f"of a published row; it has {', '.join(sorted(row)) or 'no columns'}"
        )
    if output:
        try:
            json.loads(output)
        except ValueError:
            raise ValueError(
                f"the answer {output[:80]!r} is not JSON, as what a program gives is: write "
                f"{json.dumps(output[:80])}, or leave answer_type out for an answer in words"
            ) from None
    solution = row.get("solution") or ""
    kind = "code" if solution and extract_program(solution) == solution else "cot"
    instruction = row.get("instruction") or row.get("problem") or ""
    return Task(kind, reference, instruction, has_program=bool(output))


def reward(
    completion: Completion,
    row: Mapping[str, Any],
    *,
    sandbox: Mode = "auto",
    steps: bool = True,
    truncated: bool = False,
) -> float:
    """Returns 1.0 where verification would accept the completion of a row, else 0.0; of a row with
    a grader its score.

    Args:
        sandbox: walls around what is run; "none" runs nothing, and what exact rules leave open
            earns 0.
        steps: whether the steps count too; False asks for the right answer alone.
        truncated: whether the completion was cut off at its limit: it has no final answer then.

    Raises:
        ValueError: the row has no reference answer, or there is no such `sandbox`.
        SandboxError: the kernel does not give what `sandbox` needs.
    """
    grading = _graded(_text(completion), task_of(row), steps, truncated)
    [score] = _settled([grading], sandbox)
    return score or 0.0


def rewards(
    prompts: Sequence[Any],
    completions: Sequence[Completion],
    *,
    sandbox: Mode = "auto",
    steps: bool = True,
    log_metric: Callable[[str, float], None] | None = None,
    **columns: Any,
) -> list[float]:
    """Rewards of a batch, with the signature of a reward function of TRL's `GRPOTrainer`.

    Args:
        prompts: one for each completion; the rows' columns have what is needed of them.
        completions: texts, or conversations.
        sandbox, steps: as in `reward`.
        log_metric: is told the share of the batch that `sandbox="none"` left undecided.
        columns: the columns of the dataset, each a list with one value for each completion; what is
            no list, such as the trainer's state, is not looked at.

    Raises as `reward` does. What is run for one completion is run beside what is run for others.
    """
    lists = {name: values for name, values in columns.items() if isinstance(values, list)}
    rows = ({name: values[i] for name, values in lists.items()} for i in range(len(completions)))
    graded = [
        _graded(_text(completion), task_of(row), steps, truncated=False)
        for completion, row in zip(completions, rows, strict=True)
    ]
    verdicts = _settled(graded, sandbox)
    if sandbox == "none" and log_metric is not None and verdicts:
        log_metric("undecided", verdicts.count(None) / len(verdicts))
    return [verdict or 0.0 for verdict in verdicts]


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    *,
    sandbox: Mode = "auto",
    steps: bool = True,
    **further: Any,
) -> float:
    """The reward of a response, with the signature of verl's `custom_reward_function`.

    Args:
        data_source: not looked at: a row's other columns say how it is graded.
        solution_str: the response, decoded.
        ground_truth: the row's `answer`.
        extra_info: its other columns.
        sandbox, steps: as in `reward`; verl passes `custom_reward_function.reward_kwargs`.
        further: what a version of verl passes beside these; not looked at.

    Raises as `reward` does.
    """
    row = {**(extra_info or {}), "answer": ground_truth}
    return reward(solution_str, row, sandbox=sandbox, steps=steps)


_counting = Lock()
_undecided = 0


def undecided() -> int:
    """Completions of this process that `sandbox="none"` left undecided, and gave 0."""
    return _undecided


def _text(completion: Completion) -> str:
    """The text of a completion; of a chat that of its last message, if the assistant wrote it."""
    if isinstance(completion, str):
        return completion
    last = completion[-1] if completion else {}
    content = last.get("content") if last.get("role") == "assistant" else None
    if isinstance(content, str) or content is None:
        return content or ""
    return "".join(part.get("text") or "" for part in content)


def _graded(text: str, task: Task, steps: bool, truncated: bool) -> Steps[float]:
    """The steps of grading a text: yields lists of jobs, and returns the score."""
    if task.grader:
        return 0.0 if truncated else (yield from grade(task, text)).score
    return float((yield from _accepted(text, task, steps, truncated)))


def _accepted(text: str, task: Task, steps: bool, truncated: bool) -> Steps[bool]:
    """The steps of judging a text as verification does."""
    if task.code:
        said = None if truncated else literal_in(visible(text))
        return (yield from _predicted(said, task, task.code))
    if task.kind == "code":
        shown = visible(text)
        text = extract_program(shown) or shown
    else:
        text = solution_of(text)
    finish = "length" if truncated else "stop"
    [attempt] = yield from answered([Attempt(text, finish, task.kind)], _form())
    if task.has_program:
        pair = as_held(attempt, task.reference, task.instruction)
    else:
        pair = as_pair(task.reference, attempt.answer or "")
    [agrees] = yield from compare([pair])
    if not agrees or not steps or not task.has_program or task.kind == "code":
        return agrees
    return judge_reasoning(text, task.instruction).kept


def _predicted(said: str | None, task: Task, code: str) -> Steps[bool]:
    """The steps of grading a predicted value (JSON): an input is run, and gives what the row's own
    gives.
    """
    if said is None or task.kind == "output":
        return (yield from compare([Pair(task.reference, said)]))[0]
    try:
        [known] = yield [Job(with_input(code, json.loads(task.reference)))]
        return known.output is not None and (yield from reproduces(code, known.output, said))
    except ValueError:  # no input for this program
        return False


def _settled(graded: Sequence[Steps[float]], mode: Mode) -> list[float | None]:
    """Works gradings through, their jobs beside each other, and returns their verdicts.

    None is a verdict that hangs on a job where `mode` runs none.
    """
    global _undecided
    if mode not in get_args(Mode):
        raise ValueError(f"sandbox={mode!r}: use one of {', '.join(get_args(Mode))}")
    verdicts: list[float | None] = [None] * len(graded)
    results: dict[int, list[Result] | None] = dict.fromkeys(range(len(graded)))
    while results:
        jobs: dict[int, list[Job]] = {}
        for place, result in results.items():
            try:
                jobs[place] = graded[place].send(result)
            except StopIteration as end:
                verdicts[place] = end.value
        if mode == "none":
            with _counting:
                _undecided += len(jobs)
            break
        done = process_sandbox(mode).run(job for several in jobs.values() for job in several)
        results = {place: list(islice(done, len(several))) for place, several in jobs.items()}
    return verdicts


@cache
def _form() -> FormOf:
    """What a written program has to be like to be run."""
    settings = yaml.safe_load((CONF / "filter" / "default.yaml").read_text())
    return FormOf(form_checks(FilterSettings(**settings)))

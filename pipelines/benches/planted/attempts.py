"""Tasks of the execution recipes, answered rightly and wrongly in several ways; the graders decide.

The model is scripted: it writes what the tasks of some recipes are made from, and it answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from transforms.engine.records import Seed
from transforms.engine.stage import pair
from transforms.models.episode import Steps, play
from transforms.models.pool import Pool
from transforms.models.requests import Request, Response
from transforms.programs import literal_input, parse, with_input
from transforms.programs.facts import read_trace
from transforms.programs.perturb import perturbations
from transforms.programs.questions import Task, read_literal, retelling, strict, tolerant
from transforms.programs.variation import drawn_inputs
from transforms.sandbox.jobs import Job, TraceLimits
from transforms.sandbox.sandbox import Sandbox
from transforms.stages.attempt import judged
from transforms.stages.graders import same_output
from transforms.stages.pairs import outputs_on, several_pairs

WAYS = [
    *("right", "after a thought", "after another block", "wrong", "of the wrong type"),
    *("cut off", "without a block", "refuses"),
]
"""How a scripted model answers; the first three are right."""


def scripted(
    way: str, right: str, wrong: str, lead: str = "So it comes to this."
) -> tuple[str, str]:
    """Returns the text and finish reason of a response that answers in a way; right ones begin with
    the lead, but for thoughts."""
    block = f"{lead}\n\n```json\n{right}\n```\n"
    texts = {
        "right": block,
        "after a thought": f"<think>Perhaps\n```\n{wrong}\n```\nNo.</think>\n{block}",
        "after another block": f"At first sight:\n```\n{wrong}\n```\nBut no.\n{block}",
        "wrong": f"```\n{wrong}\n```",
        "of the wrong type": f"```\n{right.split()[:1]!r}\n```",
        "cut off": block,
        "without a block": f"It is {right}",
        "refuses": "I cannot run code.",
    }
    return texts[way], "length" if way == "cut off" else "stop"


class Judged(NamedTuple):
    """How the answers to a recipe's tasks were judged."""

    tasks: int
    right: int
    """Right answers."""
    kept: int
    """Right answers that are kept."""
    accepted: list[str]
    """Wrong answers that are kept: kind of task, way and answer."""
    lost: list[str]
    """Right answers that are not kept, in the same form, with the reason."""


def judge_answers(recipe: str, stage: Any, seeds: Iterable[Seed], box: Sandbox) -> Judged:
    """Has a stage make tasks of verified seeds; answers one of each kind and seed in all `WAYS`."""

    def run(steps: Steps[Any], writes: Callable[[str], str] = str) -> Any:
        def answer(effect: Any) -> Any:
            if isinstance(effect, Request):
                return response(writes(effect.messages[-1].content), "stop")
            return box.submit(effect).result()

        return play(steps, answer).result

    tasks = right = kept = 0
    accepted: list[str] = []
    lost: list[str] = []
    for seed, task in _tasks(recipe, stage, list(seeds), run):
        known = run(answers(task, task.code if recipe == "absolute_zero" else seed.code or ""))
        if known is None:
            continue
        tasks += 1
        lead = _retold(run, task) if "claims" in task.grader else "So it comes to this."
        for number, way in enumerate(WAYS):
            _, verdict = run(judged(task, response(*scripted(way, known[0], known[1], lead))))
            right += number < 3
            kept += number < 3 and verdict.kept
            if verdict.kept != (number < 3):
                where = f"{recipe}, {task.task}, {way}: {known[number >= 3]}"[:300]
                (accepted if verdict.kept else lost).append(f"{where} {verdict.reason or ''}")
    return Judged(tasks, right, kept, accepted, lost)


def _tasks(
    recipe: str, stage: Any, seeds: list[Seed], run: Callable[..., Any]
) -> Iterator[tuple[Seed, Task]]:
    for seed in seeds:
        episode = stage.episode
        if recipe == "absolute_zero":
            steps = episode(seed, pool=Pool(seeds))
        elif recipe == "sx_bench":
            steps = episode(seed, units=Pool(seeds))
        else:
            steps = episode(seed)
        result = run(steps, lambda question, seed=seed: _written(recipe, seed, question, run))
        made = [pair(seed, each) for each in (result if isinstance(result, list) else [result])]
        kinds = {task.task: task for task, verdict in made if verdict.kept}
        yield from ((seed, task) for task in kinds.values())


def _written(recipe: str, seed: Seed, question: str, run: Callable[..., Any]) -> str:
    """What the scripted model writes where tasks are made."""
    code = seed.code or ""
    if recipe == "cross_lingual":
        return f"Auf Deutsch: {seed.problem}"
    if recipe == "coderl_plus":
        return f"```python\n{_otherwise(code)}\n```"
    if recipe == "cruxeval_x":
        pairs = run(several_pairs(seed, 5))
        runs = [[[*read_literal(each.input).values()], json.loads(each.output)] for each in pairs]
        same = "([given, _]) => JSON.stringify(given) === JSON.stringify(all)"
        body = f"return {json.dumps(runs)}.find({same})[1]"
        return f"```js\nfunction solution(...all) {{\n  {body}\n}}\n```"
    own = literal_input(parse(code)) or {}
    if '"inputs"' in question:
        inputs = [own, *drawn_inputs(seed.id, own, 9)]
        return f"```json\n{json.dumps({'message': 'See for yourself.', 'inputs': inputs})}\n```"
    return f"```python\n{code}\n```"


def answers(task: Task, own: str) -> Steps[tuple[str, str] | None]:
    """Returns a right and a wrong answer to a task, by its grader; None where no right one is
    known.

    Args:
        own: the program that a task to write one asks for.
    """
    grader, gold = task.grader.split("+")[0], json.loads(task.answer)
    if grader in ("strict", "tolerant"):
        same, value = strict if grader == "strict" else tolerant, read_literal(gold[0])
        others = map(repr, [*perturbations(value), [value]])
        return gold[0], next(o for o in others if not any(same(o, each) for each in gold))
    if grader == "parts":
        values = {name: read_literal(text) for name, text in gold.items()}
        name = next(reversed(values))
        wrong = {**values, name: [values[name]]}
        return json.dumps(values), json.dumps(wrong)
    if grader in ("trace", "lines"):
        return gold[0], gold[0].rpartition("\n")[0] or "?"
    if grader in ("tests", "simplifies"):
        return own, _otherwise(own)
    given = literal_input(parse(task.code)) or {}
    inputs = list(drawn_inputs(task.id, given, 100 if grader == "counterexample" else 10))
    if grader == "counterexample":
        right, wrong = yield from outputs_on([task.code, gold["faulty"]], inputs)
        runs = zip(inputs, right or [], wrong or [], strict=False)
        found = next((each for each, one, other in runs if one and other and one != other), None)
        return (repr(found), repr(given)) if found else None
    assert grader == "witness"
    results = yield [Job(with_input(task.code, each)) for each in inputs]
    ends = zip(inputs, results, strict=True)
    wrong = next((each for each, r in ends if not same_output(r.output or "", gold)), {})
    return repr(given), repr(wrong)


def _otherwise(code: str) -> str:
    """A program that gives a list of its output in place of it."""
    return re.sub(r"^output\s*=(.*)$", r"output = [\1]", code, flags=re.MULTILINE)


def _retold(run: Callable[..., Any], task: Task) -> str:
    def steps() -> Steps[Any]:
        return (yield Job(task.code, trace=TraceLimits()))

    return retelling(read_trace(run(steps()).trace))


def response(text: str, finish: str) -> Response:
    """Returns a scripted model's response."""
    return Response("r", "attempt", "scripted", "scripted", text, finish, None, 1, 1, 0.0)

"""codeio: two tasks for each pair; gold is right, and whatever the run does not prove is no row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.chat_server import chat_server
from tests.programs_for_tests import SPAM
from tests.recipes.playing import player, stage
from tests.recipes.test_recipes import run
from transforms.engine.accounting import Verdict
from transforms.engine.ids import canonical_json
from transforms.engine.records import Seed
from transforms.models.episode import play
from transforms.programs.perturb import perturbations
from transforms.programs.questions import read_value
from transforms.sandbox.jobs import Job
from transforms.stages.graders import grade

SHIPPED = [
    json.loads(line)
    for path in sorted(Path("data/seeds").glob("short_*.jsonl"))
    for line in path.read_text().splitlines()[:1]
]
GENERATOR = """
def generate_inputs(rng):
    if rng.random() < 0.3:
        raise ValueError("sometimes")
    return {"emails": rng.randint(1, 9), "percent_spam": 50, "days": rng.choice([1, 2])}
"""


def seed(code: str, **metadata: Any) -> Seed:
    return Seed.make(
        problem="?", source="s", license="MIT", code=code, metadata=canonical_json(metadata)
    )


def tasks(*seeds: Seed, pairs: int = 10) -> Any:
    asking = stage("codeio", "pairs", f"recipe.stages.pairs.pairs={pairs}")
    return [task for each in seeds for task in player()(asking.episode(each))]


def test_there_are_two_tasks_for_each_pair_and_gold_is_right_in_both() -> None:
    made = tasks(*(seed(each["code"]) for each in SHIPPED), pairs=3)
    outputs = [task for task in made if task.task == "output"]
    assert len(made) == 2 * len(outputs) and len(outputs) >= 2 * len(SHIPPED)
    for output, witness in zip(outputs, (t for t in made if t.task == "input"), strict=True):
        [gold] = json.loads(output.answer)
        known = json.loads(output.shown)["known"]
        assert player()(grade(output, f"```\n{gold}\n```")).score == 1
        assert player()(grade(witness, f"```\n{known}\n```")).score == 1
        for wrong in perturbations(read_value(gold)):
            assert player()(grade(output, f"```\n{wrong!r}\n```")).score == 0


def test_inputs_come_from_the_generator_that_the_seed_names() -> None:
    made = tasks(seed(SPAM, input_generator=GENERATOR))
    inputs = [read_value(json.loads(t.shown)["known"]) for t in made if t.task == "output"]
    assert len(inputs) == 10 and inputs[0]["emails"] == 160
    assert all(1 <= given["emails"] <= 9 for given in inputs[1:])


def test_runs_on_drawn_inputs_that_do_not_end_are_ended_soon() -> None:
    endless = SPAM.replace("    return", "    while emails != 160: pass\n    return")
    jobs: list[Job] = []

    def answer(job: Job) -> Any:
        jobs.append(job)
        return player()(ran(job))

    def ran(job: Job) -> Any:
        return (yield job)

    asking = stage("codeio", "pairs", "recipe.stages.pairs.pairs=2")
    made = play(asking.episode(seed(endless)), answer).result
    assert isinstance(made, Verdict) or all("160" in task.code for task in made)
    own, *drawn = [job.cpu_seconds for job in jobs]
    assert own is None and all(bound is not None and 0.3 <= bound < 1 for bound in drawn)


def test_the_program_is_shown_without_an_input_that_would_answer_the_question() -> None:
    for task in tasks(seed(SPAM), pairs=2):
        shown = json.loads(task.shown)["code"]
        assert "160" not in shown and "input = ..." in shown and SPAM[-60:] in task.code


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (None, "no_program"),
        ("import random\n" + SPAM, "random"),
        (SPAM.replace("160", "'x' * 200"), "few_pairs"),
    ],
)
def test_seeds_that_make_no_pairs_are_rejected(code: Any, reason: str) -> None:
    assert player()(stage("codeio", "pairs").episode(seed(code))).reason == reason


def half_right(body: dict[str, Any]) -> dict[str, Any]:
    """Right about outputs for even numbers of days; of inputs always gives the same; learns."""
    question = body["messages"][0]["content"]
    given = {"emails": 160, "percent_spam": 30, "days": 5}
    if (
        len(body["messages"]) > 1
        and "With your input the output is 560" in body["messages"][2]["content"]
    ):
        return {"content": "I see no other.\n```json\n{}\n```"}
    if "What is the output?" not in question:
        return {"content": f"Let me think.\n```json\n{json.dumps(given)}\n```"}
    known = read_value(question[question.index("{") : question.index("}") + 1])
    output = (known["emails"] - known["emails"] * known["percent_spam"] // 100) * known["days"]
    wrong = known["days"] % 2 and len(body["messages"]) == 1
    return {"content": f"It follows.\n```json\n{output + bool(wrong)}\n```"}


def test_codeio_keeps_what_the_program_proves_and_revises_each_failure_once(tmp_path: Path) -> None:
    seeds = [{"problem": "How many?", "answer": "560", "code": SPAM}]
    with chat_server(half_right) as (url, asked):
        _manifest, rows, ends = run(
            tmp_path, "codeio", url, seeds, "recipe.stages.attempt.revisions=1"
        )
    second = [body for body in asked if len(body["messages"]) == 3]
    first = [body for body in asked if len(body["messages"]) == 1]
    assert len(first) == 20 == len(rows) + len(ends)
    revised = [row for row in rows if row["turns"] == 2]
    assert len(revised) > 0 and len(second) == len(revised) + len(ends)
    assert {row["score"] for row in rows} == {1.0}
    outputs = [row for row in rows if row["task"] == "output"]
    assert len(outputs) == 10, "every output is right at the latest after its revision"
    for row in outputs:
        [gold] = json.loads(row["answer"])
        assert all(gold not in m["content"] for m in row["messages"][2:3])

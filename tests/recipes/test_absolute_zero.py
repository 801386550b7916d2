"""absolute_zero: proposals are run twice, hidden examples stay hidden, difficulty decides."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.programs_for_tests import SPAM
from tests.recipes.playing import SANDBOX, answering, in_all_ways, player, stage
from tests.recipes.test_codeio import SHIPPED, seed
from tests.stages.test_attempt import attempted
from transforms.engine.records import Seed
from transforms.engine.stage import pair
from transforms.models.driver import drive
from transforms.models.pool import Pool
from transforms.programs.questions import read_literal
from transforms.recipes.absolute_zero import induction_in, structure_of
from transforms.sources.published import IDENTITY, triplets
from transforms.stages.graders import grade

POOL = Pool(replace(seed(each["code"]), output="1") for each in SHIPPED)
INPUTS = [{"emails": n, "percent_spam": 20, "days": 2} for n in (5, 10, 20, 35, 50, 75)]
MESSAGE = "Think of a mail box over some days."

UNORDERED = "''.join({'a', 'b', 'c', 'd', str(days), str(spam + answered)})"


def fenced(text: str) -> str:
    return f"I thought of this.\n```\n{text}\n```"


def proposed(code: str, induction: Any = None) -> Any:
    induction = {"message": MESSAGE, "inputs": INPUTS} if induction is None else induction
    steps = stage("absolute_zero", "propose").episode(POOL[0], pool=POOL)
    made = answering(fenced(code), fenced(json.dumps(induction)))(steps)
    return [pair(POOL[0], each) for each in made]


def task(kind: str) -> Any:
    return next(each for each, _ in proposed(SPAM) if each.task == kind)


def test_a_program_that_runs_makes_three_tasks_with_the_shown_seeds_as_their_origin() -> None:
    made = proposed(SPAM)
    assert [(each.task, verdict.kept) for each, verdict in made] == [
        ("deduction", True), ("abduction", True), ("induction", True),
    ]  # fmt: skip
    assert len(made[0][0].seed_ids) == 6 and set(made[0][0].seed_ids) <= {s.id for s in POOL}
    assert [call.stage for call in made[2][0].calls] == ["propose"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (SPAM.replace("    return", "    import socket\n    return"), "banned_import"),
        (SPAM.replace("answered * days", UNORDERED), "nondeterministic"),
        (SPAM.replace("// 100", "// 0"), "runtime_error"),
        (SPAM.replace("answered * days", "[answered * days] * 50"), "not_small"),
        ("print(1)", "no_program"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_task_is_rejected(code: str, reason: str) -> None:
    [(_, verdict)] = proposed(code)
    assert verdict.reason == reason


@pytest.mark.parametrize(
    ("induction", "reason"),
    [
        ({"message": "", "inputs": INPUTS}, "no_message"),
        ([1, 2], "no_message"),
        ({"message": MESSAGE, "inputs": INPUTS[:3]}, "few_pairs"),
        ({"message": MESSAGE, "inputs": [INPUTS[0]] * 9}, "few_pairs"),
    ],
)
def test_an_induction_without_message_or_examples_is_rejected_alone(
    induction: Any, reason: str
) -> None:
    assert [verdict.reason for _, verdict in proposed(SPAM, induction)] == [None, None, reason]


def test_the_hidden_half_of_the_examples_is_not_in_the_prompt() -> None:
    induction = task("induction")
    hidden, shown = json.loads(induction.answer), json.loads(induction.shown)["pairs"]
    assert len(hidden) == len(shown) == 3
    made = stage("absolute_zero", "attempt", "recipe.stages.attempt.sampler.samples=1")
    [question] = made.requests(made.sampler, task="induction", **json.loads(induction.shown))
    text = question.messages[-1].content
    assert all(pair["input"] in text for pair in shown) and MESSAGE in text
    assert not any(given in text for given, _ in hidden) and "spam =" not in text


def test_a_program_that_knows_the_shown_half_alone_fails() -> None:
    induction = task("induction")
    shown = json.loads(induction.shown)["pairs"]
    known = {read_literal(p["input"])["emails"]: json.loads(p["output"]) for p in shown}
    table = SPAM.replace("answered * days", f"{known}.get(emails, spam)")
    assert player()(grade(induction, fenced(table))).fault == "failed_tests"
    assert player()(grade(induction, fenced(SPAM))).score == 1


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("deduction", "560", "561"),
        ("abduction", "{'emails': 112, 'percent_spam': 0, 'days': 5}", "{'emails': 1}"),
        ("induction", SPAM, SPAM.replace("* days", "+ days")),
    ],
)
def test_only_proved_answers_are_rows(kind: str, right: str, wrong: str) -> None:
    ends = in_all_ways("absolute_zero", task(kind), right, wrong)
    assert [verdict.kept for _, verdict in ends] == [True] * 3 + [False] * 5
    assert {row.agreement for row, _ in ends} == {3 / 8}


def test_a_proposal_is_worth_what_its_attempts_fail_unless_all_or_none_do() -> None:
    judge = stage("absolute_zero", "learnable").of
    kept = [judge(attempted(rate / 8)) for rate in range(9)]
    worth = [1 - each.agreement if hasattr(each, "agreement") else 0 for each in kept]
    assert worth == [0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0]


def test_tasks_of_one_kind_about_programs_of_one_structure_are_one() -> None:
    renamed = SPAM.replace("answered", "replied").replace("160", "90")
    one, other = ({t.task: structure_of(t) for t, _ in proposed(code)} for code in (SPAM, renamed))
    assert one == other and len(set(one.values())) == 3


def test_an_answer_of_another_form_holds_no_induction() -> None:
    assert induction_in("```\n{'message': 'm'}\n```") == ("", [])
    assert induction_in("no block") == ("", [])


def validated(seeds: list[Seed]) -> list[str | None]:
    """Why seeds are rejected before they are shown; None where they are kept."""
    validate = stage("absolute_zero", "validate", "filter.min_code_lines=4")
    ends = drive(seeds, validate.episode, sandbox=SANDBOX)
    return [verdict.reason for _, verdict in ends]


def test_it_starts_from_the_identity_triplet_alone() -> None:
    [identity] = [Seed.make(source="s", **row) for row in triplets()]
    assert validated([identity]) == [None] and json.loads(identity.answer or "") == "Hello world"
    assert IDENTITY["snippet"].replace("def f", "def solution") in (identity.code or "")


def test_of_the_shipped_triplets_those_with_a_cut_empty_or_unordered_output_are_dropped() -> None:
    path = Path(__file__).with_suffix("").with_name("absolute_zero.jsonl")
    outputs = [json.loads(line)["output"] for line in path.read_text().splitlines()]
    rows = list(triplets(str(path)))
    reasons = validated([Seed.make(source="s", **row) for row in rows])
    ends = {row["answer"]: reason for row, reason in zip(rows, reasons, strict=True)}
    cut = [reason for answer, reason in ends.items() if len(answer) > 390]
    assert sum(len(output) == 403 for output in outputs) == len(cut) == 7 and None not in cut
    assert ends["none"] == "banned_import"  # the empty one, of a program that draws secrets
    assert reasons.count("nondeterministic") == 1  # the order of a set
    assert reasons.count(None) == 9

"""A right answer below other reasoning is named for what is wrong with it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.engine.paths import DATA
from transforms.text.reasoning import ReasoningReason, judge_reasoning

ASKED = "A box holds 6 rows of 5 eggs, and 6 eggs more lie beside it. How many eggs are there?"
STEPS = "The box holds 6 × 5 = 30 eggs. With the others there are 30 + 6 = 36 eggs."

ROWS = [
    json.loads(line)
    for line in Path(__file__).with_name("reasoning.jsonl").read_text("utf-8").splitlines()
]


def reason(solution):
    return judge_reasoning(solution, ASKED).reason


@pytest.mark.parametrize(
    "solution",
    [
        f"{STEPS}\nThe answer is 36.",
        f"{STEPS}\nThe final answer is $\\boxed{{36}}$.",
        f"{STEPS} So there are 36 eggs.\n\\boxed{{36}}",
        "6 × 5 + 6 = 36. \\boxed{36}",
        "We are given 6, 5 and 6.\nWorking step by step gives the result.\nIt is $\\boxed{36}$.",
        f"{STEPS}\n\\boxed{{35}}. Wait, that is wrong: 30 + 6 = 36.\n\\boxed{{36}}",
        f"The answer is 30. Hmm, not yet.\n{STEPS}\nThe answer is 36.",
        f"{STEPS} So there are three dozen, thirty-six.\n\\boxed{{36}}",
        f"{STEPS}\n\\boxed{{36}}\nI have checked it twice.",
        f"{STEPS}\n\\boxed{{36}}\nLet me check: 36 − 6 = 30, and 30 ÷ 5 = 6. It is right.",
        "盒子里有 6 × 5 = 30 个鸡蛋，加上 6 个，一共 36 个。\n\\boxed{36}",
        f"{STEPS}\nx = \\boxed{{30}}, y = \\boxed{{36}}",
        f"{STEPS}\nThe answer is ３６ in all.",
        "(6 × 5 + 6) × 60 = 2160 minutes. In hours that is \\boxed{36}.",
        "6 × 5 = 30 days pass, and 6 more, so 5 April.\nThe answer is 2025-04-05.",
    ],
)
def test_reasoning_that_leads_to_its_answer_passes(solution):
    assert judge_reasoning(solution, ASKED).kept, judge_reasoning(solution, ASKED)


@pytest.mark.parametrize(
    ("solution", "fault"),
    [
        ("The box holds 6 × 5 = 31 eggs, so 36.\n\\boxed{36}", ReasoningReason.FALSE_EQUATION),
        ("\\boxed{36}", ReasoningReason.NO_REASONING),
        ("36", ReasoningReason.NO_REASONING),
        ("The answer is 36.", ReasoningReason.NO_REASONING),
        ("So the final answer is $\\boxed{36}$.", ReasoningReason.NO_REASONING),
        ("答案是 \\boxed{36}", ReasoningReason.NO_REASONING),
        ("The answer is thirty-six.", ReasoningReason.NO_REASONING),
        ("The answer is 2025-03-06.", ReasoningReason.NO_REASONING),
        (
            f"{STEPS} So there are 43 eggs.\nThe answer is thirty-six.",
            ReasoningReason.OTHER_CONCLUSION,
        ),
        ("20 × 4 = 80 jars. They stand on shelves.\n\\boxed{36}", ReasoningReason.OTHER_CONCLUSION),
        ("8 + 9 = 17 days later.\nThe answer is 2025-05-06.", ReasoningReason.OTHER_CONCLUSION),
        (
            f"{STEPS}\n" + "I count the eggs again. " * 150 + "\\boxed{36}",
            ReasoningReason.REPETITIVE,
        ),
        (f"{STEPS}\n\\boxed{{36}}" + "\nWait, let me check." * 150, ReasoningReason.REPETITIVE),
        (f"{STEPS} " + "so then, " * 400 + "\\boxed{36}", ReasoningReason.REPETITIVE),
        (f"{STEPS} So she has 43 eggs.\n\\boxed{{36}}", ReasoningReason.OTHER_CONCLUSION),
        (
            "6 × 5 = 30, and 30 + 13 = 43 eggs.\nTherefore:\n\\boxed{36}",
            ReasoningReason.OTHER_CONCLUSION,
        ),
        (
            f"{STEPS} \\boxed{{36}}\nWait, the 6 beside it do not count: 30",
            ReasoningReason.OTHER_CONCLUSION,
        ),
        (f"{STEPS}\nThe answer is 30.\n\\boxed{{36}}", ReasoningReason.OTHER_CONCLUSION),
        (f"{STEPS}\nThe answer is 36.\nThe answer is 30.", ReasoningReason.OTHER_CONCLUSION),
        (
            "A train goes 40 km an hour. 40 × 3 = 120 km.\n\\boxed{36}",
            ReasoningReason.OTHER_CONCLUSION,
        ),
        ("A train goes 12 km an hour. 12 × 3 = 36 km.\n\\boxed{36}", ReasoningReason.OTHER_PROBLEM),
        (
            f"{STEPS}\nSo there are 37 eggs.\nThe answer is \\frac{{72}}{{2}}.",
            ReasoningReason.OTHER_CONCLUSION,
        ),
        (
            "Purple clouds sing while tables dream loudly.\n\\boxed{36}",
            ReasoningReason.OTHER_PROBLEM,
        ),
    ],
)
def test_reasoning_that_does_not_lead_to_its_answer_is_named(solution, fault):
    assert reason(solution) is fault


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["solution"][-40:])
def test_solutions_are_judged_as_the_table_says(row):
    verdict = judge_reasoning(row["solution"], row["problem"])
    assert verdict.kept is row["kept"], verdict


@pytest.mark.parametrize(
    ("solution", "kept"),
    [
        ("8 × 25 = 200 and 200 + 10 = 210 minutes.\nThe answer is 210 minutes.", False),
        ("8 × 25 = 200 and 200 + 10 = 210 minutes.\n\\boxed{210\\text{ min}}", False),
        ("8 × 25 = 200 and 200 + 10 = 210.\nThe answer is 210 hours.", True),
        ("8 × 25 = 200 and 200 + 10 = 210.\nThe answer is 210.", True),
    ],
)
def test_an_answer_in_another_unit_than_asked_is_named(solution, kept):
    asked = "She works 8 shifts of 25 hours, and 10 more. How many hours does she work?"
    verdict = judge_reasoning(solution, asked)
    assert verdict.kept is kept and (kept or verdict.reason is ReasoningReason.OTHER_UNIT)


def test_steps_that_share_hardly_a_word_nor_a_number_are_of_another_problem():
    asked = "A tank holds 900 litres. It loses 12 litres for 30 minutes, then 4 litres for 60."
    steps = "Trains need 30 hours, travellers arrive before noon. 30 × 10 = 300.\n#### 300"
    assert judge_reasoning(steps, asked).reason is ReasoningReason.OTHER_PROBLEM
    assert judge_reasoning(f"The tank of 900 litres: {steps}", asked).kept


def test_whole_numbers_are_rounded_only_where_the_text_speaks_of_it():
    asked = "A box holds 38 rows of 100 screws, and 4 lie beside it. How many screws are there?"
    steps = "38 × 100 = 3800 and 3800 + 4 = 3804 screws."
    assert judge_reasoning(f"{steps}\nSo in total it is 3808.\n#### 3804", asked).reason
    assert judge_reasoning(f"{steps}\nSo it is about 3808.\n#### 3804", asked).kept


def test_the_solutions_of_the_shipped_seeds_pass():
    seeds = [
        json.loads(line)
        for path in sorted((DATA / "seeds").glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    solved = [(seed["solution"], seed["problem"]) for seed in seeds if seed.get("solution")]
    faults = [judge_reasoning(*pair) for pair in solved if not judge_reasoning(*pair).kept]
    assert len(solved) > 250 and faults == []


@given(st.text("0123456789+×=. \n\\boxed{}waitanswr:", max_size=80))
def test_any_text_is_judged(text):
    judge_reasoning(text, ASKED)

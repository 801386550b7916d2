"""datarus analyses in the session of a challenge, and counts a correction as the same step."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.recipes.playing import stage
from tests.stages.trajectories.talking import SEED, asked, played, script
from transforms.engine.ids import canonical_json
from transforms.recipes.datarus import reward, tag_score, untagged
from transforms.sandbox.jobs import Cell
from transforms.stages.trajectories.records import learned

DATA = "sales = [20, 23]"
CHALLENGE = replace(SEED, metadata=canonical_json({"dataset_generation_code": DATA}))
END = "<stop_analysis>\n<thought>That is all.</thought>\n<answer>43</answer>\n</stop_analysis>"


def step(code: str) -> str:
    return (
        "<step>\n<thought>I look.</thought>\n<action>python_executor</action>\n"
        f"<action_input>\n{code}\n</action_input>\n</step>"
    )


def analysed(*texts: str, samples: int = 1, seed: Any = CHALLENGE) -> tuple[Any, Any]:
    made = stage("datarus", "analyse", f"recipe.stages.analyse.sampler.samples={samples}")
    done = played(replace(made, prelude=("import math",)).episode(seed), script(*texts))
    return done.result, done


def test_the_prelude_and_the_code_of_the_data_run_once_for_all_attempts() -> None:
    pairs, done = analysed(step("print(sum(sales))"), END, END, samples=2)
    cells = [each.code for turn in done.turns for each in turn if isinstance(each, Cell)]
    assert cells == ["import math", DATA, "print(sum(sales))"]
    row = pairs[0][0]
    assert row.messages[3].content == "43" and row.answer == "43"


def test_data_that_cannot_be_made_reject_the_challenge() -> None:
    broken = replace(SEED, metadata=canonical_json({"dataset_generation_code": "1 / 0"}))
    verdict, done = analysed(seed=broken)
    assert verdict.reason == "prelude_failed" and not asked(done)


def test_a_correction_keeps_the_number_of_the_step_that_failed() -> None:
    steps = [step(code) for code in ("a = 1", "print(b)", "1 / 0", "b = 42", "print(a + b)")]
    [(row, verdict)], _ = analysed(*steps, END)
    assert verdict.kept and json.loads(row.data)["steps"] == [1, 2, 2, 2, 3]
    assert "write this step again" in row.messages[5].content
    masked = stage("datarus", "mask").of(row)
    taught = [turn.content for turn in masked.messages if learned(turn)]
    assert taught == [steps[0], *steps[3:], END]


def test_five_failures_in_a_row_end_an_analysis() -> None:
    failing = step("1 / 0")
    [(row, verdict)], done = analysed(*[failing] * 4, step("1"), *[failing] * 5, END)
    assert (verdict.reason, row.cells, len(asked(done))) == ("errors", 10, 10)


def test_an_output_of_more_than_ten_thousand_characters_is_cut_with_a_mark() -> None:
    [(row, _)], _ = analysed(step("print('x' * 10_000)"), step("print('x' * 10_001)"), END)
    whole, cut = row.messages[3].content, row.messages[5].content
    assert whole == "x" * 10_000
    assert len(cut) == 10_000 and cut.endswith("x\n[cut]")


@pytest.mark.parametrize(
    ("text", "score"),
    [
        (step("1"), 1.0),
        (step("1").replace("<action>python_executor</action>\n", ""), 6 / 7),
        (step("1").replace("</thought>", "</thought>\n<thought>Twice.</thought>"), 6 / 7),
    ],
)
def test_the_reward_of_structure_is_whole_for_the_full_set_of_tags_alone(
    text: str, score: float
) -> None:
    [(row, _)], _ = analysed(text, END)
    assert tag_score(row.messages) == score == json.loads(row.data)["structure"]
    assert untagged(row).kept is (score == 1)


def test_weights_of_structure_and_meaning_sum_to_one() -> None:
    for percent in range(101):
        assert reward(0.3, 0.3, percent / 100) == pytest.approx(0.3)

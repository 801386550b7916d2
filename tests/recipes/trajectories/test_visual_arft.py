"""visual_arft: three steps on a picture with faults, the code graded by what it writes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.stages.trajectories.looking import attempted, code, drawn, look, said
from tests.stages.trajectories.talking import asked, prompt_of
from transforms.models.requests import Request
from transforms.recipes.visual_arft import fault_score
from transforms.stages.trajectories.look import PictureSeed

BRIGHT = "from PIL import ImageOps\nim = ImageOps.autocontrast(im.convert('RGB'))"
BACK = "im = im.transpose(Image.ROTATE_90)"
SAVE = "im.save('output.png')"
PAIR = drawn("visual_arft", ("rotation90", "dark"))
SMALL = drawn("visual_arft", ("crop",), "page", "reference")


def named(*faults: str) -> str:
    return f"<think>I see.</think>\n<problem>{{{', '.join(faults)}}}</problem>"


def attempt(
    seed: PictureSeed, problem: str, *further: str, **fields: Any
) -> tuple[dict[str, tuple[Any, Any]], Any]:
    """The row and the verdict of each step by its type, and the play."""
    made = look("visual_arft", "step", keeps_wrong=True, **fields)
    result, play = attempted(made, seed, problem, *further)
    return {json.loads(row.data)["type"]: (row, verdict) for row, verdict in result}, play


def test_each_step_is_a_row_that_was_asked_after_the_right_steps_before_it() -> None:
    steps, play = attempt(PAIR, named("rotation90"), code("1"), said(PAIR.answer))
    problem, written, answered = (prompt_of(request) for request in asked(play))
    assert "found to be" not in problem and "found to be: rotation90, dark" in written
    assert "code has undone: rotation90, dark" in answered
    first, second, third = (request.shown[0] for request in asked(play))
    assert first.sha256 == second.sha256 == PAIR.picture.sha256
    assert (third.width, third.height) == (PAIR.original.width, PAIR.original.height)
    assert {kind: row.score for kind, (row, _) in steps.items()} == {
        "pre_problem": 0.5, "pre_code": 0.0, "pre_answer": 1.0,
    }  # fmt: skip
    assert {row.cells for row, _ in steps.values()} == {0, 1}
    for row, _ in steps.values():
        assert [turn.sampled for turn in row.messages] == [False, True]


@pytest.mark.parametrize(
    ("lines", "score"),
    [
        ([BACK, BRIGHT, SAVE], 1.0),
        ([BRIGHT, BACK, SAVE], 1.0),
        ([BACK, SAVE], 0.0),
        ([BRIGHT, SAVE], 0.0),
        (["im.rotate(90).save('output.png')"], 0.0),
        (["1 / 0"], 0.0),
    ],
    ids=["right", "other order", "dark", "turned", "without expand", "fails"],
)
def test_code_is_worth_what_its_picture_is(lines: list[str], score: float) -> None:
    steps, _ = attempt(PAIR, named("dark"), code(*lines), said("1"))
    assert steps["pre_code"][0].score == score


def test_a_crop_is_judged_by_the_box_that_the_code_cuts() -> None:
    left, top, right, bottom = SMALL.box
    for down, score in ((0, 1.0), (200, 0.0)):
        box = (left - 5, top - 5 + down, right + 5, bottom + 5 + down)
        steps, _ = attempt(
            SMALL, named("crop"), code(f"im.crop({box}).save('output.png')"), said(SMALL.answer)
        )
        assert {kind: row.score for kind, (row, _) in steps.items()} == {
            "pre_problem": 1.0, "pre_code": score, "pre_answer": 1.0,
        }  # fmt: skip


@pytest.mark.parametrize("number", range(3))
def test_code_of_turned_small_print_is_right_where_it_turns_back_and_cuts(number: int) -> None:
    seed = drawn("visual_arft", ("rotation90", "crop"), "page", "reference")
    cut = f"im = im.crop({(*map(int, seed.box),)})"
    lines, score = [([BACK, cut], 1.0), ([cut], 0.0), ([BACK], 0.0)][number]
    steps, _ = attempt(seed, named("rotation90"), code(*lines, SAVE), said(seed.answer))
    assert {kind: row.score for kind, (row, _) in steps.items()} == {
        "pre_problem": 0.5, "pre_code": score, "pre_answer": 1.0,
    }  # fmt: skip


def test_any_code_has_the_score_of_the_released_reward_where_that_is_wanted() -> None:
    steps, _play = attempt(PAIR, named("dark"), code("1 / 0"), said("1"), code_score=0.9)
    row, _ = steps["pre_code"]
    assert (row.score, row.cells) == (0.9, 0)


def test_steps_that_are_not_right_are_rejected_each_by_itself() -> None:
    made = look("visual_arft", "step")
    rows, _ = attempted(made, PAIR, named("dark"), code("1"), said(PAIR.answer))
    found = {json.loads(row.data)["type"]: verdict.reason for row, verdict in rows}
    assert found == {"pre_problem": "wrong_problem", "pre_code": "not_restored", "pre_answer": None}


def test_a_step_that_is_cut_off_names_nothing() -> None:
    steps, _ = attempt(PAIR, "", "", "")
    row, verdict = steps["pre_problem"]
    assert (row.score, verdict.reason) == (0.0, "format")


def test_a_picture_without_faults_has_no_code_to_write() -> None:
    seed = drawn("visual_arft")
    steps, play = attempt(seed, named("none"), said(seed.answer))
    assert {kind: row.score for kind, (row, _) in steps.items()} == {
        "pre_problem": 1.0, "pre_answer": 1.0,
    }  # fmt: skip
    assert all(isinstance(each, Request) for each in asked(play))


@pytest.mark.parametrize(
    ("said", "score"),
    [
        (["rotation90", "dark"], 1.0), (["dark", "rotation90"], 1.0), (["rotation90"], 0.5),
        (["dark"], 0.0), (["rotation90", "noise"], 0.0), ([], 0.0), (["none"], 0.0),
    ],
)  # fmt: skip
def test_of_a_pair_the_turn_alone_is_worth_half(said: list[str], score: float) -> None:
    assert fault_score(said, ["rotation90", "dark"]) == score

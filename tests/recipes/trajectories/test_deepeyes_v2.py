"""deepeyes_v2: code and search in one loop, about questions that looking alone does not answer."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import pytest

from tests.recipes.playing import stage
from tests.stages.trajectories.looking import attempted, drawn, look, said, shown
from tests.stages.trajectories.talking import asked, prompt_of
from transforms.engine.paths import PROJECT
from transforms.models.tools import Invoke
from transforms.recipes.deepeyes_v2 import reward

SEARCH = f"recipe.stages.think.tools.search.arguments.folder={PROJECT / 'docs/recipes'}"
PAGE = drawn("thyme", scene="page", kind="amount")
CROP = f"part = image_1.crop({PAGE.box})"


def call(name: str, **arguments: Any) -> str:
    body = json.dumps({"name": name, "arguments": arguments})
    return f"<think>I look.</think>\n<tool_call>\n{body}\n</tool_call>"


def run(*lines: str) -> str:
    return call("python", code="\n".join(lines))


def attempt(*texts: str, base: int = 0, **fields: Any) -> Any:
    fields = {"reader": "none", "base": base, **fields}
    made = look("deepeyes_v2", "think", SEARCH, "recipe.stages.think.reader=none", **fields)
    result, play = attempted(made, PAGE, *texts)
    if not isinstance(result, list):
        return None, result, play
    [(row, verdict)] = result
    return row, verdict, play


RIGHT = [run(CROP, "show(part)"), call("search", query="crop of a picture"), said(PAGE.answer)]


def test_code_shows_a_picture_and_a_search_its_passages_in_one_conversation() -> None:
    row, verdict, play = attempt(*RIGHT)
    assert verdict.kept and (row.cells, row.asks) == (2, 3)
    _first, second = shown(row)
    assert (second[0].width, second[0].height) == (
        PAGE.box[2] - PAGE.box[0],
        PAGE.box[3] - PAGE.box[1],
    )
    roles = [turn.role for turn in row.messages]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user", "assistant"]
    assert "title" in row.messages[5].content
    assert [e.tool.name for e in chain(*play.turns) if isinstance(e, Invoke)] == ["search"]
    assert json.loads(row.data)["reward"] == pytest.approx(0.92)


def test_the_variables_of_a_cell_are_there_in_the_next_and_the_picture_in_all() -> None:
    twice = "show(part.resize((part.width * 2, part.height * 2)))"
    row, verdict, _ = attempt(run(CROP), run(twice), said(PAGE.answer))
    assert verdict.kept and [len(pictures) for pictures in shown(row)] == [1, 1]


def test_a_statement_after_a_loop_stays_outside_it() -> None:
    row, _, _ = attempt(
        run("for n in range(3):", "    x = n", "print('once', x)"), said(PAGE.answer)
    )
    assert row.messages[3].content == "<tool_response>\nonce 2\n</tool_response>"


def test_two_conversations_at_once_share_no_variable_and_no_picture() -> None:
    made = look("deepeyes_v2", "think", SEARCH, "recipe.stages.think.reader=none",
                base=0, reader="none")  # fmt: skip
    made.sampler = made.sampler.model_copy(update={"samples": 2})
    left, top, right, bottom = PAGE.box
    cut = f"show(image_1.crop(({left}, {top}, {right} + WIDER + mine, {bottom})))"
    first = [run(f"mine = {n}", cut.replace("WIDER", "40")) for n in range(2)]
    second = run("print(mine)", cut.replace("WIDER", "60"))
    texts = [*first, second, second, said(PAGE.answer), said(PAGE.answer)]
    rows, _ = attempted(made, PAGE, *texts)
    assert [verdict.kept for _, verdict in rows] == [True, True]
    widths = [[picture.width for pictures in shown(row)[1:] for picture in pictures]
              for row, _ in rows]  # fmt: skip
    wide = right - left
    assert widths == [[wide + 40, wide + 60], [wide + 41, wide + 61]]


def test_a_conversation_in_which_code_fails_is_rejected_though_it_is_right() -> None:
    row, verdict, _ = attempt(run("1 / 0"), run("1"), said(PAGE.answer))
    assert verdict.kept
    judged = stage("deepeyes_v2", "clean", SEARCH)
    assert [check(row).reason for check in judged.checks] == ["failed_call"]


@pytest.mark.parametrize(
    "lines",
    [["show(image_1)"], ["show(image_1.crop((0, 0, 40, 30)))"], ["1 / 0"],
     ["show(Image.new('RGB', (40, 30), 'red'))"]],
    ids=["the same", "elsewhere", "fails", "another picture"],
)  # fmt: skip
def test_a_right_answer_after_pictures_that_show_nothing_of_use_is_rejected(
    lines: list[str],
) -> None:
    _, verdict, _ = attempt(run(*lines), said(PAGE.answer))
    assert verdict.reason == "edit_in_vain"


@pytest.mark.parametrize(("right", "kept"), [(2, True), (3, False)])
def test_a_question_that_looking_alone_answers_often_is_rejected(right: int, kept: bool) -> None:
    base = [said(PAGE.answer)] * right + [said("1")] * (4 - right)
    row, verdict, play = attempt(*base, *RIGHT, base=4)
    alone = asked(play)[0]
    assert "tool" not in prompt_of(alone) and len(alone.shown) == 1
    if kept:
        assert verdict.kept and json.loads(row.data)["base"] == 0.5
    else:
        assert verdict.reason == "right_without_tools" and len(asked(play)) == 4


@pytest.mark.parametrize(
    ("texts", "reason", "worth"),
    [
        ([said("1")], "wrong_answer", 0.2),
        ([f"<answer>{PAGE.answer}</answer>"], None, 0.8),
        ([run(CROP), "<think>Done.</think>"], "no_answer", 0.0),
        ([run("pass")] * 20, "turns", 0.2),
    ],
    ids=["wrong", "bad form", "no tags", "never ends"],
)
def test_what_a_conversation_is_worth(texts: list[str], reason: str | None, worth: float) -> None:
    row, verdict, _ = attempt(*texts)
    assert verdict.reason == reason
    assert json.loads(row.data)["reward"] == pytest.approx(worth)


def test_an_answer_of_301_characters_is_wrong() -> None:
    assert reward(True, True, False, "7" * 301) == pytest.approx(0.2)
    assert reward(True, True, False, "7" * 299) == pytest.approx(1.0)

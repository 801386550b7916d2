"""Problems that a model writes come from seeds of two sources, and agreement answers them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.chat_server import chat_server
from tests.models.examples import chat, response
from tests.recipes.playing import answering, player, stage
from tests.recipes.test_recipes import run
from transforms.engine.records import Seed
from transforms.models.episode import play
from transforms.models.pool import Pool
from transforms.models.requests import ErrorKind
from transforms.stages.problems import most_common

CONTINUES = "backend.continue_prefix=true"
EASY, HARD = (
    Seed.make(problem=f"A problem of {source}?", answer="3", source=source, license=license)
    for source, license in (("gsm8k", "MIT"), ("math", "Apache-2.0"))
)
POOL = Pool([EASY, replace(EASY, id="x", problem="Another of gsm8k?"), HARD])
OPEN = replace(EASY, answer=None, metadata='{"level": 4}')


def writing(recipe: str, name: str) -> Any:
    return stage(recipe, name, CONTINUES)


def test_a_problem_is_interpolated_between_seeds_of_two_sources() -> None:
    made = writing("mathcoder_interpolated", "interpolate")
    done = play(made.episode(EASY, pool=POOL), lambda request: response(request, "A new one?"))
    [[request]] = done.turns
    words = request.messages[-1].content  # type: ignore[union-attr]
    assert EASY.problem in words and HARD.problem in words
    seed, new = done.result
    assert seed == EASY and (new.problem, new.answer) == ("A new one?", None)
    assert (new.source, new.license) == ("gsm8k, math", "Apache-2.0 AND MIT")
    assert json.loads(new.metadata)["written_from"] == [EASY.id, HARD.id]


def test_a_seed_is_made_new_in_each_way_and_a_copy_is_rejected() -> None:
    made = writing("mumath_code_augmented", "augment")
    texts = [f"Problem {n}?" for n in range(3)]
    seed, *rest = answering(*texts, EASY.problem)(made.episode(EASY, pool=POOL))
    assert seed == EASY and [each.problem for each in rest[:-1]] == texts
    assert len({json.loads(each.metadata)["way"] for each in rest[:-1]}) == 3
    assert rest[-1].reason == "copied"


@pytest.mark.parametrize(
    ("answers", "common"),
    [
        (["1/2", "0.5", "7", "\\frac{1}{2}"], ("1/2", 3)),
        (["7", "8"], ("7", 1)),
        (["8", None, "7", "7.0"], ("7", 2)),
        ([None, None], (None, 0)),
    ],
)
def test_the_answer_that_most_agree_on_is_that_of_the_first_who_gives_it(
    answers: list[str | None], common: tuple[str | None, int]
) -> None:
    assert player()(most_common(answers)) == common


@pytest.mark.parametrize(
    ("texts", "answer"),
    [
        (["\\boxed{0.5}", "\\boxed{1/2}", "It is \\boxed{\\frac12}"], "0.5"),
        (["\\boxed{0.5}", "\\boxed{1/2}", "\\boxed{7}"], None),
        (["\\boxed{7}", "\\boxed{7}", ("\\boxed{7", "length")], None),
    ],
)
def test_a_seed_without_an_answer_is_given_the_one_of_three_that_agree(
    texts: list[Any], answer: str | None
) -> None:
    made = writing("mathcoder_interpolated", "answer")
    result = answering(*texts)(made.episode(OPEN))
    if answer is None:
        assert result.reason == "no_majority"
    else:
        assert (result.id, result.answer) == (OPEN.id, answer)
        assert json.loads(result.metadata) == {"level": 4, "agreed": "3 of 3"}


def test_a_seed_with_an_answer_is_left_as_it_is_and_costs_nothing() -> None:
    made = writing("openmath_tir", "answer")
    assert play(made.episode(EASY)) == ([], EASY)


def test_a_seed_is_put_off_where_a_request_stays_unanswered() -> None:
    lost = response(chat(), "", error="504", error_kind=ErrorKind.TIMEOUT)
    made = writing("mathcoder_interpolated", "answer")
    assert play(made.episode(OPEN), lambda request: replace(lost, id=request.id)).result.unanswered


def test_written_problems_go_through_the_recipe_with_their_answers(tmp_path: Path) -> None:
    def say(body: dict[str, Any]) -> dict[str, Any]:
        *before, last = body["messages"]
        if "Write a new mathematics problem" in last["content"]:
            return {"content": "What is 6 times 7, plus 2?"}
        value = "44" if "plus 2" in str([*before, last]) else "43"
        if "boxed{" in last["content"] and last["role"] == "assistant":
            return {"content": ""}  # cut off at the end of the message
        if last["role"] == "assistant":
            return {"content": f"<|text|>It is \\boxed{{{value}}}.<|endofblock|>"}
        if "in blocks" in last["content"]:
            return {"content": f"<|code|>print({value})<|endofblock|>"}
        return {"content": f"It is \\boxed{{{value}}}."}

    seeds = [{"problem": "What is 6 times 7, plus 1?", "answer": "43"}]
    with chat_server(say) as (url, _):
        _, rows, ends = run(tmp_path, "mathcoder_interpolated", url, seeds, CONTINUES)
    assert {(row["reference"], row["answer"]) for row in rows} == {("43", "43"), ("44", "44")}, ends

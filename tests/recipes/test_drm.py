"""Tests of answers rated by several models, played by hand, and of the recipe drm as a whole."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from tests.models.examples import response
from tests.models.scoring_server import scoring_server
from tests.recipes.playing import stage
from tests.recipes.test_recipes import run
from transforms.engine.records import Message
from transforms.models.episode import play
from transforms.models.scores import scores_text
from transforms.stages.scoring import RatedAnswer, Rating

_COMPLETIONS = "backend.api=completions"
_ANSWER = RatedAnswer(
    id="a",
    calls=(),
    tokens=0,
    seed_ids=("s",),
    source="x",
    license="MIT",
    problem="What is 1 + 1?",
    messages=(Message("user", "What is 1 + 1?"), Message("assistant", "It is 2.")),
    answer="It is 2.",
)


def _rated(name: str, pairs: list[tuple[str, float]], answer: RatedAnswer = _ANSWER) -> RatedAnswer:
    steps = stage("drm", name, _COMPLETIONS).episode(answer)
    rated: RatedAnswer = play(steps, lambda asked: response(asked, scores_text(pairs))).result
    return rated


def test_confidence_is_the_mean_probability_of_the_answers_tokens() -> None:
    rated = _rated("confidence", [("It", -1.0), (" is", -2.0), (" 2.", -3.0)])
    assert rated.ratings == (Rating("confidence", pytest.approx(math.exp(-2)), 0.3333),)


def test_the_score_is_the_weighted_sum_of_the_ratings() -> None:
    once = _rated("relevance", [("yes", math.log(0.6)), ("no", math.log(0.2))])
    twice = _rated("coherence", [("yes", -math.inf), ("no", -0.1)], once)
    assert [each.value for each in twice.ratings] == pytest.approx([0.75, 0.0])
    assert twice.score == pytest.approx(0.75 * 0.3333)
    assert [call.stage for call in twice.calls] == ["relevance", "coherence"]


def _number(text: str) -> int:
    return int(re.findall(r"It is (\d)\.", text)[-1])


def _likelihood(before: str, token: str) -> float:
    """The larger the number in the answer, the likelier is yes; all answers are equally likely."""
    return -1.0 if token != "yes" else -8.0 + _number(before)


def _writer(body: dict[str, Any]) -> str:
    return " It is 5." if "tie" in body["prompt"] else f" It is {body['seed'] % 7}."


def test_the_highest_score_is_chosen_over_the_lowest_and_a_replay_gives_the_same_rows(
    tmp_path: Path,
) -> None:
    seeds = [{"problem": "Which number is it?"}, {"problem": "What is a tie?"}]
    with scoring_server(_likelihood, ("yes", "no"), answer=_writer) as (url, bodies):
        more = (_COMPLETIONS, "backend.pause_seconds=5")
        _, [row], ends = run(tmp_path, "drm", url, seeds, *more)
        asked = len(bodies)
        replay = [f"ledger.dir={tmp_path}/run/ledger", "backend=replay", "runner.workers=2"]
        again = run(tmp_path / "again", "drm", "", seeds, *replay)
    numbers = {b["seed"] % 7 for b in bodies if "logprobs" not in b and "tie" not in b["prompt"]}
    chosen, rejected = (_number(row[side][-1]["content"]) for side in ("chosen", "rejected"))
    assert (chosen, rejected) == (max(numbers), min(numbers)) and chosen > rejected
    assert ends == [("pairs", "unpaired")] * (6 + 8)
    assert (again[1:], len(bodies)) == (([row], ends), asked)

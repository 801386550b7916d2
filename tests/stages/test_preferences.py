"""Pairs are of one problem and one prompt, and of attempts whose scores differ."""

from __future__ import annotations

import pickle
from dataclasses import replace

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.beam import on_workers
from tests.publish.export.trajectories import CODE, OUTPUT, trajectory, turns
from transforms.engine.records import Call, PictureMessage, Shown
from transforms.engine.stage import written_by
from transforms.images.rows import pictures_of
from transforms.models.episode import play
from transforms.stages.preferences import (
    MakePairs,
    PairTurns,
    PicturePreference,
    Preference,
    both_ways,
    pairs,
)
from transforms.stages.trajectories.records import (
    PictureTrajectory,
    Trajectory,
    Turn,
    appended,
    turns_of,
)


def attempt(said, score, **fields):
    return trajectory(turns(CODE, OUTPUT, said, **fields), score)


def made(group, **settings):
    found = list(MakePairs(**settings).of(sorted(group, key=lambda each: each.id)))
    kept = [record for record, verdict in found if verdict.kept]
    assert all(isinstance(each, Preference) for each in kept)
    return kept, [verdict.reason for _, verdict in found if not verdict.kept]


def ends(pair):
    return [side[-1].content.rpartition("\n")[2] for side in (pair.chosen, pair.rejected)]


def test_the_highest_score_is_preferred_to_the_lowest() -> None:
    group = [attempt("half", 0.5), attempt("best", 0.9), attempt("worst", 0.1), attempt("ok", 0.6)]
    [pair], reasons = made(group)
    assert ends(pair) == ["best", "worst"] and reasons == ["unpaired"] * 2
    assert [ends(each) for each in made(group, most=9)[0]] == [["best", "worst"], ["ok", "half"]]
    assert [message.role for message in (*pair.prompt, *pair.chosen)] == ["user", "assistant"]


def test_equal_scores_make_no_pair() -> None:
    assert made([attempt("one", 0.5), attempt("other", 0.5)]) == ([], ["unpaired"] * 2)


def test_a_success_is_preferred_to_a_failure() -> None:
    group = [attempt("right", 1.0), attempt("nearly", 0.9), attempt("wrong", 0.0)]
    kept, reasons = made(group, rule="outcomes", most=2)
    assert [ends(pair) for pair in kept] == [["right", "nearly"]] and reasons == ["unpaired"]
    assert made(group[1:], rule="outcomes")[0] == []


def test_attempts_that_were_asked_in_other_words_make_no_pair() -> None:
    assert made([attempt("a", 1.0), attempt("b", 0.0, question="Six times seven?")])[0] == []


def test_a_pair_has_the_tokens_of_both() -> None:
    call = (Call("solve", "m", 5),)
    group = [
        replace(attempt(said, score), calls=call, tokens=5) for said, score in [("a", 1), ("b", 0)]
    ]
    assert made(group)[0][0].tokens == 10


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=9), st.randoms(use_true_random=False))
def test_pairs_do_not_depend_on_the_order_and_use_nobody_twice(scores, chance) -> None:
    group = [attempt(str(place), score) for place, score in enumerate(scores)]
    for rule in ("extremes", "outcomes"):
        found = list(pairs(group, "score", rule, 1.0))
        assert found == list(pairs(chance.sample(group, len(group)), "score", rule, 1.0))
        assert all(better.score > worse.score for better, worse in found)
        used = [each.id for pair in found for each in pair]
        assert len(used) == len(set(used))


def test_pairs_and_what_is_in_none_are_all_that_enters() -> None:
    group = [attempt("best", 0.9), attempt("worst", 0.1), attempt("ok", 0.5)]
    stage = pickle.loads(pickle.dumps(MakePairs()))
    with TestPipeline(**on_workers(1)) as pipeline:
        outcome = pipeline | beam.Create(group) | stage
        assert_that(outcome.kept | beam.Map(ends), equal_to([["best", "worst"]]))
        entered = outcome.entered | "Kept" >> beam.MapTuple(lambda _, verdict: verdict.kept)
        assert_that(entered, equal_to([True, False]), label="entered")


def rounds(*said, score):
    """An attempt in rounds: after each turn of the model the user says the same."""
    told = [Turn("user", "Q"), *(t for text in said for t in (ours(text), Turn("user", "Go on.")))]
    return trajectory(appended((), told), score)


def ours(text):
    return Turn("assistant", text, sampled=True)


def test_turns_are_paired_wherever_attempts_part_by_what_comes_of_them() -> None:
    group = [rounds("a", "b", score=1.0), rounds("a", "c", score=0.0), rounds("d", score=0.25)]
    found = list(PairTurns().of(group))
    chosen = [(p.prompt[-2:][0].content, p.chosen[0].content, p.rejected[0].content)
              for p, _ in found]  # fmt: skip
    assert chosen == [("Q", "a", "d"), ("a", "b", "c")]  # a is worth 0.5
    assert all(verdict.kept for _, verdict in found)


def test_turns_that_serve_alike_make_no_pair() -> None:
    found = list(PairTurns().of([rounds("a", score=1.0), rounds("b", score=1.0)]))
    assert [verdict.reason for _, verdict in found] == ["unpaired"] * 2


def shown(said, score):
    """An attempt at a question about a picture, in which a tool shows another one."""
    picture = Shown("a" * 64, "image/png", 9, 9, 99, at=4)
    asked = PictureMessage("user", "What is it?", pictures=(picture,))
    cut = PictureMessage("user", "A part:", pictures=(replace(picture, sha256="b" * 64, at=7),))
    before = turns_of([asked])
    talk = appended(before, [ours("Cut it."), *turns_of([cut]), ours(said)])
    return trajectory(talk, score)


def test_pairs_of_attempts_that_show_pictures_hold_them() -> None:
    group = [shown("A cat.", 1.0), shown("A dog.", 0.0)]
    [pair], _ = made(group)
    assert isinstance(pair, PicturePreference)
    [prompt], [_, cut, _] = pair.prompt, pair.chosen
    assert [[each.sha256[0] for each in turn.shown] for turn in (prompt, cut)] == [["a"], ["b"]]
    assert [each.sha256[0] for each in pictures_of(pair)] == ["a", "b", "b"]
    [(pair, _)] = PairTurns().of(group)
    assert [each.sha256[0] for each in pictures_of(pair)] == ["a", "b"]
    assert [turn.content for turn in (*pair.chosen, *pair.rejected)] == ["A cat.", "A dog."]


@pytest.mark.parametrize("stage", [MakePairs(), PairTurns()])
def test_what_pairs_write_has_a_place_for_pictures_where_attempts_show_some(stage) -> None:
    assert written_by(stage, Trajectory) is Preference
    assert written_by(stage, PictureTrajectory) is PicturePreference


@pytest.mark.parametrize(
    ("first", "second", "preferred", "how"),
    [
        ("A", "B", "A", "the same"),
        ("B", "A", "B", "the same"),
        ("A", "A", None, "changed"),
        ("B", "B", None, "changed"),
        (None, "B", None, "unreadable"),
        (None, None, None, "unreadable"),
    ],
)
def test_a_preference_holds_in_both_orders_and_is_counted(first, second, preferred, how) -> None:
    done = play(both_ways("judge", first, second))
    [[counted]] = done.turns
    assert (done.result, counted.stage, counted.key) == (preferred, "judge", how)

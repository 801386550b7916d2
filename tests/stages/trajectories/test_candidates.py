"""Groups to choose from have something right and something wrong in them, and few are made."""

from __future__ import annotations

import pickle
import random
from dataclasses import dataclass, replace

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.beam import on_workers
from tests.publish.export.trajectories import trajectory, turns
from transforms.engine.records import Call, grow
from transforms.stages.trajectories import candidates
from transforms.stages.trajectories.candidates import BuildCandidates, Candidates
from transforms.stages.trajectories.records import Trajectory


@dataclass(frozen=True, kw_only=True)
class Summarised(Trajectory):
    summary: str


def solution(name: str, score: float, summary: str = "") -> Summarised:
    made = trajectory(turns(f"It is {name}."), score, calls=(Call("solve", "m", 2),), tokens=2)
    return replace(grow(Summarised, made, summary=summary or f"So {name}."), id=name)


def solutions(right: int, wrong: int) -> list[Summarised]:
    return [solution(f"r{n}", 1.0) for n in range(right)] + [
        solution(f"w{n}", 0.0) for n in range(wrong)
    ]


def built(group, **settings):
    found = list(BuildCandidates(**settings).of(sorted(group, key=lambda each: each.id)))
    kept = [record for record, verdict in found if verdict.kept]
    return kept, {record.id: verdict.reason for record, verdict in found if not verdict.kept}


@given(st.integers(0, 40), st.integers(0, 12))
def test_groups_are_few_mixed_and_no_easier_than_even(right, wrong) -> None:
    kept, refused = built(solutions(right, wrong))
    assert bool(kept) == (right > 0 < wrong and right + wrong >= 4)
    assert len(kept) <= 8 and len({made.solutions for made in kept}) == len(kept)
    for made in kept:
        assert 2 <= len(made.solutions) <= 16 and len(made.right) == len(made.solutions)
        assert 0 < sum(made.right) <= wrong and not all(made.right)
        assert made.tokens == 2 * len(made.solutions)
    shown = {text for made in kept for text in made.solutions}
    assert len(shown) + len(refused) == right + wrong


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [(9, 0, "all_alike"), (0, 9, "all_alike"), (2, 1, "few_solutions")],
)
def test_a_problem_without_a_choice_makes_no_group(right, wrong, reason) -> None:
    kept, refused = built(solutions(right, wrong))
    assert not kept and set(refused.values()) == {reason}


def test_two_equal_summaries_have_different_numbers() -> None:
    same = [solution(name, score, "The same.") for name, score in [("a", 1.0), ("b", 0.0)]]
    kept, _ = built([*same, *solutions(1, 1)], most=8)
    doubled = [made for made in kept if made.solutions.count("The same.") == 2]
    assert doubled
    for made in doubled:
        places = [place for place, text in enumerate(made.solutions) if text == "The same."]
        assert sorted(made.right[place] for place in places) == [False, True]


def test_groups_that_are_too_long_to_show_are_none() -> None:
    assert built(solutions(3, 3), characters=5)[0] == []


def test_sizes_peak_at_half() -> None:
    chance = random.Random(0)
    drawn = [candidates.draw_size(chance, 16) for _ in range(2000)]
    assert (min(drawn), max(drawn)) >= (2, 15) and 8 <= sum(drawn) / len(drawn) <= 9
    assert candidates.draw_size(chance, 2) == 2


def test_groups_are_the_same_in_whatever_order_solutions_arrive() -> None:
    group = solutions(3, 3)
    expected = [made.id for made in built(group)[0]]
    random.Random(1).shuffle(group)
    stage = pickle.loads(pickle.dumps(BuildCandidates()))
    with TestPipeline(**on_workers(1)) as pipeline:
        outcome = pipeline | beam.Create(group) | stage
        kept = outcome.kept | beam.Filter(lambda each: isinstance(each, Candidates))
        assert_that(kept | beam.Map(lambda each: each.id), equal_to(expected))

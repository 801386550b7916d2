"""Tests of what the generation bench measures, without a model."""

from __future__ import annotations

import pytest

from pipelines.benches.measures.generation import Run, Watch, mixes, summary


def _run(mix: str, way: str, repetition: int, seconds: float, outside: float = 0.0) -> Run:
    return Run(mix, way, repetition, seconds, outside, 1.0, 10, 100, 0.1)


def test_a_model_is_busy_while_any_request_is_open() -> None:
    assert Watch(began=[0, 1, 5], ended=[2, 3, 6]).busy() == 4


def test_a_request_that_follows_at_once_leaves_no_gap() -> None:
    assert Watch(began=[0, 2], ended=[2, 3]).busy() == 3


def test_the_tail_begins_when_too_few_requests_are_left() -> None:
    assert Watch(began=[0, 0, 0, 1], ended=[1, 2, 4, 9]).tail(2) == 5


def test_every_mix_asks_for_the_same_tokens_in_every_repetition() -> None:
    tokens = [
        {
            name: sum(request.sampler.max_tokens for group in groups for request in group)
            for name, groups in mixes(64, repetition, "m").items()
        }
        for repetition in (0, 1)
    ]
    assert tokens[0] == tokens[1]


def test_no_repetition_finds_the_prompts_of_another_in_the_cache() -> None:
    first, second = (
        {group[0].prompt for groups in mixes(16, repetition, "m").values() for group in groups}
        for repetition in (0, 1)
    )
    assert not first & second


def test_a_ratio_is_the_median_over_repetitions_each_against_its_own_bare_run() -> None:
    seconds = [(10, 10), (20, 25), (30, 60)]
    runs = [
        _run("mixed", way, repetition, times[way == "pipeline"], outside=1.0)
        for repetition, times in enumerate(seconds)
        for way in ("bare", "pipeline")
    ]
    figures = summary(runs)
    assert figures["pipeline_over_engine"] == pytest.approx(0.8)
    assert figures["outside_engine_share"] == pytest.approx(1 / 25)
    assert figures["server_over_engine"] is None

"""The bench of handing requests over, with a model that answers at once."""

from __future__ import annotations

import pytest

from pipelines.benches.measures.requests import (
    BenchRequestsSettings,
    Run,
    bench_requests,
    problems,
    summary,
)


def test_each_round_hands_over_as_many_requests_as_are_set() -> None:
    backend = {"engine": "vllm", "model": "m", "api": "completions"}
    settings = BenchRequestsSettings.model_validate(
        {"requests": 1, "handed": 20, "rounds": 2, "words": 5, "engine": False, "backend": backend}
    )
    runs = bench_requests(settings, lambda line: None)
    assert [(run.way, run.round, run.requests) for run in runs] == [
        ("handed over", 0, 20),
        ("handed over", 1, 20),
    ]


def test_no_round_asks_what_another_has_asked() -> None:
    assert not set(problems(50, 0, 10)) & set(problems(50, 1, 10))


def test_the_pipeline_is_held_against_the_bare_engine_round_by_round() -> None:
    seconds = {"bare": (10, 20, 30), "pipeline": (10, 25, 60)}
    runs = [
        Run(way, number, 100, each, 1.0)
        for way, rounds in seconds.items()
        for number, each in enumerate(rounds)
    ]
    figures = summary(runs)
    assert figures["pipeline_over_bare"] == pytest.approx(0.8)
    assert figures["bare_per_second"] == pytest.approx(5.0)
    assert figures["bare_cpu_ms"] == pytest.approx(10.0)

"""The bench of a hot first token: it counts different right programs and the tokens they cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.benches import fire
from pipelines.benches.fire import BenchFireSettings, asked, chosen, row, shipped
from tests.chat_server import chat_server
from tests.pipelines.commands import settings_of

RIGHT = next(iter(chosen(shipped(), ["rates"], 1)))


def settings(url: str) -> BenchFireSettings:
    return settings_of(
        "bench_fire", BenchFireSettings, "backend=openai", f"backend.base_url={url}",
        "backend.model=m", "kinds=[rates]", "problems=1", "seeds=2", "sampler.samples=4",
        "sandbox.slots=1",
    )  # fmt: skip


def test_equal_structures_are_one_and_wrong_programs_run_without_being_right(
    tmp_path: Path,
) -> None:
    code = RIGHT.code or ""

    def say(body: dict[str, Any]) -> dict[str, Any]:
        texts = [code, f"# the same\n{code}", code + "\noutput = 1 / 0\n", "none"]
        return {"content": f"```python\n{texts[body['seed'] % 4]}\n```"}

    with chat_server(say) as (url, requests):
        found = asked(settings(url), str(tmp_path), {})
    assert [len(each) for each in found] == [1, 1] and len(requests) == 8
    for [each] in found:
        assert (each.samples, each.right) == (4, 1) and each.tokens > 0
        assert each.running <= 2


def test_problems_are_of_the_kinds_and_examples_of_others() -> None:
    some = chosen(shipped(), ["rates", "number_theory"], 3)
    assert [seed.kind for seed in some] == ["rates"] * 3 + ["number_theory"] * 3
    assert some == chosen(reversed(shipped()), ["rates", "number_theory"], 3)


def test_a_way_that_gives_nothing_has_rates_of_zero() -> None:
    nothing = [[fire.Yielded(0, 0, 0, 0)], [fire.Yielded(100, 4, 0, 0)]]
    made = row("plain", 0.4, nothing)
    assert (made["running_rate"], made["right_rate"], made["right_spread"]) == (0, 0, 0)


def test_the_outcome_is_said_for_three_ways_and_so_is_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hot gives one more right program in each seed than the other ways."""

    def given(settings: Any, folder: str, changes: dict[str, float]) -> list[list[fire.Yielded]]:
        right = 2 if "fire_temperature" in changes else 1
        return [[fire.Yielded(1000, 4, 3, right + number)] for number in range(2)]

    monkeypatch.setattr(fire, "asked", given)
    fire.bench(settings("http://127.0.0.1:1/v1"))
    told = capsys.readouterr()
    assert [f"way {number} of 3" in told.err for number in (1, 2, 3)] == [True] * 3
    assert "right, hot beside even, seed by seed: +1.00 ± 0.00 for 1,000 tokens: more" in told.out
    assert "running, hot beside even, seed by seed: +0.00 ± 0.00" in told.out
    result = json.loads(told.out.splitlines()[-1])
    assert [each["way"] for each in result["rows"]] == ["hot", "even", "plain"]

"""reasoning-gym: drawn the same in every process, and apart for every seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sources.reading import read, source_of
from transforms.engine.errors import SourceError
from transforms.engine.paths import PROJECT
from transforms.sources import check_source
from transforms.sources.reasoning_gym import ReasoningGymSource, draw, pieces

TASKS = ["gsm_symbolic", "leg_counting", "time_intervals"]


def drawn() -> list[str]:
    """Ids of what is drawn in this process."""
    source = ReasoningGymSource(type="reasoning_gym", tasks=["x"], size=5)
    return [row.id for task in TASKS[:2] for row in draw(source, task, 0, 5)]


def test_each_task_gives_as_many_questions_as_asked(tmp_path: Path) -> None:
    seen = read(tmp_path, 2, type="reasoning_gym", tasks=TASKS, size=30)
    assert sorted({seed["kind"] for seed in seen.seeds}) == TASKS
    assert len(seen.rows) == 90 and set(seen.reasons) <= {"duplicate_id"}
    seed = next(seed for seed in seen.seeds if seed["kind"] == "gsm_symbolic")
    assert seed["source"] == "reasoning-gym/gsm_symbolic" and seed["license"] == "Apache-2.0"
    assert (
        seed["problem"] and seed["answer"] and seed["solution"] and "####" not in seed["solution"]
    )


def test_a_run_repeated_under_another_hash_seed_draws_the_same() -> None:
    code = "from tests.sources.test_reasoning_gym import drawn\nprint(drawn())"
    other = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout == f"{drawn()}\n"


def test_neighbouring_seeds_share_no_questions(tmp_path: Path) -> None:
    problems = [
        {s["problem"] for s in read(tmp_path, type="reasoning_gym", tasks=["leg_counting"],
                                    size=20, seed=seed).seeds}
        for seed in (0, 1)
    ]  # fmt: skip
    assert not problems[0] & problems[1]


def test_metadata_is_json_and_an_answer_may_be_missing(tmp_path: Path) -> None:
    seen = read(tmp_path, type="reasoning_gym", tasks=["graph_color", "rearc"], size=2)
    assert {seed["answer"] is None for seed in seen.seeds if seed["kind"] == "graph_color"} == {
        True
    }
    assert all(seed["metadata"].startswith('{"') for seed in seen.seeds)


def test_a_limit_is_shared_among_the_tasks() -> None:
    source = ReasoningGymSource(type="reasoning_gym", tasks=["a", "b"], size=50, limit=33)
    assert pieces(source) == [("a", 0, 17), ("b", 0, 16)]
    assert pieces(source.model_copy(update={"limit": None}))[:2] == [("a", 0, 25), ("a", 25, 50)]


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("gsm_symbolik", "did you mean gsm_symbolic"),
        ("codeio", "use source=codeio"),
        ("word_ladder", "could not be repeated"),
    ],
)
def test_a_task_that_is_not_offered_is_one_line_with_the_way_out(task: str, said: str) -> None:
    with pytest.raises(SourceError) as error:
        check_source(source_of(type="reasoning_gym", tasks=["gcd", task]))
    assert said in str(error.value) and task in str(error.value) and "\n" not in str(error.value)

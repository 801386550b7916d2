"""Controls: graders that know nothing of right and wrong, and what they and the real one keep."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.beam import on_workers
from tests.chat_server import chat_server
from tests.recipes.test_recipes import SEEDS, run
from tests.settings_for_tests import composed
from transforms.engine.accounting import Tally, Verdict
from transforms.engine.outcomes import SumTallies
from transforms.engine.recipe import build_segments
from transforms.models.episode import play
from transforms.publish.report.page import controls
from transforms.stages.controls import COUNT, Control, overlaps


@dataclass(frozen=True)
class Row:
    id: str
    score: float
    messages: str


ROWS = [
    Row(f"{number}", float(number % 3 == 0), "In Python. " * (number % 5 == 0) + "\\boxed{7}")
    for number in range(1000)
]


def counted(stage: Control, rows: list[Row]) -> tuple[list[Any], dict[str, int]]:
    """What the stage makes of records, and its tally."""
    results, counts = [], dict[str, int]()
    for row in rows:
        done = play(stage.episode(row), lambda effect: None)
        results.append(done.result)
        for [tally] in done.turns:
            assert isinstance(tally, Tally) and tally.what == COUNT
            counts[tally.key] = counts.get(tally.key, 0) + 1
    return results, counts


def kept(grader: Any, **fields: Any) -> list[Row]:
    results, _ = counted(Control(grader=grader, **fields), ROWS)
    return [row for row in results if not isinstance(row, Verdict)]


def test_the_random_grader_keeps_half_of_a_thousand_and_the_same_again() -> None:
    ids = [row.id for row in kept("random")]
    assert 450 <= len(ids) <= 550 and ids == [row.id for row in kept("random")]
    assert ids != [row.id for row in kept("random", run_seed=1)]
    assert abs(len(kept("random", p=0.1)) - 100) < 50


@given(st.floats(0, 1), st.sampled_from([0.5, 1.0]))
def test_inverted_and_real_are_one_together(score: float, right: float) -> None:
    rewards = Control(right=right).rewards(Row("a", score, ""))
    assert rewards["inverted"] + rewards["real"] == 1


def test_each_control_keeps_by_its_own_rule_and_gives_its_own_score() -> None:
    assert {row.id for row in kept("real")} | {row.id for row in kept("inverted")} == {
        row.id for row in ROWS
    }
    assert [row.score for row in kept("inverted")] == [1.0] * len(kept("inverted"))
    assert len(kept("format_only")) == 1000 and len(kept("mentions_python")) == 200
    assert len(kept("inverted", keeps_wrong=True)) == 1000


def test_the_overlap_of_kept_sets_is_what_counting_them_says() -> None:
    _, counts = counted(Control(), ROWS)
    sets = {name: {row.id for row in kept(name)} for name in ("real", "random", "format_only")}
    found = {each.control: each for each in overlaps(counts)}
    for name in ("random", "format_only"):
        both, either = sets["real"] & sets[name], sets["real"] | sets[name]
        assert (found[name].both, found[name].share) == (len(both), len(both) / len(either))
    assert not any(each.is_alike for each in found.values())


@pytest.mark.parametrize(
    ("text", "alarmed"), [("\\boxed{{{0}}}", {"none", "format_only"}), ("{0}", {"none"})]
)
def test_a_real_grader_that_keeps_everything_raises_an_alarm(text: str, alarmed: set[str]) -> None:
    rows = [Row(str(n), 1.0, text.format(n)) for n in range(50)]
    _, counts = counted(Control(), rows)
    assert {each.control for each in overlaps(counts) if each.is_alike} == alarmed


def test_a_grader_that_follows_the_format_raises_an_alarm() -> None:
    rows = [Row(str(n), float(n % 2), "\\boxed{1}" * (n % 2)) for n in range(50)]
    _, counts = counted(Control(), rows)
    assert [each.control for each in overlaps(counts) if each.is_alike] == ["format_only"]


@pytest.mark.parametrize("recipe", ["openmath_tir", "drm", "semcoder", "gtpo"])
def test_the_stage_fits_any_recipe_with_scores(recipe: str) -> None:
    target = "transforms.stages.controls.Control"
    after = {"drm": "coherence", "semcoder": "attempt"}.get(recipe, "solve")
    settings = composed(
        f"recipe={recipe}", "backend=vllm", "output_dir=x",
        f"+recipe.stages.control={{_target_: {target}, after: {after}}}",
    )  # fmt: skip
    segments = build_segments(settings, "x", "x/ledger")
    names = [stage.name for segment in segments for stage in segment.stages]
    assert names[names.index(after) + 1] == "control"


def test_a_run_says_how_much_the_kept_sets_overlap_and_warns(tmp_path: Path) -> None:
    def say(body: dict[str, Any]) -> dict[str, Any]:
        right = body["seed"] % 2
        return {"content": "\\boxed{1024}" if right else "I do not know, maybe it is 7."}

    with chat_server(say) as (url, _):
        manifest, rows, ends = run(tmp_path, "spurious_rewards", url, SEEDS[1:2])
    [found] = controls(s for e in manifest["segments"] for s in e["stages"]).values()
    alike = [each.control for each in found if each.is_alike]
    assert alike == ["format_only"] and 0 < len(rows) < 16
    assert ends == [("control", "not_rewarded")] * (16 - len(rows))
    page = (tmp_path / "run" / "report.html").read_text()
    assert "the control format_only keeps the same records" in page


@pytest.mark.parametrize("workers", [1, 2])
def test_the_stage_keeps_and_counts_the_same_on_any_number_of_workers(workers: int) -> None:
    _, counts = counted(Control(), ROWS[:30])
    made = pickle.loads(pickle.dumps(Control()))
    with TestPipeline(**on_workers(workers)) as pipeline:
        outcome = pipeline | beam.Create(ROWS[:30]) | made
        sums = outcome.tallies | beam.CombineGlobally(SumTallies()) | beam.FlatMap(dict.items)
        expected = [(("control", COUNT, key), amount) for key, amount in counts.items()]
        assert_that(sums, equal_to(expected))
        ids = outcome.kept | "Ids" >> beam.Map(lambda row: row.id)
        assert_that(ids, equal_to([row.id for row in ROWS[:30:3]]), label="ids")

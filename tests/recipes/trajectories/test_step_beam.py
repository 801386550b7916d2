"""ovm and dream: which steps are drawn, valued, kept and gone on with. Models are scripted."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.models.examples import response
from tests.models.scoring_server import scoring_server
from tests.recipes.playing import player, stage
from tests.recipes.test_recipes import SEEDS, run
from tests.stages.trajectories.talking import SEED, asked, played
from transforms.engine.errors import SettingsError
from transforms.models.requests import ErrorKind, Request
from transforms.models.scores import scores_text
from transforms.publish.export.chats import conversation
from transforms.publish.export.value import prefixes
from transforms.stages.trajectories.records import learned

CONTINUES = "backend.continue_prefix=true"


def steps_of(request: Request) -> str:
    """The text that a value model is shown."""
    shown = request.messages[-1].content
    return re.findall(r"as it is written:\n\n(.*)\n(?:Will|Does|Is) ", shown, re.DOTALL)[0]


def searched(
    recipe: str, write: Callable[[Request], str], value: Callable[[str], float], *overrides: str
) -> Any:
    """A search in which `write` gives the next line and `value` what a text is worth."""

    def model(request: Request) -> Any:
        if request.score is None:
            return write(request)
        worth = value(steps_of(request))
        pairs = [("+", math.log(worth)), ("-", math.log(1 - worth))]
        return response(request, scores_text(pairs))

    made = stage(recipe, "search", CONTINUES, "recipe.stages.search.keeps_tree=true", *overrides)
    return played(made.episode(SEED), model)


def drawn(play: Any) -> list[Request]:
    return [each for each in asked(play) if each.score is None]


def luck(text: str) -> float:
    """A value between 0 and 1 that no two texts share."""
    return (1 + int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])) / (2**48 + 2)


def numbered(request: Request) -> str:
    """A line with the number of its sample; the fifth gives the answer."""
    depth = request.sampler.prefix.count("\n")
    return f"s{request.sample}" if depth < 4 else f"So \\boxed{{{43 + request.sample % 2}}}."


def led_to(keep: int, draws: int) -> str:
    """The text that a beam finds where nothing but values decides."""
    level = [""]
    for depth in range(5):
        each = range(draws // len(level))
        lines = [f"s{n}\n" if depth < 4 else f"So \\boxed{{{43 + n % 2}}}." for n in each]
        grown = {text + line for text in level for line in lines}
        level = sorted(grown, key=luck, reverse=True)[:keep]
    return level[0]


def test_a_beam_of_4_with_20_draws_finds_the_text_that_the_values_lead_to() -> None:
    play = searched("ovm", numbered, luck)
    row, _ = play.result
    text = "".join(turn.content for turn in row.messages if turn.role == "assistant")
    assert text == led_to(4, 20)
    assert row.score == (re.findall(r"\d+", text)[-1] == "43") and len(drawn(play)) == 5 * 20


def test_a_step_is_a_line_that_the_model_goes_on_with_and_that_alone_is_learned() -> None:
    play = searched("dream", lambda request: "so \\boxed{43}", lambda text: 0.9)
    row, verdict = play.result
    [request] = drawn(play)
    assert (request.sampler.prefix, request.sampler.stop) == ("Plan: ", ("\n",))
    said = [turn for turn in row.messages if turn.role == "assistant"]
    taught = [turn.content[a:b] for turn in said for a, b in learned(turn)]
    assert verdict.kept and taught == ["so \\boxed{43}"]
    assert [turn.continues for turn in said] == [False, True]


def test_steps_are_valued_by_the_model_of_their_phase() -> None:
    def write(request: Request) -> str:
        return "so \\boxed{43}" if request.sampler.prefix.endswith("Do: ") else "add"

    play = searched("dream", write, lambda text: 0.9)
    assert [each.named for each in asked(play)] == [None, "plan_value", None, "do_value"]
    assert {each.named for each in asked(searched("ovm", write, luck)) if each.score} == {"value"}


@pytest.mark.parametrize("good", [1, 2, 4])
def test_drawing_ends_with_the_first_step_above_the_upper_threshold(good: int) -> None:
    """Of a single parent, so candidate j alone decides."""

    def write(request: Request) -> str:
        if request.sampler.prefix.endswith("Do: "):
            return "so \\boxed{43}"
        return "good" if request.sample + 1 == good else f"fair {request.sample}"

    play = searched("dream", write, lambda text: 0.9 if "good" in text else 0.5)
    assert sum(each.sampler.prefix == "Plan: " for each in drawn(play)) == good


def test_extra_steps_are_drawn_where_all_stay_below_the_lower_threshold() -> None:
    play = searched("dream", lambda request: f"poor {request.sample}", lambda text: 0.1)
    assert sum(each.sampler.prefix == "Plan: " for each in drawn(play)) == 4 + 2


def test_a_plan_that_is_pruned_is_never_carried_out() -> None:
    def write(request: Request) -> str:
        done = request.sampler.prefix.endswith("Do: ")
        return "so \\boxed{43}" if done else f"plan {request.sample}"

    def value(text: str) -> float:
        return 0.4 + int(re.findall(r"plan (\d)", text)[-1]) / 100

    play = searched("dream", write, value)
    carried_out = {each.sampler.prefix for each in drawn(play) if "Do: " in each.sampler.prefix}
    assert carried_out == {"Plan: plan 2\nDo: ", "Plan: plan 3\nDo: "}


@pytest.mark.parametrize("recipe", ["ovm", "dream"])
@pytest.mark.parametrize(("limit", "most"), [("nodes", 5), ("asks", 25)])
def test_a_budget_is_never_exceeded(recipe: str, limit: str, most: int) -> None:
    play = searched(recipe, numbered, luck, f"recipe.stages.search.{limit}={most}")
    row, _ = play.result
    used = {"nodes": json.loads(row.data)["nodes"], "asks": len(asked(play))}
    assert 0 < used[limit] <= most < len(asked(searched(recipe, numbered, luck)))


def test_a_solution_without_an_answer_is_no_row() -> None:
    _, verdict = searched("ovm", lambda request: f"s{request.sample}", luck).result
    assert verdict.reason == "no_answer"


def test_a_step_that_is_cut_off_or_empty_is_none() -> None:
    def write(request: Request) -> Any:
        return response(request, "a long line", finish_reason="length") if request.sample else " "

    assert searched("ovm", write, luck).result.reason == "no_step"


def test_a_value_model_that_does_not_answer_puts_the_problem_off() -> None:
    def model(request: Request) -> Any:
        lost = {"finish_reason": "error", "error": "503", "error_kind": ErrorKind.SERVER_ERROR}
        return "so \\boxed{43}" if request.score is None else response(request, "", **lost)

    assert played(stage("ovm", "search", CONTINUES).episode(SEED), model).result.unanswered


def test_a_model_that_cannot_continue_its_text_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(SettingsError, match=r"search has the model continue its text: set backend"):
        stage("ovm", "search", "backend.continue_prefix=false")


def test_every_beginning_of_an_attempt_has_its_score_and_a_shared_one_the_mean() -> None:
    texts = ["Add.\nIt is \\boxed{43}.", "Add.\nIt is \\boxed{44}.", "Guess.\n\\boxed{43}"]
    made = stage("ovm_labels", "solve", "recipe.stages.solve.sampler.samples=3")
    answers = iter(texts)
    rows = player(lambda _: next(answers))(made.episode(SEED))
    labels: dict[str, list[float]] = {}
    for row, verdict in rows:
        assert verdict.kept
        plain = {"messages": [{"role": t.role, "content": t.content} for t in row.messages]}
        for prefix in prefixes(conversation(plain).completion, "line"):  # type: ignore[union-attr]
            labels.setdefault(prefix[-1]["content"], []).append(row.score)
    assert labels["Add.\n"] == [1.0, 0.0] and labels["Guess.\n"] == [1.0]
    assert [labels[text] for text in texts] == [[1.0], [0.0], [1.0]]


def writes(body: dict[str, Any]) -> str:
    """One line: the right answer, or, for odd seeds, a wrong one."""
    problem = next(seed for seed in reversed(SEEDS) if seed["problem"] in body["prompt"])
    return f"It is \\boxed{{{int(problem['answer']) + body['seed'] % 2}}}."


def prefers(before: str, token: str) -> float:
    """Right answers are likelier right."""
    right = any(f"boxed{{{seed['answer']}}}" in before for seed in SEEDS)
    return -0.1 if right == (token.strip() == "+") else -3.0


def replayed(
    folder: Path, recipe: str, values: Sequence[str], *settings: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Runs a recipe with two servers, and once more from its ledger with two workers, which asks
    nothing and makes the same rows; returns the first run's manifest and rows.

    Args:
        values: names of the value models.
    """
    with (
        scoring_server(lambda before, token: -1.0, answer=writes) as (url, drawn_bodies),
        scoring_server(prefers, ("+", "-")) as (judge, valued_bodies),
    ):
        model = f"{{engine: openai, model: v, base_url: '{judge}', api: completions}}"
        more = [*(f"models.{name}={model}" for name in values), *settings]
        manifest, *made = run(folder, recipe, url, SEEDS, *more, "backend.api=completions")
        sent = len(drawn_bodies), len(valued_bodies)
        replay = [f"ledger.dir={folder}/run/ledger", "backend=replay", "backend.model=m"]
        _, *again = run(folder / "again", recipe, "", SEEDS, *more, *replay, "runner.workers=2")
        assert (len(drawn_bodies), len(valued_bodies)) == sent
    assert again == made
    assert sorted(row["answer"] for row in made[0]) == ["1024", "43", "81"]
    return manifest, made[0]


def test_two_servers_make_rows_and_a_replay_on_two_workers_makes_the_same(tmp_path: Path) -> None:
    more = "recipe.stages.search.candidates=6"
    manifest, rows = replayed(tmp_path, "ovm", ["value"], more)
    spent = manifest["segments"][-1]["stages"][-1]["models"]
    paid = {name: each["requests"] for name, each in spent.items()}
    assert paid == {"m": 18, "v": 6}  # equal steps are valued once
    assert all(json.loads(row["data"])["nodes"] == 6 for row in rows)


def test_dream_replayed_on_two_workers_makes_the_same_rows(tmp_path: Path) -> None:
    replayed(tmp_path, "dream", ["plan_value", "do_value"])

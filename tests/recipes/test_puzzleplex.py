"""puzzleplex: games are played by the rules, and a row's moves lead to its score."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from pipelines.synthesize import synthesize
from tests.chat_server import chat_server
from tests.models.examples import response
from tests.recipes.playing import stage
from tests.recipes.test_code2logic import seed_of
from tests.settings_for_tests import composed
from tests.stages.trajectories.talking import played
from transforms.models.requests import Request, Response
from transforms.stages.trajectories.records import Ended
from transforms.worlds import world
from transforms.worlds.base import square
from transforms.worlds.instances import Instance, positions

NIM = seed_of(next(positions(["nim"], [1], 1)))
HANOI = seed_of(next(positions(["hanoi"], [2], 1)))


def game(
    seed: Any, model: Callable[[str], Any], *overrides: str, mode: str = "turns"
) -> tuple[Any, Any]:
    """The row and the verdict of one game of a model."""
    stages = "recipe.stages.play"
    one = [f"{stages}.mode={mode}", f"{stages}.sampler.samples=1"]
    made = stage("puzzleplex", "play", *one, *overrides)
    [end] = played(made.episode(seed), lambda request: model(request.messages[-1].content)).result
    return end


def replayed(row: Any) -> float:
    """The score of the position that a row's moves lead to."""
    said = json.loads(row.data)
    made = world(said["world"])
    return made.score(made.replay(made.generate(said["seed"], said["level"]), said["moves"]))


def nim(question: str) -> str:
    """Plays nim as it should be."""
    heaps = [int(n) for n in re.findall(r"heaps: ([\d, ]+)", question)[-1].split(",")]
    for number, size in enumerate(heaps, 1):
        left = size ^ reduce(xor, heaps)
        if left < size:
            return f"I think.\n\n```\nTake {size - left} from {number}\n```"
    number = next(n for n, size in enumerate(heaps, 1) if size)
    return f"```\ntake 1 from {number}\n```"


def solver(seed: Any) -> Callable[[str], str]:
    """A model that knows the solution of an instance."""
    said = json.loads(seed.metadata)
    made = world(seed.kind)
    rest = iter(made.solve(made.generate(said["seed"], said["level"])) or ())
    return lambda question: f"```\n{next(rest)}\n```"


@pytest.mark.parametrize("name", ["hanoi", "sudoku"])
def test_a_puzzle_that_is_solved_scores_1_and_its_moves_lead_there(name: str) -> None:
    seed = seed_of(next(positions([name], [2], 1)))
    row, verdict = game(seed, solver(seed))
    assert verdict.kept and row.ended == Ended.ANSWERED
    assert row.score == replayed(row) == 1
    assert row.answer in row.messages[-2].content or row.asks == len(json.loads(row.data)["moves"])


def test_a_game_against_a_baseline_has_the_moves_of_both_and_replays() -> None:
    row, verdict = game(NIM, nim)
    moves = json.loads(row.data)["moves"]
    assert row.score == replayed(row) and len(moves) in (2 * row.asks, 2 * row.asks - 1)
    assert verdict.kept == (row.score >= 0.5)
    if row.asks > 1:
        assert f"I played {moves[1]}." in row.messages[2].content


def test_turns_of_the_model_alone_are_sampled() -> None:
    row, _ = game(HANOI, solver(HANOI))
    assert {(each.role, each.sampled) for each in row.messages} == {
        ("user", False),
        ("assistant", True),
    }


def test_an_illegal_move_changes_nothing_and_may_be_revised_once() -> None:
    answers = iter(["```\nc to c\n```", "no block"])
    row, verdict = game(HANOI, lambda question: next(answers))
    assert (verdict.reason, row.ended, row.asks) == ("format", Ended.FORMAT, 2)
    assert json.loads(row.data)["moves"] == []
    right = solver(HANOI)
    turns = iter(range(1000))
    row, verdict = game(HANOI, lambda q: right(q) if next(turns) % 2 else "hm")
    assert verdict.kept and row.score == 1
    assert "no legal move" in row.messages[2].content


def test_a_game_that_does_not_end_is_broken_off() -> None:
    made = world("hanoi")
    move = made.legal(made.generate(0, 2))[0]
    moves = iter([move, f"{move[-1]} to {move[0]}"] * 3)
    row, verdict = game(HANOI, lambda q: f"```\n{next(moves)}\n```", "recipe.stages.play.turns=5")
    assert (verdict.reason, row.ended, row.asks) == ("turns", Ended.TURNS, 5)


def test_an_answer_that_is_cut_off_ends_the_game() -> None:
    def cut_off(request: Request) -> Response:
        return response(request, "```\na to", finish_reason="length")

    made = stage("puzzleplex", "play", "recipe.stages.play.sampler.samples=1")
    [(row, verdict)] = played(made.episode(HANOI), cut_off).result
    assert (verdict.reason, row.ended) == ("overlong", Ended.OVERLONG)


def test_what_a_board_shows_at_first_is_not_won() -> None:
    """A minesweeper that opens a mine at once has most squares open all the same."""
    seed = seed_of(next(positions(["minesweeper"], [1], 1)))
    said = json.loads(seed.metadata)
    mined = world("minesweeper").generate(said["seed"], said["level"]).mines[0]
    row, verdict = game(seed, lambda _: f"```\n{square(*mined)}\n```")
    assert row.score == replayed(row) > 0
    assert (verdict.reason, verdict.detail) == ("low_score", "0")


def test_a_sudoku_in_which_no_number_fits_any_more_has_won_nothing() -> None:
    seed = seed_of(next(positions(["sudoku"], [2], 1)))
    played = world("sudoku")
    state, wrong = Instance.of(seed).state, []  # type: ignore[union-attr]
    while moves := played.legal(state):
        wrong.append(moves[0])
        state = played.after(state, moves[0])
    answers = iter(wrong)
    row, verdict = game(seed, lambda _: f"```\n{next(answers)}\n```")
    assert 0.5 < row.score == replayed(row) < 1
    assert (verdict.reason, verdict.detail) == ("low_score", "0")


def test_a_low_score_is_rejected() -> None:
    pig = seed_of(next(positions(["pig"], [1], 1)))
    row, verdict = game(pig, lambda question: "```\nroll\n```")
    assert (row.score, verdict.reason) == (0, "low_score")


PROGRAM = """
from functools import reduce
from operator import xor

calls = 0

def solution(state):
    global calls
    calls += 1
    heaps = state["heaps"]
    for number, size in enumerate(heaps, 1):
        left = size ^ reduce(xor, heaps)
        if left < size:
            return f"take {size - left} from {number}"
    return state["legal"][0]
"""


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("def solution(state):\n    return 'take all'\n", "format"),
        ("def solution(state):\n    return 1 / 0\n", "errors"),
        ("def solution(state):\n    while True:\n        pass\n", "errors"),
        ("solution = ", "errors"),
    ],
)
def test_a_program_that_does_not_play_by_the_rules_is_rejected(program: str, reason: str) -> None:
    row, verdict = game(NIM, lambda question: f"```python\n{program}```", mode="program")
    assert (verdict.reason, row.score) == (reason, 0)


def test_a_program_plays_a_whole_game_in_the_sandbox() -> None:
    row, _verdict = game(NIM, lambda question: f"```python\n{PROGRAM}```", mode="program")
    assert row.score == replayed(row) and row.asks == 1
    assert row.cells == (len(json.loads(row.data)["moves"]) + 1) // 2


def test_a_program_makes_no_more_moves_than_it_may() -> None:
    program = f"```python\n{PROGRAM}```"
    fewer = "recipe.stages.play.cells=1"
    row, verdict = game(NIM, lambda question: program, fewer, mode="program")
    assert (verdict.reason, row.cells) == ("cells", 1)


def test_a_program_sees_no_more_than_a_player() -> None:
    mines = seed_of(next(positions(["minesweeper"], [1], 1)))
    program = 'def solution(state):\n    return "no " + ",".join(sorted(state))\n'
    _, verdict = game(mines, lambda question: f"```python\n{program}```", mode="program")
    assert verdict.detail == "no legal move: no bombs,legal,opened,position,shown,side"


def run(folder: Path, *more: str) -> dict[str, bytes]:
    settings = composed(
        "recipe=puzzleplex", "source=function",
        "source.function=transforms.worlds.instances.positions",
        "source.arguments={worlds: [nim], levels: [1, 2], count: 2}",
        "recipe.stages.play.sampler.samples=2", "recipe.stages.play.at_least=0",
        "sandbox.slots=1", f"output_dir={folder}", *more,
    )  # fmt: skip
    synthesize(settings, Console(file=io.StringIO()))
    return {path.name: path.read_bytes() for path in (folder / "data").iterdir()}


@pytest.mark.parametrize("mode", ["turns", "program"])
def test_the_recipe_runs_from_instances_to_rows_and_replays_to_the_same_bytes_by_two_workers(
    mode: str, tmp_path: Path
) -> None:
    def model(body: dict[str, Any]) -> dict[str, Any]:
        question = body["messages"][-1]["content"]
        return {"content": nim(question) if mode == "turns" else f"```python\n{PROGRAM}```"}

    one = [f"recipe.stages.play.mode={mode}"]
    with chat_server(model) as (url, asked):
        backend = ["backend=openai", f"backend.base_url={url}", "backend.model=m"]
        files = run(tmp_path / "first", *one, *backend, "backend.api=chat", "runner.workers=1")
        before = len(asked)
        replay = [f"ledger.dir={tmp_path}/first/ledger", "backend=replay", "runner.workers=2"]
        again = run(tmp_path / "again", *one, *replay)
    assert len(pl.read_parquet(tmp_path / "first/data/*.parquet")) >= 6
    assert again == files and len(asked) == before

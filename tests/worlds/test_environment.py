"""Rows of code2logic leave as an environment that asks about other positions, and games of
puzzleplex as one in which others are played."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.publish.export import runs
from tests.recipes.execution.playing import played, stage
from tests.recipes.test_code2logic import seed_of
from tests.recipes.test_puzzleplex import game, nim
from transforms.engine.run_folder import RunFolder
from transforms.publish.export.environment import EnvironmentExport, environment, write
from transforms.publish.games import Match, Player, Plays, wins
from transforms.publish.instances import Problem, instances, problem_of
from transforms.publish.reward import reward
from transforms.worlds import NAMES
from transforms.worlds.instances import positions
from transforms.worlds.players import by_chance

SETTINGS = EnvironmentExport(type="environment")


@pytest.fixture(scope="module")
def rows() -> list[Any]:
    seeds = [seed_of(row) for row in positions(["hanoi", "pig"], levels=(1, 2), count=4)]
    return played(stage("code2logic", "ask"), *seeds)[0]


@pytest.fixture(scope="module")
def problems(rows: list[Any]) -> list[Problem]:
    return environment([asdict(row) for row in rows], SETTINGS).problems


def test_rows_of_one_world_level_and_kind_are_one_problem_and_the_lower_level_is_easier(
    rows: list[Any], problems: list[Problem]
) -> None:
    asked = [problem.asked for problem in problems]
    assert None not in asked and len(set(asked)) == len(asked) < len(rows)
    levels = [each.level for each in asked if each]
    assert levels == sorted(levels) and set(levels) == {1, 2}


def test_each_instance_is_new_and_its_reference_alone_earns_the_reward(
    problems: list[Problem],
) -> None:
    drawn = list(islice(instances(problems), 30))
    assert len({each.instruction for each in drawn}) == 30
    assert not {each.instruction for each in drawn} & {each.seed.problem for each in problems}
    for each in drawn:
        row = {"instruction": each.instruction, "output": each.output}
        assert reward(each.reference, row, sandbox="none") == 1
        other = int(each.output) % 3 + 1
        assert reward(f"So \\boxed{{{other}}}.", row, sandbox="none", steps=False) == 0


def test_a_seed_decides_the_stream(problems: list[Problem]) -> None:
    one, same, other = (list(islice(instances(problems, seed=s), 5)) for s in (1, 1, 2))
    assert one == same != other


def test_the_package_of_a_run_holds_what_draws_its_questions(
    rows: list[Any], problems: list[Problem], tmp_path: Path
) -> None:
    run = runs.finished(tmp_path / "run", "code2logic", rows)
    folder = RunFolder(f"{tmp_path}/package")
    write(run, {"status": "complete", "recipe": "code2logic"}, folder, SETTINGS)
    lines = (tmp_path / "package" / "cotmill_problems" / "problems.jsonl").read_text().splitlines()
    read = [problem_of(json.loads(line)) for line in lines]
    assert {problem.asked for problem in read} == {problem.asked for problem in problems}
    assert next(instances(read)).problem_id in {problem.seed.id for problem in read}


def played_row(name: str, level: int, **changes: Any) -> dict[str, Any]:
    seed = seed_of(next(positions([name], [level], 1)))
    row, _ = game(seed, lambda question: "```\nno move\n```")
    return {**asdict(row), "data": json.dumps({**json.loads(row.data), **changes})}


def games(*rows: dict[str, Any], count: int) -> list[Any]:
    made = environment(rows, SETTINGS).problems
    read = [problem_of(json.loads(json.dumps(asdict(problem)))) for problem in made]
    return list(islice(instances(read), count))


def test_games_of_one_world_level_and_opponent_are_one_problem() -> None:
    rows = [played_row("hanoi", 2), played_row("hanoi", 2, seed=7), played_row("hanoi", 1)]
    made = environment([*rows, played_row("hanoi", 1, mode="program")], SETTINGS)
    assert [problem.plays for problem in made.problems] == [
        Plays("hanoi", 1, "greedy"), Plays("hanoi", 2, "greedy"),
    ]  # fmt: skip
    assert sorted(made.left_out.values()) == [1, 1]


def test_a_match_begins_with_the_words_of_the_recipe() -> None:
    seed = seed_of(next(positions(["nim"], [1], 1)))
    row, _ = game(seed, lambda question: "```\nno move\n```")
    player = Player(Match("nim", 1, 0, "greedy"))
    assert player.said == row.messages[0].content
    assert player.answer("no block") and player.said == row.messages[2].content
    assert not player.answer("no block again") and player.won == 0


def test_each_match_is_another_instance_and_the_solution_of_a_puzzle_wins_it() -> None:
    drawn = games(played_row("sudoku", 1), count=6)
    assert len({each.instruction for each in drawn}) == 6
    for each in drawn:
        assert wins(each.match, each.reference)
        assert not wins(each.match, json.dumps(json.loads(each.reference)[:-1]))


def test_a_game_of_two_is_answered_by_the_opponent_and_has_no_solution() -> None:
    [match] = games(played_row("nim", 1), count=1)
    assert match.reference == "[]"
    player, said = Player(match.match), [match.instruction]
    while player.answer(nim(said[-1])):
        said.append(player.said)
        assert "I played take" in player.said
    assert player.won in (0, 1)


def test_every_world_is_played_to_its_end_as_a_match() -> None:
    for name in NAMES:
        player, rng = Player(Match(name, 1, 1, "random")), random.Random(0)
        game, goes_on = player.turns.game, True
        for _ in range(300):
            move = by_chance(game.world, game.state, rng) if goes_on else ""
            goes_on = goes_on and player.answer(f"```\n{move}\n```")
        assert 0 <= player.won <= 1 and (game.is_over or game.world.solvable), name

"""What holds of every world: its instances, its moves, its levels and its baselines."""

from __future__ import annotations

import ast
import math
import pickle
import random
import re
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from pipelines.benches.measures.referees import REFEREES
from transforms.worlds import LEVELS, NAMES, PUZZLES, Fact, IllegalMove, World, manual, world
from transforms.worlds.instances import positions
from transforms.worlds.players import PLAYERS, by_chance, difficulty, greedy, mean_score, play_out
from transforms.worlds.questions import Position, refused

SEEDS = range(8)


@cache
def instances(name: str, level: int) -> list[Any]:
    return [world(name).generate(seed, level) for seed in SEEDS]


@cache
def states(name: str) -> list[Any]:
    """States of games of several instances at all levels, played at random."""
    made = world(name)
    found = []
    for level in LEVELS:
        for seed, state in enumerate(instances(name, level)[:3]):
            rng = random.Random(seed)
            found.append(state)
            for _ in range(12):
                if not (legal := made.legal(state)):
                    break
                state = made.step(state, rng.choice(legal))
                found.append(state)
    return found


@pytest.fixture(params=NAMES)
def made(request: pytest.FixtureRequest) -> World[Any]:
    return world(request.param)


def test_an_instance_is_decided_by_seed_and_level_and_is_not_over(made: World[Any]) -> None:
    for level in LEVELS:
        first = instances(made.name, level)
        assert first[2] == made.generate(2, level)
        assert all(made.legal(state) and made.score(state) < 1 for state in first)


def repeats(instances: list[Any]) -> int:
    return len(instances) - len(set(instances))


def test_seeds_give_the_same_instance_no_more_often_than_chance(made: World[Any]) -> None:
    """Chance: as many draws from one generator that goes on."""
    for level in (1, 5):
        rng, drawn = random.Random(made.name), []
        while len(drawn) < len(SEEDS):
            drawn += filter(None, [made.start(rng, level)])
        chance = repeats(drawn)
        assert repeats(instances(made.name, level)) <= chance + 4 * math.sqrt(chance + 1)


def test_states_are_plain_hashable_values(made: World[Any]) -> None:
    for state in states(made.name):
        assert hash(state) == hash(pickle.loads(pickle.dumps(state)))
        seen = made.view(state)
        assert ast.literal_eval(repr(seen)) == seen


def test_what_is_hidden_is_not_in_what_players_see(made: World[Any]) -> None:
    for state in states(made.name):
        assert not {*made.hidden, "seed"} & made.view(state).keys()


def test_examples_of_the_rules_are_what_the_engine_does(made: World[Any]) -> None:
    assert made.examples
    for example in made.examples:
        after = made.replay(example.state, example.moves)
        assert made.render(after).strip("\n") == example.text.strip("\n")
        assert example.text.strip("\n") in manual(made)
        for move in example.refused:
            with pytest.raises(IllegalMove):
                made.step(example.state, move)


def test_a_referee_who_has_read_the_rules_allows_what_the_engine_does(made: World[Any]) -> None:
    """A random legal move and a random illegal one of each state, which others of the world make
    legal."""
    rng = random.Random(0)
    known = sorted({move for state in states(made.name) for move in made.legal(state)})
    known += [move for example in made.examples for move in example.refused]
    allows = REFEREES[made.name]
    refused = 0
    for state in states(made.name):
        legal = made.legal(state)
        if not legal:
            continue
        seen = made.view(state)
        assert allows(seen, rng.choice(legal))
        illegal = [move for move in rng.sample(known, min(20, len(known))) if move not in legal]
        for move in illegal:
            refused += 1
            assert not allows(seen, move)
    assert refused


def test_an_illegal_move_is_refused_and_changes_nothing(made: World[Any]) -> None:
    known = sorted({move for state in states(made.name) for move in made.legal(state)})
    rng = random.Random(1)
    for state in states(made.name)[::4]:
        before, legal = pickle.dumps(state), made.legal(state)
        for move in (*rng.sample(known, min(3, len(known))), "", "no move"):
            if move not in legal:
                with pytest.raises(IllegalMove):
                    made.step(state, move)
                assert made.read(state, move) is None
        assert pickle.dumps(state) == before


def test_a_legal_move_reads_back_from_its_text(made: World[Any]) -> None:
    for state in states(made.name)[::2]:
        legal = made.legal(state)
        assert len(set(legal)) == len(legal)
        for move in legal[:3]:
            assert made.read(state, f"  {move.upper()}.\n") == move


def test_a_game_that_is_replayed_has_the_score_that_was_recorded(made: World[Any]) -> None:
    for seed, level in enumerate(LEVELS):
        start = instances(made.name, level)[seed]
        played = play_out(made, start, (greedy, by_chance), random.Random(seed), 200)
        again = made.replay(start, played.moves)
        assert again == played.state and made.score(again) == made.score(played.state)
        assert 0 <= made.score(again) <= 1


def test_every_score_is_a_share(made: World[Any]) -> None:
    assert all(0 <= made.score(state) <= 1 for state in states(made.name))


@pytest.mark.parametrize("name", PUZZLES)
def test_every_instance_of_a_puzzle_is_solved_by_its_solver(name: str) -> None:
    made = world(name)
    assert made.solvable and made.players == 1 and not made.chance and not made.hidden
    for level in LEVELS:
        for start in instances(name, level):
            solution = made.solve(start)
            assert solution is not None
            end = made.replay(start, solution)
            assert made.over(end) and made.score(end) == 1


def test_levels_grow_harder_by_the_worlds_own_measure(made: World[Any]) -> None:
    count = 80 if made.harder == "random" else 0  # of luck there has to be more
    measured = [
        difficulty(
            made, instances(made.name, level) + [made.generate(n, level) for n in range(count)]
        )
        for level in LEVELS
    ]
    assert all(one < other for one, other in pairwise(measured)), measured


def test_every_baseline_plays_legal_moves(made: World[Any]) -> None:
    start, rng = instances(made.name, 1)[0], random.Random(0)
    for player in PLAYERS.values():
        assert player(made, start, rng) in made.legal(start)


@pytest.mark.parametrize(
    "name", ["same_game", "graph_colouring", "sudoku", "peg_solitaire", "packing"]
)
def test_a_greedy_player_scores_more_than_chance_where_every_game_scores_something(
    name: str,
) -> None:
    made = world(name)
    starts = [made.generate(seed, 3) for seed in range(24)]
    assert mean_score(made, "greedy", starts) > mean_score(made, "random", starts)


def test_the_facts_of_a_position_are_plain_and_can_be_asked(made: World[Any]) -> None:
    for state in states(made.name)[::7]:
        facts = made.facts(state)
        assert facts and {type(Fact.of(each).answer) for each in facts.values()} <= {int, str}


def test_a_fact_that_is_not_printed_says_how_it_follows(made: World[Any]) -> None:
    for state in states(made.name)[::7]:
        for what, fact in made.facts(state).items():
            answer, how = Fact.of(fact)
            is_shown = re.search(rf"\b{answer}\b", made.render(state))
            assert isinstance(answer, str) or how or answer == 0 or is_shown, what


def test_a_rule_is_named_for_every_move_that_is_illegal_and_for_no_other(made: World[Any]) -> None:
    rng = random.Random(0)
    for state in filter(made.legal, states(made.name)[::5]):
        assert not any(made.why(state, move) for move in made.legal(state)[:50])
        illegal = refused(Position(made, state, state), rng)
        assert all(made.why(state, move) for move in illegal)


def test_a_world_is_found_by_name_or_import_path() -> None:
    assert world("hanoi") is world("transforms.worlds.hanoi.WORLD")
    with pytest.raises(ValueError, match="no world chess: use one of freecell, "):
        world("chess")


def test_there_are_ten_puzzles_and_fifteen_games_of_each_sort() -> None:
    worlds = list(map(world, NAMES))
    assert len(PUZZLES) >= 10 and len(NAMES) - len(PUZZLES) >= 15
    assert {(w.players, w.chance) for w in worlds} == {(n, c) for n in (1, 2) for c in (0, 1)}


def test_instances_that_look_the_same_are_seeds_of_their_own() -> None:
    drawn = list(positions(["mastermind", "battleship"], [1], 5))
    assert len({row["problem"] for row in drawn}) == len(drawn) > 5


def test_a_level_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="level=6: use 1 to 5"):
        world("nim").generate(0, 6)

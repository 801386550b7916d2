"""code2logic: of each question's options one alone is true, and the engine shows why."""

from __future__ import annotations

import io
import json
import random
import re
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from pipelines.synthesize import synthesize
from tests.recipes.execution.playing import played, stage
from tests.settings_for_tests import composed
from transforms.engine.ids import canonical_json
from transforms.engine.records import Seed
from transforms.models.episode import play
from transforms.stages.graders import grade
from transforms.worlds import NAMES, Fact, world
from transforms.worlds.base import place
from transforms.worlds.instances import positions
from transforms.worlds.players import values
from transforms.worlds.questions import KINDS, Position, ask, midgame


def seed_of(row: dict[str, Any]) -> Seed:
    more = canonical_json({name: row[name] for name in ("level", "seed")})
    words = {name: row[name] for name in ("problem", "kind", "license")}
    return Seed.make(**words, source="tests", metadata=more)


@pytest.fixture(scope="module")
def rows() -> list[Any]:
    seeds = [seed_of(row) for row in positions(NAMES, levels=(1, 2), count=1)]
    asked, rejected = played(stage("code2logic", "ask", "recipe.stages.ask.questions=6"), *seeds)
    assert rejected == []
    return asked


def facts_of(row: Any) -> tuple[Any, Any, list[str], str]:
    """The world, the state that is asked about, the options and the right one."""
    shown = json.loads(row.shown)
    made = world(shown["world"])
    state = made.replay(made.generate(shown["seed"], shown["level"]), shown["made"])
    assert made.render(state) == shown["position"]
    options = shown["options"]
    return made, state, options, options[int(json.loads(row.answer)[0]) - 1]


def of_kind(rows: list[Any], kind: str) -> list[Any]:
    found = [row for row in rows if row.task == kind]
    assert len({json.loads(row.shown)["world"] for row in found}) >= 5
    return found


def test_there_are_questions_of_every_kind_about_every_world(rows: list[Any]) -> None:
    assert {row.task for row in rows} == set(KINDS)
    assert {json.loads(row.shown)["world"] for row in rows} == set(NAMES)


def test_the_right_option_is_accepted_and_every_other_is_not(rows: list[Any]) -> None:
    for row in rows[::9]:
        said, gold = row.messages[-1].content, int(json.loads(row.answer)[0])
        assert play(grade(row, said)).result.score == 1
        for number in range(1, len(json.loads(row.shown)["options"]) + 1):
            score = play(grade(row, f"```\n{number}\n```")).result.score
            assert score == (number == gold)


def test_each_place_is_the_right_one_about_equally_often(rows: list[Any]) -> None:
    places = Counter(json.loads(row.answer)[0] for row in rows)
    assert max(places.values()) < 2 * min(places[number] for number in "123")


def test_of_moves_exactly_one_is_legal_or_illegal(rows: list[Any]) -> None:
    for row in [*of_kind(rows, "legal"), *of_kind(rows, "illegal")]:
        made, state, options, right = facts_of(row)
        wanted = row.task == "legal"
        assert [each for each in options if (each in made.legal(state)) is wanted] == [right]


def test_each_option_is_said_to_be_legal_or_to_break_a_rule(rows: list[Any]) -> None:
    for row in [*of_kind(rows, "legal"), *of_kind(rows, "illegal")]:
        made, state, options, _ = facts_of(row)
        said = row.messages[-1].content.split("\n\n")[0].split("\n")
        for option, line in zip(options, said, strict=True):
            reason = f"illegal: {made.why(state, option)}" if made.why(state, option) else "legal"
            assert line == f"`{option}` is {reason}."


def test_a_jump_that_has_to_be_made_is_named() -> None:
    draughts = world("draughts")
    state = draughts.examples[0].state
    reason = draughts.why(state, "b3 to a2")
    assert reason == "x can jump, as by `b3 to d1`, and has to"


def test_the_count_is_that_of_the_legal_moves(rows: list[Any]) -> None:
    for row in of_kind(rows, "count"):
        made, state, options, right = facts_of(row)
        assert int(right) == len(made.legal(state)) and options.count(right) == 1


def test_the_moves_that_are_counted_are_named_ten_a_line(rows: list[Any]) -> None:
    for row in of_kind(rows, "count"):
        made, state, *_ = facts_of(row)
        first, _, lines = row.messages[-1].content.split("\n\n")[0].partition("\n")
        assert first == "Legal here:"
        assert tuple(re.findall("`([^`]*)`", lines)) == made.legal(state)
        assert all(line.count("`") <= 20 for line in lines.split("\n"))
        _, *contrasts, _, _, _ = row.messages[-1].content.split("\n\n")
        for line in contrasts[0].split("\n")[1:] if contrasts else ():
            move, _, reason = line[1:].partition("`: ")
            assert reason == made.why(state, move) != ""


def test_replaying_the_moves_of_an_analysis_reaches_its_positions_and_the_option(
    rows: list[Any],
) -> None:
    for row in of_kind(rows, "after"):
        made, state, options, right = facts_of(row)
        said = row.messages[-1].content.rpartition("\n\nSo option")[0]
        steps = re.split(r"(?:^|\n\n)After `([^`]*)`:\n", said)[1:]
        for move, position in zip(steps[::2], steps[1::2], strict=True):
            state = made.step(state, move)
            assert made.render(state) == position
        assert made.render(state) == right and options.count(right) == 1
        assert steps[::2] == re.findall("`([^`]*)`", json.loads(row.shown)["question"])


def test_the_best_move_is_better_than_every_other_option(rows: list[Any]) -> None:
    for row in of_kind(rows, "best"):
        made, state, options, right = facts_of(row)
        worth = values(made, state, options)
        assert worth is not None
        assert all(worth[each] < worth[right] for each in options if each != right)


def test_the_moves_after_each_option_lead_to_what_it_is_said_to_be_worth(rows: list[Any]) -> None:
    shown = 0
    for row in of_kind(rows, "best"):
        made, state, options, _ = facts_of(row)
        steps = row.messages[-1].content.split("\n\n")[:-2]
        for step in steps:
            move, *line = re.findall("`([^`]*)`", step)
            assert move in options
            end = made.replay(state, (move, *line))
            if made.players == 2:
                assert made.over(end) and step.endswith(f"score is {made.score(end):.3g}.")
            elif "no moves lead" not in step:
                shown += len(line)
                assert made.score(end) == 1 and (
                    "needed" not in step or f"{len(line)} more" in step
                )
    assert shown > 10


def test_what_is_read_is_what_the_position_has(rows: list[Any]) -> None:
    for row in of_kind(rows, "reading"):
        made, state, options, right = facts_of(row)
        asked = json.loads(row.shown)["question"].removeprefix("What is ").removesuffix("?")
        assert str(Fact.of(made.facts(state)[asked]).answer) == right and options.count(right) == 1


def positions_of(name: str) -> list[Position]:
    made, found = world(name), []
    for level, number in product((1, 2, 3), range(8)):
        start = made.generate(number, level)
        found.append(Position(made, start, midgame(made, start, random.Random(number), 6)[1]))
    return found


HITORI = world("hitori")


def on_board(at: Position, move: str) -> bool:
    row, column = place(move)
    return max(row, column) < at.state.side


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("minesweeper", on_board),
        ("mastermind", lambda at, move: set(move) <= set(at.state.letters)),
        ("tic_tac_toe", lambda at, move: max(place(move)) < len(at.state.rows)),
    ],
)
def test_a_move_that_is_not_legal_does_not_show_it_by_its_form(name: str, fits: Any) -> None:
    asked = 0
    for at in positions_of(name):
        for kind in ("legal", "illegal"):
            if choice := ask(at, kind, random.Random(0)):
                asked += 1
                assert all(fits(at, move) for move in choice.options)
    assert asked > 10


def test_what_is_asked_for_comes_last_in_an_analysis(rows: list[Any]) -> None:
    for row in of_kind(rows, "reading"):
        *_, right = facts_of(row)
        asked = json.loads(row.shown)["question"].removeprefix("What is ").removesuffix("?")
        last = row.messages[-1].content.split("\n\n")[-3]
        assert re.fullmatch(rf"{re.escape(asked)} is {right}(: .*)?\.", last, re.IGNORECASE)


def test_a_sum_is_what_its_analysis_adds(rows: list[Any]) -> None:
    sums = [
        found
        for row in of_kind(rows, "reading")
        for found in re.findall(r" is (\d+): ([\d +-]+)\.", row.messages[-1].content)
    ]
    assert len(sums) > 10
    for total, terms in sums:
        signed = re.findall(r"[+-]?\d+", terms.replace(" ", ""))
        assert int(total) == sum(map(int, signed))


def test_the_sum_of_a_row_is_that_of_the_numbers_that_are_shown() -> None:
    state = HITORI.replay(HITORI.examples[0].state, ("a1",))
    assert Fact.of(HITORI.facts(state)["the sum of the unshaded numbers in row 1"]) == (3, "1 + 2")


def test_how_many_moves_are_legal_is_not_asked_where_the_rules_alone_say_it() -> None:
    for name in ("blackjack", "lights_out"):
        assert not any(ask(at, "count", random.Random(0)) for at in positions_of(name))
    assert any(ask(at, "count", random.Random(0)) for at in positions_of("pig"))


def test_a_count_of_codes_follows_from_what_was_told_of_each_guess() -> None:
    what = "the number of codes that fit all that was told"
    for at in positions_of("mastermind")[:16]:
        count, how = Fact.of(at.world.facts(at.state)[what])
        if at.state.guesses:
            assert len(how.rpartition(" leaves ")[2].split(", ")) == count
        guesses = re.findall("`([a-l]+)` leaves", how)
        assert guesses == [guess for guess, _, _ in at.state.guesses]


def test_a_seed_that_is_no_instance_is_rejected() -> None:
    other = Seed.make(problem="?", source="tests", license="MIT", kind="hanoi")
    assert played(stage("code2logic", "ask"), other)[1] == ["no_instance"]


def test_the_recipe_runs_from_instances_to_rows_and_twice_to_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        settings = composed(
            "recipe=code2logic", "source=function",
            "source.function=transforms.worlds.instances.positions",
            "source.arguments={worlds: [hanoi, reversi, pig], levels: [1], count: 3}",
            f"runner.workers={workers}", f"output_dir={folder}",
        )  # fmt: skip
        synthesize(settings, Console(file=io.StringIO()))
        written.append([path.read_bytes() for path in sorted((folder / "data").iterdir())])
        rows = pl.read_parquet(folder / "data" / "*.parquet").to_dicts()
        assert len(rows) > 15 and {row["license"] for row in rows} == {"Apache-2.0"}
    assert written[0] == written[1]

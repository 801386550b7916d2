"""A seed with other numbers says throughout what its program computes."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.recipes.augment.seeds import AUGMENTATION, PENCILS, judged, variants
from transforms.engine.accounting import Verdict
from transforms.engine.records import Seed
from transforms.recipes.augment.explanation import RedrawReason
from transforms.recipes.augment.rewrite import false_equation, plan_redraws


def test_problem_solution_code_and_answer_speak_of_one_input():
    made = variants(PENCILS)
    assert len(made) == AUGMENTATION.rows_per_seed
    for row in made:
        boxes, per_box, pupils, each = json.loads(row.input).values()
        total, given = boxes * per_box, pupils * each
        assert f"opens {boxes} boxes" in row.problem
        assert f"There are {per_box} pencils" in row.problem
        assert f"{boxes} × {per_box} = {total} pencils" in row.solution
        assert f"{total} − {given} = {total - given} pencils left" in row.solution
        assert row.solution.endswith(f"The answer is {total - given}.")
        assert row.answer == row.output == str(total - given)
        assert row.seed_ids == (PENCILS.id,) and row.kind == "arithmetic"


def test_rows_are_the_same_in_every_run_and_differ_from_each_other():
    one, other = variants(PENCILS), variants(PENCILS)
    assert one == other
    assert len({row.problem for row in one} | {PENCILS.problem}) == len(one) + 1


def test_another_seed_of_the_drawing_gives_other_rows():
    other = AUGMENTATION.model_copy(update={"seed": 1})
    assert {row.id for row in variants(PENCILS)} != {row.id for row in variants(PENCILS, other)}


def test_a_number_that_could_mean_two_things_keeps_its_value_or_the_redraw_is_refused():
    seed = replace(
        PENCILS, solution=PENCILS.solution.replace("The boxes hold", "There are 5 rows. They hold")
    )
    found = judged(seed)
    rows = [record for record, verdict in found if verdict.kept]
    assert rows and all(json.loads(row.input)["pencils_each"] == 5 for row in rows)
    assert RedrawReason.AMBIGUOUS_NUMBER in {verdict.reason for _, verdict in found}


def test_a_seed_whose_solution_holds_an_unknown_number_is_refused():
    seed = replace(PENCILS, solution=PENCILS.solution.replace("The boxes", "On day 873 the boxes"))
    [(record, verdict)] = judged(seed)
    assert (record, verdict.reason, verdict.detail) == (
        seed,
        RedrawReason.UNEXPLAINED_NUMBER,
        "873",
    )


def test_a_check_that_cannot_be_explained_is_left_out():
    solution = PENCILS.solution.replace("left over.\n", "left over. Check: 873 − 1 = 872.\n")
    made = variants(replace(PENCILS, solution=solution))
    assert made and not any("Check" in row.solution for row in made)


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"code": None}, "no program"),
        ({"solution": None}, "no worked solution with its answer in the last line"),
        ({"solution": "It is 14."}, "no worked solution with its answer in the last line"),
        ({"code": PENCILS.code.replace("= {", "= 1 and {")}, "not a literal"),
        ({"problem": "How many are left?"}, "states no value"),
    ],
)
def test_a_seed_that_has_nothing_to_redraw_says_why(changes, detail):
    verdict = plan_redraws(replace(PENCILS, **changes), AUGMENTATION)
    assert isinstance(verdict, Verdict) and verdict.reason is RedrawReason.NOT_REDRAWABLE
    assert detail in verdict.detail


TEAMS = Seed.make(
    problem="Each of 12 teams has 5 players, i.e. 60 players, and 7 referees come. How many?",
    answer="67",
    code="""input = {"teams": 12, "players": 5, "referees": 7}

def solution(teams, players, referees):
    # all who play
    playing = teams * players
    return playing + referees

output = solution(**input)
""",
    solution="The players are 12 × 5 = 60. That makes 60 + 7 = 67 people.\nThe answer is 67.",
    source="test",
    license="CC0-1.0",
)


@pytest.mark.parametrize(
    "problem",
    [
        TEAMS.problem,
        "There are 12 teams of 5 players (60 players in all), and 7 referees come. How many?",
        "Each of 12 teams has 5 players, so 60 people play, and 7 referees come. How many people?",
        "Each of 12 teams has 5 players. The 60 players meet 7 referees. How many people?",
        "60 players come in 12 teams of 5, with 7 referees. How many people?",
        r"There are $12$ teams of $5$ players, $12 \times 5 = 60$ in all, and $7$ more. How many?",
    ],
)
def test_a_number_that_the_problem_derives_follows_the_others(problem):
    rows = variants(replace(TEAMS, problem=problem))
    assert rows
    for row in rows:
        teams, players, _ = json.loads(row.input).values()
        assert re.search(rf"\b{teams * players}\b", row.problem)


def test_a_problem_that_derives_a_number_in_words_is_refused():
    [(_, verdict)] = judged(replace(TEAMS, problem=TEAMS.problem.replace("60", "sixty")))
    assert (verdict.reason, verdict.detail) == (RedrawReason.UNEXPLAINED_NUMBER, "sixty")


@pytest.mark.parametrize(
    ("worked", "rewritten"),
    [
        (r"We have $12 \times 5 = 60$ and $60 + 7 = 67$.", r"{p} + {c} = {o}"),
        (r"So \(12 \cdot 5 = 60\), then \[60 + 7 = \boxed{67}.\]", r"{p} + {c} = \boxed{{{o}}}"),
        (r"It is $\frac{12}{2} \times 10 = 60$, and $60 + 7 = 67$.", r"= {p}$"),
        (
            "12 teams × 5 players = 60 players, and 60 players + 7 referees = 67 people.",
            "{p} players",
        ),
        (
            r"12 × \$5.00 = \$60.00, and \$60.00 + \$7.00 = \$67.00.",
            r"\${p}.00 + \${c}.00 = \${o}.00",
        ),
    ],
)
def test_steps_in_latex_with_units_and_with_money_are_rewritten(worked, rewritten):
    problem = TEAMS.problem.replace(", i.e. 60 players", "")
    rows = variants(replace(TEAMS, problem=problem, solution=f"{worked}\nThe answer is 67."))
    assert rows
    for row in rows:
        a, b, c = json.loads(row.input).values()
        assert rewritten.format(p=a * b, c=c, o=a * b + c) in row.solution


def test_one_is_not_written_where_a_plural_follows():
    assert not any(" 1 pencils" in row.solution for row in variants(PENCILS))


def test_a_division_that_does_not_end_is_rounded_and_said_to_be():
    seed = replace(
        PENCILS,
        problem="A car drives 90 km in 4 hours. How many km is that an hour, to 2 decimal places?",
        answer="22.5",
        code='input = {"km": 90, "hours": 4}\n\ndef solution(km, hours):\n'
        "    speed = km / hours\n    return round(speed, 2)\n\noutput = solution(**input)\n",
        solution="It is 90 ÷ 4 = 22.5 km an hour.\nThe answer is 22.5.",
    )
    texts = [row.solution for row in variants(seed)]
    assert any("≈" in text for text in texts) and any("≈" not in text for text in texts)
    assert all(false_equation(text) is None for text in texts)


@settings(max_examples=200)
@given(st.integers(1, 999), st.integers(1, 999), st.integers(-1, 1))
def test_a_false_equation_is_named(a, b, off):
    equation = f"{a} × {b} = {a * b + off}"
    assert false_equation(f"It has {equation} pencils.") == (equation if off else None)


@pytest.mark.parametrize(
    ("text", "true"),
    [
        ("The fraction is 15/220, and dividing both by 5 gives 3/44.", True),
        ("The fraction is 15/220, and dividing both by 5 gives 3/40.", False),
        ("The fraction is 3/44, and dividing both by 1 gives 3/44.", False),
        ("That is 2820 ÷ 180 = 15 remainder 120.", True),
    ],
)
def test_fractions_and_remainders_are_checked_as_such(text, true):
    assert (false_equation(text) is None) is true

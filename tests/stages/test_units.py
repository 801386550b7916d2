"""An answer with a unit is right in any unit of its dimension, and in no other."""

from __future__ import annotations

import ast
import copy
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import combinations
from typing import Any

import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.recipes.playing import player, sandbox
from tests.stages.test_graders import TASK
from tests.stages.trajectories.talking import SEED
from transforms.models.episode import side_by_side
from transforms.sandbox.jobs import Job, Status
from transforms.stages.graders import Fault, Mark, agrees_in_units, grade
from transforms.text.answers.units import conversion_program, is_same_value, read_measure

GOLD = {"value": 12.5, "unit": "N*m", "tolerance": 1e-3}


def marks(gold: Any, *answers: str) -> list[Mark]:
    """The marks of responses that state an answer."""
    task = replace(TASK, grader="units", answer=json.dumps(gold))
    return player()(side_by_side(grade(task, answer) for answer in answers))


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (r"So \boxed{12.5\ \mathrm{N\cdot m}}.", None),
        ("The answer is 1250 N·cm.", None),
        ("It is so.\n```\n0.0125 kN*m\n```", None),
        ("The answer is 12.5 Nm.", None),
        ("The answer is 12.5 J.", None),
        ("The answer is 12.50 kg m^2/s^2.", None),
        ("The answer is 12.6 N m.", Fault.WRONG_ANSWER),
        ("The answer is -12.5 N m.", Fault.WRONG_ANSWER),
        ("The answer is 12.5 N.", Fault.WRONG_UNIT),
        ("The answer is 12.5.", Fault.WRONG_UNIT),
        ("The answer is 12.5 apples.", Fault.WRONG_UNIT),
        (r"\boxed{9**9**8 N m}", Fault.NO_ANSWER),
        (r"\boxed{nan N m}", Fault.NO_ANSWER),
        ("I do not know.", Fault.NO_ANSWER),
    ],
)
def test_the_dimension_decides_first_and_then_the_value(answer: str, fault: Any) -> None:
    [mark] = marks(GOLD, answer)
    assert (mark.fault, mark.score) == (fault, float(fault is None))


def test_temperatures_and_ratios_are_converted_too() -> None:
    warm = {"value": 310.15, "unit": "K", "tolerance": 1e-6}
    assert [mark.score for mark in marks(warm, "Answer: 37 °C", "Answer: 37 K")] == [1, 0]
    share = {"value": 0.45, "unit": "", "tolerance": 1e-6}
    texts = ("Answer: 45 %", "Answer: 0.45", "Answer: 45")
    assert [mark.score for mark in marks(share, *texts)] == [1, 1, 0]


def test_a_seed_that_states_a_quantity_is_graded_in_any_conversation() -> None:
    seed = replace(SEED, answer="1.5 kN")
    scores = [player()(agrees_in_units(seed, text)) for text in ("1500 N", "1.5 N", "1500 m")]
    assert scores == [1.0, 0.0, 0.0]


def test_what_a_wrong_unit_was_is_seen_and_the_right_one_is_not() -> None:
    [mark] = marks(GOLD, "The answer is 3 parsnips.")
    assert mark.seen == "there is no such unit"


NAMES = st.sampled_from(["m", "kg", "s", "N", "Pa", "K", "mol", "A"])
UNITS = st.lists(st.tuples(NAMES, st.integers(1, 3)), min_size=1, max_size=4).map(
    lambda parts: "*".join(f"{name}**{power}" for name, power in parts)
)
NUMBERS = st.integers(1, 99_999).map(lambda digits: digits / 1000)


@given(NUMBERS, UNITS)
def test_a_written_quantity_is_read_as_it_was_written(value: float, unit: str) -> None:
    latex = unit.replace("**", "^").replace("*", r"\cdot ")
    for text in (f"{value} {unit}", rf"${value}\ \mathrm{{{latex}}}$"):
        read = read_measure(text)
        assert read is not None and (read.value, read.unit) == (value, unit)


CRAFTED = [
    *("9**9**8 m", "1 m**9**9**9", "1 (((m**99)**99)**99)**99", "1 m**(9**9**9)", "1e999999999 m"),
    *("1 " + "(" * 70 + "m", "1 " + "m*" * 39 + "m", "1 " + "k" * 80, "9" * 10_000 + " m"),
    *("1 __import__('os').system('x')", "1 m; import os", "1 {m}", "1 lambda", "1 m if m else m"),
    *("1 " + "\\frac{" * 300, "1 m**-99/m**99", "1 yottaquetta", "0 m/0", "1/0 m", "1 m.real"),
    *("1 " + "per " * 19, "1 m" + "²" * 300, "1 eval", "1 degC*degC", "1 degC**99"),
]  # fmt: skip


def test_no_crafted_unit_takes_longer_than_a_moment() -> None:
    read = [measure for text in CRAFTED if (measure := read_measure(text)) is not None]
    assert len(read) > 5
    jobs = [Job(conversion_program([(measure, "m")])) for measure in read]
    results = [sandbox().submit(job).result() for job in jobs]
    assert {result.status for result in results} == {Status.OK}


FORMULAS = {
    "(forearm*g*near + load*g*far)/(arm*area)": {
        "forearm": "1.6 kg", "g": "9.81 m/s**2", "near": "17 cm", "load": "5.2 kg", "far": "36 cm",
        "arm": "4.1 cm", "area": "3.2 cm**2",
    },
    "force*length**3/(3*modulus*(width*height**3/12))": {
        "force": "120 N", "length": "1.3 m", "modulus": "11 GPa", "width": "45 mm",
        "height": "95 mm",
    },
    "3.14159*(before - after)*radius**4/(8*viscosity*way)*duration*density": {
        "before": "95 mmHg", "after": "40 mmHg", "radius": "2.1 mm", "viscosity": "3.5 mPa*s",
        "way": "12 cm", "duration": "90 s", "density": "1060 kg/m**3",
    },
    "pressure*volume/(gas*hot)*mass/dose": {
        "pressure": "2.3 bar", "gas": "8.314 J/(mol*K)", "hot": "310 K", "volume": "5.5 L",
        "mass": "44 g/mol", "dose": "3.1 g/s",
    },
    "mass*(2*g*drop)**0.5/duration + mass*g": {
        "mass": "72 kg", "g": "9.81 m/s**2", "drop": "0.6 m", "duration": "0.12 s",
    },
    "strong*some/(some + more)*molar*flow/clearance": {
        "strong": "2.2 mol/L", "some": "30 mL", "more": "180 mL", "molar": "58.44 g/mol",
        "flow": "4 mL/min", "clearance": "0.7 m**2",
    },
}  # fmt: skip
"""Elbow statics, a cantilever, Poiseuille's flow, a gas, an impact, a dilution."""


OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div)


def one_place_mutants(formula: str) -> Iterator[tuple[str, str]]:
    """Yields (kind, formula) for each change of an operator, operand, number or pair of names."""
    tree = ast.parse(formula, mode="eval")
    nodes = list(ast.walk(tree))

    def mutant(place: int, change: Callable[[Any], ast.expr]) -> str:
        made = copy.deepcopy(tree)
        node = list(ast.walk(made))[place]
        new = change(node)
        for parent in ast.walk(made):
            for name, value in ast.iter_fields(parent):
                if value is node:
                    setattr(parent, name, new)
        return ast.unparse(made)

    def with_operator(operator: type[ast.operator]) -> Callable[[Any], ast.expr]:
        return lambda node: ast.BinOp(node.left, operator(), node.right)

    for place, node in enumerate(nodes):
        if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Pow):
            for operator in OPERATORS:
                if type(node.op) is not operator:
                    yield "operator", mutant(place, with_operator(operator))
            yield "operand", mutant(place, lambda node: node.left)
            yield "operand", mutant(place, lambda node: node.right)
        elif isinstance(node, ast.Constant):
            yield "number", mutant(place, lambda node: ast.Constant(node.value + 1))
    names = sorted({node.id for node in nodes if isinstance(node, ast.Name)})
    for one, other in combinations(names, 2):
        swapped = re.sub(r"\w+", lambda m, a=one, b=other: {a: b, b: a}.get(m[0], m[0]), formula)
        yield "swap", swapped


def is_equivalent(formula: str, other: str, values: Iterable[str]) -> bool:
    """Whether two formulas are the same algebra, such as a product with its factors swapped."""
    plain = {name: 1.5 + 0.37 * place**1.3 for place, name in enumerate(values)}
    with suppress(ZeroDivisionError):
        return math.isclose(eval(formula, {}, plain), eval(other, {}, plain), rel_tol=1e-12)
    return False


def computed(formula: str, values: dict[str, str]) -> str | None:
    """What a formula gives, as a text; None where it cannot be computed."""
    quantities = {name: pint.Quantity(text) for name, text in values.items()}
    try:
        result = pint.Quantity(eval(formula, {}, quantities)).to_base_units()
    except (pint.DimensionalityError, ZeroDivisionError):
        return None
    return f"{result.magnitude:.12g} {result.units:C}"


def test_units_find_most_mutants_of_six_formulas_and_values_the_others() -> None:
    found: Counter[tuple[str, str]] = Counter()
    for formula, values in FORMULAS.items():
        changed = one_place_mutants(formula)
        mutants = [each for each in changed if not is_equivalent(formula, each[1], values)]
        gold = read_measure(computed(formula, values) or "")
        said = [computed(mutant, values) for _, mutant in mutants]
        read = [read_measure(text) for text in said if text is not None]
        assert gold is not None and None not in read
        job = Job(conversion_program([(each, gold.unit) for each in read if each is not None]))
        ends = iter(json.loads(sandbox().submit(job).result().output or ""))
        for (kind, _), text in zip(mutants, said, strict=True):
            end = None if text is None else next(ends)
            if not isinstance(end, list):
                found[kind, "dimension"] += 1
            else:
                found[kind, "right" if is_same_value(*end, gold.value, 1e-6) else "value"] += 1
    by_dimension = sum(count for (_, how), count in found.items() if how == "dimension")
    assert found.total() >= 271 and by_dimension / found.total() >= 226 / 271
    assert not [kind for kind, how in found if how == "right"]

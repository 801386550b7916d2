"""biomechanics: quantities that hold together in any units, and statements that a text decides."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from tests.recipes.execution.playing import played
from tests.recipes.execution.playing import stage as made
from tests.recipes.playing import in_all_ways, player, stage
from tests.stages.trajectories.talking import once, script
from tests.stages.trajectories.talking import played as talked
from transforms.engine.records import Seed
from transforms.recipes.biomechanics import problems
from transforms.recipes.concepts import statements
from transforms.stages.graders import grade
from transforms.text.answers.units import read_measure


def seed(row: dict[str, str], **changes: Any) -> Seed:
    known = {name: row.get(name) for name in ("problem", "code", "answer", "kind")}
    other = {name: text for name, text in row.items() if name not in {*known, "license"}}
    metadata = json.dumps(other)
    return Seed.make(**{**known, **changes}, source="s", license="MIT", metadata=metadata)  # type: ignore[arg-type]


ROWS = list(problems(15))
ELBOW = ROWS[0]["code"]


@cache
def tasks() -> list[Any]:
    return played(made("biomechanics", "units"), *map(seed, ROWS))[0]


def test_every_law_that_ships_makes_problems_whose_units_hold_together() -> None:
    assert len(tasks()) == len({row["kind"] for row in ROWS}) == 15
    for task in tasks():
        answer, shown = json.loads(task.answer), json.loads(task.shown)
        assert len(shown["variants"]) >= 2 and 1e-3 <= answer["tolerance"] <= 1e-2


UNHELD = [
    ("result = g", "near = Quantity(near.magnitude / 100, 'm'); result = g", "unit_dependent"),
    ("(forearm * near", "(forearm.magnitude * Quantity('1 kg') * near", "unit_dependent"),
    ("(forearm * near + load * far)", "(load * far)", "unused_given"),
    ("forearm * near", "forearm / near", "runtime_error"),
    (" kg'", " parsnips'", "no_quantity"),
    (" kg'", " kg**9**9'", "no_quantity"),
    (".to('N')", ".to('m')", "runtime_error"),
]
"""What is changed in a program, into what, and why it is rejected then."""


def test_a_program_whose_units_do_not_hold_is_rejected() -> None:
    assert all(ELBOW.count(old) for old, _, _ in UNHELD)
    changed = [seed(ROWS[0], code=ELBOW.replace(old, new)) for old, new, _ in UNHELD]
    kept, reasons = played(made("biomechanics", "units"), *changed)
    assert (kept, reasons) == ([], [reason for _, _, reason in UNHELD])


def test_a_small_difference_of_large_terms_is_rejected() -> None:
    [gibbs] = [row for row in problems(10, file="chemistry.yaml") if row["kind"] == "gibbs"]
    near = re.sub("'[0-9.]+ kJ/mol'", "'30.1 kJ/mol'", gibbs["code"])
    near = re.sub(r"'[0-9.]+ J/\(mol\*K\)'", "'100.0 J/(mol*K)'", near)
    near = re.sub("'[0-9]+ K'", "'299 K'", near)
    kept, reasons = played(made("biomechanics", "units"), seed(gibbs), seed(gibbs, code=near))
    assert (len(kept), reasons) == (1, ["cancels"])


def test_a_right_value_in_another_unit_is_a_row_and_a_right_number_with_a_wrong_unit_none() -> None:
    task = tasks()[0]
    gold = json.loads(task.answer)
    right, wrong = f"{gold['value'] / 1000:.6g} kN", f"{gold['value']:.6g} N*m"
    kept = [verdict.kept for _, verdict in in_all_ways("biomechanics", task, right, wrong)]
    assert kept[0] and kept == [True] * 3 + [False] * 5


def test_a_variant_has_the_answer_of_its_own_input() -> None:
    for task in tasks()[:3]:
        for variant in json.loads(task.shown)["variants"]:
            gold = read_measure(variant["answer"])
            assert gold is not None
            right = {"value": gold.value, "unit": gold.unit, "tolerance": 1e-9}
            other = replace(task, answer=json.dumps(right))
            own = json.loads(task.answer)
            assert player()(grade(other, f"```\n{variant['answer']}\n```")).score == 1
            text = f"```\n{own['value']!r} {own['unit']}\n```"
            assert player()(grade(other, text)).score == 0


def test_a_statement_and_its_negation_share_a_passage_and_have_opposite_labels() -> None:
    rows = list(statements())
    assert Counter(row["answer"] for row in rows) == {"true": 40, "false": 40}
    for one, other in zip(rows[::2], rows[1::2], strict=True):
        assert one["passage"] == other["passage"] and one["problem"] in one["passage"]
        assert (one["answer"], other["answer"]) == ("true", "false")
        assert other["problem"] not in one["passage"]


STATEMENT = seed(next(row for row in statements() if row["answer"] == "false"))
TITLE = json.loads(STATEMENT.metadata)["title"]


def test_every_statement_that_ships_is_found_by_its_own_words() -> None:
    findable = stage("biomechanics_concepts", "findable")
    for row in statements():
        assert isinstance(talked(findable.episode(seed(row)), script()).result, Seed)
    lost = replace(STATEMENT, problem="Nothing of the kind.")
    assert talked(findable.episode(lost), script()).result.reason == "not_retrievable"


CALL = '<tool_call>\n{"name": "search", "arguments": {"query": "flow radius"}}\n</tool_call>'


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (f"false: {TITLE}", True),
        (f"False: {TITLE.lower()}.", True),
        (f"true: {TITLE}", False),
        ("false: Levers", False),
        ("false", False),
    ],
)
def test_the_label_is_right_and_the_passage_that_is_cited_is_the_source(
    answer: str, kept: bool
) -> None:
    judge = stage("biomechanics_concepts", "judge", "recipe.stages.judge.sampler.samples=1")
    row, verdict, _ = once(judge.episode(STATEMENT), CALL, f"So.\n<answer>{answer}</answer>")
    assert verdict.kept is kept and row.cells == 1
    assert "fourth power" in row.messages[-2].content and not row.messages[-2].sampled

"""The presets of public seed sets, on rows of their shapes that were written for these tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.settings_for_tests import composed
from tests.sources.reading import write_lines
from transforms.engine.accounting import Verdict
from transforms.engine.paths import CONF
from transforms.engine.records import Seed
from transforms.sources import check_source
from transforms.sources.huggingface import as_files
from transforms.sources.jsonl import lines_in, row_of
from transforms.sources.rows import seed_of

STEPS = "Each of the 3 boxes holds 4 pens, so there are 3 * 4 = 12 pens in all of the boxes."
PENS = "Ann has 3 boxes of 4 pens. How many pens?"
CHOICE = {"question": PENS, "options": ["A)7", "B)12", "C)34"], "correct": "B", "rationale": STEPS}
BOXED = rf"{STEPS} So it is $\boxed{{12}}$."

SHAPES: dict[str, dict[str, Any]] = {
    "gsm8k": {"question": PENS, "answer": "3*4=<<3*4=12>>12 pens.\n#### 12"},
    "math": {"problem": PENS, "level": "Level 1", "type": "Prealgebra", "solution": BOXED},
    "metamathqa": {
        "type": "GSM_Rephrased", "query": PENS, "original_question": "How many?",
        "response": f"{STEPS}\n#### 12\nThe answer is: 12",
    },
    "numinamath": {
        "problem": PENS, "solution": STEPS, "answer": "12", "problem_type": "Algebra",
        "question_type": "math-word-problem", "problem_is_valid": "Yes", "synthetic": False,
    },
    "numinamath_cot": {
        "source": "own", "problem": PENS, "solution": BOXED,
        "messages": [{"content": PENS, "role": "user"}, {"content": BOXED, "role": "assistant"}],
    },
    "openmathreasoning": {
        "problem": PENS, "generated_solution": f"<think>\nHm.\n</think>\n{BOXED}",
        "expected_answer": "12", "problem_type": "has_answer_extracted", "pass_rate_72b_tir": "0.5",
    },
    "openr1_math": {
        "problem": PENS, "solution": STEPS, "answer": "12", "problem_type": "Algebra",
        "generations": [BOXED], "messages": [{"content": PENS, "role": "user"}],
    },
    "deepmath": {
        "question": PENS, "final_answer": "12", "difficulty": 5.0, "topic": "Algebra",
        "r1_solution_1": BOXED,
    },
    "deepscaler": {"problem": PENS, "answer": "12", "solution": STEPS},
    "bigmath": {
        "problem": PENS, "answer": "12", "source": "own", "domain": ["Mathematics -> Algebra"],
        "llama8b_solve_rate": 0.5,
    },
    "orca_math": {"question": PENS, "answer": STEPS.replace("there are", "that makes")
                  + " Therefore Ann has 12 pens."},
    "aqua_rat": CHOICE,
    "svamp": {
        "ID": "x-1", "Body": "Ann has 3 boxes of 4 pens.", "Question": "How many pens?",
        "Equation": "( 3.0 * 4.0 )", "Answer": "12.0", "Type": "Multiplication",
    },
    "dapo": {
        "prompt": PENS, "solution": "12", "data_source": "math_dapo", "ability": "MATH",
        "reward_model": {"ground_truth": "12", "style": "rule-lighteval/MATH_v2"},
    },
}  # fmt: skip
PRESETS = sorted(
    path.stem
    for path in CONF.glob("source/*.yaml")
    if yaml.safe_load(path.read_text()).get("type") == "huggingface" and path.stem != "huggingface"
)


def seed(folder: Path, preset: str, **change: Any) -> Seed | Verdict:
    """The seed that a preset makes of one row in a local file."""
    path = write_lines(folder / "copy.jsonl", {**SHAPES[preset], **change})
    source = composed(f"source={preset}", f"source.path={path}").source
    assert check_source(source) == []
    files = as_files(source)  # type: ignore[arg-type]
    assert files is not None
    [line] = lines_in(str(path))
    return seed_of(row_of(files, str(path), line), files.columns, files.license)


def test_every_preset_has_a_row_of_its_shape() -> None:
    assert set(PRESETS) == set(SHAPES) and len(PRESETS) >= 12


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_reads_problem_and_answer_from_rows_of_its_shape(
    tmp_path: Path, preset: str
) -> None:
    made = seed(tmp_path, preset)
    assert isinstance(made, Seed)
    assert made.problem.startswith(PENS) and made.answer in ("12", "12.0")
    assert made.source == composed(f"source={preset}").source.path  # type: ignore[union-attr]
    assert made.solution is None or made.solution.endswith(("12", "12.", "$."))
    assert made.solution is None or "<<" not in made.solution


@pytest.mark.parametrize("answer", ["proof", "notfound", ""])
def test_a_problem_of_numinamath_without_an_answer_is_refused(tmp_path: Path, answer: str) -> None:
    made = seed(tmp_path, "numinamath", answer=answer)
    assert isinstance(made, Verdict)
    assert made.reason in ("no_reference_answer", "missing_field")


def test_the_options_of_aqua_are_part_of_the_problem_and_its_solution_states_the_answer(
    tmp_path: Path,
) -> None:
    made = seed(tmp_path, "aqua_rat")
    assert isinstance(made, Seed) and made.solution is not None
    assert made.problem == f"{PENS}\n\nOptions:\n(A) 7\n(B) 12\n(C) 34"
    assert made.solution.endswith("The answer is 12.")

"""A long text of one odd piece is read to its end: nothing looks through its rest for each piece.

100,000 characters take milliseconds; where time grows with the square of the length, minutes.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.recipes.augment.seeds import AUGMENTATION, PENCILS
from transforms.engine.accounting import Verdict
from transforms.engine.records import grow
from transforms.models.backends.endpoint_replies import _excerpt
from transforms.models.responses import extract_program, instruction_of, literal_in
from transforms.programs.mutants import mutants
from transforms.programs.questions.claims import stated as claims_in
from transforms.programs.questions.lines import computed_digits
from transforms.recipes.augment.rewrite import plan_redraws
from transforms.recipes.codemind import _rounded
from transforms.recipes.table_qa import met
from transforms.sources.forms import split_steps
from transforms.stages.graders import answer_in
from transforms.stages.judge import as_pair
from transforms.stages.trajectories.dialogues import _named
from transforms.stages.trajectories.keys import stated as keys_in
from transforms.text.answers import compare_plain
from transforms.text.marks import fenced, labelled, tagged
from transforms.text.notation import tokens_of
from transforms.text.numerals import numerals
from transforms.text.stated import stated
from transforms.text.thoughts import visible

LENGTH = 100_000
PIECES = (
    " ", "\n", "\t", "a", "7", "7,", "{", "}", "(", "[", "`", "```\n", "```python\n", "~~~~\n", "#",
    "\\boxed{", "<think>", "</think>", "<step>", "<<<", "<", "<script ", "$", "\\", "1 + 1 = ",
    "a: ", "The answer is ", "hope this ", "A b. ", "<|channel|>", "[1,", "score: ", "1. no ",
    '{"a":',
)  # fmt: skip
READERS: dict[str, Callable[[str], object]] = {
    "answer in a block": answer_in,
    "answer and output": lambda text: compare_plain("[1, 2]", text),
    "answer of a formula": lambda text: compare_plain('"x^2"', f"{text[:12_000]} x"),
    "call": lambda text: _named(text, ("name", "arguments")),
    "claims": claims_in,
    "computed digits": lambda text: computed_digits(text, ""),
    "criteria": lambda text: met(text, 3),
    "instruction": instruction_of,
    "keys": keys_in,
    "literal": literal_in,
    "numbers": lambda text: labelled(text, "score", 0, 9),
    "numerals": numerals,
    "pair": lambda text: as_pair("12", text),
    "page": lambda text: _excerpt(f"<html>{text}"),
    "program": extract_program,
    "rounded": lambda text: _rounded(text, text),
    "steps": split_steps,
    "stated": lambda text: stated(text[:20_000]).mentions,
    "tags": lambda text: tagged(text, "step"),
    "thought": visible,
    "tokens": lambda text: tokens_of(text[:20_000]),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_long_text_is_read_to_its_end(reader: Callable[[str], object]) -> None:
    for piece in PIECES:
        reader((piece * LENGTH)[:LENGTH])
    reader("<|channel|>" + "a" * LENGTH)


def test_a_seed_too_long_to_be_redrawn_is_rejected_before_it_is_parsed() -> None:
    for field in ("problem", "solution", "code"):
        text = "(" * LENGTH + getattr(PENCILS, field)
        refused = plan_redraws(grow(type(PENCILS), PENCILS, **{field: text}), AUGMENTATION)
        assert isinstance(refused, Verdict)
        assert "characters, more than 10,000" in refused.detail


def test_the_mutants_of_a_long_program_are_bounded_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.programs.mutants._MOST_TEXT", 10_000)
    assert [len(mutants("x = 1\n" * lines)) for lines in (20, 100)] == [20, 16]


MARKED = st.lists(
    st.sampled_from(
        ["```", "```py", "~~~", "````", " ", "a", "\n", "####", "# 7", "\t", "1.2345678"]
    )
).map("".join)


@given(MARKED)
def test_blocks_are_those_that_a_regular_expression_finds(text: str) -> None:
    block = re.compile(r"^[ \t]*(`{3,}|~{3,})(?!~)[^\n`]*\n(.*?)^[ \t]*\1[ \t]*$", re.S | re.M)
    assert [each.body for each in fenced(text)] == [match[2] for match in block.finditer(text)]


@given(MARKED)
def test_steps_are_those_that_a_regular_expression_finds(text: str) -> None:
    match = re.fullmatch(r"(?sm)(.*?)\s*^####[ \t]*(\S[^\n]*?)\s*", text)
    expected = (match[2], match[1].strip() or None) if match else (text, None)
    assert split_steps(text) == expected


@given(MARKED)
def test_computed_digits_are_those_that_a_regular_expression_finds(text: str) -> None:
    assert computed_digits(text, "") == next(iter(re.findall(r"\d*\.\d{7,}", text)), None)

"""Programs are found in what models write around them."""

import json
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.models.requests import ErrorKind, Response
from transforms.models.responses import (
    ResponseReason,
    extract_program,
    instruction_of,
    judge_program,
    judge_response,
    solution_of,
    visible,
)

PROGRAM = """input = {"a": 1}

def solution(a):
    return a + 1

output = solution(**input)
"""


def response(text, finish_reason="stop", error=None, kind=None):
    return Response(
        id="r",
        stage="sample",
        model="m",
        engine="e",
        text=text,
        finish_reason=finish_reason,
        error=error,
        prompt_tokens=1,
        generated_tokens=9,
        seconds=0.1,
        error_kind=kind,
    )


@pytest.mark.parametrize(
    "text",
    [
        PROGRAM,
        f"```python\n{PROGRAM}```",
        f"Here it is:\n\n```python\n{PROGRAM}```\nIt adds one.",
        f"{PROGRAM}\n\n# Problem 6\ninput = {{",
        f"{PROGRAM}print(output)\n",
        f"First try:\n```python\nx = 1\n```\nBetter:\n```python\n{PROGRAM}```",
    ],
    ids=["bare", "fenced", "explained", "next example", "printed", "last block"],
)
def test_the_program_is_cut_out_of_the_response(text):
    assert extract_program(text) == PROGRAM


@pytest.mark.parametrize(
    "head",
    [
        "import math\n",
        "from math import gcd\n\n",
        "# tickets and their price\n",
        '"""Tickets\ninput = none\n"""\n',
        "MOD = 10**9 + 7\n",
        "def helper(n):\n    return n\n\n",
        "@cache\ndef helper(n):\n    return n\n\n",
        "class Tree:\n    pass\n\n",
    ],
)
@pytest.mark.parametrize("said", ["", "Sure, from what I know:\n\nx = 3 and\n"])
def test_what_stands_before_the_input_belongs_to_the_program(said, head):
    assert extract_program(said + head + PROGRAM) == head + PROGRAM


def test_annotated_names_are_found():
    program = PROGRAM.replace("input =", "input: dict =").replace("output =", "output: int =")
    assert extract_program(program + "print(output)\n") == program


@pytest.mark.parametrize("text", ["", "I cannot do that.", 'input = {"a": 1}\n\ndef solution(a):'])
def test_there_is_no_program_where_output_is_never_assigned(text):
    assert extract_program(text) is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (response("", error="HTTP 400"), ResponseReason.REQUEST_FAILED),
        (response("", error="HTTP 400", kind=ErrorKind.INVALID), ResponseReason.REQUEST_FAILED),
        (response("", error="long", kind=ErrorKind.TOO_LONG), ResponseReason.PROMPT_TOO_LONG),
        (response("", error="no", kind=ErrorKind.REFUSED), ResponseReason.REFUSED),
        (response("{", error="JSON", kind=ErrorKind.BAD_JSON), ResponseReason.BAD_JSON),
        (response(" \n"), ResponseReason.EMPTY_RESPONSE),
        (response("The answer", "length"), ResponseReason.TRUNCATED),
    ],
)
def test_a_response_without_a_whole_text_is_rejected(given, reason):
    assert judge_response(given).reason is reason


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_a_request_that_nobody_answered_puts_its_record_off_and_any_other_failure_rejects(kind):
    for verdict in (
        judge_response(response("", error="it broke", kind=kind)),
        judge_program(response("", error="it broke", kind=kind))[1],
    ):
        assert not verdict.kept and "it broke" in verdict.detail
        assert verdict.unanswered is (kind in (ErrorKind.TIMEOUT, ErrorKind.SERVER_ERROR))


def test_a_whole_program_in_a_response_that_was_cut_off_is_kept():
    code, verdict = judge_program(response(PROGRAM + "\n# Problem 6\ninp", "length"))
    assert verdict.kept and code == PROGRAM


def test_a_program_that_was_cut_off_is_truncated_rather_than_missing():
    _, verdict = judge_program(response(PROGRAM[:40], "length"))
    assert verdict.reason is ResponseReason.TRUNCATED


def test_a_response_without_a_program_is_kept_as_text_for_the_reject():
    code, verdict = judge_program(response("I cannot."))
    assert verdict.reason is ResponseReason.NO_PROGRAM and code == "I cannot."


THOUGHT = "Maybe \\boxed{9}?\n```python\nprint(1)\n```\nNo: what else?"


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\n{THOUGHT}\n</think>\n\nIt is 5.",
        f"{THOUGHT}\n</think>\n\nIt is 5.",
        f"<think>{THOUGHT}</think><think>{THOUGHT}</think>It is 5.",
        f"<thinking>{THOUGHT}</thinking>\nIt is 5.",
        f"<Reasoning>{THOUGHT}</Reasoning>\nIt is 5.",
        f"[THINK]{THOUGHT}[/THINK]It is 5.",
        f"◁think▷{THOUGHT}◁/think▷It is 5.",
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant"
        "<|channel|>final<|message|>It is 5.<|return|>",
        f"analysis{THOUGHT}assistantfinalIt is 5.",
        "It is 5.<|im_end|>\n<|im_start|>user\nAnd 6?",
        "<|im_start|>assistant\nIt is 5.<|im_end|>",
        "<s> It is 5.</s>",
        "It is 5.<｜end▁of▁sentence｜>",
        "<start_of_turn>model\nIt is 5.<end_of_turn>",
        "\ufeff\n  It is 5.\x00\u200b",
        "It\u00a0is\u202f5.\x1b[0m\ud83d",
        "It is 5.\r\n",
    ],
)
def test_thoughts_special_tokens_and_control_characters_are_not_seen(text):
    assert visible(text) == "It is 5."


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\n{THOUGHT}",
        f"<think>a</think>b<think>{THOUGHT}",
        f"<|channel|>analysis<|message|>{THOUGHT}",
        "<think>\nIt is 5.\n</think>",
    ],
)
def test_a_thought_without_an_answer_after_it_is_truncated(text):
    assert judge_response(response(text)).reason is ResponseReason.TRUNCATED
    assert judge_program(response(text))[1].reason is ResponseReason.TRUNCATED


@given(st.text('<>think/[]|\\boxed{}-*# \n"`:Problem5', max_size=60))
def test_what_is_read_is_read_the_same_a_second_time(text):
    assert visible(visible(text)) == visible(text)
    assert instruction_of(instruction_of(text)) == instruction_of(text)


INDENTED = textwrap.indent(f"```python\n{PROGRAM}```", "   ")
PARTS = PROGRAM.split("\n\n")


@pytest.mark.parametrize(
    "text",
    [
        f"~~~python\n{PROGRAM}~~~",
        f'```python title="a.py"\n{PROGRAM}```',
        f"```{{python}}\n{PROGRAM}```",
        f"``` Python3\n{PROGRAM}```",
        f"````tool_code\n{PROGRAM}````",
        f"1. The program:\n\n{INDENTED}\n2. That is it.",
        f"- ```python\n{textwrap.indent(PROGRAM, '  ')}  ```",
        "```python\n" + PROGRAM,
        "```python\r\n" + PROGRAM.replace("\n", "\r\n") + "```\r\n",
        "\n\n".join(f"Part:\n```python\n{part}\n```" for part in PARTS),
        f"```python\n{PROGRAM}```\n\nExpected output:\n```\noutput = 2\n```",
        f"```python\n{PROGRAM}```\nTest:\n```python\nassert output == 2\n```",
        f"```python\n{PROGRAM}```\n" * 40,
        (PROGRAM + "\n") * 40,
        json.dumps({"code": PROGRAM}),
        "```json\n" + json.dumps({"result": [{"python": PROGRAM}]}) + "\n```",
        f"<code>\n{PROGRAM}</code>",
        "```pycon\n"
        + "".join(f">>> {line}\n" for line in PROGRAM.splitlines())
        + ">>> output\n2\n```",
        PROGRAM.replace("output =", 'if __name__ == "__main__":\n    output =')
        + "    print(output)",
        PROGRAM.replace("output = solution(**input)", "print(solution(**input))"),
        PROGRAM.replace('"a"', "“a”"),
        PROGRAM.replace("solution", "sol\u200bution"),
        PROGRAM.replace("    ", "\u00a0\u00a0\u00a0\u00a0"),
        f"<think>Draft:\n```python\n{PROGRAM.replace('+ 1', '+ 2')}```</think>\n{PROGRAM}",
    ],
)
def test_a_program_is_read_in_whatever_it_is_wrapped(text):
    code, verdict = judge_program(response(text))
    assert verdict.kept and code.replace("\n\n\n", "\n\n") == PROGRAM


def test_the_statement_that_assigns_the_output_may_take_several_lines():
    program = PROGRAM.replace("solution(**input)", "solution(\n    **input\n)")
    assert extract_program(program + "print(output)\n") == program


PROBLEM = "A cellar holds 12 crates of 30 bottles. How many bottles are there?"


@pytest.mark.parametrize(
    "text",
    [
        f"Problem: {PROBLEM}",
        f"**Problem:** {PROBLEM}",
        f"**Problem**: {PROBLEM}",
        f"### Problem\n\n{PROBLEM}",
        f"## **Word Problem 3**\n{PROBLEM}",
        f"Question 4: {PROBLEM}",
        f"题目：{PROBLEM}",
        f"Here is the problem:\n\n{PROBLEM}",
        f"Here's a word problem that matches the program: {PROBLEM}",
        f"Certainly! Here is a problem:\n\n**Problem:**\n\n{PROBLEM}",
        f"Sure! {PROBLEM}",
        f'"{PROBLEM}"',
        f"“{PROBLEM}”",
        f"```\n{PROBLEM}\n```",
        f"```text\nProblem: {PROBLEM}\n```",
        f"\\boxed{{{PROBLEM}}}",
        f"$\\boxed{{{PROBLEM}}}$",
        f"<problem>{PROBLEM}</problem>",
        f"**{PROBLEM}**",
        f"{PROBLEM}\n\n(I hope this helps!)",
        f"{PROBLEM}\n\nLet me know if you'd like any changes.",
        f"{PROBLEM}\n\n**Solution:** 12 × 30 = 360",
        f"Sure! Here's a problem that matches:\n\n---\n\n{PROBLEM}\n\n---\n\nLet me know!",
        f"---\n{PROBLEM}\n---",
        f"<think>What to ask?</think>\n\nProblem: {PROBLEM}<|im_end|>",
        f"\ufeff{PROBLEM}\x00",
    ],
)
def test_what_a_chat_model_puts_around_an_instruction_comes_off(text):
    assert instruction_of(text) == PROBLEM


@pytest.mark.parametrize(
    "text",
    [
        PROBLEM,
        '"Ten", said Ana. "How many bottles are 12 crates of 30?"',
        "Here is a list: 3, 4, 5. What is its sum?",
        "Great Danes eat 2 kg a day. How much do 5 of them eat?",
        "In the problem: 3 dogs bark. How many dogs bark?",
        "Okay Farm sells 12 eggs. How many eggs are 3 such sales?",
        "The code has 4 digits.\n\n---\n\nIts sum is 9. How many codes are there?",
        "Evaluate \\boxed{3} + \\boxed{4}",
        "Is the solution of x + 2 = 5 above 2?",
        "`a` and `b`",
    ],
)
def test_an_instruction_keeps_what_is_its_own(text):
    assert instruction_of(text) == text


def test_a_next_problem_is_no_part_of_a_solution():
    solution = "12 × 30 = 360, so the answer is $\\boxed{360}$."
    assert solution_of(f"{solution}\n\nProblem: What is 1 + 1?\n\nSolution: 2") == solution
    assert solution_of(f"Problem: {PROBLEM}\n{solution}") == f"Problem: {PROBLEM}\n{solution}"

"""A traced program says what it computes, and whether another input goes its way."""

import json

import pytest

from tests.programs_for_tests import SANDBOX
from transforms.programs import parse
from transforms.recipes.augment.tracing import MAX_EVENTS, tracing_program
from transforms.sandbox.sandbox import Job, Sandbox, Status


def traced(code, candidates, targets=()):
    program = tracing_program(parse(code), candidates, targets, 50)
    with Sandbox(SANDBOX) as box:
        [result] = box.run([Job(program)])
    assert result.status is Status.OK, result.error
    return json.loads(result.output)


def program(body, keys="a, b"):
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return f"input = {{}}\ndef solution({keys}):\n{lines}\noutput = solution(**input)\n"


def test_values_are_brought_out_for_every_run():
    code = program("total = a * b\nfor part in (1, 2):\n    total += part\nreturn total")
    report = traced(code, [{"a": 6, "b": 7}, {"a": 2, "b": 9}], [[42, 0.1]])
    first, second = (set(row[1]) for row in report["rows"])
    assert first == {42} and second == {18}
    assert [row[0] for row in report["rows"]] == ["45", "21"]


@pytest.mark.parametrize(
    ("body", "same", "other"),
    [
        ("return 1 if a > b else 2", {"a": 9, "b": 2}, {"a": 1, "b": 2}),
        ("return a - b", {"a": 9, "b": 8}, {"a": 3, "b": 5}),
        ("return a / b", {"a": 8, "b": 4}, {"a": 9, "b": 4}),
        ("return sum(1 for _ in range(a))", {"a": 5, "b": 2}, {"a": 4, "b": 2}),
        ("return max([a, b])", {"a": 7, "b": 3}, {"a": 3, "b": 7}),
        ("return sorted((a, b))[0]", {"a": 7, "b": 3}, {"a": 3, "b": 7}),
        ("x = [a, b]\nx.sort()\nreturn x[0]", {"a": 7, "b": 3}, {"a": 3, "b": 7}),
        ("return len('x' * a)", {"a": 5, "b": 1}, {"a": 0, "b": 1}),
    ],
)
def test_another_branch_sign_remainder_count_or_order_is_another_way(body, same, other):
    original = {"a": 5, "b": 1}
    report = traced(program(body), [original, same, other])
    assert report["rows"][1] is not None and report["rows"][2] is None


def test_a_run_that_fails_or_goes_on_for_ever_goes_another_way():
    code = program("while a != b:\n    a += 1\nreturn 10 // (b - 3)")
    report = traced(code, [{"a": 5, "b": 9}, {"a": 9, "b": 5}, {"a": 3, "b": 3}])
    assert report["rows"][1:] == [None, None] and MAX_EVENTS < 10**6


def test_a_program_is_traced_as_it_would_run():
    code = """
import math
from functools import lru_cache
input = {"words": ["b", "a"], "n": 4}
def solution(words, n):
    @lru_cache(maxsize=None)
    def ways(k: int = 2) -> int:
        '''Text.'''
        return 1 if k < 2 else ways(k - 1) + ways(k - 2)
    first, *_ = sorted(words, key=lambda word: -ord(word))
    ranks = {word: place for place, word in enumerate(words)}
    return f"{first}{ways(n):02d}{ranks[first]}{math.prod([n, 2])}"
output = solution(**input)
"""
    report = traced(code, [{"words": ["b", "a"], "n": 4}], ["b05"])
    assert report["rows"][0][0] == '"b0508"'

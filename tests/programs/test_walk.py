"""A run that is told line by line says what its trace says, and all of it."""

from __future__ import annotations

import textwrap

import pytest

from tests.programs.facts.running import traced
from tests.programs_for_tests import SPAM
from transforms.programs.questions import false_claim, stated
from transforms.programs.walk import walk

SEVERAL = textwrap.dedent("""\
    import math
    input = {
        "n": 3,
    }
    class Adder:
        more = 3
        def to(
            self, x: int
        ) -> int:
            if x > 2:
                return x + self.more
            try:
                y = int("q")
            except ValueError:
                y = 0
            return y
    def below(n):
        for i in range(n):
            yield i
    def solution(n):
        adder = Adder()
        total = adder.to(n)
        total += adder.to(1)
        for part in below(2):
            total += part
        rows = [
            total,
            n,
        ]
        while total > 6:
            total -= 1
        return rows
    output = solution(**input)
    """)


@pytest.mark.parametrize("code", [SPAM, SEVERAL])
def test_every_value_that_is_told_is_a_fact(code: str) -> None:
    text = "\n".join(walk(code, traced(code)))
    assert len(stated(text)) >= 3
    assert false_claim(text, traced(code)) is None


def test_each_line_that_ran_is_told_with_its_effect() -> None:
    assert walk(SEVERAL, traced(SEVERAL)) == [
        "[L33] output = solution(**input): calls solution(n=3)",
        "[L21] adder = Adder(): adder is not told",
        "[L22] total = adder.to(n): calls to(x=3)",
        "[L10] if x > 2: True",
        "[L11] return x + self.more: returns 6",
        "[L22] total = adder.to(n): `total = 6`",
        "[L23] total += adder.to(1): calls to(x=1)",
        "[L10] if x > 2: False",
        "[L12] try",
        '[L13] y = int("q"): raises ValueError',
        "[L14] except ValueError",
        "[L15] y = 0: `y = 0`",
        "[L16] return y: returns 0",
        "[L23] total += adder.to(1): `total = 6`",
        "[L24] for part in below(2): calls below(n=2)",
        "[L18] for i in range(n): `i = 0`",
        "[L19] yield i: yields 0",
        "[L24] for part in below(2): `part = 0`",
        "[L25] total += part: `total = 6`",
        "[L18] for i in range(n): `i = 1`",
        "[L19] yield i: yields 1",
        "[L24] for part in below(2): `part = 1`",
        "[L25] total += part: `total = 7`",
        "[L18] for i in range(n): the loop ends",
        "[L24] for part in below(2): the loop ends",
        "[L26] rows = [total, n]: `rows = [7, 3]`",
        "[L30] while total > 6: True",
        "[L31] total -= 1: `total = 6`",
        "[L30] while total > 6: False",
        "[L32] return rows: returns [7, 3]",
        "[L33] output = solution(**input): `output = [7, 3]`",
    ]


def test_lines_that_count_are_counted_at_the_line_after_each() -> None:
    code = "n = 0\nn += 1\nx = 5\nn += 1\ny = x + 1\n"
    assert walk(code, traced(code), counts={2, 4}) == [
        "[L1] n = 0: `n = 0`",
        "[L3] x = 5: `x = 5` (step 1)",
        "[L5] y = x + 1: `y = 6` (step 2)",
    ]

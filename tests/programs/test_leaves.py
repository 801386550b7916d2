"""A program is split into leaf functions only where each step and its comment are clear."""

from __future__ import annotations

import pytest

from transforms.programs.leaves import with_leaves


def solution(*lines: str) -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return f"input = {{'n': 4, 'm': 3}}\ndef solution(n, m):\n{body}\noutput = solution(**input)\n"


def test_what_an_expression_binds_itself_is_no_parameter() -> None:
    code = solution("# squares", "s = [n * k for k in range(m)]", "# all", "return sum(s) + n")
    leaves = with_leaves(code)
    assert leaves is not None and leaves.names == ("s", "answer")
    assert "def find_s(n, m):" in leaves.stubs and "def find_answer(n, s):" in leaves.stubs


@pytest.mark.parametrize(
    "lines",
    [
        ["if n > 3:", "    return 1", "# so", "k = n + m", "return k"],
        ["# so", "answer = n + m", "return answer"],
        ["# so", "find_k = n + m", "return find_k"],
        ["k = n + m  # not above", "", "return k"],
        ["# so", "k = n + m", "return"],
        ["# no computation", "k = n", "# nothing to compute from", "j = [3]", "return k"],
        ["# set twice", "k = n + m", "k += 1", "return k"],
    ],
)
def test_a_program_without_clear_leaves_is_not_split(lines: list[str]) -> None:
    assert with_leaves(solution(*lines)) is None

"""What a program uses is read from its text: operators, builtins, methods, functions, depth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.programs import parse
from transforms.programs.operations import operations


def of(code):
    return operations(parse(code))


def test_each_operation_is_named_once():
    found = of("x = 1 + 2 + 3\nfor i in range(3):\n    x += i // 2\nwhile x > 3: x -= 1")
    assert found.operators == {"+", "for", "//", "while", ">", "-"}
    assert found.builtins == {"range()"}


def test_a_function_of_the_program_is_no_builtin_and_a_module_has_no_methods():
    found = of("import math\ndef sum(x): return x\nsum([1])\nmath.floor(2.5)\n'a'.upper()")
    assert found.builtins == frozenset()
    assert found.methods == {".upper()"}
    assert found.functions == {"math.floor"}


@pytest.mark.parametrize(
    ("code", "functions"),
    [
        ("import numpy as np\nnp.linalg.norm([1])", {"numpy.linalg.norm"}),
        ("from math import gcd as g\nx = g(4, 6)", {"math.gcd"}),
        ("import math\nx = math.pi", {"math.pi"}),
        ("import os.path\nx = os.path.join('a')", {"os.path.join"}),
        ("import math", set()),
        ("import math\nmath = 3\nx = math + 1", set()),
    ],
)
def test_functions_are_named_by_where_they_come_from(code, functions):
    found = of(code)
    assert found.functions == functions
    assert found.libraries == {name.split(".")[0] for name in functions}


@pytest.mark.parametrize(
    ("code", "depth"),
    [
        ("x = 1", 0),
        ("if a: pass\nelif b: pass\nelif c: pass\nelse: x = 1", 1),
        ("if a:\n    if b: pass", 2),
        ("if a: pass\nelif b:\n    for i in c: pass", 2),
        ("for i in a:\n    while b:\n        if c: pass", 3),
        ("x = [i for row in a for i in row]", 2),
        ("for i in a:\n    x = sum(j for j in i if j)", 2),
        ("def f():\n    for i in a: pass\nfor j in b: f()", 1),
    ],
)
def test_nesting_counts_loops_ifs_and_comprehensions(code, depth):
    assert of(code).nesting == depth


@given(st.integers(1, 40))
def test_a_loop_around_a_program_makes_it_one_deeper(depth):
    code = "x = 1"
    for _ in range(depth):
        code = "for i in a:\n" + "\n".join(f" {line}" for line in code.splitlines())
    assert of(code).nesting == depth

"""The text of unified programs: form, unused inputs, bans, and fingerprints under change."""

from __future__ import annotations

import ast
import textwrap
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.programs import (
    Unparsable,
    banned,
    code_lines,
    fingerprint,
    input_keys,
    is_unified,
    literal_input,
    parse,
    unused_inputs,
    with_input,
)
from transforms.programs.form import MAX_DEPTH, children, nodes_by_type, nodes_of

EMAILS = """
input = {"emails": 160, "percent_spam": 30, "days": 5}

def solution(emails, percent_spam, days):
    # emails that need no reply each day
    spam = emails * percent_spam // 100
    # emails answered each day
    answered = emails - spam
    return answered * days

output = solution(**input)
"""


# --- parse ---------------------------------------------------------------------------------------


def test_each_node_of_a_tree_is_found_by_its_type_and_below_its_parent() -> None:
    code = """
import math as m
def f(a, /, b: int = 1, *c, d, **e) -> None:
    global g
    match a:
        case {"x": [1, *_], **rest} if rest: return {**e, "k": f"{b!r:>{d}}"}
        case str(real=1) | None: pass
async def h():
    async with x as y: yield [i async for i in z if (j := i)]
try: del q[1:2]
except* ValueError as error: raise
lambda *, n=1: (n, *m)
"""
    tree = ast.parse(code)
    walked = [node for node in ast.walk(tree) if not isinstance(node, ast.expr_context)]
    assert nodes_of(tree) == walked
    found = nodes_by_type(tree)
    assert found == {
        kind: [node for node in walked if type(node) is kind] for kind in map(type, walked)
    }
    for node in walked:
        below = [n for n in ast.iter_child_nodes(node) if not isinstance(n, ast.expr_context)]
        assert children(node) == below


@pytest.mark.parametrize(
    "text",
    [
        "def f(:",
        "(" * 5_000 + ")" * 5_000,
        "1+" * 3_000 + "1",
        "x = " + "-" * 3_000 + "1",
        "a." * 4_000 + "a",
        "x = 1\0",
        "x = '\ud800'",
        "x = " + "9" * 200_000,
        "x = " + "-" * MAX_DEPTH + "1",
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_hostile_text_raises_one_exception_type(text: str) -> None:
    with pytest.raises(Unparsable):
        parse(text)


@given(st.text())
def test_any_text_parses_or_is_unparsable(text: str) -> None:
    try:
        tree = parse(text)
    except Unparsable:
        return
    fingerprint(text)
    banned(tree)
    unused_inputs(tree)


def test_the_deepest_program_that_parses_can_be_looked_at_throughout() -> None:
    code = "x = " + "-" * (MAX_DEPTH - 5) + "y"
    tree = parse(code)
    assert fingerprint(code) and banned(tree) is None and unused_inputs(tree) == set()


# --- form ----------------------------------------------------------------------------------------


def test_the_unified_form_is_recognised() -> None:
    assert is_unified(parse(EMAILS))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("input = {", "inputs = {"),
        ("def solution", "def solve"),
        ("output = ", "result = "),
        ('input = {"emails": 160, "percent_spam": 30, "days": 5}', "input = 5"),
        ('input = {"emails": 160, "percent_spam": 30, "days": 5}', "input = [1, 2]"),
        ("output = ", 'input = {"emails": 1}\noutput = '),
        ("output = ", "if True:\n    output = "),
    ],
)
def test_a_program_that_lacks_a_part_of_the_form_is_not_unified(old: str, new: str) -> None:
    assert not is_unified(parse(EMAILS.replace(old, new)))


@pytest.mark.parametrize("value", ['dict(a=1, b="x")', '{**{"a": 1}, "b": 2}', '{"a": 2 ** 3}'])
def test_an_input_that_is_computed_is_unified_but_not_literal(value: str) -> None:
    tree = parse(
        f"input = {value}\ndef solution(a, b=0):\n    return a\noutput = solution(**input)"
    )
    assert is_unified(tree) and literal_input(tree) is None


def test_the_literal_input_and_its_keys_are_read() -> None:
    tree = parse(EMAILS)
    assert literal_input(tree) == {"emails": 160, "percent_spam": 30, "days": 5}
    assert input_keys(tree) == {"emails", "percent_spam", "days"}


def test_an_annotated_input_counts_as_the_input() -> None:
    tree = parse(EMAILS.replace("input = ", "input: dict = "))
    assert is_unified(tree) and input_keys(tree) == {"emails", "percent_spam", "days"}


def test_keys_of_a_dict_call_are_seen() -> None:
    assert input_keys(parse("input = dict(a=1, b=2)")) == {"a", "b"}


def test_blank_lines_comments_docstrings_and_imports_are_not_code_lines() -> None:
    code = '"""What it\ndoes."""\nimport math\n\n# a comment\n' + EMAILS.replace(
        "days):\n", 'days):\n    """Doc."""\n    from math import (\n        pi,\n    )\n'
    )
    assert code_lines(code) == code_lines(EMAILS) == 6


# --- with_input ----------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
inputs = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), json_values, max_size=4)

BEFORE = 'import math\r\n# Zażółć: input = {1: 2}\r\nname = "é"; input = '
AFTER = "  # a comment\r\n\r\ndef solution(**p):\r\n\treturn p\r\noutput = solution(**input)"


@given(inputs)
def test_a_new_input_is_read_back_and_the_rest_stays_byte_for_byte(new: dict[str, Any]) -> None:
    code = with_input(BEFORE + '{\r\n  "ä": [1,\r\n 2]}' + AFTER, new)
    assert literal_input(parse(code)) == new
    assert code.startswith(BEFORE) and code.endswith(AFTER)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), [10**200_000]])
def test_an_input_that_no_literal_can_say_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="literal"):
        with_input(EMAILS, {"x": value})


def test_a_program_without_one_input_has_none_to_replace() -> None:
    with pytest.raises(ValueError, match="0 times"):
        with_input("x = 1", {})


# --- unused inputs -------------------------------------------------------------------------------


def program(
    body: str, call: str = "solution(**input)", params: str = "width, height"
) -> ast.Module:
    """Returns a program with the keys width and height."""
    lines = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    head = 'input = {"width": 3, "height": 4}'
    return parse(f"{head}\n\ndef solution({params}):\n{lines}\n\noutput = {call}\n")


@pytest.mark.parametrize(
    ("params", "call", "body"),
    [
        ("width, height", "solution(**input)", "return width * height"),
        ("width: int, height: 'int'", "solution(**input)", "return width * height"),
        ("p", "solution(input)", "return p['width'] * p['height']"),
        ("p", "solution(input)", "return p.get('width', 1) * p.pop('height')"),
        ("p", "solution(p=input)", "q = p\nr = q.copy()\nreturn r['width'] * r['height']"),
        ("p", "solution(dict(input))", "return p['width'] * p['height']"),
        ("**kw", "solution(**input)", "return kw['width'] * kw['height']"),
        ("**kw", "solution(**input)", "return sum(kw.values())"),
        ("width, **kw", "solution(**input)", "return width * kw['height']"),
        ("", "solution()", "return input['width'] * input['height']"),
        ("p", "solution(input)", "w, h = p['width'], p['height']\nreturn w * h"),
        ("p", "solution(input)", "t = 0\nfor k in p:\n    t += p[k]\nreturn t"),
        ("p", "solution(input)", "def f(q):\n    return q['width'] * q['height']\nreturn f(p)"),
        ("p", "solution(input)", "def f(width, height):\n    return width * height\nreturn f(**p)"),
        ("p", "solution(input)", "return json.dumps(p)"),
        ("*sides", "solution(*input.values())", "return sum(sides)"),
        ("x, y", "solution(input['width'], input['height'])", "return x * y"),
        ("x, y", "solution(y=input['width'], x=input['height'])", "return x * y"),
        ("data", "(lambda f: f(input))(solution)", "return data['width'] * data['height']"),
        ("width, height", "solution(**input)", "return [height for _ in range(width)]"),
        ("p", "solution(input)", "return (lambda q=p: q['width'] * p['height'])()"),
    ],
)  # fmt: skip
def test_a_key_read_by_name_or_subscript_or_whole_is_used(
    params: str, call: str, body: str
) -> None:
    assert unused_inputs(program(body, call, params)) == set()


@pytest.mark.parametrize(
    ("params", "call", "body"),
    [
        ("width, height", "solution(**input)", "return width"),
        ("width, height", "solution(**input)", "height = 5\nreturn width"),
        ("width, height", "solution(**input)", "def f(height):\n  return height\nreturn f(width)"),
        ("p", "solution(input)", "return p['width']"),
        ("p", "solution(input)", "p['height'] = 1\nreturn p['width']"),
        ("p", "solution(input)", "if 'height' in p:\n    return p['width'] * len(p)"),
        ("p", "solution(input)", "height = p['height']\nreturn p['width']"),
        ("p", "solution(input)", "other = {'height': 9}\nreturn p['width'] * other['height']"),
        ("**kw", "solution(**input)", "return kw['width']"),
        ("width, **kw", "solution(**input)", "return width"),
        ("", "solution()", "return input['width']"),
        ("x, y", "solution(input['width'], input['height'])", "return x"),
        ("width, height", "solution(**input)", "'''Uses height.'''\nreturn width  # height"),
    ],
)  # fmt: skip
def test_a_key_that_is_only_declared_or_received_is_unused(
    params: str, call: str, body: str
) -> None:
    assert unused_inputs(program(body, call, params)) == {"height"}


# --- bans ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import os", ("import", "os")),
        ("import math, subprocess", ("import", "subprocess")),
        ("from urllib.request import urlopen", ("import", "urllib.request")),
        ("def f():\n    import pickle", ("import", "pickle")),
        ("from . import x", ("import", ".")),
        ("from random import _os", ("import", "random._os")),
        ("import pandas as pd", ("import", "pandas")),
        ("eval('1')", ("call", "eval")),
        ("run = exec\nrun('1')", ("call", "exec")),
        ("def f(x: eval('1')): pass", ("call", "eval")),
        ("x = open('f').read()", ("call", "open")),
        ("x = input('?')", ("call", "input")),
        ("().__class__.__subclasses__()", ("call", "__class__")),
        ("f.__init__.__globals__", ("call", "__globals__")),
        ("getattr(x, '__globals__')", ("call", "getattr __globals__")),
        ("__builtins__['eval']", ("call", "__builtins__")),
        ("import dataclasses\ndataclasses.sys.modules", ("call", "sys")),
        ("import random as r\nr._os.system('x')", ("call", "_os")),
        ("try:\n    1 / 0\nexcept E as e:\n    e.__traceback__", ("call", "__traceback__")),
        ("exit()\nimport os", ("call", "exit")),
    ],
)
def test_what_reaches_outside_a_calculation_is_banned(code: str, found: tuple[str, str]) -> None:
    assert banned(parse(code)) == found


@pytest.mark.parametrize(
    "code",
    [
        EMAILS,
        "import math\nfrom collections import Counter\nimport numpy.linalg as la\nimport sympy",
        "print(random.random())",
        "def compile(x):\n    return x\ncompile(1)",
        "class A(B):\n    def __init__(self):\n        super().__init__()\n        self.__x = 1",
        "getattr(x, 'name')",
        "x.eval(1) + x.open",
    ],
)
def test_what_a_calculation_needs_is_not_banned(code: str) -> None:
    assert banned(parse(code)) is None


# --- fingerprints --------------------------------------------------------------------------------

OPERATORS = ["+", "*", "-", "//", "%"]
COMPARISONS = {"<": ">", "<=": ">=", "==": "==", "!=": "!="}
CALLS = ["abs", "int", "math.floor", "round"]
NAMES = ["a", "b", "c"]


@dataclass(frozen=True)
class Writing:
    """How a program is written, apart from what it does."""

    names: tuple[str, str, str, str] = ("a", "b", "c", "t")
    shift: int = 0
    """Added to every constant."""
    swap: bool = False
    """Turn round each operand pair of +, * and comparisons."""
    change: int | None = None
    """Place of the one operator or call that is another one; None for none."""


leaves = st.tuples(st.just("name"), st.integers(0, 2)) | st.tuples(
    st.just("const"), st.integers(0, 9)
)
expressions = st.recursive(
    leaves,
    lambda inner: (
        st.tuples(st.just("binary"), st.sampled_from(OPERATORS), inner, inner)
        | st.tuples(st.just("call"), st.sampled_from(CALLS), inner)
        | st.tuples(st.just("if"), st.sampled_from(list(COMPARISONS)), inner, inner)
    ),
    max_leaves=8,
)


def write(expression: Any, how: Writing = Writing()) -> str:
    """Returns a program that computes the expression over three inputs."""
    places = iter(range(1_000))

    def pick(choices: list[str], chosen: str) -> str:
        if next(places) != how.change:
            return chosen
        return choices[(choices.index(chosen) + 1) % len(choices)]

    def text(node: Any) -> str:
        match node:
            case ("name", index):
                return how.names[index]
            case ("const", value):
                return str(value + how.shift)
            case ("call", name, inner):
                return f"{pick(CALLS, name)}({text(inner)})"
            case ("binary", operator, left, right):
                operator = pick(OPERATORS, operator)
                pair = [text(left), text(right)]
                if how.swap and operator in "+*":
                    pair.reverse()
                return f"({pair[0]} {operator} {pair[1]})"
            case ("if", operator, left, right):
                operator = pick(list(COMPARISONS), operator)
                pair = [text(left), text(right)]
                test = f"{pair[0]} {operator} {pair[1]}"
                if how.swap:
                    test = f"{pair[1]} {COMPARISONS[operator]} {pair[0]}"
                return f"({pair[0]} if {test} else {pair[1]})"
        raise AssertionError(node)

    a, b, c, t = how.names
    one, two = 1 + how.shift, 2 + how.shift
    return (
        f'import math\ninput = {{"{a}": {one}, "{b}": {two}, "{c}": [{one}]}}\n'
        f"def solution({a}, {b}, {c}):\n    {t} = {text(expression)}\n    return {t}\n"
        "output = solution(**input)\n"
    )


def changes_in(expression: Any) -> int:
    """Returns how many operators and calls an expression has."""
    own = expression[0] in ("binary", "call", "if")
    return own + sum(changes_in(part) for part in expression if isinstance(part, tuple))


@given(expressions, st.permutations(["x", "total", "n_items", "sum"]))
def test_renaming_variables_leaves_the_fingerprint(expression: Any, names: list[str]) -> None:
    renamed = write(expression, Writing(names=tuple(names)))  # type: ignore[arg-type]
    assert fingerprint(renamed) == fingerprint(write(expression))


@given(expressions, st.integers(-20, 20))
def test_changing_constants_leaves_the_fingerprint(expression: Any, shift: int) -> None:
    assert fingerprint(write(expression, Writing(shift=shift))) == fingerprint(write(expression))


@given(expressions)
def test_swapping_operands_leaves_the_fingerprint(expression: Any) -> None:
    assert fingerprint(write(expression, Writing(swap=True))) == fingerprint(write(expression))


@given(expressions, st.text(st.characters(categories=["L", "N", "Z"], exclude_characters="\x85")))
def test_comments_and_docstrings_leave_the_fingerprint(expression: Any, words: str) -> None:
    code = write(expression)
    line = " ".join(words.split())
    noted = code.replace("):\n", f'):\n    """{line}."""\n    # {line}\n', 1) + f"# {line}\n"
    assert fingerprint(noted) == fingerprint(code)


@given(expressions.filter(changes_in), st.data())
def test_another_operator_or_call_changes_the_fingerprint(expression: Any, data: Any) -> None:
    place = data.draw(st.integers(0, changes_in(expression) - 1))
    assert fingerprint(write(expression, Writing(change=place))) != fingerprint(write(expression))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("import math\nx = math.sqrt(2)", "from math import sqrt as root\nx = root(3)"),
        ("import numpy as np\nx = np.sum(y)", "import random\nimport numpy\nx = numpy.sum(y)"),
        ("x = a + b + c", "x = c + (b + a)"),
        ("x = a < b <= c", "x = c >= b > a"),
        ("x = [1, 2, 3]", "x = [4, 5]"),
        ("x = f'{y:.2f} km'", "x = f'{y:.3f} miles'"),
        ("x: int = 1", "x = -2.5"),
        ("def f(a: int) -> int:\n    return a", "def g(b):\n    return b"),
        ("def f(a):\n    return a\nf(a=1)", "def f(b):\n    return b\nf(b=1)"),
        ("x = 1\ny = [x for x in z]", "x = 1\ny = [q for q in z]"),
        (
            "try:\n    f()\nexcept E as e:\n    g(e)",
            "try:\n    f()\nexcept E as error:\n    g(error)",
        ),
        ("input = {'a': 1, 'b': 2}", "input = {'c': 'x', 'd': [y]}"),
        ("def f():\n    global n\n    n = 1", "def f():\n    global count\n    count = 1"),
    ],
)
def test_two_ways_to_write_one_structure_have_one_fingerprint(one: str, other: str) -> None:
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = a - b", "x = b - a + c"),
        ("def f(a, b):\n    return a - b", "def f(a, b):\n    return b - a"),
        ("def f(a, b):\n    return a + a", "def f(a, b):\n    return a + b"),
        ("x = a < b", "x = a > b and c"),
        ("def f(a, b):\n    return a < b", "def f(a, b):\n    return a > b"),
        ("x = sorted(y)", "x = sorted(y, reverse=True)"),
        ("x = y.upper()", "x = y.lower()"),
        ("input = {'a': 1}", "input = {'a': 1, 'b': 2}"),
        ("x = []", "x = {}"),
        ("x = 1", "x = '1'"),
        ("def f(a, b):\n    a = 1\n    return a", "def f(a, b):\n    a = 1\n    return b"),
    ],
)
def test_two_structures_have_two_fingerprints(one: str, other: str) -> None:
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize(
    "code",
    [
        "import random\nx = random.randint(1, 6)",
        "import random\nrandom.seed()\nx = random.random()",
        "import random\nrandom.seed(None)\nx = random.random()",
        "from random import choice as pick\nx = pick([1, 2])",
        "import random as r\nx = sorted([3, 1], key=lambda _: r.random())",
        "import random\nx = list(map(random.choice, [[1], [2]]))",
        "import random\nx = random.Random().random()",
        "import random\nrandom.seed(1)\nx = random.SystemRandom().random()",
        "import numpy as np\nx = np.random.rand(3)",
        "import numpy as np\nx = np.random.default_rng().random()",
    ],
)
def test_a_draw_from_a_generator_that_nothing_seeds_is_banned(code):
    kind, name = banned(parse(code))
    assert kind == "call" and name.endswith("without a seed")


@pytest.mark.parametrize(
    "code",
    [
        "import random\nrandom.seed(7)\nx = random.randint(1, 6)",
        "from random import seed, choice\nseed(7)\nx = choice([1, 2])",
        "import random\nx = random.Random(7).random()",
        "import numpy as np\nnp.random.seed(0)\nx = np.random.rand(3)",
        "import numpy as np\nx = np.random.default_rng(seed=4).random()",
        "def random():\n    return 4\nx = random()",
    ],
)
def test_a_seeded_generator_is_allowed(code):
    assert banned(parse(code)) is None

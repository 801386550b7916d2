"""A perturbed input keeps its kind, and shows what a program depends on."""

import math
from functools import partial

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.beam import on_workers
from tests.programs_for_tests import SANDBOX, SPAM, execution
from transforms.models.driver import Drive, drive
from transforms.programs.perturb import closed_alphabet, perturb, perturbations, perturbed_inputs
from transforms.sandbox.sandbox import Job, Sandbox, Vary


def sign(number):
    return (number > 0) - (number < 0)


@given(st.integers())
def test_integers_change_in_three_ways_and_keep_their_sign(value):
    found = perturbations(value)
    assert len(found) >= 2 and value not in found
    assert all(type(new) is int and (value == 0 or sign(new) == sign(value)) for new in found)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_change_keep_their_sign_and_stay_finite(value):
    found = perturbations(value)
    assert value not in found and (found or abs(value) < 1e-300)
    assert all(type(new) is float and math.isfinite(new) for new in found)
    assert all(value == 0 or abs(value) < 1e-300 or sign(new) == sign(value) for new in found)


@given(st.text())
def test_texts_keep_their_length_and_their_alphabet_or_the_kind_of_each_character(value):
    alphabet = closed_alphabet(value)
    for new in perturbations(value):
        if value.lower() not in ("yes", "no", "true", "false"):
            assert len(new) == len(value)
            assert all(
                one == other
                or other in alphabet
                or (one.isalpha(), one.isupper()) == (other.isalpha(), other.isupper())
                for one, other in zip(value, new, strict=True)
            )


@pytest.mark.parametrize(
    "value",
    ["0110", "01", "([)]", ["..#", "#.."], "ACGTTGCA", {"rows": ["S.#.", "..#E"]}, "日本日", "+-"],
)
def test_texts_of_few_symbols_change_within_their_own_alphabet(value):
    found = perturbations(value)
    assert len(found) >= 1
    assert all(set("".join(map(str, texts(new)))) <= set("".join(texts(value))) for new in found)


def texts(value):
    if isinstance(value, str):
        return [value]
    return [
        text
        for item in (value.values() if isinstance(value, dict) else value)
        for text in texts(item)
    ]


def test_first_place_last_place_and_every_second_place_are_changed():
    assert perturbations(True) == [False]
    assert perturbations("Yes") == ["No"]
    assert perturbations("code 19") == ["dode 19", "code 18", "foge 49"]
    assert perturbations("9:30") == ["0:30", "9:32", "8:31"]
    assert perturbations([[], [3, 4]]) == [[[], [4, 4]], [[], [3, 3]], [[], [10, 4]]]
    assert perturbations({"a": None, 1: (2,)}) == [
        {"a": None, 1: (3,)},
        {"a": None, 1: (1,)},
        {"a": None, 1: (7,)},
    ]


@pytest.mark.parametrize("value", [None, "", [], {}, "-- "])
def test_what_cannot_change_is_not_perturbed(value):
    assert perturbations(value) == []


@given(st.dictionaries(st.text(min_size=1), st.integers(), min_size=1))
def test_one_key_at_a_time_is_changed(inputs):
    variants = dict(perturbed_inputs("id", inputs))
    assert variants.keys() == inputs.keys()
    for key, ways in variants.items():
        for new in ways:
            assert [name for name in inputs if new[name] != inputs[name]] == [key]


THREE_KEYS = partial(perturb, most_keys=3)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_keys_that_move_the_output_are_found(workers):
    constant = SPAM.replace("return answered * days", "return 7")
    crashing = SPAM.replace("return answered", "assert days == 5\n    return 560 + 0 * days")
    programs = [
        execution(SPAM, id="spam"),
        execution(constant, output="7", id="constant"),
        execution(crashing, id="crashing"),
    ]
    with TestPipeline(**on_workers(workers)) as pipeline:
        found = (pipeline | beam.Create(programs) | Drive("p", THREE_KEYS, sandbox=SANDBOX)).results
        assert_that(
            found | beam.Map(lambda e: (e.id, e.sensitive_keys)),
            equal_to(
                [("spam", ("days", "emails", "percent_spam")), ("constant", ()), ("crashing", ())]
            ),
        )


LARGEST = """input = {"loads": [3, 9, 4], "percent": 100}

def solution(loads, percent):
    # a share above the whole makes no sense
    assert percent <= 100
    # the heaviest of them all
    heaviest = max(loads)
    return heaviest * percent / 100

output = solution(**input)
"""
PAIRS = """input = {"roads": {1: (2, 3), 2: (3,), 3: ()}}

def solution(roads):
    # roads that leave each place, which are keys of a set
    ends = set(roads.values())
    longest = max(len(end) for end in ends)
    # the place that the first road leads to
    return roads[1][0] + longest

output = solution(**input)
"""


VOTES = """input = {"votes": [1240, 980, 655, 125], "winners": 1}

def solution(votes, winners):
    order = sorted(votes, reverse=True)
    # the lead in percentage points, which a vote more or less does not move
    lead = order[0] - order[winners]
    share = 100 * lead / sum(votes)
    return round(share, 1)

output = solution(**input)
"""
LAST = """input = {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}

def solution(a, b, c, d, e):
    # four of the five inputs do not matter
    unused = [a, b, c, d]
    times = len(unused)
    # the fifth does
    return times * e

output = solution(**input)
"""


def test_every_key_is_tried_before_an_output_is_held_to_be_constant():
    # which keys are tried first is drawn from the id
    programs = [execution(LAST, output="20", id=str(number)) for number in range(8)]
    found = drive(programs, partial(perturb, most_keys=1), sandbox=SANDBOX)
    assert [execution.sensitive_keys for execution in found] == [("e",)] * 8


def test_a_bound_a_maximum_rounding_and_the_input_s_own_types_do_not_hide_a_dependence():
    programs = [
        execution(
            LARGEST, output="9.0", input='{"loads": [3, 9, 4], "percent": 100}', id="largest"
        ),
        execution(
            PAIRS, output="4", input='{"roads": {"1": [2, 3], "2": [3], "3": []}}', id="pairs"
        ),
        execution(VOTES, output="8.7", input='{"votes": [1240, 980, 655, 125]}', id="votes"),
    ]
    found = drive(programs, partial(perturb, most_keys=3), sandbox=SANDBOX)
    assert [(execution.id, execution.sensitive_keys) for execution in found] == [
        ("largest", ("loads", "percent")),
        ("pairs", ("roads",)),
        ("votes", ("votes", "winners")),
    ]


SEARCH = """input = {"start": 6, "target": 25}

def solution(start, target):
    # doubles and adds one until the target is met, which most targets never are
    value = start
    steps = 0
    while value != target:
        value = value * 2 + 1 if value < 10 else value + 3 * 4
        steps += 1
    return steps

output = solution(**input)
"""


def test_a_search_that_ends_for_its_own_input_only_does_not_use_up_the_cpu_limit():
    with Sandbox(SANDBOX) as box:
        vary = Vary(
            (
                ("start", "{'start': 7, 'target': 25}"),
                ("target", "{'start': 6, 'target': 37}"),
                ("start", "{'start': 5, 'target': 25}"),
            ),
            cpu_seconds=0.2,
        )
        (result,) = box.run([Job(SEARCH, vary=vary)])
    assert result.moved == {"target"}
    assert result.cpu_seconds < 1


OTHER_DAYS = Vary((("days", '{"emails": 160, "percent_spam": 30, "days": 6}'),), cpu_seconds=0.2)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (SPAM, "ok"),
        (SPAM.replace("// 100", "// (days - 5)"), "runtime_error"),
        (SPAM.replace("answered * days", "print('x' * 9) or object()"), "ok"),
        (SPAM.replace("):\n", ")\n"), "syntax_error"),
        ("import os\nos._exit(0)", "crashed"),
        ("input = {}\nwhile True:\n    pass", "timeout"),
        ("input = {}\noutput = 'x' * 70_000", "output_limit"),
        ("input = {}\nprint('x' * 70_000)\noutput = 1", "output_limit"),
    ],
)
def test_a_run_that_goes_on_to_other_inputs_has_the_result_of_one_that_does_not(code, status):
    settings = SANDBOX.model_copy(update={"cpu_seconds": 1})
    with Sandbox(settings) as box:
        alone, varied = box.run([Job(code), Job(code, vary=OTHER_DAYS)])
    told = [(o.status, o.input, o.output, o.stdout, o.error_type) for o in (alone, varied)]
    assert told[0] == told[1] and alone.status == status


def test_a_program_that_dies_of_another_input_keeps_its_result_and_the_inputs_after() -> None:
    mortal = SPAM.replace("answered = ", "days != 6 or __import__('os')._exit(3)\n    answered = ")
    more = ("emails", '{"emails": 200, "percent_spam": 30, "days": 5}')
    with Sandbox(SANDBOX) as box:
        vary = Vary((*OTHER_DAYS.inputs, more), cpu_seconds=0.2)
        (result,) = box.run([Job(mortal, vary=vary)])
    assert (result.status, result.output, result.moved) == ("ok", "560", {"emails"})


def predicate(body: str, **inputs) -> str:
    """A program whose solution is these lines."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    head = f"input = {inputs!r}\n\ndef solution({', '.join(inputs)}):"
    return f"{head}\n{lines}\n\noutput = solution(**input)\n"


NO = {
    "square": predicate("root = int(n ** 0.5)\nreturn root * root == n", n=1_000),
    "magic": predicate(
        "target = sum(grid[0])\nreturn all(sum(line) == target for line in [*grid, *zip(*grid)])",
        grid=[[2, 7, 6], [9, 5, 1], [4, 3, 7]],
    ),
    "pythagoras": predicate(
        "a, b, c = sorted(sides)\nreturn a * a + b * b == c * c", sides=[4, 7, 9]
    ),
    "subset": predicate(
        "sums = {0}\nfor number in numbers:\n    sums |= {one + number for one in sums}\n"
        "return target in sums",
        numbers=[10, 20, 40, 80],
        target=177,
    ),
    "brackets": predicate(
        "depth = 0\nfor one in text:\n    depth += 1 if one == '(' else -1\n"
        "    if depth < 0:\n        return 'no'\nreturn 'yes' if depth == 0 else 'no'",
        text="(()))(()(",
    ),
}


def test_a_no_that_stays_no_is_not_held_to_be_constant():
    outputs = {name: '"no"' if name == "brackets" else "false" for name in NO}
    programs = [execution(code, output=outputs[name], id=name) for name, code in NO.items()]
    constant = predicate("total = a + b\nreturn False", a=1, b=2)
    disguised = predicate("total = (a + b) * 0\nreturn total > 5", a=1, b=2)
    programs += [
        execution(constant, output="false", id="constant"),
        execution(disguised, output="false", id="disguised"),
    ]
    found = drive(programs, partial(perturb, most_keys=3), sandbox=SANDBOX)
    assert [bool(execution.sensitive_keys) for execution in found] == [p.id in NO for p in programs]

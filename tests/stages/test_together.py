"""Programs that share a job give what each gives alone."""

from __future__ import annotations

from tests.programs_for_tests import SPAM
from tests.recipes.playing import player
from transforms.stages.together import Ran, run_together


def together(*codes: str, seed: int = 0, cpu_seconds: float = 0, events: int = 0):
    return player()(run_together(codes, seed, cpu_seconds, events))


def test_each_program_has_its_own_names_output_and_text() -> None:
    one = "a = 1\nprint('one', __name__)\noutput = [a, (2,)]"
    other = "print('other')\noutput = 'a' in globals()"
    assert together(one, SPAM, other, "a = 2") == [
        Ran([1, [2]], "one __main__\n", None),
        Ran(560, "", None),
        Ran(False, "other\n", None),
        Ran(None, "", None),
    ]


def test_an_exception_ends_its_program_alone() -> None:
    failing, after, no_program = together("print(1)\noutput = 1 / 0", "output = 2", "not (")
    assert failing == Ran(None, "1\n", "ZeroDivisionError: division by zero")
    assert after == Ran(2, "", None)
    assert (no_program.error or "").startswith("SyntaxError")


def test_a_class_finds_its_own_module() -> None:
    code = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass A:\n    x: int = 1\noutput = repr(A())"
    )
    assert [ran.output for ran in together(code, code)] == ["A(x=1)"] * 2


def test_a_job_that_does_not_end_well_rejects_all() -> None:
    assert together("output = 1", "import os\nos._exit(3)").reason == "crashed"
    assert together("output = 1", "output = {1, object()}").reason == "runtime_error"


def test_sets_have_another_order_under_an_odd_seed() -> None:
    code = "output = list({str(n) for n in range(50)})"
    assert together(code) == together(code, seed=2) != together(code, seed=1)


def test_a_program_that_prints_without_end_is_ended_alone() -> None:
    endless, after = together("while True:\n    print('x' * 999)", "output = 2")
    assert 10_000 <= len(endless.printed) < 11_000
    assert endless.error == "OverflowError: it prints too much"
    assert after == Ran(2, "", None)


def test_a_program_that_never_ends_is_ended_alone() -> None:
    endless = "while True:\n    try:\n        n = 1\n    except Exception:\n        pass"
    late, after = together(endless, "output = 2", cpu_seconds=0.05)
    assert (late.error, after) == ("Late: it takes too long", Ran(2, "", None))


def test_lines_are_noted_that_ran_and_raised_nothing() -> None:
    code = (
        "n = 0\ntry:\n    n = 1 / n\nexcept ArithmeticError:\n    n = next(iter([7]))\n"
        "if n < 7:\n    n = 0\noutput = sum(m for m in [n])"
    )
    ran, long, failing = together(code, "for n in range(30): pass", "x = 1\nx = y", events=20)
    assert ran.lines == [1, 2, 4, 5, 6, 8]
    assert long.lines is None and long.error is None
    assert failing.lines == [1]

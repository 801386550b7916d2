"""What a text states of a run is held against its trace."""

from __future__ import annotations

import pytest

from tests.programs.facts.running import traced
from tests.programs_for_tests import SPAM
from transforms.programs.facts import values_after
from transforms.programs.perturb import perturbations
from transforms.programs.questions import false_claim, read_value, retelling, stated

LOOP = """\
def total_of(items):
    total = 0
    for item in items:
        total += item
    return total
output = total_of([3, 4, 5])
"""


@pytest.mark.parametrize("code", [SPAM, LOOP])
def test_a_retelling_of_the_trace_states_facts_alone(code):
    text = retelling(traced(code))
    assert len(stated(text)) >= 4
    assert false_claim(text, traced(code)) is None


@pytest.mark.parametrize("code", [SPAM, LOOP])
def test_a_value_that_no_run_of_the_line_has_is_found(code):
    trace = traced(code)
    lines = retelling(trace).splitlines()
    for place, claim in enumerate(stated("\n".join(lines))):
        held = values_after(trace, claim.line, claim.name)
        for value in perturbations(read_value(claim.value)):
            if value not in held:
                false = claim._replace(value=repr(value))
                changed = [*lines[:place], false.text, *lines[place + 1 :]]
                assert false_claim("\n".join(changed), trace) == false


def test_a_loop_is_told_of_by_its_first_and_last_change():
    claimed = [c.value for c in stated(retelling(traced(LOOP))) if (c.line, c.name) == (4, "total")]
    assert claimed == ["3", "12"]
    assert false_claim("[L4] then `total = 7`", traced(LOOP)) is None


def test_code_in_backquotes_and_lines_without_a_tag_state_nothing():
    text = "`total = 99`\n[L4] runs `total = total + item` if `total == 3`"
    assert stated(text) == []

"""CWM: the traces of the shipped programs can be read back, and end in their outputs."""

from __future__ import annotations

import json
from itertools import islice

import pytest

from tests.recipes.execution.playing import played, seed_of, stage
from transforms.engine.paths import DATA
from transforms.models.episode import play
from transforms.programs.questions import tolerant
from transforms.programs.trace_text import parse_trace
from transforms.stages.graders import Fault, answer_in, grade

CODE = "input = {'n': 2}\ndef solution(n):\n    n += 1\n    return n\noutput = solution(**input)\n"


@pytest.fixture(scope="module")
def shipped():
    paths = sorted((DATA / "seeds").glob("short_*.jsonl"))
    lines = [line for path in paths for line in islice(path.open(), 4)]
    seeds = {seed.id: seed for seed in (seed_of(json.loads(line)["code"]) for line in lines)}
    rows, _ = played(stage("cwm", "trace"), *seeds.values())
    assert len(rows) > 40
    return rows


def test_the_last_value_of_a_trace_is_what_the_program_gives(shipped) -> None:
    for row in shipped:
        variables: dict[str, object] = {}
        exec(row.code, variables)
        frames = parse_trace(json.loads(row.answer)[0])
        assert tolerant(frames[-1].value or "", repr(variables["output"]))


def test_the_right_trace_is_graded_right_and_a_shorter_one_by_its_share(shipped) -> None:
    for row in shipped[:5]:
        response = row.messages[-1].content
        assert play(grade(row, response)).result.score == 1
        lines = (answer_in(response) or "").split("\n")
        half = "```\n" + "\n".join(lines[: len(lines) // 2]) + "\n```"
        mark = play(grade(row, half)).result
        assert mark.fault is Fault.WRONG_ANSWER
        assert mark.score == pytest.approx(len(lines) // 2 / len(lines))


def test_the_line_that_a_trace_begins_with_is_marked() -> None:
    [row], _ = played(stage("cwm", "trace"), seed_of(CODE))
    marked = [
        line for line in row.messages[0].content.split("\n") if line.endswith("START_OF_TRACE")
    ]
    assert marked == ["output = solution(**input)  # << START_OF_TRACE"]


def test_a_trace_without_an_entry_or_over_its_limits_is_rejected() -> None:
    trace = stage("cwm", "trace", "recipe.stages.trace.frames=4", "recipe.stages.trace.events=40")
    longer, endless = (
        CODE.replace("    n", "    n *= 1\n    n", 1),
        CODE.replace("    n += 1", "    for _ in range(50):\n        n += 1"),
    )
    other = CODE.replace("= solution(**input)", "= solution(**input) + 1")
    _, reasons = played(trace, seed_of(longer), seed_of(endless), seed_of(other))
    assert reasons == ["too_long", "trace_cut", "no_entry"]


def test_floats_of_many_digits_are_traced_where_the_program_states_them_alone() -> None:
    stated = CODE.replace("{'n': 2}", "{'n': 0.123456789}").replace("n += 1", "n = [n]")
    computed = CODE.replace("{'n': 2}", "{'n': 0.123456789}")
    rows, reasons = played(stage("cwm", "trace"), seed_of(stated), seed_of(computed))
    assert [row.code for row in rows] == [stated] and reasons == ["many_digits"]


def test_arrays_are_traced_with_type_shape_and_values() -> None:
    code = CODE.replace("n += 1", "n = numpy.full((2, 1), n)").replace(
        "n\noutput", "n.sum()\noutput"
    )
    [row], _ = played(stage("cwm", "trace"), seed_of(f"import numpy\n{code}"))
    text = json.loads(row.answer)[0]
    assert "ndarray([[2], [2]], dtype='int64', shape=(2, 1))" in text and "<" not in text

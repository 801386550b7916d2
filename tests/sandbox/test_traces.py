"""A traced job runs as it does untraced, and what it claims to have done is only a claim."""

from __future__ import annotations

import json

import pytest

from tests.programs_for_tests import SANDBOX, SPAM
from transforms.engine.paths import PROJECT
from transforms.programs.facts import InvalidTrace, final_values, read_trace
from transforms.sandbox.sandbox import Job, Sandbox, Status, TraceLimits

TRACED = TraceLimits()


@pytest.fixture(scope="module")
def box():
    with Sandbox(SANDBOX) as open_box:
        yield open_box


def run(box: Sandbox, code: str, limits: TraceLimits | None = TRACED):
    return box.submit(Job(code, trace=limits)).result()


def test_a_job_gives_its_trace_beside_its_output(box):
    result = run(box, SPAM)
    values = final_values(read_trace(result.trace))
    assert result.output == str(values["output"]) == "560"
    assert values["input"] == {"emails": 160, "percent_spam": 30, "days": 5}


def test_an_untraced_job_has_none(box):
    assert run(box, SPAM, None).trace is None


def test_a_program_that_fails_has_the_trace_until_then(box):
    result = run(box, "x = 1\nx / 0")
    assert (result.status, result.output) == (Status.RUNTIME_ERROR, None)
    assert final_values(read_trace(result.trace)) == {"x": 1}


def test_a_trace_past_its_budget_says_so_and_the_program_goes_on(box):
    code = "total = 0\nfor i in range(100_000):\n    total += i\noutput = total\n"
    result = run(box, code, TraceLimits(events=500))
    trace = read_trace(result.trace)
    assert (result.output, trace.cut, len(trace.recorded)) == ("4999950000", "events", 500)


def test_values_outside_of_ascii_fit_the_claim_of_a_full_trace(box):
    result = run(box, "x = '\"\\n\\x01π' * 20_000\noutput = len(x)")
    assert result.status is Status.OK
    assert read_trace(result.trace).cut is None


def seeds() -> list[str]:
    """Every fourth shipped program."""
    lines = [
        line
        for path in sorted((PROJECT / "data/seeds").glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    return [json.loads(line)["code"] for line in lines[::4]]


def test_the_shipped_programs_give_the_same_traced_and_their_traces_are_whole(box):
    codes = seeds()
    plain = list(box.run(Job(code) for code in codes))
    with_trace = list(box.run(Job(code, trace=TRACED) for code in codes))
    assert [r[:3] for r in map(said, plain)] == [r[:3] for r in map(said, with_trace)]
    traces = [read_trace(result.trace) for result in with_trace]
    assert sum(trace.cut is None for trace in traces) / len(traces) > 0.98
    for result, trace in zip(with_trace, traces, strict=True):
        if trace.cut is None and result.output.isdigit():
            assert final_values(trace)["output"] == int(result.output)


def said(result):
    return result.status, result.output, result.stdout


FORGED = [
    'print(\'{"cut": null, "events": []}\')\noutput = 1',
    'import os\nfor fd in range(3, 20):\n  try: os.write(fd, b\'{"status": "ok", "trace": 1}\')\n'
    "  except OSError: pass\noutput = 1",
]


def test_what_a_program_prints_is_no_event(box):
    result = run(box, FORGED[0])
    assert final_values(read_trace(result.trace)) == {"output": 1}
    assert result.stdout == '{"cut": null, "events": []}\n'


def test_a_program_that_writes_into_its_claim_has_no_result(box):
    result = run(box, FORGED[1])
    assert (result.status, result.trace) == (Status.CRASHED, None)


REACHES = (
    "import gc\n"
    "tracer = next(o for o in gc.get_objects() if type(o).__name__ == 'Tracer')\n"
    "events = next(v for v in vars(tracer).values() if type(v) is list)\n"
)


@pytest.mark.parametrize(
    "change",
    [
        'events[:] = [\'{"e": "line", "f": 0, "d": 0, "l": 1}\']',
        "events.append('null')",
        'events.append(\'{"e": "call", "f": 9, "d": 1, "l": 1, "n": "f"}\')',
        'events.append(\'{"e": "line", "f": 0, "d": 7, "l": 1}\')',
        'events[0] = events[0].replace(\'"l": 0\', \'"l": 0, "c": {"x": {"set": [[1]]}}\')',
        "events.append('[' * 5000 + ']' * 5000)",
    ],
)
def test_events_that_a_program_has_made_up_out_of_form_are_refused(box, change):
    result = run(box, REACHES + change)
    if result.status is Status.CRASHED:  # not even JSON
        return
    with pytest.raises(InvalidTrace):
        read_trace(result.trace)


def test_a_program_that_floods_its_trace_is_ended(box):
    result = run(box, REACHES + "events.append('\"' + 'x' * 50_000_000 + '\"')")
    assert (result.status, result.trace) == (Status.OUTPUT_LIMIT, None)


def test_a_program_cannot_trace_itself_instead(box):
    code = "import sys\nsys.settrace(None)\nx = 1\noutput = x"
    result = run(box, code)
    assert (result.output, read_trace(result.trace).cut) == ("1", "tracing")

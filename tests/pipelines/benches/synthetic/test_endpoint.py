"""The scripted endpoint knows the truth, and its stories are what the recipe's checks keep."""

import json
import random
import urllib.request

import pytest

from pipelines.benches.synthetic.endpoint import FAULTS, Model, spoiled, story
from pipelines.benches.synthetic.pipeline_benchmark import CpuMeter, scripted_endpoint
from tests.programs_for_tests import FILTER, program
from transforms.programs import fingerprint
from transforms.programs.checks import FormOf, form_checks

SOLVE = "{}\n\nReason step by step, then put the final answer within \\boxed{{}}."


def test_a_story_s_program_comes_to_its_answer():
    for number in range(200):
        told = story(random.Random(number))
        variables: dict = {}
        exec(told.code, variables)
        assert variables["output"] == told.answer


def test_stories_pass_the_checks_of_form_and_differ_in_structure():
    told = [story(random.Random(number)) for number in range(200)]
    assert all(FormOf(form_checks(FILTER))(program(one.code)).kept for one in told)
    assert len({fingerprint(one.code) for one in told}) > 190


@pytest.mark.parametrize("fault", ["syntax", "runtime", "unused", "constant"])
def test_a_fault_changes_the_program(fault):
    code = story(random.Random(0)).code
    assert fault in FAULTS and spoiled(code, fault) != code


def test_the_endpoint_words_and_solves_its_own_program():
    model = Model()
    code = model.answer("Write one new program in exactly this form.", 0)
    shown = f"{code}\n\nWord the problem that this last program solves."
    instruction = model.answer(shown, 1)
    assert instruction.endswith("in the end?")
    assert "\\boxed{" in model.answer(SOLVE.format(instruction), 2)


def test_a_prompt_and_seed_have_one_answer():
    assert Model().answer("Write one.", 3) == Model().answer("Write one.", 3)
    assert Model().answer("Write one.", 3) != Model().answer("Write one.", 4)


def test_it_answers_over_http_and_its_cpu_time_is_its_own():
    body = {"model": "scripted", "seed": 1, "messages": [{"role": "user", "content": "Write one."}]}
    with scripted_endpoint() as (url, pid):
        request = urllib.request.Request(
            f"{url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "x"}
        )
        with urllib.request.urlopen(request) as reply:
            answer = json.load(reply)
        meter = CpuMeter(run=pid, server=pid)
        meter.look()
    assert answer["choices"][0]["message"]["content"].startswith("```python\ninput = {")
    assert answer["usage"]["total_tokens"] > 0
    assert meter.spent()["server"] > 0

"""A reward is the verdict of verification, without the engine that makes it."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.benches.programs import shipped_seeds
from pipelines.benches.reward import judged_alone, planted_attempts
from tests.programs_for_tests import FILTER, SANDBOX, SPAM, execution
from transforms.engine.records import Attempt, Attempts, grow
from transforms.models.driver import drive
from transforms.programs.checks import FormOf, form_checks
from transforms.publish.reward import compute_score, reward, rewards, task_of, undecided
from transforms.recipes.caco.mark import mark
from transforms.recipes.caco.verify import example

STEPS = "The box holds 6 × 5 = 30 eggs. With the others there are 30 + 6 = 36 eggs.\n"
ROW = {
    "instruction": "A box holds 6 rows of 5 eggs, and 6 eggs lie beside it. How many are there?",
    "answer": "36",
    "answer_type": "integer",
}
ROOT = {
    "instruction": "A square has an area of 12. How long is its side?",
    "answer": "3.4641016151377544",
    "answer_type": "float",
}
ROOTED = "The area 12 is the side times itself, so it is $2\\sqrt{3}$.\nThe answer is $2\\sqrt{3}$."
SPAM_INPUT = '{"emails": 160, "percent_spam": 30, "days": 5}'
EMAILS = "160 emails come a day, 30 percent of them spam, for 5 days. How many others are there?"


def accepted_row(text, kind="cot", output="560"):
    """The row of a problem with one attempt, as Verify publishes it."""
    made = grow(
        Attempts,
        execution(output=output),
        instruction=EMAILS,
        attempts=(Attempt(text, "stop", kind),),
    )
    [marked] = drive([made], partial(mark, form=FormOf(form_checks(FILTER))), sandbox=SANDBOX)
    return asdict(example(marked, "caco", "run"))


def test_the_module_imports_neither_beam_nor_a_model_library():
    heavy = ("apache_beam", "vllm", "torch", "transformers", "pyarrow")
    line = f"import sys, transforms.publish.reward; print([n for n in {heavy} if n in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_planted_completions_earn_what_verify_decides_of_them():
    graded = judged_alone(planted_attempts(shipped_seeds()[::40], SANDBOX), FILTER, SANDBOX)
    earned = rewards([], graded.completions, **graded.columns)
    assert [one == 1 for one in earned] == list(graded.by_verify)
    assert 0 < sum(earned) < len(earned)


@pytest.mark.parametrize(
    ("solution", "output"),
    [
        ("30 % of 160 is 48, so 112 a day, in 5 days 112 × 5 = 560.\nThe answer is 560.", "560"),
        ("In 5 days 800 come, and 560 stay.\nThe answer is five hundred sixty.", "560"),
        ("Of 160 emails 112 stay each day, for 5 days.\nThe answer is [112, 5].", "[112, 5]"),
        ("Of 160 emails most stay for 5 days.\nThe answer is Anna.", '"Anna"'),
    ],
)
def test_an_accepted_rows_own_solution_earns_its_reward(solution, output):
    assert reward(solution, accepted_row(solution, output=output)) == 1


@pytest.mark.parametrize(
    ("completion", "earned"),
    [
        (f"{STEPS}The answer is 36.", 1),
        (f"<think>It is 35.</think>{STEPS}\\boxed{{36}}", 1),
        (f"<think>{STEPS}The answer is 36.", 0),
        (f"{STEPS}The answer is 35.", 0),
        ("6 × 5 = 31 eggs, and 6 more.\nThe answer is 36.", 0),
        ("", 0),
        ([{"role": "assistant", "content": f"{STEPS}\\boxed{{36}}"}], 1),
        ([{"role": "assistant", "content": [{"type": "text", "text": f"{STEPS}It is 36."}]}], 1),
        ([{"role": "user", "content": f"{STEPS}\\boxed{{36}}"}], 0),
        ([{"role": "assistant", "content": None, "reasoning_content": "36"}], 0),
        ([], 0),
    ],
)
def test_a_completion_earns_by_its_answer_and_its_steps(completion, earned):
    assert reward(completion, ROW) == earned


def test_without_steps_the_answer_alone_counts():
    assert [reward("The answer is 36.", ROW, steps=steps) for steps in (True, False)] == [0, 1]


def test_a_truncated_completion_earns_nothing():
    assert reward(f"{STEPS}The answer is 36.", ROW, truncated=True) == 0


def test_a_row_whose_solution_is_a_program_is_answered_by_a_program():
    row = accepted_row(SPAM, "code")
    off = SPAM.replace("answered * days", "answered * days + 1")
    fenced = [f"Here it is:\n```python\n{code}```" for code in (SPAM, off)]
    assert [reward(text, row) for text in (*fenced, "The answer is 560.")] == [1, 0, 0]


def test_a_text_reference_is_compared_as_grade_compares_it():
    row = {"answer": "\\frac{1}{2}"}
    assert [reward(f"The answer is {said}.", row) for said in ("1/2", "0.5", "2")] == [1, 1, 0]


def test_a_trajectory_is_graded_by_its_last_message():
    call = {"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]}
    told = {"role": "assistant", "content": "It is \\boxed{7}."}
    row = {"answer": "7", "messages": []}
    talks = ([call, told], [told, call], [told, {"role": "tool", "content": "7"}])
    assert [reward(talk, row) for talk in talks] == [1, 0, 0]


@pytest.mark.parametrize(
    ("task", "prediction", "right", "wrong"),
    [
        ("output", "560", "output = 560", "561"),
        ("input", SPAM_INPUT, "{'emails': 80, 'percent_spam': 30, 'days': 10}", SPAM_INPUT[:-2]),
        ("input", SPAM_INPUT, f"input = {SPAM_INPUT}", '{"emails": 80}'),
    ],
)
def test_a_predicted_value_is_proved_by_running_the_program(task, prediction, right, wrong):
    row = {"task": task, "code": SPAM, "prediction": prediction}
    texts = [f"I think:\n```python\n{said}\n```" for said in (right, wrong)]
    assert [reward(text, row) for text in (*texts, right)] == [1, 0, 0]
    assert reward(texts[0], row, truncated=True) == 0


@pytest.mark.parametrize(
    ("grader", "answer", "texts", "scores"),
    [
        ("tolerant", '["560"]', ["560", "561", "solution(**input)"], [1, 0, 0]),
        ("witness", '"560"', [SPAM_INPUT, "{'emails': 80}"], [1, 0]),
        ("parts", '{"a": "1", "b": "2"}', ['{"a": 1, "b": 3}', "{}", "no"], [0.55, 0.1, 0]),
        ("tests", json.dumps([[SPAM_INPUT, "560"]]), [SPAM, SPAM.replace("*", "+")], [1, 0]),
    ],
)
def test_a_row_with_a_grader_earns_its_score(grader, answer, texts, scores):
    row = {"task": "any", "code": SPAM, "grader": grader, "answer": answer}
    fenced = [f"I think:\n```\n{text}\n```" for text in texts]
    assert [reward(text, row) for text in fenced] == pytest.approx(scores)
    assert rewards([""] * len(texts), fenced, **{k: [v] * len(texts) for k, v in row.items()}) == (
        pytest.approx(scores)
    )
    assert reward(fenced[0], row, truncated=True) == 0


def test_what_rules_cannot_decide_is_run_in_the_sandbox_or_counted():
    before = undecided()
    assert [reward(ROOTED, ROOT, sandbox=mode) for mode in ("auto", "none")] == [1, 0]
    assert undecided() == before + 1


def test_a_hostile_answer_earns_nothing_and_does_nothing(tmp_path):
    mark_file = tmp_path / "reached"
    hostile = f"__import__('os').system('touch {mark_file}')"
    texts = [f"{STEPS}The answer is {hostile}.", f"{STEPS}\\boxed{{{hostile}}}"]
    assert [reward(text, ROOT) for text in texts] == [0, 0] and not mark_file.exists()


def test_trl_calls_it_with_the_columns_of_the_dataset():
    columns = {name: [value, value] for name, value in ROW.items()}
    logged = {}
    earned = rewards(
        prompts=[ROW["instruction"]] * 2,
        completions=[f"{STEPS}The answer is {n}." for n in (36, 35)],
        completion_ids=[[1], [2]],
        trainer_state=object(),
        log_extra=print,
        log_metric=logged.__setitem__,
        sandbox="none",
        **columns,
    )
    assert (earned, logged) == ([1, 0], {"undecided": 0})


def test_verl_calls_it_with_ground_truth_and_extra_info():
    extra = {"instruction": ROW["instruction"], "answer_type": "integer", "index": 7}
    texts = [f"{STEPS}The answer is {n}." for n in (36, 35)]
    assert [compute_score("cotmill", text, "36", extra) for text in texts] == [1, 0]


def test_a_row_without_a_reference_answer_is_refused_by_name():
    with pytest.raises(ValueError, match="no reference answer: keep the column answer .* has prom"):
        reward("The answer is 4.", {"prompt": "2 + 2?"})


def test_an_answer_that_is_not_json_beside_its_type_is_refused_by_name():
    row = {"instruction": "Which day is it?", "answer": "Monday"}
    assert reward("The answer is Monday.", row) == 1
    with pytest.raises(
        ValueError, match="answer 'Monday' is not JSON.*: write \"Monday\", or leave"
    ):
        reward("The answer is Monday.", {**row, "answer_type": "string"})


def test_walls_that_do_not_exist_are_refused_by_name():
    with pytest.raises(ValueError, match="sandbox='off': use one of auto, strict, none"):
        reward("The answer is 4.", ROW, sandbox="off")


PREDICT = {"task": "input", "code": SPAM, "prediction": SPAM_INPUT}


@settings(max_examples=60)
@given(st.text(), st.sampled_from([ROW, ROOT, PREDICT, {"answer": "a"}, {**ROW, "solution": SPAM}]))
def test_any_text_earns_nothing_or_one(text, row):
    fenced = f"```python\n{text}\n```"
    said = [text, f"<think>{text}", f"The answer is {text}", fenced, [{"content": text}]]
    assert {reward(each, row, sandbox="none") for each in said} <= {0, 1}


def test_threads_share_the_sandbox():
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: reward(ROOTED, ROOT), range(8))) == {1}


def test_a_forked_process_has_a_sandbox_of_its_own_and_leaves_its_parents():
    code = f"""
import os, sys
from transforms.publish.reward import reward
print(reward({ROOTED!r}, {ROOT!r}), flush=True)
child = os.fork()
print(reward({ROOTED!r}, {ROOT!r}), flush=True)
if child:
    os.waitpid(child, 0)
    print(reward({ROOTED!r}, {ROOT!r}), flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.split(), done.returncode) == (["1.0"] * 4, 0)


@settings(max_examples=30)
@given(st.one_of(st.integers(), st.booleans(), st.text(min_size=1)))
def test_the_reference_is_a_programs_output_where_the_row_says_its_type(value):
    output = json.dumps(value)
    row = {"answer": output, "answer_type": "any"}
    assert task_of(row).reference == task_of({"answer": "x", "output": output}).reference == output
    assert task_of(row).has_program and not task_of({"answer": output}).has_program

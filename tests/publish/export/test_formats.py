"""What each format makes of the rows of each recipe."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.publish.export import runs
from transforms.engine.run_folder import RunFolder
from transforms.engine.settings import parse_settings
from transforms.publish.export import tasks as reading
from transforms.publish.export.controls import controls, format_reward, near, random_reward
from transforms.publish.export.forms import Example, Format, Omitted
from transforms.publish.export.preference import PreferenceExport
from transforms.publish.export.rl import RlExport, right_answer
from transforms.publish.export.sft import SftExport
from transforms.publish.export.tasks import Attempted, tasks
from transforms.publish.export.value import ValueExport
from transforms.publish.reward import compute_score

Values = list[dict[str, Any]]
FORMATS: dict[str, tuple[type[Format], dict[str, Any]]] = {
    "sft": (SftExport, {}),
    "rl": (RlExport, {"trainer": "trl_grpo"}),
    "preference": (PreferenceExport, {}),
    "value": (ValueExport, {}),
}


def exported(run: RunFolder, name: str, **values: Any) -> tuple[Values, Counter[str]]:
    """What a format makes of a run, and why it leaves out what."""
    root, given = FORMATS[name]
    form = parse_settings({"type": name, **given, **values}, root)
    manifest = run.read_manifest()
    assert manifest is not None
    made: list[Example | Omitted] = []
    for task in tasks(run, manifest, form.attempts, form.failures):
        made += form.examples(task, "train", len(made))
    rows = [one.values for one in made if isinstance(one, Example)]
    return rows, Counter(one.reason for one in made if isinstance(one, Omitted))


@pytest.fixture(params=sorted(runs.RUNS))
def run(request: pytest.FixtureRequest, tmp_path: Path) -> RunFolder:
    make: Callable[[Path], RunFolder] = runs.RUNS[request.param]
    return make(tmp_path)


def test_any_recipes_rows_make_examples_to_learn_from(run: RunFolder) -> None:
    rows, _ = exported(run, "sft")
    for row in rows:
        assert row["messages"][-1]["role"] == "assistant" and row["loss_mask"][-1]
        assert row["license"] and row["id"]


def test_every_example_is_json_and_has_the_columns_of_its_format(run: RunFolder) -> None:
    for name, (root, _) in FORMATS.items():
        for row in exported(run, name)[0]:
            assert json.loads(json.dumps(row)) == row
            assert row.keys() <= parse_settings({"type": name}, root).types().keys()


def test_the_parts_in_which_files_are_read_decide_nothing(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def everything() -> list[str]:
        made = [exported(run, "sft", solutions="all"), exported(run, "preference")]
        return sorted(json.dumps(row) for rows, _ in made for row in rows)

    before = everything()
    monkeypatch.setattr(reading, "_PART_BYTES", 300)
    monkeypatch.setattr(reading, "_BATCH", 2)
    assert everything() == before and before


def test_of_several_solutions_the_published_one_is_the_best(tmp_path: Path) -> None:
    run = runs.caco(tmp_path)
    rows, left = exported(run, "sft")
    assert [row["messages"][1]["content"][:4] for row in rows] == ["Take"] * 3
    assert not left


@pytest.mark.parametrize(("solutions", "count"), [("all", 6), (1, 3), (2, 6), (9, 6)])
def test_solutions_that_agree_are_examples_of_their_own(
    tmp_path: Path, solutions: str | int, count: int
) -> None:
    rows, _ = exported(runs.caco(tmp_path), "sft", solutions=solutions)
    assert len(rows) == count
    assert all("8" not in row["messages"][1]["content"] for row in rows)


def test_without_its_stages_a_run_has_the_published_solutions(tmp_path: Path) -> None:
    rows, _ = exported(runs.plain_rows(tmp_path), "sft", solutions="all")
    assert len(rows) == 6


def test_further_rows_with_one_prompt_are_left_out_with_the_reason(tmp_path: Path) -> None:
    rows, left = exported(runs.tool_math(tmp_path), "sft")
    assert len(rows) == 2
    assert left == {"another solution of a problem (format.solutions=best)": 1}


def test_turns_whose_call_was_an_error_are_masked_on_request(tmp_path: Path) -> None:
    run = runs.tool_math(tmp_path)
    masks = {}
    for masked in (False, True):
        rows, _ = exported(run, "sft", solutions="all", mask_errors=masked)
        masks[masked] = max((row["loss_mask"] for row in rows), key=len)
    learned = [False, False, True, False, True, False, True]
    assert masks[False] == learned
    assert masks[True] == [False, False, False, False, True, False, True]


def test_rows_that_call_tools_carry_the_tools(tmp_path: Path) -> None:
    rows, _ = exported(runs.tool_math(tmp_path), "sft")
    assert {json.loads(row["tools"])[0]["function"]["name"] for row in rows} == {"python"}


def test_prompt_and_completion_are_the_conversation(tmp_path: Path) -> None:
    run = runs.tool_math(tmp_path)
    whole = {row["id"]: row["messages"] for row in exported(run, "sft")[0]}
    for row in exported(run, "sft", shape="prompt_completion")[0]:
        assert row["prompt"] + row["completion"] == whole[row["id"]]
        assert row["completion"][0]["role"] == "assistant"
        assert [message["role"] for message in row["prompt"]] == ["system", "user"]


def test_sharegpt_turns_alternate_and_hold_reasoning_and_calls(tmp_path: Path) -> None:
    rows, _ = exported(runs.tool_math(tmp_path), "sft", shape="sharegpt", solutions="all")
    for row in rows:
        whose = [turn["from"] for turn in row["conversations"]]
        assert whose[:2] == ["system", "human"]
        assert set(whose[1::2]) <= {"human", "observation"}
        assert set(whose[2::2]) <= {"gpt", "function_call"}
        assert len(row["loss_mask"]) == len(whose)
    [called] = [row for row in rows if len(row["conversations"]) == 5]
    thought, call = called["conversations"][2]["value"].split("\n\n")
    assert thought == "<think>\nI compute it.\n</think>"
    assert json.loads(call) == {"name": "python", "arguments": {"code": "42 + 1"}}
    assert json.loads(called["tools"])[0]["name"] == "python"


def test_a_variant_without_a_solution_makes_no_example_to_learn_from(tmp_path: Path) -> None:
    rows, left = exported(runs.augment(tmp_path), "sft")
    assert (len(rows), left) == (2, {"no solution": 1})


# Prompts with right answers


@pytest.mark.parametrize(
    ("row", "truth"),
    [
        ({"answer": '"north"', "answer_type": "string"}, "north"),
        ({"answer": '"north"'}, '"north"'),
        ({"answer": "7.5", "answer_type": "float"}, "7.5"),
        ({"answer": "two apples"}, "two apples"),
        ({"answer": "7", "output": "[7]"}, "[7]"),
        ({"prediction": '{"a": 1}'}, '{"a": 1}'),
        ({"answer": None}, None),
        ({}, None),
    ],
)
def test_the_right_answer_is_text(row: dict[str, Any], truth: str | None) -> None:
    assert right_answer(row) == truth


def test_pass_rates_are_those_of_the_runs_attempts(tmp_path: Path) -> None:
    rows, _ = exported(runs.caco(tmp_path / "caco"), "rl")
    assert {(row["pass_rate"], row["attempts"]) for row in rows} == {(0.5, 4)}
    rows, _ = exported(runs.tool_math(tmp_path / "tools"), "rl")
    rates = {row["instruction"]: row["pass_rate"] for row in rows}
    assert rates == {"What is 42 + 1?": pytest.approx(2 / 3), "What is 2 + 2?": 1.0}


def test_a_range_of_pass_rates_leaves_out_what_is_too_easy_or_was_never_tried(
    tmp_path: Path,
) -> None:
    rows, left = exported(runs.tool_math(tmp_path / "tools"), "rl", at_most=0.9)
    assert [row["instruction"] for row in rows] == ["What is 42 + 1?"]
    assert left["pass rate not in 0 to 0.9"] == 1
    rows, left = exported(runs.augment(tmp_path / "augment"), "rl", at_least=0.1)
    assert not rows and left == {"no pass rate: it is no attempt of a model's": 3}


def test_a_predicted_input_is_no_answer_that_text_can_grade(tmp_path: Path) -> None:
    rows, left = exported(runs.predict(tmp_path), "rl")
    assert [row["answer"] for row in rows] == ["560"]
    assert left == {"a predicted input, which only a run of the program can grade": 1}


@pytest.mark.parametrize("trainer", ["trl_grpo", "verl"])
def test_tasks_with_a_grader_are_graded_by_it_in_a_trainer(tmp_path: Path, trainer: str) -> None:
    rows, left = exported(runs.attempted(tmp_path), "rl", trainer=trainer)
    assert len(rows) == 2 and not left
    for row in rows:
        facts = row.get("extra_info") or row
        assert facts["pass_rate"] == 0.5 and facts["attempts"] == 8
        truth = row["answer"] if trainer == "trl_grpo" else row["reward_model"]["ground_truth"]
        given = "{'emails': 112, 'percent_spam': 0, 'days': 5}"
        right = "560" if "output" in row["prompt"][-1]["content"] else given
        scores = [
            compute_score("", f"```\n{text}\n```", truth, facts)
            for text in (right, "{'emails': 1}")
        ]
        assert scores == [1, 0]


def test_variants_without_solutions_are_prompts_all_the_same(tmp_path: Path) -> None:
    rows, _ = exported(runs.augment(tmp_path), "rl", suffix="\n\nBox the answer.")
    assert sorted(row["answer"] for row in rows) == ["1", "2", "3"]
    assert all(row["prompt"][-1]["content"].endswith("?\n\nBox the answer.") for row in rows)
    assert all(row["instruction"].endswith("1?") for row in rows)


def test_verl_gets_the_fields_that_it_documents(tmp_path: Path) -> None:
    rows, _ = exported(runs.caco(tmp_path), "rl", trainer="verl")
    for index, row in enumerate(rows):
        assert row.keys() == {"data_source", "prompt", "ability", "reward_model", "extra_info"}
        assert row["reward_model"] == {"style": "rule", "ground_truth": "7"}
        assert (row["extra_info"]["split"], row["extra_info"]["index"]) == ("train", index)
        assert row["data_source"] == "cotmill/caco"


def test_openrlhf_and_verifiers_get_theirs(tmp_path: Path) -> None:
    run = runs.caco(tmp_path)
    [row, *_] = exported(run, "rl", trainer="openrlhf")[0]
    assert (row["label"], row["datasource"], row["prompt"][0]["role"]) == (
        "7",
        "cotmill/caco",
        "user",
    )
    [row, *_] = exported(run, "rl", trainer="verifiers")[0]
    assert row["answer"] == "7" and json.loads(row["info"])["pass_rate"] == 0.5


def test_controls_are_the_answers_that_most_attempts_give(tmp_path: Path) -> None:
    others = [Attempted([], False, answer) for answer in ("8", "9", "8", None)]
    assert controls("a", "7", 1, others) | {"random": 0} == {
        "random": 0,
        "majority": "8",
        "wrong": "8",
    }
    assert controls("a", "7", 2, others)["majority"] == "7"
    rows, _ = exported(runs.caco(tmp_path), "rl", control=True)
    assert {row["control"]["wrong"] for row in rows} == {"8"}
    assert len({row["control"]["random"] for row in rows}) == 3


@pytest.mark.parametrize("truth", ["0", "-7", "12.50", "99"])
def test_a_wrong_label_is_a_number_of_the_same_form(truth: str) -> None:
    labels = {near(truth, str(n)) for n in range(40)}
    assert len(labels) == 9 and all(float(str(one)) != float(truth) for one in labels)
    assert {len(str(one)) for one in labels} == {len(truth)}


def test_the_random_reward_is_a_coin_for_each_completion() -> None:
    tossed = [random_reward(f"answer {n}", 5) for n in range(400)]
    assert 150 < sum(tossed) < 250
    assert tossed == [random_reward(f"answer {n}", 5) for n in range(400)]
    assert tossed != [random_reward(f"answer {n}", 6) for n in range(400)]


def test_the_format_reward_looks_at_the_box_alone() -> None:
    assert format_reward("\\boxed{\\frac{1}{2}}") == 1.0
    assert [format_reward(text) for text in ("", "7", "\\boxed{}", "\\boxed{ }")] == [0.0] * 4


# Pairs


def test_an_answer_that_agrees_is_chosen_over_one_that_does_not(tmp_path: Path) -> None:
    rows, _ = exported(runs.caco(tmp_path, 1), "preference", pairs=["agreement"], per_task=5)
    [(chosen, rejected)] = [(row["chosen"], row["rejected"]) for row in rows]
    assert chosen[0]["content"].endswith("answer is 7.")
    assert chosen[0]["reasoning_content"] == "3 and 4, so 7."
    assert rejected[0]["content"].endswith("answer is 8.")


def test_of_two_that_agree_the_shorter_is_chosen_where_the_other_is_long_enough(
    tmp_path: Path,
) -> None:
    run = runs.caco(tmp_path, 1)
    rows, _ = exported(run, "preference", pairs=["length"])
    [row] = rows
    assert len(row["chosen"][0]["content"]) * 1.5 < len(row["rejected"][0]["content"])
    rows, left = exported(run, "preference", pairs=["length"], longer=99)
    assert not rows and left == {"no pair of answers": 1}


def test_conversations_with_one_prompt_make_pairs_with_the_rejected_ones(tmp_path: Path) -> None:
    rows, left = exported(runs.tool_math(tmp_path), "preference", pairs=["agreement"])
    [row] = rows
    assert row["prompt"][-1]["content"] == "What is 42 + 1?"
    assert row["chosen"][-1]["content"] == "It is \\boxed{43}."
    assert row["rejected"][-1]["content"] == "It is \\boxed{44}."
    assert left == {"no pair of answers": 1}


def test_rejects_for_other_reasons_are_no_wrong_answers(tmp_path: Path) -> None:
    run = runs.tool_math(tmp_path)
    reasons = ["duplicate_instruction"]
    rows, left = exported(run, "preference", pairs=["agreement"], failed=reasons)
    assert not rows and left == {"no pair of answers": 2}


def test_judged_pairs_stay_as_the_judge_decided(tmp_path: Path) -> None:
    rows, _ = exported(runs.judge(tmp_path), "preference")
    [row] = rows
    assert (row["chosen"][0]["content"], row["rejected"][0]["content"]) == ("Because.", "So.")
    assert row["pair"] == "judge"


def test_attempts_make_pairs_with_those_that_their_grader_refused(tmp_path: Path) -> None:
    [row], _ = exported(runs.attempted(tmp_path), "preference")
    assert [row[side][0]["content"] for side in ("chosen", "rejected")] == [
        "```\n560\n```", "```\n561\n```",
    ]  # fmt: skip


def test_predictions_make_pairs_with_wrong_ones(tmp_path: Path) -> None:
    rows, _ = exported(runs.predict(tmp_path), "preference")
    assert [row["rejected"][0]["content"] for row in rows] == ["It is 561."]

"""A training example is what a stage asks at inference, and what it should have answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.programs_for_tests import SPAM, execution
from tests.settings_for_tests import composed
from transforms.engine.paths import DATA
from transforms.engine.recipe import build_segments
from transforms.engine.records import Problem, Seed, grow
from transforms.models.pool import Pool
from transforms.models.requests import Request
from transforms.training.examples import (
    PROMPTS,
    TaskSettings,
    TrainingExample,
    equations,
    example,
    examples,
    load_prompts,
)

_PROMPTS = load_prompts(str(DATA / "prompts" / "caco"), PROMPTS)
_APIS = ("chat", "completions")
_ASKED = [task for task in PROMPTS if task != "calculate"]
"""The tasks that a stage asks for."""


def _seed(**changes: Any) -> Seed:
    values: dict[str, Any] = {
        "problem": "Of 160 emails a day 30% are spam. How many others come in 5 days?",
        "code": SPAM,
        "solution": "112 a day are answered, so 112 × 5 = 560.\nThe answer is 560.",
        "answer": "560",
        "kind": "percent_interest",
        "source": "test",
        "license": "CC0-1.0",
    }
    return Seed.make(**{**values, **changes})


def _example(task: str, api: str, **changes: Any) -> TrainingExample | None:
    return example(task, _seed(**changes), _PROMPTS[task], api)


def _asked(task: str, api: str) -> Request:
    """What the stage of a task asks about the seed when it shows no examples."""
    conditioning = "kind" if task == "codegen_kind" else "unconditional"
    shots = [f"sampling.{name}.shots=0" for name in ("unify", "program", "reverse", "solve")]
    settings = composed(
        "backend=openai", "backend.base_url=http://127.0.0.1:1/v1", "backend.model=m",
        f"backend.api={api}", "backend.continue_prefix=true", "output_dir=x",
        "sampling=unconditional", f"sampling.conditioning={conditioning}", *shots,
    )  # fmt: skip
    stages = {
        stage.name: stage
        for segment in build_segments(settings, "x", "x/ledger")
        for stage in segment.stages
    }
    seed, ran = _seed(), execution(id="p")
    match task:
        case "codegen" | "codegen_kind":
            return next(stages["sample"].episode(0, Pool([seed])))[0]
        case "unify":
            return next(stages["unify"].episode(replace(seed, code=None), Pool()))[0]
        case "reverse":
            return next(stages["reverse"].episode(ran, Pool()))
    problem = grow(Problem, ran, instruction=seed.problem)
    return next(stages["solve"].episode(problem, Pool()))[0]


@pytest.mark.parametrize("api", _APIS)
@pytest.mark.parametrize("task", _ASKED)
def test_the_prompt_is_what_the_stage_asks_without_examples(task: str, api: str) -> None:
    made, asked = _example(task, api), _asked(task, api)
    assert made is not None
    assert (made.words.messages, made.words.prompt) == (asked.messages, asked.prompt)


@pytest.mark.parametrize("api", _APIS)
@pytest.mark.parametrize("task", _ASKED)
def test_the_answer_begins_with_the_prefix_that_the_stage_forces(task: str, api: str) -> None:
    made = _example(task, api)
    assert made is not None and made.completion.startswith(_asked(task, api).sampler.prefix)


@pytest.mark.parametrize("task", _ASKED)
def test_the_answer_holds_no_text_at_which_the_stage_would_stop(task: str) -> None:
    made = _example(task, "completions")
    assert made is not None
    stops = _asked(task, "completions").sampler.stop
    assert not [stop for stop in stops if stop in made.completion]


def test_a_completed_text_is_a_program_in_lines_and_words_after_a_space() -> None:
    texts = {task: _example(task, "completions") for task in ("codegen", "reverse", "solve")}
    assert {task: made.completion for task, made in texts.items() if made} == {
        "codegen": SPAM,
        "reverse": f" {_seed().problem}",
        "solve": f" {_seed().solution}",
    }


def test_a_program_in_a_chat_is_a_code_block() -> None:
    made = _example("codegen", "chat")
    assert made is not None and made.completion == f"```python\n{SPAM}```"


def test_a_solution_in_a_chat_ends_in_a_boxed_answer() -> None:
    made = _example("solve", "chat")
    assert made is not None and made.completion.endswith(r"The answer is \boxed{560}.")


def test_an_answer_that_is_boxed_already_stays() -> None:
    solution = r"So it is \boxed{560}. The answer is 560."
    made = _example("solve", "chat", solution=solution)
    assert made is not None and made.completion == solution


def test_the_kind_is_named_where_it_is_asked_for_and_nowhere_else() -> None:
    plain, named = (_example(task, "completions") for task in ("codegen", "codegen_kind"))
    assert plain is not None and named is not None
    assert (plain.words.prompt, named.words.prompt) == (
        "# Problem 1\n",
        "# Kind: percent interest\n# Problem 1\n",
    )


@pytest.mark.parametrize(
    ("task", "lacking"),
    [("solve", "solution"), ("codegen_kind", "kind"), *((task, "code") for task in PROMPTS)],
)
def test_a_seed_that_lacks_what_a_task_needs_gives_no_example_of_it(
    task: str, lacking: str
) -> None:
    assert _example(task, "completions", **{lacking: None}) is None


def test_trl_is_given_messages_for_a_chat_and_texts_otherwise() -> None:
    chat, text = (_example("solve", api) for api in _APIS)
    assert chat is not None and text is not None
    assert [turn["role"] for turn in chat.as_trl()["prompt"] + chat.as_trl()["completion"]] == [
        "user",
        "assistant",
    ]
    assert text.as_trl() == {"prompt": text.words.prompt, "completion": text.completion}


def _made(seeds: list[Seed], weight: float) -> list[str]:
    tasks = TaskSettings(mix={"reverse": weight}, api="completions")
    return [item.seed_id for item in examples(seeds, tasks, _PROMPTS, seed=0)]


@given(st.floats(0, 3), st.integers(0, 40))
def test_a_seed_gives_the_whole_part_of_a_weight_or_one_more(weight: float, count: int) -> None:
    seeds = [_seed(problem=f"Problem {number}") for number in range(count)]
    made = _made(seeds, weight)
    assert all(int(weight) <= made.count(seed.id) <= int(weight) + 1 for seed in seeds)


def test_a_fraction_is_that_share_of_the_seeds() -> None:
    seeds = [_seed(problem=f"Problem {number}") for number in range(400)]
    assert 80 <= len(_made(seeds, 0.25)) <= 120


def test_whether_a_seed_is_drawn_depends_on_its_id_alone() -> None:
    seeds = [_seed(problem=f"Problem {number}") for number in range(60)]
    alone = [made for seed in seeds for made in _made([seed], 0.5)]
    assert alone == _made(seeds, 0.5)


def test_the_calculations_of_a_solution_are_learned_alone() -> None:
    made = _example("calculate", "completions")
    assert made is not None
    assert (made.words.prompt, made.completion) == ("Calculate: 112 × 5\n", "112 × 5 = 560\n")
    assert _example("calculate", "completions", solution="None are left.\nThe answer is 0.") is None


@given(left=st.integers(0, 9999), right=st.integers(0, 9999), off=st.integers(-3, 3))
def test_a_calculation_is_one_that_holds(left: int, right: int, off: int) -> None:
    found = equations(f"In all, {left:,} × {right} = {left * right + off} eggs are laid.")
    assert found == ({f"{left:,} × {right}": str(left * right)} if off == 0 else {})


@pytest.mark.parametrize(
    "text",
    [
        "2 × (3 + 4) = 14",
        "1 + 5 × 4 = 20",
        "7 = 3 + 4 = 7",
        "3 + 4 = 7 × 1",
        "175 ÷ 13 = 13",
        "x3 + 4 = 7",
        "30% + 4 = 7",
        "8 − 5 = 3%",
    ],
)
def test_a_part_of_a_calculation_is_none(text: str) -> None:
    assert equations(text) == {}

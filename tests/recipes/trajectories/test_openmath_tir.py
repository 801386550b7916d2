"""openmath_tir, mathcoder and mumath_code do what their papers ask, with scripted models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.chat_server import chat_server
from tests.models.examples import chat, response
from tests.recipes.playing import stage
from tests.recipes.test_recipes import SEEDS, run
from tests.stages.trajectories.talking import SEED, asked, once, played, prompt_of, script
from transforms.models.backends.openai_engine import cut_at
from transforms.models.requests import ErrorKind, Request
from transforms.recipes.openmath_tir import are_needed, worth
from transforms.stages.trajectories import rules
from transforms.stages.trajectories.records import Trajectory, learned
from transforms.stages.trajectories.summary import text_of

CONTINUES = "backend.continue_prefix=true"
SUM = "I multiply.\n```python\na = 6 * 7\n```\n```output"
PLUS = "Then I add.\n```python\nprint(a + 1)\n```\n```output"
END = "It is \\boxed{43}, as asked. Done."


def solved(recipe: str, *texts: str, **fields: Any) -> tuple[Trajectory, Any, list[Request]]:
    """The first attempt at the seed, the verdict on it, and what was asked for it."""
    made = stage(recipe, "solve", CONTINUES, "recipe.stages.solve.sampler.samples=1")
    row, verdict, done = once(replace(made, **fields).episode(SEED), *texts)
    return row, verdict, asked(done)


def test_a_budget_of_three_and_five_blocks_are_three_cells_four_asks_and_no_row() -> None:
    blocks = [f"```python\nprint({number})\n```\n" for number in range(5)]
    row, verdict, requests = solved("openmath_tir", *blocks, cells=3)
    assert (row.cells, len(requests), verdict.reason) == (3, 4, "cells")
    notes = [turn.content.rpartition("system\n")[2] for turn in row.messages if turn.role == "tool"]
    assert [note[:6] for note in notes] == ["2 more", "1 more", "No mor"]
    assert "You have\n3 executions" in requests[0].messages[-1].content


def test_the_budget_is_drawn_for_each_attempt_from_one_to_eight() -> None:
    solve = stage("openmath_tir", "solve", CONTINUES)
    assert {solve.allowed(SEED, sample) for sample in range(60)} == set(range(1, 9))


@pytest.mark.parametrize(
    ("texts", "objections"),
    [
        ([SUM, PLUS, END], []),
        ([END], ["no_code", "answer_before_code"]),
        ([f"It is 43.\n{SUM}", END], ["answer_before_code"]),
        ([f"It is 0.43 or 430.\n{SUM}", END], []),
        ([f"\\boxed{{1}}\n{SUM}", END], ["answer_before_code"]),
        ([f"```python\n1\n```\nAnd:\n{SUM}", END], ["code_not_run"]),
        ([SUM, PLUS, PLUS, END], ["too_many_blocks"]),
    ],
)
def test_rules_object_to_what_the_paper_drops(texts: list[str], objections: list[str]) -> None:
    checks = stage("openmath_tir", "rules", CONTINUES).checks
    row, verdict, _ = solved("openmath_tir", *texts, cells=8)
    assert verdict.kept
    assert [check.reason for check in checks if not check(row).kept] == objections


def test_the_text_is_cut_after_the_boxed_answer() -> None:
    row, _, _ = solved("openmath_tir", SUM, END, cells=8)
    cut = rules.CutAfterAnswer().of(row)
    assert text_of(cut.messages) == text_of(row.messages).removesuffix(", as asked. Done.")
    assert cut.messages[-1].id != row.messages[-1].id and cut.messages[:-1] == row.messages[:-1]


NEW, OLD = ["calculation"] * 8, ["calculation"] * 7 + ["verification"]
HARD, MIDDLE = ["significant"] * 8, ["significant"] * 7 + ["moderate"]


@pytest.mark.parametrize(
    ("novelty", "significance", "block"),
    [
        (NEW, HARD, "significant"),
        (OLD, HARD, "known"),
        (NEW, MIDDLE, "moderate"),
        (NEW, [*MIDDLE[1:], "trivial"], "trivial"),
        (NEW, [*HARD[1:], ""], "trivial"),
    ],
)
def test_votes_decide_what_a_block_is_worth(
    novelty: list[str], significance: list[str], block: str
) -> None:
    assert worth(novelty, significance) == block


@pytest.mark.parametrize(
    ("blocks", "by_code", "by_paper"),
    [
        (["significant", "known", "known"], True, True),
        (["moderate", "known"], True, False),
        (["moderate", "moderate", "trivial"], True, True),
        (["moderate", "known", "trivial"], False, False),
        ([], False, False),
    ],
)
def test_code_and_paper_differ_where_half_of_the_blocks_are_moderate(
    blocks: list[str], by_code: bool, by_paper: bool
) -> None:
    assert (are_needed(blocks, "code"), are_needed(blocks, "paper")) == (by_code, by_paper)


def voted(row: Trajectory, novel: str, significant: str) -> tuple[Any, list[Request]]:
    """What becomes of a row under votes that all say the same, and what was asked."""

    def model(request: Request) -> str:
        is_novelty = "something new" in request.messages[-1].content
        return f"Because. Judgment: {novel if is_novelty else significant}."

    done = played(stage("openmath_tir", "votes", CONTINUES).episode(row), model)
    return done.result, asked(done)


def test_each_block_that_ran_well_is_judged_eight_times_on_each_question() -> None:
    row, _, _ = solved("openmath_tir", SUM, "```python\n1 / 0\n```\n", END, cells=8)
    kept, requests = voted(row, "calculation", "significant")
    assert (kept.id, len(requests)) == (row.id, 16) and kept.tokens > row.tokens
    assert all("[marked code]\n```python\na = 6 * 7" in prompt_of(each) for each in requests)
    rejected, _ = voted(row, "verification", "significant")
    assert (rejected.reason, rejected.detail) == ("code_not_needed", "known")


def test_an_unanswered_vote_puts_the_record_off() -> None:
    row, _, _ = solved("openmath_tir", SUM, END, cells=8)
    lost = response(chat(), "", error="504", error_kind=ErrorKind.TIMEOUT)
    votes = stage("openmath_tir", "votes", CONTINUES)
    assert played(votes.episode(row), lambda _: lost).result.unanswered


def test_the_longest_summary_with_the_same_answer_is_kept() -> None:
    row, _, _ = solved("openmath_tir", SUM, END, cells=8)
    summarise = stage("openmath_tir", "summary", CONTINUES)
    texts = ["\\boxed{43}", "So \\boxed{43}.", "Long and wrong: \\boxed{44}.", "nothing at all"]
    made = played(summarise.episode(row), script(*texts)).result
    assert (made.summary, made.messages) == ("So \\boxed{43}.", row.messages)
    assert played(summarise.episode(row), script(*texts[2:])).result.reason == "answer_changed"


BLOCKS = [
    "<|text|>I multiply.<|endofblock|>",
    "<|code|>a = 6 * 7<|endofblock|>",
    "<|code|>b = 1\nprint(a + b)<|endofblock|>",
    "<|text|>It is \\boxed{43}.<|endofblock|>",
    "<|endofmessage|>",
]


def test_mathcoder_keeps_names_between_blocks_and_the_text_as_it_was_sampled() -> None:
    row, verdict, _ = solved("mathcoder", *BLOCKS)
    assert verdict.kept and row.answer == "43"
    silent, shown = "<empty_execution>", "43"
    assert text_of(row.messages) == (
        f"{BLOCKS[0]}{BLOCKS[1]}<|execution|>{silent}<|endofblock|>"
        f"{BLOCKS[2]}<|execution|>{shown}<|endofblock|>{BLOCKS[3]}"
    )
    executions = [turn for turn in row.messages if turn.role == "tool"]
    assert len(executions) == 2 and not any(learned(turn) for turn in executions)


def test_mathcoder_ends_after_sixteen_blocks() -> None:
    row, verdict, requests = solved("mathcoder", *["<|text|>Hm.<|endofblock|>"] * 30)
    assert verdict.reason == "turns" and len(requests) == 17
    row, verdict, _ = solved("mathcoder", *["<|code|>1<|endofblock|>"] * 30)
    assert (verdict.reason, row.cells) == ("cells", 16)


FAILS = "I divide.\n```python\n1 / 0\n```\n```output"
PRINTS = "Again.\n```python\nprint(43)\n```\n```output"


def test_mumath_code_learns_the_opening_of_an_output_and_not_the_output() -> None:
    row, verdict, _ = solved("mumath_code", FAILS, PRINTS, END)
    assert verdict.kept
    correction = "The program fails. I look for the mistake in it and correct it.\n"
    seen = [turn.content for turn in row.messages if not turn.sampled][1:]
    assert seen[0].endswith(f"ZeroDivisionError: division by zero\n```\n{correction}")
    assert seen[1] == "\n43\n```\n"
    written = [turn.content[start:end] for turn in row.messages for start, end in learned(turn)]
    assert written == [FAILS, PRINTS, END]


def test_mumath_code_corrects_each_failure_and_gives_up_after_four_asks() -> None:
    row, verdict, requests = solved("mumath_code", *[FAILS] * 6)
    assert (verdict.reason, len(requests)) == ("turns", 4)
    assert text_of(row.messages).count("I look for the mistake") == row.cells == 3


def endpoint(body: dict[str, Any]) -> dict[str, Any]:
    """Solves two of three problems with a block, votes for all of them, and summarises."""
    last = body["messages"][-1]
    text = ""
    if last["role"] == "assistant":
        text = "\nThe tool says \\boxed{1024}." if "1024\n" in last["content"] else "\\boxed{18}"
    elif "Judgment" in last["content"]:
        kind = "calculation" if "something new" in last["content"] else "significant"
        text = f"Judgment: {kind}"
    elif "without code" in last["content"]:
        text = "Two to the tenth is \\boxed{1024}."
    else:
        text = "I compute.\n```python\n2 ** 10\n```\n```output\n"
    return {"content": cut_at(text, tuple(body.get("stop", ())))[0]}


def test_openmath_tir_runs_from_seeds_to_summaries_and_is_the_same_from_the_ledger(
    tmp_path: Path,
) -> None:
    few = ["recipe.stages.solve.sampler.samples=1", CONTINUES]
    with chat_server(endpoint) as (url, bodies):
        _, rows, ends = run(tmp_path, "openmath_tir", url, SEEDS, *few)
        assert ends == [("solve", "wrong_answer")] * 2
        [row] = rows
        assert (row["answer"], row["summary"]) == ("1024", "Two to the tenth is \\boxed{1024}.")
        assert all(body["continue_final_message"] for body in bodies if assistant(body))
        before = len(bodies)
        again = [*few[:1], f"ledger.dir={tmp_path}/run/ledger", "backend=replay"]
        replayed = run(tmp_path / "again", "openmath_tir", "", SEEDS, *again, "runner.workers=2")
        assert (replayed[1], len(bodies)) == (rows, before)


def assistant(body: dict[str, Any]) -> bool:
    return bool(body["messages"][-1]["role"] == "assistant")


def test_rows_of_the_recipe_name_the_turns_that_were_sampled(tmp_path: Path) -> None:
    row, _, _ = solved("openmath_tir", SUM, END, cells=8)
    assert json.loads(row.data) == {"budget": 8, "dialogue": "fence"}
    assert [turn.sampled for turn in row.messages] == [False, True, False, True]


def test_later_rounds_leave_the_votes_out() -> None:
    assert stage("openmath_tir", "summary", CONTINUES, "recipe.stages.votes=null").reads
    with pytest.raises(KeyError, match="votes"):
        stage("openmath_tir", "votes", CONTINUES, "recipe.stages.votes=null")

"""genselect shows a judge right and wrong solutions, and keeps its argument where it is right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.chat_server import chat_server
from tests.models.examples import response
from tests.recipes.playing import answering, stage
from tests.recipes.test_recipes import SEEDS, run
from tests.stages.trajectories.test_candidates import built, solutions
from transforms.models.episode import play
from transforms.models.requests import ErrorKind
from transforms.recipes.genselect import Selection

CONTINUES = "backend.continue_prefix=true"


def chosen(*texts: str) -> Any:
    [shown, *_], _ = built(solutions(2, 2), largest=4)
    return shown, answering(*texts)(stage("genselect", "choose", CONTINUES).episode(shown))


def test_the_last_judgment_counts_and_has_to_name_a_right_solution() -> None:
    shown, _ = chosen("?")
    right, wrong = shown.right.index(True), shown.right.index(False)
    _, row = chosen(f"Judgment: {wrong}? No, it is the other one.\nJudgment: {right}")
    assert isinstance(row, Selection) and row.chosen == right
    for number, solution in enumerate(shown.solutions):
        assert f"Solution {number}:\n{solution}\n" in row.messages[0].content
    assert chosen(f"Judgment: {wrong}")[1].reason == "wrong_choice"
    for text in (f"Judgment: {len(shown.solutions)}", "The first one."):
        assert chosen(text)[1].reason == "no_judgment"


def shortened(*texts: str) -> Any:
    shown, _ = chosen("?")
    right = shown.right.index(True)
    _, row = chosen(f"A long argument.\nJudgment: {right}")
    said = [text.format(right, shown.right.index(False)) for text in texts]
    return right, answering(*said)(stage("genselect", "shorten", CONTINUES).episode(row))


def test_of_the_short_forms_the_longest_that_names_the_same_solution_is_the_row() -> None:
    right, row = shortened(
        "Judgment: {0}",
        "Since it adds up.\nJudgment: {0}",
        "Since it is long.\nJudgment: {1}",
        "So.",
    )
    assert row.messages[-1].content == f"Since it adds up.\nJudgment: {right}"
    assert row.chosen == right and len(row.messages) == 2
    assert shortened(*["Judgment: {1}"] * 4)[1].reason == "choice_changed"


def test_a_short_form_that_nobody_answers_puts_the_row_off() -> None:
    shown, _ = chosen("?")
    _, row = chosen(f"Judgment: {shown.right.index(True)}")
    made = stage("genselect", "shorten", CONTINUES)
    lost = play(
        made.episode(row),
        lambda asked: response(asked, "", error="503", error_kind=ErrorKind.SERVER_ERROR),
    )
    assert lost.result.unanswered


def model(body: dict[str, Any]) -> dict[str, Any]:
    """Solves right or wrong as its seed says, sums up, judges by the answer and shortens."""
    asked = body["messages"][-1]["content"]
    said = "43" if body["seed"] % 2 else "44"
    if "The comparison:" in asked:
        number = re.findall(r"Judgment: (\d+)", asked)[0]
        return {"content": f"It is right about the sum.\nJudgment: {number}"}
    if "Several solutions" in asked:
        found = re.findall(r"Solution (\d+):\n.*?boxed\{43\}", asked)
        return {"content": f"The sum is 43.\nJudgment: {found[0]}"}
    if body["messages"][-1]["role"] == "assistant" or "boxed{4" not in asked:
        return {"content": f"It is \\boxed{{{said}}}."}
    stated = re.findall(r"boxed\{(4[34])\}", asked)[0]
    return {"content": f"The sum is \\boxed{{{stated}}}."}


def test_rows_are_arguments_for_right_solutions_from_the_problem_on(tmp_path: Path) -> None:
    more = ["backend.continue_prefix=true", "recipe.stages.solve.sampler.samples=6"]
    with chat_server(model) as (url, _):
        manifest, rows, _ = run(tmp_path, "genselect", url, SEEDS[:1], *more)
    assert 0 < len(rows) <= 8
    for row in rows:
        assert row["right"][row["chosen"]] and not all(row["right"])
        assert row["messages"][-1]["content"].endswith(f"Judgment: {row['chosen']}")
    stages = {s["name"]: s for segment in manifest["segments"] for s in segment["stages"]}
    assert stages["choose"]["in"] == stages["candidates"]["kept"] == len(rows)

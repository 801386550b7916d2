"""cross_lingual: the program stays the same in every language; only right translations are kept."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.chat_server import chat_server
from tests.programs_for_tests import SPAM
from tests.recipes.playing import in_all_ways, player, stage
from tests.recipes.test_recipes import run
from transforms.engine.records import Seed
from transforms.engine.stage import pair
from transforms.programs.form import is_same_program, without_comments
from transforms.publish.reward import reward

PROBLEM = "How many of 160 e-mails a day, 30 % of them spam, are answered in 5 days?"
GERMAN = "Wie viele von 160 E-Mails am Tag, 30 % davon Spam, werden in 5 Tagen beantwortet?"
SEED = replace(
    Seed.make(problem=PROBLEM, source="s", license="MIT", code=SPAM, answer="560"), output="560"
)
IN_GERMAN = SPAM.replace("emails that need no reply each day", "ohne Antwort am Tag")
SHIPPED = [
    json.loads(line)["code"]
    for path in sorted(Path("data/seeds").glob("*.jsonl"))
    for line in path.read_text().splitlines()
]


def translated(answer: str | tuple[str, str]) -> list[Any]:
    """The pairs (task, verdict) of a seed whose problem a model translates into German."""
    made = stage("cross_lingual", "translate", "recipe.stages.translate.languages=[German]")
    return [pair(SEED, each) for each in player(lambda _: answer)(made.episode(SEED))]


def anchored(comments: str) -> Any:
    """The pairs of a right attempt at the German problem; a model translates its comments."""
    task = translated(GERMAN)[1][0]
    [attempt] = player(lambda _: f"```\n{SPAM}\n```")(
        stage("cross_lingual", "attempt", "recipe.stages.attempt.sampler.samples=1").episode(task)
    )
    steps = stage("cross_lingual", "anchor").episode(attempt[0])
    return [pair(attempt[0], each) for each in player(lambda _: comments)(steps)]


def test_every_shipped_program_is_the_same_without_comments() -> None:
    for code in SHIPPED:
        plain = without_comments(code)
        assert ast.dump(ast.parse(plain)) == ast.dump(ast.parse(code))
        assert "    #" not in plain and len(plain) < len(code)


def test_only_comments_and_layout_may_differ() -> None:
    assert is_same_program(SPAM, IN_GERMAN) and is_same_program(SPAM, without_comments(SPAM))
    assert not is_same_program(SPAM, SPAM.replace("* days", "* 6")) and not is_same_program(
        SPAM, "not ("
    )


def test_the_problem_is_a_task_in_its_own_language_and_in_each_other() -> None:
    (own, _), (german, verdict) = translated(GERMAN)
    shown = [json.loads(task.shown) for task in (own, german)]
    assert [each["language"] for each in shown] == ["English", "German"] and verdict.kept
    assert [each["problem"] for each in shown] == [PROBLEM, GERMAN]
    assert (len(own.calls), len(german.calls)) == (0, 1) and own.answer == german.answer


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(PROBLEM, "not_translated"), ("", "empty_response"), ((GERMAN, "length"), "truncated")],
)
def test_what_is_no_translation_is_rejected_and_the_own_problem_stays(
    answer: str | tuple[str, str], reason: str
) -> None:
    (_, kept), (_, rejected) = translated(answer)
    assert kept.kept and rejected.reason == reason


def test_the_attempts_at_a_translation_are_right_by_the_output_alone() -> None:
    task = translated(GERMAN)[1][0]
    wrong = SPAM.replace("answered * days", "answered + days")
    pairs = in_all_ways("cross_lingual", task, SPAM, wrong)
    assert [verdict.kept for _, verdict in pairs] == [True] * 3 + [False] * 5
    asked = "".join(message.content for message in pairs[0][0].messages[:-1])
    assert GERMAN in asked and "560" not in asked and "percent_spam // 100" not in asked


def test_the_rows_are_one_program_with_its_comments_without_and_with_translated_ones() -> None:
    pairs = anchored(f"```python\n{IN_GERMAN}\n```")
    rows = {row.task: row for row, verdict in pairs if verdict.kept}
    assert set(rows) == {"none", "kept", "translated"}
    assert (
        "#" not in rows["none"].final_answer and "ohne Antwort" in rows["translated"].final_answer
    )
    for row in rows.values():
        assert is_same_program(row.final_answer, SPAM)
        assert (
            GERMAN in row.messages[-2].content
            and row.final_answer.strip() in row.messages[-1].content
        )


def test_comments_under_which_the_program_changes_are_no_row() -> None:
    for comments in (IN_GERMAN.replace("// 100", "/ 100"), SPAM, "Nein."):
        pairs = anchored(f"```python\n{comments}\n```")
        reason = "no_program" if comments == "Nein." else "program_changed"
        assert [verdict.reason for _, verdict in pairs if not verdict.kept] == [reason]
        assert [row.task for row, verdict in pairs if verdict.kept] == ["none", "kept"]


def model(body: dict[str, Any]) -> dict[str, Any]:
    """Translates into German rightly, into French another problem, and solves what is asked."""
    question = body["messages"][-1]["content"]
    if "Translate this problem into German" in question:
        return {"content": GERMAN}
    if "Translate this problem" in question:
        return {"content": "Combien de jours ?"}
    if "Translate the comments" in question:
        return {"content": f"```python\n{IN_GERMAN}\n```"}
    wrong = "jours" in question
    return {"content": f"```python\n{SPAM.replace('* days', '* 6') if wrong else SPAM}\n```"}


def test_a_recipe_runs_from_seeds_to_rows_in_the_languages_whose_attempts_agree(
    tmp_path: Path,
) -> None:
    seeds = [{"problem": PROBLEM, "answer": "560", "code": SPAM}]
    languages = "recipe.stages.translate.languages=[German,French]"
    with chat_server(model) as (url, _):
        _manifest, rows, ends = run(tmp_path, "cross_lingual", url, seeds, languages)
    made = sorted((json.loads(row["shown"])["language"], row["task"]) for row in rows)
    assert made == [
        ("English", "kept"), ("English", "none"),
        ("German", "kept"), ("German", "none"), ("German", "translated"),
    ]  # fmt: skip
    assert all(reward(row["messages"][-1]["content"], row) == 1 for row in rows)
    assert ends.count(("attempt", "failed_tests")) == 4
    assert ends.count(("one", "same_problem")) == 6

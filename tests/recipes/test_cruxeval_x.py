"""cruxeval_x: a translation counts where it gives what the program gives, whatever it says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.programs_for_tests import SPAM
from tests.recipes.playing import in_all_ways, player, stage
from tests.recipes.test_codeio import seed
from transforms.engine.errors import SettingsError
from transforms.engine.stage import pair
from transforms.models.episode import Steps
from transforms.programs.languages import LANGUAGES
from transforms.sandbox.jobs import Job

JAVASCRIPT = """function solution(emails, percent_spam, days) {
  const spam = Math.floor(emails * percent_spam / 100);
  return (emails - spam) * days;
}"""
C = """long long solution(long long emails, long long percent_spam, long long days) {
  long long spam = emails * percent_spam / 100;
  return (emails - spam) * days;
}"""
WRONG = JAVASCRIPT.replace("* days", "+ days")
INPUT = json.dumps({"emails": 112, "percent_spam": 0, "days": 5})


def translated(*answers: str, code: str = SPAM, **settings: str) -> tuple[list[Any], list[str]]:
    """The pairs (task, verdict) of a program whose translations a model gives in turn, and what the
    model was asked."""
    settings = {"languages": "[javascript]", "sampler.samples": "1", **settings}
    overrides = [f"recipe.stages.translate.{name}={value}" for name, value in settings.items()]
    asked: list[str] = []

    def model(question: str) -> str:
        asked.append(question)
        return f"Like this:\n```\n{answers[min(len(asked), len(answers)) - 1]}\n```"

    steps = stage("cruxeval_x", "translate", *overrides).episode(seed(code))
    return [pair(seed(code), each) for each in player(model)(steps)], asked


def output_of(language: str, source: str, given: dict[str, Any], output: Any) -> Any:
    """The result of a function in another language on an input."""

    def steps() -> Steps[Any]:
        return (yield Job(LANGUAGES[language].hosted(source, (given, output))))

    return player()(steps())


@pytest.mark.parametrize(("language", "source"), [("javascript", JAVASCRIPT), ("c", C)])
def test_a_right_translation_is_asked_about_in_both_directions(language: str, source: str) -> None:
    pairs, asked = translated(source, languages=f"[{language}]")
    tasks = {task.task: task for task, _ in pairs}
    assert [verdict.kept for _, verdict in pairs] == [True, True] and len(asked) == 1
    assert tasks["output"].answer == '["560"]' and tasks["input"].answer == '"560"'
    assert "560" not in json.loads(tasks["output"].shown).values()
    ends = in_all_ways("cruxeval_x", tasks["output"], "560", "561")
    ends += in_all_ways("cruxeval_x", tasks["input"], INPUT, '{"emails": 1}')
    assert [verdict.kept for _, verdict in ends] == 2 * ([True] * 3 + [False] * 5)
    assert all(source in row.messages[0].content for row, _ in ends)


@pytest.mark.parametrize(
    "source",
    [
        f"{WRONG}\nfunction check() {{ return true }}\nconsole = {{assert: () => true}};",
        f"{WRONG}\nJSON.stringify = () => '560';",
        "function solution() { return 560 }",
        "function solution() { for (;;) {} }",
        "const solution = ",
    ],
)
def test_a_translation_that_only_says_it_is_right_makes_no_task(source: str) -> None:
    [(_, verdict)], _ = translated(source, repairs="0")
    assert verdict.reason == "failed_tests"


def test_a_failed_translation_is_repaired_by_what_its_own_run_gave_and_never_the_output() -> None:
    pairs, asked = translated(WRONG, JAVASCRIPT.replace("days) {", "days) { x();"), JAVASCRIPT)
    assert [verdict.kept for _, verdict in pairs] == [True, True] and len(asked) == 3
    assert "117" in asked[1] and "x is not defined" in asked[2]
    assert not any("560" in question for question in asked)
    assert pairs[0][0].calls and not pairs[1][0].calls  # paid for once


def test_a_translation_is_tried_and_repaired_as_often_as_set() -> None:
    pairs, asked = translated(WRONG, repairs="1", **{"sampler.samples": "2"})
    assert [verdict.reason for _, verdict in pairs] == ["failed_tests"] and len(asked) == 4


def test_a_program_of_other_than_numbers_is_not_translated_into_c() -> None:
    texts = SPAM.replace("answered * days", "str(answered * days)")
    [(_, verdict)], asked = translated(C, code=texts, languages="[c]")
    assert verdict.reason == "not_typed" and not asked


def test_values_keep_what_they_are_on_the_way() -> None:
    given = {"a": [1, {"b": None}], "c": "\u2028'\"", "d": True}
    same = output_of("javascript", "const solution = (...all) => all", given, None)
    assert json.loads(same.output) == [*given.values()]
    halved = output_of(
        "c", "double solution(double a, long long n) { return a / n; }", {"a": 1.0, "n": 2}, 0.5
    )
    assert halved.output == "0.5"


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("int abs(int); long long solution(long long a) { return abs(a); }", "SyntaxError"),
        ("#include <stdio.h>\nlong long solution(long long a) { return a; }", "SyntaxError"),
        ("long long solution(long long a) { return *(long long *) 0; }", None),
        ("long long other(long long a) { return a; }", "NameError"),
    ],
)  # fmt: skip
def test_c_has_no_library_and_its_faults_stay_in_the_sandbox(
    source: str, error: str | None
) -> None:
    result = output_of("c", source, {"a": 1}, 1)
    assert (result.output, result.error_type) == (None, error)


def test_a_language_that_is_not_there_is_refused() -> None:
    with pytest.raises(SettingsError, match="'perl' is not javascript, c"):
        stage("cruxeval_x", "translate", "recipe.stages.translate.languages=[perl]")

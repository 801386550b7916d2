"""agentic_reasoning: searches, code and memory in one text, each result at its own place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.models.examples import chat, response
from tests.recipes.playing import stage
from tests.settings_for_tests import composed
from tests.stages.trajectories.talking import SEED, asked, once, prompt_of
from transforms.engine.errors import SettingsError
from transforms.models.requests import ErrorKind
from transforms.models.tools import Invoke
from transforms.stages.trajectories.records import as_messages, learned

SEARCH = "What is a dozen?\n<|begin_search_query|>dozen<|end_search_query|>"
CODE = "I compute.\n<|begin_code_query|>6 times 7<|end_code_query|>"
ASK = "And now?\n<|begin_mind_map_query|>What is known?<|end_mind_map_query|>"
SCRIPT = "Here:\n```python\nprint('product:', 6 * 7)\n```"
END = "It is \\boxed{43}."


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to search."""
    folder = tmp_path_factory.mktemp("texts")
    (folder / "units.txt").write_text("A dozen is twelve.")
    return folder


def solved(texts: Path, *says: Any) -> tuple[Any, Any, list[Any], int]:
    """The first attempt, the verdict on it, what was asked, and how often a tool was called."""
    made = stage(
        "agentic_reasoning", "solve", "backend.continue_prefix=true",
        "recipe.stages.solve.sampler.samples=1",
        f"recipe.stages.solve.tools.search.arguments.folder={texts}",
    )  # fmt: skip
    row, verdict, done = once(made.episode(SEED), *says)
    calls = [each for turn in done.turns for each in turn if isinstance(each, Invoke)]
    return row, verdict, asked(done), len(calls)


def test_a_result_of_code_stands_behind_its_query_though_nothing_was_searched(texts: Path) -> None:
    row, verdict, _, calls = solved(texts, CODE, "Nothing.", SCRIPT, END)
    assert verdict.kept and calls == 0
    text = as_messages(row.messages)[-1].content
    result = "\n<|begin_code_result|>\nproduct: 42\n<|end_code_result|>\n"
    assert text == CODE + result + END
    assert [turn.content for turn in row.messages if learned(turn)] == [CODE, END]


def test_what_was_searched_before_is_not_looked_up_again(texts: Path) -> None:
    row, verdict, _, calls = solved(texts, SEARCH, SEARCH, END)
    assert verdict.kept and (calls, row.cells) == (1, 1)
    first, second = [turn.content for turn in row.messages if turn.role == "tool"]
    assert "A dozen is twelve." in first
    assert "looked up before" in second and "twelve" not in second


def test_the_coder_sees_what_the_memory_says_of_the_text_and_not_the_text(texts: Path) -> None:
    _, _, requests, _ = solved(texts, SEARCH, CODE, "Both are given.", SCRIPT, END)
    memory, coder = map(prompt_of, requests[2:4])
    assert "A dozen is twelve." in memory and "6 times 7" in memory
    assert "Both are given." in coder and "6 times 7" in coder
    assert "dozen" not in coder and SEED.problem not in coder


def test_the_memory_answers_about_the_whole_text_and_is_asked_again_later(texts: Path) -> None:
    row, _, requests, _ = solved(texts, ASK, "Nothing yet.", ASK, "The same.", END)
    assert "Nothing yet." in prompt_of(requests[3]) and row.cells == 2
    replies = [turn.content for turn in row.messages if turn.role == "tool"]
    assert ["Nothing yet." in replies[0], "The same." in replies[1]] == [True, True]
    assert (row.asks, row.tokens) == (3, sum(call.tokens for call in row.calls))


def test_each_script_is_run_by_itself_and_its_error_is_shown(texts: Path) -> None:
    defines, uses = "```python\na = 1\n```", "```python\nprint(a)\n```"
    row, _, _, _ = solved(texts, CODE, "-", defines, CODE, "-", uses, END)
    first, second = [turn for turn in row.messages if turn.role == "tool"]
    assert "(nothing)" in first.content and not first.failed
    assert "NameError" in second.content and second.failed


@pytest.mark.parametrize("place", [1, 2])
def test_an_agent_that_is_not_answered_puts_the_attempt_off(texts: Path, place: int) -> None:
    lost = response(chat(), "", error="504", error_kind=ErrorKind.TIMEOUT)
    _, verdict, requests, _ = solved(texts, *[CODE, "Nothing."][:place], lost)
    assert verdict.unanswered and len(requests) == place + 1


def test_a_folder_to_search_has_to_be_named() -> None:
    with pytest.raises(SettingsError, match=r"tools\.search\.arguments\.folder is missing"):
        composed("recipe=agentic_reasoning", "output_dir=x")

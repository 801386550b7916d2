"""Conversations: what a model saw and wrote, limits, grading, and what backends can do."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.examples import chat, response
from tests.stages.trajectories.talking import (
    SEED,
    asked,
    conversing,
    once,
    played,
    prompt_of,
    script,
)
from transforms.engine.errors import SettingsError
from transforms.engine.records import Message, ToolCall
from transforms.models.episode import play
from transforms.models.requests import ErrorKind, Request
from transforms.models.tools import bind
from transforms.sandbox.jobs import Cell, CellResult, Status
from transforms.stages.trajectories.conversation import Limits, Seen, begin, converse
from transforms.stages.trajectories.converse import side_by_side
from transforms.stages.trajectories.records import Trajectory, learned


def block(code: str) -> str:
    return f"I compute.\n```python\n{code}\n```\n```output\nwhat the model makes up"


END = "So the answer is \\boxed{43}."
RIGHT = [block("a = 6 * 7\nprint(a)"), block("a + 1"), END]


def attempt(texts: Any = RIGHT, dialogue: Any = "fence", **fields: Any) -> Any:
    """The first attempt at the seed: its row and the verdict on it."""
    [first, *_] = played(conversing(dialogue, **fields).episode(SEED), script(*texts)).result
    return first


def text_of(row: Trajectory) -> str:
    return "".join(turn.content for turn in row.messages)


def test_a_text_goes_on_from_the_results_of_its_code() -> None:
    row, verdict = attempt()
    assert verdict.kept and (row.answer, row.score, row.asks, row.cells) == ("43", 1.0, 3, 2)
    assert text_of(row).endswith(
        "I compute.\n```python\na = 6 * 7\nprint(a)\n```\n```output\n42\n```\n"
        "```system\n2 more executions of code are allowed.\n```\n"
        "I compute.\n```python\na + 1\n```\n```output\n43\n```\n"
        "```system\n1 more executions of code are allowed.\n```\n"
        "So the answer is \\boxed{43}."
    )
    assert [turn.role for turn in row.messages[2:]] == [*["assistant", "tool"] * 2, "assistant"]


DIALOGUES = {
    "fence": RIGHT,
    "tool_call": ["<tool_call>\na = 42\n</tool_call>", "<tool_call>\na + 1\n</tool_call>", END],
    "blocks": [
        "<|text|>First.<|endofblock|>", "<|code|>a = 42<|endofblock|>",
        "<|code|>a + 1<|endofblock|>", f"<|text|>{END}<|endofblock|>", "<|endofmessage|>",
    ],
    "interpreter": ["<code>\n```python\n42 + 1\n```\n</code>", f"<answer>{END}</answer>"],
    "executor": ["<think>Add.</think><code>\n42 + 1\n</code>", f"<answer>{END}</answer>"],
    "step": [
        "<step>\n<thought>Add.</thought>\n<action_input>\n42 + 1\n</action_input>\n</step>",
        f"<stop_analysis>{END}</stop_analysis>",
    ],
    "execute": ["<thought>Add.</thought>\n<execute>\n42 + 1\n</execute>", END],
    "hermes": [
        '<tool_call>\n{"name": "python", "arguments": {"code": "42 + 1"}}\n</tool_call>', END
    ],
    "actions": ['{"action": "python", "params": {"code": "42 + 1"}}', END],
    "queries": ["<|begin_python_query|>42 + 1<|end_python_query|>", END],
    "keys": ["thought: add\npython: 42 + 1", END],
}  # fmt: skip


@pytest.mark.parametrize("name", DIALOGUES)
def test_what_the_turns_concatenate_to_is_what_the_model_saw_and_wrote(name: str) -> None:
    form = {"form": name, "line": "python", "value": "always"}
    stage = conversing(form, cells=4, turns=8)
    row, verdict, play = once(stage.episode(SEED), *DIALOGUES[name])
    assert (verdict.kept, row.answer, row.asks) == (True, "43", len(DIALOGUES[name]))
    assert "43" in "".join(turn.content for turn in row.messages if not turn.sampled)
    sampled = [place for place, turn in enumerate(row.messages) if turn.sampled]
    for request, place in zip(asked(play), sampled, strict=True):
        before = "".join(turn.content for turn in row.messages[:place])
        assert prompt_of(request) == before
        assert row.messages[place].request == request.id


@pytest.mark.parametrize("name", DIALOGUES)
def test_nothing_is_learned_that_was_not_sampled(name: str) -> None:
    form = {"form": name, "line": "python"}
    row, _ = attempt(DIALOGUES[name], form, cells=4, turns=8)
    sampled = script(*DIALOGUES[name])
    for turn in row.messages:
        texts = [turn.content[start:end] for start, end in learned(turn)]
        assert all(text in sampled(chat()) for text in texts) if turn.sampled else not texts


def test_a_text_is_sampled_as_it_stands_where_it_looks_like_a_thought() -> None:
    texts = ["<think>Add.</think>\n<code>\n1\n</code>", f"<answer>{END}</answer>"]
    play = played(conversing("executor").episode(SEED), script(*texts))
    assert {request.think_tags for request in asked(play)} == {None}
    assert play.result[0][0].messages[2].content == texts[0]


def call(code: str, number: int = 0) -> Any:
    made = ToolCall(f"c{number}", "python", json.dumps({"code": code}))
    return replace(response(chat(), ""), tool_calls=(made,))


def test_native_calls_are_answered_by_turns_with_their_ids() -> None:
    row, verdict = attempt([call("a = 42", 1), call("a + 1", 2), END], "native")
    assert verdict.kept and json.loads(row.tools)[0]["function"]["name"] == "python"
    told = [(m.role, m.content, m.tool_call_id) for m in row.messages[2:]]
    assert told[1::2] == [("tool", "", "c1"), ("tool", "43", "c2")]


def test_several_calls_of_one_turn_are_answered_together() -> None:
    calls = "\n".join(DIALOGUES["hermes"][:1] * 2)
    row, _ = attempt([calls, END], "hermes")
    shown = "<tool_response>\n43\n</tool_response>"
    assert (row.messages[3].content, row.cells) == (f"{shown}\n{shown}", 2)


def test_five_blocks_on_a_budget_of_three_are_three_cells_and_four_asks() -> None:
    row, verdict = attempt([block(f"print({n})") for n in range(5)])
    assert (row.cells, row.asks, row.ended, verdict.reason) == (3, 4, "cells", "cells")
    assert [word in text_of(row) for word in ("2 more", "1 more", "No more")] == [True] * 3


@pytest.mark.parametrize(
    ("texts", "fields", "reason"),
    [
        ([block("1")] * 3, {"turns": 2}, "turns"),
        ([block("1")] * 3, {"max_generated": 4}, "overlong"),
        ([replace(response(chat(), "I"), finish_reason="length")], {}, "overlong"),
        ([block("1 / 0")] * 3, {"errors": 2}, "errors"),
        (["```python\nx"], {}, "format"),
        (["I do not know."], {}, "no_answer"),
        (["It is \\boxed{44}."], {}, "wrong_answer"),
        ([response(chat(), "", error="no", error_kind=ErrorKind.REFUSED)], {}, "refused"),
        ([response(chat(), "", error="no", error_kind=ErrorKind.TIMEOUT)], {}, "unanswered"),
    ],
)
def test_an_attempt_that_fails_says_why(texts: Any, fields: Any, reason: str) -> None:
    row, verdict = attempt(texts, **fields)
    assert (verdict.reason, row.score) == (reason, 0.0)
    assert verdict.unanswered == (reason == "unanswered")


def test_errors_that_are_not_in_a_row_end_nothing() -> None:
    texts = [block("1 / 0"), block("1"), block("1 / 0"), END]
    assert attempt(texts, errors=2)[1].kept


def test_wrong_attempts_are_rows_where_that_is_asked_for_and_failed_requests_are_not() -> None:
    refused = response(chat(), "", error="no", error_kind=ErrorKind.REFUSED)
    ends = [
        attempt(texts, keeps_wrong=True) for texts in (["\\boxed{4}"], ["```python"], [refused])
    ]
    assert [verdict.kept for _, verdict in ends] == [True, True, False]
    assert [(row.score, row.ended) for row, _ in ends[:2]] == [(0.0, "answered"), (0.0, "format")]


def test_the_share_of_right_attempts_counts_those_that_were_answered() -> None:
    def model(request: Request) -> Any:
        if request.sample == 2:
            return response(request, "", error="504", error_kind=ErrorKind.TIMEOUT)
        return END if request.sample else "\\boxed{44}"

    stage = conversing()
    stage = replace(stage, sampler=stage.sampler.model_copy(update={"samples": 3}))
    results = played(stage.episode(SEED), model).result
    assert [verdict.reason for _, verdict in results] == ["wrong_answer", None, "unanswered"]
    assert {(row.agreement, row.attempts) for row, _ in results} == {(0.5, 2)}


def test_a_session_keeps_variables_and_a_run_without_one_does_not() -> None:
    texts = [block("a = 43"), block("a"), END]
    assert "```output\n43\n```" in text_of(attempt(texts)[0])
    row, _ = attempt(texts, keeps_state=False)
    assert "NameError: name 'a' is not defined" in text_of(row)


def test_the_prelude_is_run_once_and_seen_by_all_attempts() -> None:
    stage = conversing(prelude=("data = 43",), keeps_state=False)
    stage = replace(stage, sampler=stage.sampler.model_copy(update={"samples": 2}))
    told: dict[int, list[str]] = {0: [block("data"), END], 1: [block("data"), END]}
    play = played(stage.episode(SEED), lambda request: told[request.sample].pop(0))
    cells = [each for turn in play.turns for each in turn if isinstance(each, Cell)]
    assert [cell.after for cell in cells] == [(), ("data = 43",), ("data = 43",)]
    assert all("```output\n43\n" in text_of(row) for row, _ in play.result)


def test_a_seed_without_an_answer_or_a_running_prelude_is_asked_nothing() -> None:
    bare = replace(SEED, answer=None)
    assert play(conversing().episode(bare)).result.reason == "no_reference"
    broken = played(conversing(prelude=("1 / 0",)).episode(SEED), script())
    assert (broken.result.reason, asked(broken)) == ("prelude_failed", [])


def test_a_range_of_budgets_is_drawn_from_the_attempt_and_named_in_the_prompt() -> None:
    stage = conversing(cells=(1, 8))
    drawn = [stage.allowed(SEED, sample) for sample in range(64)]
    assert set(drawn) == set(range(1, 9)) and drawn == [stage.allowed(SEED, n) for n in range(64)]


def test_a_correction_is_told_after_each_call_that_fails() -> None:
    form = {"form": "fence", "after_error": "The code failed. Find the mistake.\n"}
    row, _ = attempt([block("1 / 0"), block("43"), END], form)
    assert text_of(row).count("Find the mistake") == 1


def test_a_tool_that_does_not_exist_and_a_call_that_is_no_json_are_told_to_the_model() -> None:
    texts = ["<tool_call>{</tool_call>", '<tool_call>{"name": "look"}</tool_call>', END]
    row, verdict = attempt(texts, "hermes")
    assert (verdict.kept, row.cells) == (True, 0)
    assert "is no JSON" in row.messages[3].content
    assert "there is no tool look" in row.messages[5].content


def length(text: str, times: int = 1) -> int:
    """Counts letters."""
    return len(text) * times


@pytest.mark.parametrize(
    ("name", "call", "shown"),
    [
        ("hermes", '<tool_call>{"name": "length", "arguments": {"text": "abc"}}</tool_call>', "3"),
        ("hermes", '<tool_call>{"name": "length", "arguments": {}}</tool_call>', "required"),
        ("queries", "<|begin_length_query|>abc<|end_length_query|>", "length_result|>\n3\n<"),
    ],
)
def test_a_function_of_a_user_is_called_by_its_name(name: str, call: str, shown: str) -> None:
    row, verdict = attempt([call, END], name, tools=bind({"length": f"{__name__}.length"}))
    assert verdict.kept and row.cells == 1 and shown in row.messages[3].content
    assert (row.tools is None) == (name == "queries") or "Counts letters" in str(row.tools)


ANSWERS = st.sampled_from(
    [block("1"), block("1 / 0"), "```python\n1", END, "", call("1"), DIALOGUES["hermes"][0]]
)
FORMS = ["fence", "native", "hermes", "tool_call"]


@given(
    st.lists(ANSWERS, max_size=7), st.sampled_from(FORMS), st.integers(0, 3), st.integers(1, 4),
    st.integers(1, 9),
)  # fmt: skip
def test_budgets_are_never_exceeded(
    texts: list[Any], form: str, cells: int, turns: int, tokens: int
) -> None:
    def answer(effect: Any) -> Any:
        if isinstance(effect, Cell):
            failed = Status.RUNTIME_ERROR if "/" in effect.code else Status.OK
            return CellResult(failed, "1", "", None, None, (*effect.after, effect.code), 0, 0)
        if not isinstance(effect, Request):
            return None
        made = next(rest, "")
        text = made if isinstance(made, str) else ""
        extra = {} if isinstance(made, str) else {"tool_calls": made.tool_calls}
        count = min(effect.sampler.max_tokens, 2)
        spent.append(count)
        return response(effect, effect.sampler.prefix + text, generated_tokens=count, **extra)

    rest, spent = iter(texts), []  # type: ignore[var-annotated]
    stage = conversing(form, cells=cells, turns=turns, max_generated=tokens, grader=never_right)
    done = play(stage.episode(SEED), answer)
    [(row, _)] = done.result
    ran = [each for turn in done.turns for each in turn if isinstance(each, Cell)]
    assert row.cells == len(ran) <= cells and row.asks == len(asked(done)) <= turns
    assert row.tokens == sum(spent) <= tokens


def never_right(seed: Any, answer: str) -> Any:
    return 0.0
    yield


def test_work_side_by_side_is_answered_together_and_ends_by_itself() -> None:
    def counting(name: str, times: int) -> Any:
        total = 0
        for number in range(times):
            total += sum((yield [(name, number)] * 2)) + (yield (name, number))
        return total

    done = play(side_by_side([counting("a", 2), counting("b", 0), counting("c", 1)]), lambda _: 1)
    assert done.result == [6, 0, 3]
    assert [len(turn) for turn in done.turns] == [4, 2, 2, 1]


def test_what_is_told_between_turns_stands_where_the_model_reads_it() -> None:
    talk = conversing().begun(SEED, 0)
    talk.tell("Use code.")
    assert talk.turns[-1].continues and talk.turns[-1].content == "\n\nUse code."
    talk.add(Message("assistant", "Well, "), sampled=True)
    talk.tell("but how?")
    assert talk.turns[-1].continues and not talk.turns[-1].sampled and talk.in_message


def test_demonstrations_are_shown_to_the_model_and_are_not_in_its_turns() -> None:
    stage = conversing()
    asking = replace(stage.begun(SEED, 0).asked, messages=PROMPT)
    shown = (Message("user", "What is 1 + 1?"), Message("assistant", "2"))
    talk = begin(asking, stage.dialogue, Limits(cells=3, turns=4), shown=shown)
    done = played(converse(talk), script(*RIGHT))
    assert all(each.messages == (PROMPT[0], *shown, PROMPT[1]) for each in asked(done))
    assert [turn.content for turn in talk.turns[:2]] == [each.content for each in PROMPT]


PROMPT = (Message("system", "Use code."), Message("user", "What is 6 * 7 + 1?"))


def test_hooks_act_before_each_request_and_after_each_result() -> None:
    talk = conversing().begun(SEED, 0)
    told = []

    def before(talk: Any) -> None:
        told.append(len(talk.responses))

    def after(talk: Any, seen: Any) -> None:
        told.append(seen[0].text)
        talk.tell("Check it.\n")

    done = played(converse(talk, before, after), script(*RIGHT))
    assert told == [0, "42", 1, "43", 2]
    assert all(prompt_of(each).endswith("Check it.\n") for each in asked(done)[1:])


def test_calls_may_be_worked_on_by_a_function_of_the_recipe() -> None:
    def look_up(talk: Any, called: Any) -> Any:
        talk.cells += 1
        seen = yield Cell(f"{called.text!r}.upper()", ())
        return Seen(called, seen.value or "", failed=False)

    talk = conversing("queries").begun(SEED, 0)
    texts = ["<|begin_search_query|>abc<|end_search_query|>", END]
    done = played(converse(talk, run=look_up), script(*texts))
    assert (talk.cells, talk.ended) == (1, "answered")
    assert prompt_of(asked(done)[-1]).endswith(
        "\n<|begin_search_result|>\n'ABC'\n<|end_search_result|>\n"
    )


@pytest.mark.parametrize(
    ("dialogue", "settings", "message"),
    [
        ("hermes", ["backend.api=completions"], "hermes shows results in turns of a chat"),
        ("native", ["backend.api=completions"], "set backend.api=chat"),
        ("fence", ["backend.continue_prefix=false"], "role: user}'"),
        ("blocks", ["backend.continue_prefix=false"], "or backend.api=completions"),
        (
            "fence", ["backend.continue_prefix=false", "backend.reasoning=keep"],
            "set backend.reasoning=null, or show results in turns by recipe.stages.solve.dialogue="
            "'{form: fence, role: user}'",
        ),
    ],
)  # fmt: skip
def test_a_dialogue_that_a_backend_cannot_have_is_one_clear_line(
    dialogue: str, settings: list[str], message: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        conversing(dialogue, f"recipe.stages.solve.dialogue={dialogue}", *settings)
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_results_in_turns_need_no_endpoint_that_continues_a_text() -> None:
    form = {"form": "fence", "role": "user"}
    stage = conversing(form, "backend.continue_prefix=false")
    row, verdict, _ = once(stage.episode(SEED), *RIGHT)
    assert verdict.kept and row.messages[3].role == "user"
    assert not any(turn.continues for turn in row.messages)


def test_a_completions_endpoint_continues_its_prompt() -> None:
    stage = conversing()
    chatting = stage.begun(SEED, 0)
    asking = replace(chatting.asked, messages=(), prompt="Problem: 6 * 7 + 1\n")
    talk = begin(asking, chatting.dialogue, chatting.limits)
    done = played(converse(talk), script(*RIGHT))
    assert done.result.answer == "43"
    last = asked(done)[-1]
    text = "".join(turn.content for turn in talk.turns[:-1])
    assert (last.messages, last.prompt + last.sampler.prefix) == ((), text)


def test_a_stage_is_the_same_after_pickling() -> None:
    stage = conversing(cells=(1, 8))
    again = pickle.loads(pickle.dumps(stage))
    assert again.dialogue == stage.dialogue
    results = [played(each.episode(SEED), script(*RIGHT)).result for each in (stage, again)]
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"cells": (5, 2)}, "is no range"), ({"cells": None}, "set one of them")],
)
def test_limits_that_cannot_be_are_one_clear_line(fields: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        conversing(**fields)

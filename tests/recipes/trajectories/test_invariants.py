"""What holds for every recipe of trajectories: a run from the ledger, with two workers, gives the
same bytes, and nothing is learned that no model wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chat_server import chat_server
from tests.programs_for_tests import SPAM
from tests.recipes.test_recipes import SEEDS, run
from transforms.engine.paths import PROJECT
from transforms.recipes.biomechanics import problems
from transforms.recipes.table_questions import questions
from transforms.stages.trajectories.house import games, solution
from transforms.stages.trajectories.records import Span, Turn, learned

CONTINUES = "backend.continue_prefix=true"
Answer = Callable[[dict[str, Any]], str]


def asked(body: dict[str, Any]) -> str:
    return "\n".join(message["content"] for message in body["messages"])


def code_of(body: dict[str, Any]) -> str:
    """A cell with the answer to the seed that is asked about."""
    texts = {"6 times 7": "6 * 7 + 1", "power 10": "2 ** 10", "9 squared": "9 * 9"}
    return next(code for words, code in texts.items() if words in asked(body))


def r1_code_interpreter(body: dict[str, Any]) -> str:
    if body["messages"][-1]["content"].startswith("Code Execution Results:"):
        return f"<<<{body['messages'][-1]['content'].split()[-1]}>>>"
    return "<<<0>>>" if body["seed"] % 2 else f"```python\nprint({code_of(body)})\n```"


def retool(body: dict[str, Any]) -> str:
    value = eval(code_of(body))
    if "Thoughts:" not in asked(body):
        return f"It is \\boxed{{{value}}}."
    stated = value + body["seed"] % 2
    return (
        f"I compute.\n<code>\nprint({code_of(body)})\n</code>\n"
        f"<interpreter>\n{stated}\n</interpreter>\n<answer>\\boxed{{{value}}}</answer>"
    )


def rstar2(body: dict[str, Any]) -> str:
    last = body["messages"][-1]["content"]
    if last.startswith("<tool_response>"):
        return f"<answer>\\boxed{{{last.split()[1]}}}</answer>"
    call = json.dumps({"name": "jupyter_code", "arguments": {"code": code_of(body)}})
    wrong = "<answer>\\boxed{0}</answer>"
    return wrong if body["seed"] % 2 else f"<tool_call>\n{call}\n</tool_call>"


def agentic_r1(body: dict[str, Any]) -> str:
    value = eval(code_of(body)) + body["seed"] % 2
    if "Reason in words" in asked(body):
        return f"<think>Slowly.</think>\n<answer>\\boxed{{{value}}}</answer>"
    _, ran, shown = body["messages"][-1]["content"].partition("<executor>\n")
    if ran:
        return f"<answer>\\boxed{{{shown.split()[0]}}}</answer>"
    return f"<code>\nprint({value})\n</code>"


def codeadapt(body: dict[str, Any]) -> str:
    last = body["messages"][-1]["content"]
    if last.strip().isdigit():
        return f"So \\boxed{{{last.strip()}}}."
    return f"<execute>\nprint({code_of({'messages': body['messages'][-1:]})})\n</execute>"


def codesteer(body: dict[str, Any]) -> str:
    said = asked(body)
    if "You guide" in said:
        return "<<<Return Answer>>>" if "The check found" in said else "<<<Code>>>"
    return f"```python\nprint({code_of(body)})\n```"


def multi_turn_code(body: dict[str, Any]) -> str:
    right = any(message["role"] == "assistant" for message in body["messages"])
    return f"Try {body['seed']}.\n```python\nprint(int(input()) {'+' if right else '-'} 1)\n```"


def stateact(body: dict[str, Any]) -> str:
    opening = next(m["content"] for m in body["messages"] if m["role"] == "user")
    actions = solution(opening.removeprefix("House ").partition(".")[0])
    turn = sum(message["role"] == "assistant" for message in body["messages"])
    return f"thought: Well.\naction: {actions[turn]}"


def datarus(body: dict[str, Any]) -> str:
    last = body["messages"][-1]["content"]
    if last.strip().isdigit():
        return f"<stop_analysis><thought>So.</thought><answer>{last}</answer></stop_analysis>"
    return (
        "<step><thought>I compute.</thought><action>python_executor</action>\n"
        f"<action_input>\nprint({code_of(body)})\n</action_input></step>"
    )


def msarl(body: dict[str, Any]) -> str:
    last = body["messages"][-1]["content"]
    if "You carry out tasks" in asked(body):
        shown = last.removeprefix("```output\n").split()[0]
        return f"It is {shown}." if shown.isdigit() else f"```python\nprint({code_of(body)})\n```"
    if "task_result" in last:
        return f"So it is \\boxed{{{last.partition('It is ')[2].partition('.')[0]}}}."
    return f"<|begin_task_query|>{last}<|end_task_query|>"


def agentic_reasoning(body: dict[str, Any]) -> str:
    if "notes hold on the following" in asked(body):
        return "Nothing yet."
    if "Write one Python script" in asked(body):
        return f"```python\nprint({code_of(body)})\n```"
    *_, shown = body["messages"][-1]["content"].split("<|begin_code_result|>\n")
    if shown.split()[0].isdigit():
        return f"So it is \\boxed{{{shown.split()[0]}}}."
    return f"I compute.\n<|begin_code_query|>{code_of(body)}: {asked(body)[:30]}<|end_code_query|>"


def hira(body: dict[str, Any]) -> str:
    text, last = asked(body), body["messages"][-1]["content"]
    if "Which one should do it?" in text:
        return '{"reason": "It computes.", "selected_agent_name": "code"}'
    if "Sum it up as JSON" in text:
        shown = text.partition("python_result|>\n")[2].split()[0]
        return json.dumps({"conclusion": shown, "memory": {"fact_memory": [f"it is {shown}"]}})
    if "End with what you found out" in text:
        query = f"<|begin_python_query|>print({code_of(body)})<|end_python_query|>"
        return "That is all." if "python_result" in last else query
    if "subtask_result" in last:
        shown = last.partition("subtask_result|>\n")[2].split()[0]
        return f"So it is \\boxed{{{shown}}}."
    return f"<|begin_subtask_query|>{text[:30]}<|end_subtask_query|>"


FOLDER = f"recipe.stages.solve.tools.search.arguments.folder={PROJECT / 'docs/recipes'}"


def tree_of_code(body: dict[str, Any]) -> str:
    failed = len(body["messages"]) > 1
    code = f"print({code_of(body)})" if failed or body["seed"] % 2 else "1 / 0"
    return f"<thought>So.</thought>\n<execute>\n{code}\n</execute>"


def orps(body: dict[str, Any]) -> str:
    if "A programmer works" in asked(body):
        return f"Score: {1 + body['seed'] % 5}"
    code = AND_ONE if "and one" in asked(body) else SPAM
    return f"```python\n{code if body['seed'] % 2 else code.replace('* days', '- days')}\n```"


def rethink_mcts(body: dict[str, Any]) -> str:
    said = asked(body)
    if "follows these thoughts" in said:
        code = AND_ONE if "and one" in said else SPAM
        return f"```python\n{code if 'Times.' in said else code.replace('* days', '- days')}\n```"
    thoughts = "<idea>Times.</idea>" if "takes its place" in said else "<idea>Less.</idea>"
    return f"{thoughts}\nRating: 1"


def mutagrep(body: dict[str, Any]) -> str:
    """A plan with a step more after each change."""
    steps = ["create a model", "validate JSON", "serialize to JSON", "an alias"]
    return "\n".join(f"<step>{step}</step>" for step in steps[: 1 + len(body["messages"]) // 2])


def table_qa(body: dict[str, Any]) -> str:
    """The right answer to every other seed that is drawn."""
    right = next(row["answer"] for row in TABLES if row["problem"] in asked(body))
    if body["messages"][-1]["content"].startswith("<tool_response>"):
        return f"<answer>{right if body['seed'] % 2 else 'none'}</answer>"
    call = {"name": "python", "arguments": {"code": "print(len(df))"}}
    return f"<think>I look.</think>\n<tool_call>\n{json.dumps(call)}\n</tool_call>"


def med_agent_gym(body: dict[str, Any]) -> str:
    right = next(row["answer"] for row in TABLES if row["problem"] in asked(body))
    looked = any("data.csv" in m["content"] for m in body["messages"] if m["role"] == "assistant")
    if not looked:
        return '{"action": "request_info", "params": {"data_path": "data.csv"}}'
    code = f"answer = {right if body['seed'] % 2 else 'None'!r}"
    return json.dumps({"action": "validate_code", "params": {"code": code}})


def chem_agent(body: dict[str, Any]) -> str:
    right = next(row["answer"] for row in LAWS if row["problem"] in asked(body))
    if body["messages"][-1]["role"] == "user" and len(body["messages"]) > 2:
        return f"\\boxed{{{right}}}"
    return f"I compute.\n<execute>\nprint({right.split()[0]})\n</execute>"


TABLES = [row for row in questions(8) if row["kind"] == "lookup"]
LAWS = list(problems(13, file="chemistry.yaml"))
AND_ONE = SPAM.replace("* days", "* days + 1")
PROGRAMS = [
    {"problem": "How many?", "answer": "560", "code": SPAM},
    {"problem": "How many, and one?", "answer": "561", "code": AND_ONE},
]
"""Seeds with programs, for the recipes that need tests."""

RECIPES: dict[str, tuple[Answer, list[str]]] = {
    "r1_code_interpreter": (r1_code_interpreter, ["recipe.stages.solve.sampler.samples=4"]),
    "agentic_r1": (agentic_r1, [CONTINUES, "recipe.stages.attempt.sampler.samples=4"]),
    "codeadapt": (codeadapt, ["recipe.stages.bootstrap.train=1"]),
    "multi_turn_code": (multi_turn_code, ["recipe.stages.solve.sampler.samples=1"]),
    "codesteer": (codesteer, ["recipe.stages.steer.sampler.samples=2"]),
    "retool": (retool, [CONTINUES]),
    "datarus": (datarus, ["recipe.stages.analyse.sampler.samples=2"]),
    "msarl": (msarl, ["recipe.stages.solve.sampler.samples=2"]),
    "agentic_reasoning": (
        agentic_reasoning,
        [CONTINUES, FOLDER, "recipe.stages.solve.sampler.samples=2"],
    ),
    "hira": (hira, [CONTINUES, FOLDER]),
    "tree_of_code": (tree_of_code, ["recipe.stages.grow.children=2"]),
    "orps": (orps, [f"recipe.stages.refine.{each}" for each in ("drafts=4", "rounds=1")]),
    "rethink_mcts": (rethink_mcts, ["recipe.stages.rethink.rollouts=1"]),
    "mutagrep": (mutagrep, ["recipe.stages.plan.nodes=4"]),
    "table_qa": (table_qa, ["recipe.stages.solve.sampler.samples=4"]),
    "med_agent_gym": (med_agent_gym, ["recipe.stages.act.sampler.samples=4"]),
    "chem_agent": (chem_agent, ["recipe.stages.develop.train=8"]),
    "rstar2": (rstar2, ["recipe.stages.solve.sampler.samples=6"]),
    "stateact": (stateact, ["recipe.stages.act.sampler.samples=1"]),
}
"""Recipe -> a model for it, and what is set."""
TESTS = {name: {"input": ["1"], "output": ["2"]} for name in ("public_tests", "private_tests")}
PROBLEMS: dict[str, list[dict[str, Any]]] = {
    "stateact": list(games(2)),
    "multi_turn_code": [{"problem": f"Add one, {n} times.", **TESTS} for n in ("once", "1")],
    "orps": PROGRAMS,
    "table_qa": TABLES[:2],
    "med_agent_gym": TABLES[:2],
    "chem_agent": LAWS,
    "rethink_mcts": PROGRAMS,
}
"""Recipe -> its seeds, where it has its own."""


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted((folder / "run/data").glob("*"))}


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_from_the_ledger_gives_the_same_bytes_and_learns_what_a_model_wrote(
    name: str, tmp_path: Path
) -> None:
    answer, settings = RECIPES[name]
    seeds = PROBLEMS.get(name, SEEDS[:2])
    written: list[str] = []

    def say(body: dict[str, Any]) -> dict[str, Any]:
        written.append(answer(body))
        return {"content": written[-1]}

    with chat_server(say) as (url, requests):
        _, rows, _ = run(tmp_path, name, url, seeds, *settings)
        before = len(requests)
        replay = [f"ledger.dir={tmp_path}/run/ledger", "backend=replay", "runner.workers=2"]
        kept = [each for each in settings if not each.startswith("backend")]
        run(tmp_path / "again", name, "", seeds, *kept, *replay)
    assert len(requests) == before and len(rows) > 1
    assert files(tmp_path) == files(tmp_path / "again")
    for turn in (turn for row in rows for turn in row["messages"]):
        made = Turn(turn["role"], turn["content"], sampled=turn["sampled"],
                    spans=tuple(Span(**span) for span in turn["spans"] or ()))  # fmt: skip
        for start, end in learned(made):
            assert any(turn["content"][start:end] in text for text in written)

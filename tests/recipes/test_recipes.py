"""Recipes that are a YAML, prompts and a small module: run from seeds to rows, and replayed."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console

from pipelines.synthesize import synthesize
from tests.chat_server import chat_server
from tests.programs_for_tests import SPAM
from tests.settings_for_tests import composed

SEEDS = [
    {"problem": "What is 6 times 7, plus 1?", "answer": "43"},
    {"problem": "What is 2 to the power 10?", "answer": "1024"},
    {"problem": "What is 9 squared?", "answer": "81"},
]


def run(folder: Path, recipe: str, url: str, seeds: list[dict[str, Any]], *more: str) -> Any:
    """Returns the manifest, the rows, and the rejects' (stage, reason) of a run of a recipe."""
    folder.mkdir(exist_ok=True)
    (folder / "seeds.jsonl").write_text("\n".join(map(json.dumps, seeds)))
    backend = ["backend=openai", f"backend.base_url={url}", "backend.model=m"] if url else []
    source = ["source=jsonl", f"source.path={folder}/seeds.jsonl", "source.license=MIT"]
    source.append("sandbox.slots=1")
    settings = composed(f"recipe={recipe}", *backend, *source, f"output_dir={folder}/run", *more)
    manifest = synthesize(settings, Console(file=io.StringIO()))
    rows = pl.read_parquet(folder / "run" / "data" / "*.parquet").sort("id").to_dicts()
    files = list((folder / "run" / "rejects").glob("*.parquet"))
    rejects = pl.concat(map(pl.read_parquet, files))
    ends = sorted(zip(rejects["stage"], rejects["reason"], strict=True))
    return manifest, rows, ends


def call(code: str, number: int) -> dict[str, Any]:
    function = {"name": "python", "arguments": json.dumps({"code": code})}
    return {
        "content": "",
        "reasoning_content": "I compute it.",
        "tool_calls": [{"id": f"c{number}", "type": "function", "function": function}],
    }


def solver(body: dict[str, Any]) -> dict[str, Any]:
    """Computes in two cells, the second of which needs the first; is wrong about the square."""
    problem = next(m["content"] for m in body["messages"] if m["role"] == "user")
    shown = [m["content"] for m in body["messages"] if m["role"] == "tool"]
    assert body["tools"][0]["function"]["name"] == "python"
    if "squared" in problem:
        return {"content": "I need no tool. The answer is \\boxed{18}."}
    if not shown:
        return call("a = 6 * 7" if "6 times" in problem else "a = 2", 1)
    if len(shown) == 1:
        return call("a + 1" if "6 times" in problem else "a ** 10", 2)
    return {"content": f"The tool says so. The answer is \\boxed{{{shown[-1]}}}."}


def test_tool_math_keeps_conversations_whose_answer_is_the_reference(tmp_path: Path) -> None:
    few = ["recipe.stages.solve.sampler.samples=2"]
    with chat_server(solver) as (url, asked):
        _, rows, ends = run(tmp_path, "tool_math", url, SEEDS, *few)
        assert ends == [("solve", "wrong_answer")] * 2
        assert sorted(row["answer"] for row in rows) == ["1024", "1024", "43", "43"]
        for row in rows:
            roles = [message["role"] for message in row["messages"]]
            assert roles == ["system", "user", *["assistant", "tool"] * 2, "assistant"]
            assert row["messages"][-2]["content"] == row["answer"]
            assert row["messages"][2]["reasoning"] == "I compute it."
            assert json.loads(row["tools"])[0]["function"]["name"] == "python"
        before = len(asked)
        replay = [f"ledger.dir={tmp_path}/run/ledger", "backend=replay"]
        again = run(tmp_path / "again", "tool_math", "", SEEDS, *few, *replay)
        assert (again[1], len(asked)) == (rows, before)
        replay.append("backend.reasoning=drop")
        dropped = run(tmp_path / "dropped", "tool_math", "", SEEDS, *few, *replay)[1]
        assert all(turn["reasoning"] is None for row in dropped for turn in row["messages"])


def test_a_conversation_that_wants_more_turns_is_rejected(tmp_path: Path) -> None:
    with chat_server(lambda body: call("1", len(body["messages"]))) as (url, asked):
        more = ["recipe.stages.solve.sampler.samples=1", "recipe.stages.solve.turns=3"]
        _, rows, ends = run(tmp_path, "tool_math", url, SEEDS[:1], *more)
    assert (rows, ends, len(asked)) == ([], [("solve", "turns")], 3)


def predictor(body: dict[str, Any]) -> dict[str, Any]:
    """Right about the output; gives an input of its own for the one program, a wrong for others."""
    question = body["messages"][-1]["content"]
    if "What is the value" in question:
        return {"content": "It is 560 or 561.\n```\n560\n```"}
    said = {"emails": 160, "percent_spam": 30, "days": 5}  # 112 a day
    return {"content": f"Let me see.\n```python\ninput = {said}\n```"}


def test_predict_proves_outputs_and_inputs_by_running_the_program(tmp_path: Path) -> None:
    twice = SPAM.replace("answered * days", "answered * days + 1")
    seeds = [
        {"problem": "How many?", "answer": "560", "code": SPAM},
        {"problem": "How many, and one?", "answer": "561", "code": twice},
    ]
    with chat_server(predictor) as (url, _):
        manifest, rows, ends = run(tmp_path, "predict", url, seeds)
    found = sorted((row["task"], row["prediction"]) for row in rows)
    assert found[-1] == ("output", "560")
    assert ("predict", "wrong_prediction") in ends
    counts = manifest["segments"][-1]["stages"][-1]
    assert (counts["in"], counts["kept"]) == (4, len(rows))
    for row in rows:
        if row["task"] == "input":
            assert "..." in row["messages"][0]["content"]


def judged(body: dict[str, Any]) -> dict[str, Any]:
    """Writes an answer of its own to each request; judges the longer better, but not the square."""
    question = body["messages"][-1]["content"]
    if body["model"] == "m":
        return {"content": "It is so." + " Really." * (body["seed"] % 5)}
    a, b = re.search(r"Answer A:\n(.*)\n\nAnswer B:\n(.*)\n", question).groups()  # type: ignore[union-attr]
    if "squared" in question:
        return {"content": "Always [[A]]"}
    return {"content": f"Not [[A]] or [[B]]: [[{'A' if len(a) > len(b) else 'B'}]]"}


def test_judge_makes_pairs_of_which_another_model_prefers_one_in_both_orders(
    tmp_path: Path,
) -> None:
    with chat_server(judged) as (url, asked):
        other = f"models.judge={{engine: openai, base_url: '{url}', model: j, api: chat}}"
        manifest, rows, ends = run(tmp_path, "judge", url, SEEDS, other)
    assert {end for _, end in ends} <= {"no_preference", "equal_answers"} and ends
    for row in rows:
        assert len(row["chosen"][0]["content"]) > len(row["rejected"][0]["content"])
    models = [list(s.get("models", {})) for e in manifest["segments"] for s in e["stages"]]
    assert models == [[], ["m"], ["j"]]
    assert {body["model"] for body in asked} == {"m", "j"}

"""kat_coder: branches that share turns and cells, failed calls masked, several references."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.chat_server import chat_server
from tests.models.examples import chat, response
from tests.publish.export.test_formats import exported
from tests.recipes.playing import stage
from tests.recipes.test_recipes import SEEDS, call, run
from tests.stages.trajectories.talking import SEED, asked, played, script
from transforms.engine.records import ToolCall
from transforms.engine.run_folder import RunFolder
from transforms.models.requests import ErrorKind, Request, Response
from transforms.recipes.kat_coder import references
from transforms.sandbox.jobs import Cell
from transforms.stages.trajectories.records import learned

ONE = "recipe.stages.solve.sampler.samples=1"


def calls(code: str) -> Response:
    made = ToolCall("c1", "python", json.dumps({"code": code}))
    return response(chat(), "", tool_calls=(made,))


def attempted(*texts: Any, **fields: Any) -> tuple[list[Any], Any]:
    done = played(replace(stage("kat_coder", "solve", ONE), **fields).episode(SEED), script(*texts))
    return done.result, done


PLAN, FAIL, END = calls("n = 6 * 7"), calls("n / 0"), "It is \\boxed{43}."
BRANCHED = (PLAN, FAIL, END, "So \\boxed{43}.", "Or \\boxed{42}.")
"""A trunk of three turns, and what its two other branches say next."""


def test_branches_share_the_turns_before_them_and_no_cell_runs_twice() -> None:
    pairs, done = attempted(*BRANCHED, "\\boxed{43}")
    assert [verdict.reason for _, verdict in pairs] == [None, None, "wrong_answer"]
    rows = [row for row, _ in pairs]
    at = 1 + 2 * json.loads(rows[0].data)["branched_at"] + 1
    for row in rows[1:]:
        assert [t.id for t in row.messages[:at]] == [t.id for t in rows[0].messages[:at]]
        assert row.messages[at].id != rows[0].messages[at].id
    cells = [e for turn in done.turns for e in turn if isinstance(e, Cell)]
    assert len(cells) == len({(cell.code, cell.after) for cell in cells}) == 2


def test_each_branch_draws_a_sample_of_its_own() -> None:
    made = stage("kat_coder", "solve", "recipe.stages.solve.sampler.samples=2")

    def model(request: Request) -> Any:
        return PLAN if len(request.messages) < 3 else END

    done = played(made.episode(SEED), model)
    drawn = Counter(request.sample for request in asked(done))
    assert sorted(drawn) == [0, 1, 2, 3, 4, 5] and len({r.id for r in asked(done)}) == 8


def test_an_attempt_of_one_turn_does_not_branch() -> None:
    [(_row, verdict)], done = attempted(END)
    assert verdict.kept and len(asked(done)) == 1


def test_a_branch_that_is_not_answered_is_put_off_alone() -> None:
    lost = response(chat(), "", error="504", error_kind=ErrorKind.TIMEOUT)
    pairs, _ = attempted(PLAN, END, lost, "\\boxed{43}")
    assert [verdict.unanswered for _, verdict in pairs] == [False, True, False]


def test_a_turn_before_a_failed_call_is_seen_and_not_learned_and_the_next_one_is() -> None:
    (row, _), *_ = attempted(PLAN, FAIL, END, END, END)[0]
    masked = stage("kat_coder", "mask").of(row)
    plan, fail, end = [turn for turn in masked.messages if turn.sampled]
    assert (plan.unlearned, fail.unlearned, end.unlearned) == (None, "failed_call", None)
    assert learned(end) and len(masked.messages) == len(row.messages)
    assert "ZeroDivisionError" in masked.messages[-2].content


@pytest.mark.parametrize(
    ("answer", "score"), [("43", 1.0), ("forty-three", 1.0), ("86/2", 1.0), ("44", 0.0)]
)
def test_an_answer_is_right_by_any_of_the_references(answer: str, score: float) -> None:
    several = replace(SEED, answer="43.0", metadata='{"answers": ["43", "43"]}')
    assert references(several) == ["43.0", "43"]
    made = stage("kat_coder", "solve", ONE)
    steps = replace(made, keeps_wrong=True).episode(several)
    [(row, _)] = played(steps, script(f"\\boxed{{{answer}}}")).result
    assert row.score == score


def test_an_export_learns_each_turn_of_a_tree_once_and_the_run_replays(tmp_path: Path) -> None:
    def say(body: dict[str, Any]) -> dict[str, Any]:
        if body["messages"][-1]["role"] == "user":
            return call("a = 6 * 7 + 1", 1)
        if len(body["messages"]) == 4:
            return call("a", 2)
        return {"content": f"Well, {body['seed']}: \\boxed{{43}}."}

    few = ["recipe.stages.solve.sampler.samples=2"]
    with chat_server(say) as (url, requests):
        _, rows, ends = run(tmp_path, "kat_coder", url, SEEDS[:1], *few)
        before = len(requests)
        replay = [f"ledger.dir={tmp_path}/run/ledger", "backend=replay", "runner.workers=2"]
        again = run(tmp_path / "again", "kat_coder", "", SEEDS[:1], *few, *replay)
    assert (again[1], len(requests), ends, len(rows)) == (rows, before, [], 6)
    examples, left = exported(RunFolder(f"{tmp_path}/run"), "sft", solutions="all", once=True)
    taught = [
        (json.dumps(example["messages"][:place]), json.dumps(message))
        for example in examples
        for place, (message, is_learned) in enumerate(
            zip(example["messages"], example["loss_mask"], strict=True)
        )
        if is_learned
    ]
    assert len(taught) == len(set(taught)) and len(examples) == 6 and not left
    sampled = {turn["id"] for row in rows for turn in row["messages"] if turn["sampled"]}
    assert len(taught) == len(sampled)

"""gtpo gives each turn its reward and its advantage among the attempts at a problem."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.chat_server import chat_server
from tests.recipes.test_recipes import SEEDS, call, run


def model(body: dict[str, Any]) -> dict[str, Any]:
    """Solves the problem after code that does not parse, or guesses wrong, as its seed says."""
    shown = [message for message in body["messages"] if message["role"] == "tool"]
    if body["seed"] % 2:
        return {"content": "It is \\boxed{41}."}
    if not shown:
        return call("print(6 * 7", 1)
    return call("6 * 7 + 1", 2) if len(shown) == 1 else {"content": "It is \\boxed{43}."}


def test_rows_hold_right_and_wrong_attempts_with_advantages_that_sum_to_nothing(
    tmp_path: Path,
) -> None:
    with chat_server(model) as (url, _):
        manifest, rows, _ = run(tmp_path, "gtpo", url, SEEDS[:1])
    rewards, gained = {}, []
    for row in rows:
        own = [turn for turn in row["messages"] if turn["sampled"]]
        rewards[row["score"]] = [turn["reward"] for turn in own]
        gained += [(turn["advantage"], row["score"]) for turn in own]
        assert [t["advantage"] for t in row["messages"] if not t["sampled"]].count(None) > 1
    assert rewards == {1.0: [-0.1, 0.0, 1.0], 0.0: [0.0]}
    assert sum(advantage for advantage, _ in gained) == pytest.approx(0, abs=1e-9)
    assert min(gained)[1] == 0.0 and max(gained)[1] == 1.0
    counts = [stage for segment in manifest["segments"] for stage in segment["stages"]]
    assert [(each["in"], each["kept"]) for each in counts][-2:] == [(8, 8)] * 2

"""A server that reasons gives the rows of the same server without reasoning, thoughts apart."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from pipelines.synthesize import synthesize
from tests.pipelines.reasoning_server import (
    CORRECTED,
    IN_A_FIELD,
    IN_TAGS,
    UNOPENED,
    reasoning_server,
)
from tests.settings_for_tests import composed
from transforms.models.ledger.parts import ledger_parts, read_columns

Server = tuple[str, list[bool]]
THOUGHTS = {CORRECTED, IN_A_FIELD, IN_TAGS, UNOPENED}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with reasoning_server() as running:
        yield running


def _run(folder: Path, *settings: str) -> list[dict[str, Any]]:
    """Runs the recipe and returns the accepted rows."""
    small = ["sampling.num_programs=6", "sampling.solve.samples=2", "verify.rounds=1"]
    composed_settings = composed(*settings, *small, "sandbox.slots=1", f"output_dir={folder}")
    synthesize(composed_settings, Console(file=io.StringIO()))
    return pl.read_parquet(folder / "data" / "*.parquet").to_dicts()


def _endpoint(server: Server, way: str) -> list[str]:
    return ["backend=openai", "backend.model=m", f"backend.base_url={server[0]}/{way}/v1"]


@pytest.fixture(scope="module")
def plain(server: Server, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The rows of the server that does not reason."""
    rows = _run(tmp_path_factory.mktemp("plain") / "run", *_endpoint(server, "plain"))
    assert rows and {row["reasoning"] for row in rows} == {None}
    return rows


@pytest.fixture(scope="module")
def reasoned(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on the server that reasons."""
    folder = tmp_path_factory.mktemp("reasoned") / "run"
    _run(folder, *_endpoint(server, "reasoning"))
    return folder


def test_rows_are_those_without_reasoning_and_hold_the_thought_apart(
    server: Server, plain: list[dict[str, Any]], reasoned: Path
) -> None:
    asked = len(server[1])
    rows = _run(reasoned, *_endpoint(server, "reasoning"), "resume=true")
    assert len(server[1]) == asked
    assert {row["reasoning"] for row in rows} <= THOUGHTS
    assert [row["messages"][-1]["reasoning"] for row in rows] == [r["reasoning"] for r in rows]
    for row in rows:
        row["reasoning"] = row["messages"][-1]["reasoning"] = None
    assert rows == plain


def test_the_ledger_holds_each_thought_beside_its_answer(reasoned: Path) -> None:
    held: set[str] = set()
    for part in ledger_parts(str(reasoned / "ledger")):
        for row in read_columns(part, ["text", "reasoning"]).to_pylist():
            assert "think>" not in row["text"]
            held.add(row["reasoning"])
    assert held == THOUGHTS


def test_a_replay_that_drops_reasoning_gives_the_rows_without(
    server: Server, plain: list[dict[str, Any]], reasoned: Path, tmp_path: Path
) -> None:
    asked, ledger = len(server[1]), f"ledger.dir={reasoned}/ledger"
    rows = _run(tmp_path / "run", "backend=replay", ledger, "backend.reasoning=drop")
    assert len(server[1]) == asked
    assert [row | {"run_id": ""} for row in rows] == [row | {"run_id": ""} for row in plain]

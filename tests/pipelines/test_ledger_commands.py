"""The ledger's commands say what they did, and name a ledger that is not there."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.ledger import (
    LedgerCompactSettings,
    LedgerFolder,
    LedgerStatusSettings,
    run_compaction,
    show_status,
)
from tests.models.ledger.test_compaction import write
from transforms.engine.errors import LedgerError


def said(command, settings) -> str:
    text = io.StringIO()
    command(settings, Console(file=text, width=120))
    return text.getvalue()


def test_status_shows_responses_and_tokens_by_stage_and_model(tmp_path: Path) -> None:
    write(tmp_path, [[(0, "a"), (1, "b")], [(2, "c")]])
    lines = said(show_status, LedgerStatusSettings(ledger=LedgerFolder(dir=str(tmp_path))))
    assert ["solve", "embedded", "3", "0", "0", "12", "0", "6"] in map(
        str.split, lines.splitlines()
    )
    assert "2 parts" in lines


def test_the_ledger_of_a_run_is_found_in_its_folder(tmp_path: Path) -> None:
    write(tmp_path / "ledger", [[(0, "a")]])
    lines = said(show_status, LedgerStatusSettings(ledger=LedgerFolder(dir=str(tmp_path))))
    assert f"1 parts, 0.0 MB in {tmp_path}/ledger" in lines


def test_compact_says_what_it_merged_and_dropped(tmp_path: Path) -> None:
    write(tmp_path, [[(0, "a"), (1, "b")], [(0, "b")]])
    settings = LedgerCompactSettings(ledger=LedgerFolder(dir=str(tmp_path)), part_mb=64)
    assert "2 parts are now 1, of 2 responses; 1 second" in said(run_compaction, settings)


def test_a_folder_without_a_ledger_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=str(tmp_path)):
        said(show_status, LedgerStatusSettings(ledger=LedgerFolder(dir=str(tmp_path))))

"""The search tool finds passages of a folder of texts, and its answers are recorded by content."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.test_observations import REPLAY, asking
from transforms.models.asking import Asking
from transforms.models.driver import drive
from transforms.models.ledger.ledger import LedgerSettings
from transforms.models.tools import Tool, bind, invoke
from transforms.stages.trajectories.search import TextSearch, passages

TEXTS = {
    "rivers/elbe.txt": "The Elbe flows to the North Sea.\n\nIt passes Dresden and Hamburg.",
    "lakes.md": "# Lakes of the north\n\nThe deepest lake is deep.\n\nIts water is cold.",
    "notes.csv": "Elbe,Elbe,Elbe",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in TEXTS.items():
        path = tmp_path / "texts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "texts"


def tool(folder: Path, **arguments: int) -> Tool:
    path = f"{TextSearch.__module__}.TextSearch"
    how = {"function": path, "arguments": {"folder": str(folder), **arguments}}
    return bind({"search": how})["search"]  # type: ignore[dict-item]


def test_the_best_passage_comes_first_with_the_heading_or_the_name_of_its_text(
    folder: Path,
) -> None:
    search = TextSearch(str(folder), k=2, characters=40)
    assert search("Which rivers pass Hamburg?")[0] == {
        "title": "rivers/elbe",
        "passage": "It passes Dresden and Hamburg.",
    }
    assert search("deep lakes")[0]["title"] == "Lakes of the north"
    assert len(search("the is")) == 2


@pytest.mark.parametrize("query", ["", '"', "NOT", "a AND (", "title: x", "*", "'; DROP TABLE"])
def test_any_text_is_a_query(folder: Path, query: str) -> None:
    assert isinstance(TextSearch(str(folder))(query), list)


@given(st.text(alphabet="ab c\n", max_size=60), st.integers(1, 20))
def test_passages_hold_every_character_of_a_text_within_the_limit(text: str, most: int) -> None:
    cut = list(passages(text, most))
    assert "".join("".join(cut).split()) == "".join(text.split())
    assert all(0 < len(passage) <= most for passage in cut)


def test_a_replay_answers_where_the_folder_has_moved_and_not_where_it_has_changed(
    folder: Path, tmp_path: Path
) -> None:
    def found(where: Path, how: Asking) -> str:
        asked = json.dumps({"query": "Hamburg"})
        return drive([where], lambda at: invoke({"search": tool(at)}, "search", asked), how)[0].text

    first = found(folder, asking(tmp_path / "ledger"))
    moved = tmp_path / "elsewhere"
    os.rename(folder, moved)
    replay = Asking(REPLAY, str(tmp_path / "ledger"), LedgerSettings())
    assert found(moved, replay) == first != ""
    (moved / "new.txt").write_text("Hamburg")
    with pytest.raises(Exception, match="a call of search is not in the ledger"):
        found(moved, replay)


def test_a_folder_without_texts_is_named_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"folder=.*/none holds no file that ends in \.txt or"):
        tool(tmp_path / "none")


def test_the_number_of_passages_is_part_of_what_is_recorded(folder: Path) -> None:
    assert tool(folder).identity != tool(folder, k=4).identity

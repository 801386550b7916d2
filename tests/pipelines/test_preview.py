"""A preview shows each stage's work on a few records, and pays for an answer once."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipelines.benches.synthetic.pipeline_benchmark import scripted_endpoint
from pipelines.preview import PreviewSettings, changes, limited, preview, shortened, told
from tests.models.fault_server import fault_server
from tests.pipelines import commands
from transforms.engine.errors import Interrupted
from transforms.engine.run_folder import RunFolder
from transforms.engine.stage import check
from transforms.sources.read import MixSource

LATER = ("meaning", "structure", "trivial", "reverse", "answerable", "solve", "verify",
         "deduplicate", "decontaminate")  # fmt: skip


def settings_of(*overrides: str) -> PreviewSettings:
    given = ["backend=openai", "backend.model=scripted", *overrides]
    if not any(each.startswith("backend.base_url") for each in given):
        given.append("backend.base_url=http://127.0.0.1:9/v1")
    return commands.settings_of("preview", PreviewSettings, *given)


@check("far_too_short")
def refuse(_: object) -> str:
    return "by a check of one's own"


def recorded(folder: Path) -> int:
    return len(pl.read_parquet(folder / "ledger" / "*.parquet"))


@pytest.fixture(scope="module")
def previews(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], list[int]]:
    """The folder, what was printed, and the ledger's entries, of one preview and of another."""
    folder = tmp_path_factory.mktemp("preview") / "out"
    printed, entries = [], []
    with scripted_endpoint() as (url, _):
        arguments = [f"backend.base_url={url}", "preview.rows=2", f"output_dir={folder}"]
        arguments += [f"recipe.stages.{name}=null" for name in LATER]
        refuse = "{_target_: transforms.Filter, checks: [tests.pipelines.test_preview.refuse]"
        arguments.append(f"recipe.stages.refused={refuse}, after: form}}")
        for _ in range(2):
            console = Console(file=io.StringIO(), width=100)
            preview(settings_of(*arguments), console)
            printed.append(console.file.getvalue())  # type: ignore[attr-defined]
            entries.append(recorded(folder))
    return folder, printed, entries


def test_a_preview_shows_what_came_in_and_what_came_of_it_stage_by_stage(previews) -> None:
    _, [printed, _], _ = previews
    stages = ("seeds: 2 in, 2 kept", "validate: 2 in", "unify: 2 in", "sample: 2 in", "refused: ")
    places = [printed.index(stage) for stage in stages]
    assert places == sorted(places)
    assert "problem: " in printed[: places[1]]
    assert "kept as they were" in printed[places[2] : places[3]]


def test_a_preview_says_why_a_record_is_rejected(previews) -> None:
    _, [printed, _], _ = previews
    rejected = printed[printed.index("refused: ") : printed.index("execute:")]
    assert "far_too_short" in rejected and ": by a check of one's own" in rejected


def test_a_second_preview_asks_nothing_and_shows_the_same(previews) -> None:
    _, printed, entries = previews
    assert entries[0] == entries[1] > 0
    assert printed[0] == printed[1]


def test_a_preview_leaves_its_ledger_alone_and_a_run_may_begin_there(previews) -> None:
    folder, _, _ = previews
    assert [path.name for path in folder.iterdir()] == ["ledger"]
    with RunFolder(str(folder)).claimed(resume=False, overwrite=False) as found:
        assert found == {}


def test_a_preview_that_is_interrupted_says_where_its_answers_are(tmp_path: Path) -> None:
    first = iter([signal.SIGINT])

    def answer(prompt: str) -> str:
        for signum in first:
            os.kill(os.getpid(), signum)
        return "no program"

    with fault_server(answer=answer, fault=lambda _: "") as server:
        arguments = [f"backend.base_url={server.base_url}", "backend.api=completions"]
        arguments += ["preview.rows=2", f"output_dir={tmp_path}", "source=shipped"]
        with pytest.raises(Interrupted, match="^SIGINT: .* are in /.*/ledger; ") as ended:
            preview(settings_of(*arguments), Console(file=io.StringIO()))
    assert ended.value.status == 128 + signal.SIGINT
    assert recorded(tmp_path) == server.total() > 0


def test_a_recipe_without_models_is_previewed_without_one(tmp_path: Path) -> None:
    shown = io.StringIO()
    chosen = settings_of("recipe=augment", "preview.rows=1", f"output_dir={tmp_path}")
    preview(chosen, Console(file=shown, width=120))
    assert "augment" in shown.getvalue()


def test_each_part_of_a_mix_is_limited() -> None:
    parts = {"a": {"type": "codeio"}, "b": {"type": "jsonl", "path": "x", "limit": 1}}
    mix = MixSource.model_validate({"type": "mix", "sources": parts})
    chosen = limited(mix, 5)
    assert isinstance(chosen, MixSource)
    assert [part.limit for part in chosen.sources.values()] == [5, 1]


def test_a_record_that_was_there_before_is_shown_by_what_changed() -> None:
    before = {"id": "a", "code": "x", "output": None}
    assert changes({"id": "a", "code": "x", "output": "1"}, before) == {"output": "1"}
    assert changes({"id": "b", "code": "x", "output": None}, None) == {"code": "x"}


@given(st.text())
def test_of_a_long_text_the_beginning_and_the_end_are_shown(text: str) -> None:
    short, whole = shortened(text), "\n".join(text.strip().splitlines())
    assert len(short.splitlines()) <= 10 and len(short) <= 603
    begin, _, end = short.rpartition("\n…\n")
    assert short == whole or (whole.startswith(begin) and whole.endswith(end))


def test_a_conversation_is_shown_turn_by_turn() -> None:
    call = {"id": "1", "name": "python", "arguments": '{"code": "1 + 1"}'}
    talk = [
        {"role": "user", "content": "1 + 1?"},
        {"role": "assistant", "content": "", "reasoning": "Easy.", "tool_calls": [call]},
    ]
    assert told(talk) == [("user", "1 + 1?"), ("assistant", '(Easy.)\npython {"code": "1 + 1"}')]
    assert told([]) is told("text") is told(["560"]) is told([560]) is None

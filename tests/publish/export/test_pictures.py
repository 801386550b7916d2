"""Rows with pictures in the form of each trainer: in place, with their bytes, as many as marks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from datasets import Image, List, load_dataset

from tests.images.drawn import drawn
from tests.publish.export.runs import LINEAGE
from tests.publish.export.test_formats import exported
from transforms.engine.errors import SettingsError
from transforms.engine.records import Derived, PictureMessage, Shown, ToolCall
from transforms.engine.run_folder import RunFolder
from transforms.engine.tables import write_table
from transforms.images.blobs import Blobs
from transforms.publish.export.preference import PreferenceExport
from transforms.publish.export.rl import RlExport
from transforms.publish.export.run import spool
from transforms.publish.export.sft import SftExport
from transforms.publish.export.splits import SplitSettings
from transforms.publish.export.write import Spool
from transforms.stages.preferences import PicturePreference

_BYTES = [drawn(number) for number in range(3)]


@dataclass(frozen=True, kw_only=True)
class Looked(Derived):
    """A row that shows pictures."""

    messages: tuple[PictureMessage, ...]
    answer: str = "7"
    agreement: float = 0.5
    attempts: int = 2
    score: float = 1.0


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(str(tmp_path / "blobs"))


def _shown(blobs: Blobs, number: int, at: int) -> Shown:
    return Shown(**asdict(blobs.put(_BYTES[number])), at=at)


def _row(blobs: Blobs, question: str = "Before: , after: . What moved?") -> Looked:
    """A question about two pictures, and a tool's picture on the way to the answer."""
    two = (_shown(blobs, 0, 8), _shown(blobs, 1, 17))
    call = (ToolCall("c1", "crop", '{"box": [0, 0, 9, 9]}'),)
    talk = (
        PictureMessage("user", question, pictures=two),
        PictureMessage("assistant", "", "Look closer.", call),
        PictureMessage("tool", "cut", tool_call_id="c1", pictures=(_shown(blobs, 2, 3),)),
        PictureMessage("assistant", "7"),
    )
    return Looked(id="a", messages=talk, **LINEAGE)


def _run(root: Path, blobs: Blobs, *rows: Any) -> RunFolder:
    run = RunFolder(str(root / "run"))
    path = run.path("data", "train-00000-of-00001.parquet")
    write_table(path, rows, type(rows[0]), "zstd", blobs.folder)
    segments = [{"name": "data", "folder": "data"}]
    entries = {"run_id": "0" * 32, "recipe": "look", "status": "complete", "segments": segments}
    run.write_manifest(entries)
    return run


def _pairs(
    root: Path,
    blobs: Blobs,
    chosen: tuple[PictureMessage, ...] = (PictureMessage("assistant", "7"),),
) -> RunFolder:
    """A run whose one row prefers an answer about two pictures to another."""
    pair = PicturePreference(
        id="a", prompt=_row(blobs).messages[:1], chosen=chosen,
        rejected=(PictureMessage("assistant", "8"),), **LINEAGE,
    )  # fmt: skip
    return _run(root, blobs, pair)


def _bytes(values: dict[str, Any]) -> list[bytes]:
    return [image["bytes"] for image in values["images"]]


def test_trl_reads_as_many_parts_as_pictures_each_in_its_place(
    tmp_path: Path, blobs: Blobs
) -> None:
    from trl.data_utils import prepare_multimodal_messages

    (values,), _ = exported(_run(tmp_path, blobs, _row(blobs)), "sft")
    assert _bytes(values) == _BYTES
    filled = prepare_multimodal_messages(values["messages"], values["images"])
    seen = [part["image"] for turn in filled for part in turn["content"] if "image" in part]
    assert [image["bytes"] for image in seen] == _BYTES
    assert filled[0]["content"][::2] == [
        {"type": "text", "text": "Before: "},
        {"type": "text", "text": ", after: "},
        {"type": "text", "text": ". What moved?"},
    ]


def test_a_tools_picture_is_a_turn_of_the_users_that_is_not_learned(
    tmp_path: Path, blobs: Blobs
) -> None:
    (values,), _ = exported(_run(tmp_path, blobs, _row(blobs)), "sft")
    assert [turn["role"] for turn in values["messages"]] == [
        *("user", "assistant", "tool", "user", "assistant")
    ]
    assert values["loss_mask"] == [False, True, False, False, True]
    assert values["messages"][2]["content"] == [{"type": "text", "text": "cut"}]


def test_llama_factory_reads_a_mark_for_each_picture(tmp_path: Path, blobs: Blobs) -> None:
    row = _row(blobs)
    talk = (row.messages[0], PictureMessage("assistant", "7", "It is clear."))
    run = _run(tmp_path, blobs, replace(row, messages=talk))
    (values,), _ = exported(run, "sft", shape="sharegpt")
    assert values["conversations"] == [
        {"from": "human", "value": "Before: <image>, after: <image>. What moved?"},
        {"from": "gpt", "value": "<think>\nIt is clear.\n</think>\n\n7"},
    ]
    assert _bytes(values) == _BYTES[:2]


def test_llama_factory_reads_a_tools_picture_in_its_observation(
    tmp_path: Path, blobs: Blobs
) -> None:
    row = _row(blobs)
    call = replace(row.messages[1], reasoning=None)
    talk = (row.messages[0], call, *row.messages[2:])
    (values,), _ = exported(_run(tmp_path, blobs, replace(row, messages=talk)), "sft",
                            shape="sharegpt")  # fmt: skip
    turns = [(turn["from"], turn["value"]) for turn in values["conversations"]]
    assert [who for who, _ in turns] == ["human", "function_call", "observation", "gpt"]
    assert turns[2][1] == "cut\nPictures of tool result 1:<image>"
    assert values["loss_mask"] == [False, True, False, True] and _bytes(values) == _BYTES


def test_verl_reads_a_mark_and_the_bytes_for_each_picture_of_the_prompt(
    tmp_path: Path, blobs: Blobs
) -> None:
    (values,), _ = exported(_run(tmp_path, blobs, _row(blobs)), "rl", trainer="verl", suffix=" Go.")
    assert values["prompt"] == [
        {"role": "user", "content": "Before: <image>, after: <image>. What moved? Go."}
    ]
    assert _bytes(values) == _BYTES[:2]


def test_grpo_reads_parts_in_the_prompt(tmp_path: Path, blobs: Blobs) -> None:
    (values,), _ = exported(_run(tmp_path, blobs, _row(blobs)), "rl")
    parts = [part["type"] for part in values["prompt"][0]["content"]]
    assert parts == ["text", "image", "text", "image", "text"]
    assert len(values["images"]) == 2


def test_a_pair_of_answers_has_the_pictures_of_their_prompt(tmp_path: Path, blobs: Blobs) -> None:
    row = _row(blobs)
    answers = {"7": 1.0, "8": 0.0}
    right, wrong = (
        replace(row, messages=(row.messages[0], PictureMessage("assistant", text)), score=score)
        for text, score in answers.items()
    )
    (values,), _ = exported(_run(tmp_path, blobs, right, wrong), "preference")
    assert [values[name][-1]["content"][0]["text"] for name in ("chosen", "rejected")] == ["7", "8"]
    assert _bytes(values) == _BYTES[:2]


def test_llama_factory_ranks_two_turns_behind_a_prompt_with_a_mark_for_each_picture(
    tmp_path: Path, blobs: Blobs
) -> None:
    run = _pairs(tmp_path, blobs)
    (values,), _ = exported(run, "preference", shape="sharegpt")
    assert values["conversations"] == [
        {"from": "human", "value": "Before: <image>, after: <image>. What moved?"}
    ]
    assert values["chosen"] == {"from": "gpt", "value": "7"}
    assert values["rejected"] == {"from": "gpt", "value": "8"}
    form = PreferenceExport(type="preference", shape="sharegpt")
    file = _written(tmp_path / "pairs", run, form)
    loaded = load_dataset("parquet", data_files=file, split="train", cache_dir=str(tmp_path / "c"))
    assert loaded.features["images"] == List(Image()) and loaded[0]["chosen"] == values["chosen"]
    assert _bytes(loaded.cast_column("images", List(Image(decode=False)))[0]) == _BYTES[:2]


def test_dpo_reads_as_many_parts_in_the_prompt_of_a_pair_as_it_has_pictures(
    tmp_path: Path, blobs: Blobs
) -> None:
    from trl.data_utils import prepare_multimodal_messages

    file = _written(tmp_path / "p", _pairs(tmp_path, blobs), PreferenceExport(type="preference"))
    loaded = load_dataset("parquet", data_files=file, split="train", cache_dir=str(tmp_path / "c"))
    [row] = loaded.cast_column("images", List(Image(decode=False)))
    filled = prepare_multimodal_messages(row["prompt"], row["images"])
    seen = [part["image"] for turn in filled for part in turn["content"] if "image" in part]
    assert [image["bytes"] for image in seen] == _BYTES[:2]
    texts = [row[name][0]["content"][0]["text"] for name in ("chosen", "rejected")]
    assert texts == ["7", "8"]


def test_a_pair_whose_answers_show_pictures_has_no_form(tmp_path: Path, blobs: Blobs) -> None:
    run = _pairs(tmp_path, blobs, _row(blobs).messages[1:])
    for shape in ("messages", "sharegpt"):
        rows, left_out = exported(run, "preference", shape=shape)
        assert rows == [] and "it shows pictures, which this form has no place for" in left_out


def test_a_pair_with_an_answer_of_several_turns_is_none_of_llama_factory(
    tmp_path: Path, blobs: Blobs
) -> None:
    turns = (PictureMessage("assistant", "Hm."), PictureMessage("user", "Well?"))
    run = _pairs(tmp_path, blobs, (*turns, PictureMessage("assistant", "7")))
    rows, left_out = exported(run, "preference", shape="sharegpt")
    assert rows == [] and "an answer of several turns" in next(iter(left_out))


@pytest.mark.parametrize("mark", ["<image>", "<video>"])
@pytest.mark.parametrize(
    ("name", "given"), [("sft", {"shape": "sharegpt"}), ("rl", {"trainer": "verl"})]
)
def test_a_question_that_holds_a_mark_itself_is_left_out_with_the_reason(
    name: str, given: dict[str, Any], mark: str, tmp_path: Path, blobs: Blobs
) -> None:
    row = _row(blobs, f"Before: , after: . What does {mark} mean?")
    run = _run(tmp_path, blobs, replace(row, messages=(row.messages[0], row.messages[-1])))
    rows, left_out = exported(run, name, **given)
    assert (rows, [reason[:20] for reason in left_out]) == ([], ["a text holds <image>"])


def test_a_mark_in_a_text_is_text_where_pictures_are_parts(tmp_path: Path, blobs: Blobs) -> None:
    row = _row(blobs, "Before: , after: . What does <image> mean?")
    (values,), _ = exported(_run(tmp_path, blobs, row), "sft")
    assert values["messages"][0]["content"][-1]["text"] == ". What does <image> mean?"


@pytest.mark.parametrize(
    ("name", "given"),
    [("sft", {"shape": "tokens"}), ("value", {}), ("rl", {"trainer": "openrlhf"})],
)
def test_a_form_without_a_place_for_pictures_leaves_the_row_out(
    name: str, given: dict[str, Any], tmp_path: Path, blobs: Blobs
) -> None:
    rows, left_out = exported(_run(tmp_path, blobs, _row(blobs)), name, **given)
    assert rows == []
    assert {"it shows pictures, which this form has no place for"} == set(left_out)


def _written(folder: Path, run: RunFolder, form: Any, files: Any = "parquet") -> str:
    manifest = run.read_manifest() or {}
    with Spool(form.types()) as made:
        spool(run, manifest, form, SplitSettings(), None, made)
        made.write(str(folder), files, 1000, "zstd")
    return str(folder / "train-00000-of-00001.parquet")


def test_an_export_loads_as_images_with_the_bytes_of_the_run(tmp_path: Path, blobs: Blobs) -> None:
    run = _run(tmp_path, blobs, _row(blobs))
    file = _written(tmp_path / "sft", run, SftExport(type="sft"))
    loaded = load_dataset("parquet", data_files=file, split="train", cache_dir=str(tmp_path / "c"))
    assert loaded.features["images"] == List(Image())
    raw = loaded.cast_column("images", List(Image(decode=False)))[0]
    assert _bytes(raw) == _BYTES
    assert raw["messages"][0]["content"][1] == {"type": "image"}


def test_verl_is_given_the_bytes_without_a_path(tmp_path: Path, blobs: Blobs) -> None:
    file = _written(
        tmp_path / "rl", _run(tmp_path, blobs, _row(blobs)), RlExport(type="rl", trainer="verl")
    )
    images = pq.read_table(file).column("images").to_pylist()
    assert images == [[{"bytes": data} for data in _BYTES[:2]]]


def test_json_lines_are_refused_for_rows_with_pictures(tmp_path: Path, blobs: Blobs) -> None:
    with pytest.raises(SettingsError, match="set files=parquet"):
        _written(tmp_path / "x", _run(tmp_path, blobs, _row(blobs)), SftExport(type="sft"), "jsonl")

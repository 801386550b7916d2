"""Examples are written in shards that `datasets` loads as they were made."""

import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.publish.export.forms import MESSAGES
from transforms.publish.export.write import Spool

TYPES = {"messages": MESSAGES, "tools": pa.string()}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"a": [1, "x"]}}}
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant"]), "content": TEXT},
    optional={"reasoning_content": TEXT, "tool_calls": st.just([CALL])},
)
EXAMPLES = st.lists(
    st.fixed_dictionaries(
        {"messages": st.lists(MESSAGE, min_size=1, max_size=3)}, optional={"tools": TEXT}
    ),
    min_size=1,
    max_size=12,
)


def written(folder: Path, examples: list[dict[str, Any]], files: Any, shard: int = 1000) -> None:
    with Spool(TYPES) as spool:
        for example in examples:
            spool.add("train", example)
        spool.write(str(folder), files, shard, "zstd")


def loaded(folder: Path, files: str) -> list[dict[str, Any]]:
    kind = {"parquet": "parquet", "jsonl": "json"}[files]
    data = {"train": [str(path) for path in sorted(folder.glob(f"*.{files}"))]}
    rows = datasets.load_dataset(kind, data_files=data, cache_dir=str(folder / "cache"))["train"]
    return [dict(row) for row in rows]


@settings(max_examples=15)
@given(EXAMPLES)
def test_parquet_is_loaded_as_it_was_made(tmp_path_factory, examples):
    folder = tmp_path_factory.mktemp("written")
    written(folder, examples, "parquet", shard=5)
    has_tools = any("tools" in example for example in examples)
    wanted = [
        example | ({"tools": example.get("tools")} if has_tools else {}) for example in examples
    ]
    assert loaded(folder, "parquet") == wanted


def test_messages_of_role_and_content_alone_are_structs(tmp_path):
    written(tmp_path, [{"messages": [{"role": "user", "content": "q"}]}], "parquet")
    schema = pq.read_schema(tmp_path / "train-00000-of-00001.parquet")
    assert str(schema.field("messages").type) == (
        "list<element: struct<role: string, content: string>>"
    )
    assert schema.names == ["messages"]


@pytest.mark.parametrize("files", ["parquet", "jsonl"])
def test_shards_are_of_one_size_and_hold_every_row(tmp_path, files):
    examples = [{"messages": [{"role": "user", "content": str(n)}]} for n in range(11)]
    written(tmp_path, examples, files, shard=4)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"train-{n:05d}-of-00003.{files}" for n in range(3)]
    assert loaded(tmp_path, files) == examples


def test_json_lines_keep_what_each_message_uses(tmp_path):
    messages = [{"role": "assistant", "content": "ü", "tool_calls": [CALL]}]
    written(tmp_path, [{"messages": messages}], "jsonl")
    [line] = (tmp_path / "train-00000-of-00001.jsonl").read_text().splitlines()
    assert json.loads(line) == {"messages": messages} and "ü" in line


def test_an_export_that_fails_leaves_no_file(tmp_path):
    with pytest.raises(TypeError):
        written(tmp_path, [{"messages": [{"role": "user", "content": object()}]}], "parquet")
    assert list(tmp_path.iterdir()) == []

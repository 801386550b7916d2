"""Pictures of calls: part of the conversation by hash, within limits that the model is told."""

from __future__ import annotations

import hashlib
import json
import pickle
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.drawn import drawn as drawn_by
from tests.models.examples import chat
from tests.recipes.playing import SANDBOX
from tests.stages.trajectories.looking import attempted, blobs, code, drawn, look, said
from tests.stages.trajectories.talking import asked, played
from transforms.engine.errors import LedgerMiss, SettingsError
from transforms.engine.records import Message, PictureMessage, Shown
from transforms.engine.tables import arrow_schema, from_row, write_table
from transforms.images.blobs import Blobs
from transforms.images.rows import COLUMN, pictures_of
from transforms.models.asking import Asking
from transforms.models.backends.settings import OpenAIBackend, ReplayBackend
from transforms.models.driver import drive
from transforms.models.ledger.ledger import LedgerSettings
from transforms.models.tools import Pictured, bind
from transforms.sandbox.jobs import Cell
from transforms.stages.trajectories.conversation import Conversation, Limits, begin, run_calls
from transforms.stages.trajectories.dialogue_forms import dialogue_of
from transforms.stages.trajectories.dialogues import Called
from transforms.stages.trajectories.gallery import Gallery, ShownSettings
from transforms.stages.trajectories.look import LookTrajectory
from transforms.stages.trajectories.records import Trajectory, Turn, as_messages, turn

CUT = "im.crop((0, 0, 80, 60)).save('cut.png')"
SEED = drawn("thyme")
RIGHT = said(SEED.answer)


def talked(*texts: str, **fields: Any) -> tuple[Any, Any, Any]:
    made = look("thyme", "look", **fields)
    [(row, verdict)], play = attempted(made, SEED, *texts)
    return row, verdict, play


def results(row: Any) -> list[Any]:
    """The turns that show what calls gave."""
    return [turn for turn in row.messages[2:] if not turn.sampled]


def test_a_picture_that_a_cell_writes_is_shown_within_the_results_marks() -> None:
    row, _, play = talked(code(CUT, "print('cut')"), RIGHT)
    [result] = results(row)
    [picture] = result.shown
    assert (result.role, picture.width, picture.height) == ("user", 80, 60)
    assert result.content[: picture.at] == "<sandbox_output>\ncut"
    assert Blobs(blobs()).get(picture)
    assert asked(play)[-1].messages == as_messages(row.messages[:-1])


def test_what_the_model_saw_is_what_the_row_says_by_hash() -> None:
    row, _, play = talked(code(CUT), RIGHT)
    sent = [each.sha256 for each in asked(play)[-1].shown]
    assert sent == [each.sha256 for each in pictures_of(row)]
    assert sent[0] == SEED.picture.sha256 and len(set(sent)) == 2


def test_a_row_comes_back_from_parquet_with_its_pictures(tmp_path: Path) -> None:
    row, _, _ = talked(code(CUT), RIGHT)
    path = str(tmp_path / "rows.parquet")
    write_table(path, [row], LookTrajectory, "zstd", blobs())
    [values] = pq.read_table(path).to_pylist()
    images = [hashlib.sha256(each["bytes"]).hexdigest() for each in values[COLUMN]]
    again = from_row(LookTrajectory, values)
    assert images == [each.sha256 for each in pictures_of(again)]
    assert as_messages(again.messages) == as_messages(row.messages)


def test_a_file_is_shown_again_only_where_it_changes() -> None:
    other = "im.crop((0, 0, 90, 60)).save('cut.png')"
    row, _, _ = talked(code(CUT), code("print('nothing')"), code(other), RIGHT)
    assert [len(turn.shown) for turn in results(row)] == [1, 0, 1]


def test_a_cell_without_a_picture_shows_none_and_asks_for_nothing_more() -> None:
    row, _, play = talked(code("print(im.size)"), RIGHT)
    assert [type(turn) for turn in results(row)] == [Turn]
    assert [len(turn) for turn in play.turns[1:4]] == [1, 1, 1]  # asked, run, asked: no more
    assert isinstance(play.turns[2][0], Cell)


BIG = "Image.new('RGB', (5000, 5000)).save('big.png')"
BROKEN = "open('broken.png', 'wb').write(open('image_1', 'rb').read()[:-5000])"
TEXT = "print('no picture', file=open('text.png', 'w'))"
MANY = "[im.crop((0, 0, 50 + n, 50)).save(f'{n}.png') for n in range(5)]"


@pytest.mark.parametrize(
    ("line", "pictures", "shown", "note"),
    [
        (BIG, {}, 0, "[big.png is not shown: picture too large: 5000 x 5000 pixels]"),
        (BROKEN, {}, 0, "[broken.png is not shown: broken picture]"),
        (TEXT, {}, 0, "[text.png is not shown: no picture]"),
        (MANY, {"most": 3}, 3, "[2 not shown: 3 pictures are the most]"),
        (CUT, {"tokens": 5}, 0, "[cut.png is not shown: it is one too many for its size]"),
    ],
    ids=["pixels", "broken", "text", "most", "tokens"],
)  # fmt: skip
def test_a_picture_that_is_not_shown_is_a_line_for_the_model(
    line: str, pictures: dict[str, int], shown: int, note: str
) -> None:
    row, verdict, _ = talked(code(line), RIGHT, pictures=ShownSettings(**pictures))
    [result] = results(row)
    assert note in result.content and len(result.shown) == shown
    assert row.ended == "answered"
    assert verdict.kept or verdict.reason == "edit_in_vain"


def test_a_large_picture_is_shown_at_the_size_that_is_set() -> None:
    row, _, _ = talked(code("im.save('all.png')"), RIGHT, pictures=ShownSettings(longest_side=100))
    [picture] = results(row)[0].shown
    assert max(picture.width, picture.height) == 100


def test_a_stage_that_looks_is_the_same_after_pickling() -> None:
    made = look("thyme", "look")
    rows = [attempted(each, SEED, code(CUT), RIGHT)[0]
            for each in (made, pickle.loads(pickle.dumps(made)))]  # fmt: skip
    assert rows[0] == rows[1]


def test_branches_show_pictures_of_their_own() -> None:
    made = look("thyme", "look")
    talk = made.begun(SEED, 0)
    one, other = talk.branched(talk.asked), talk.branched(talk.asked)
    cell = [Called("python", "\n".join((
        "from PIL import Image", "im = Image.open('image_1')", CUT)), is_code=True)]  # fmt: skip
    for each in (one, other):
        effects = played(run_calls(each, cell), lambda request: "").turns
        assert {type(effect) for turn in effects for effect in turn} == {Cell}  # in the ledger
    assert [len(each.turns[-1].shown) for each in (one, other)] == [1, 1]
    assert not talk.gallery.shown


def picture_tool(name: str) -> Pictured:
    """Finds a picture.

    Args:
        name: of what
    """
    return Pictured(f"a {name}", (drawn_by(1), drawn_by(2)))


def with_tool(dialogue: Any) -> Conversation:
    request = replace(chat("Find a house."), blobs=blobs())
    tools = bind({"find": f"{__name__}.picture_tool"})
    gallery = Gallery(Blobs(blobs()), ShownSettings(), {})
    fields: dict[str, Any] = {"tools": tools, "gallery": gallery}
    return begin(request, dialogue_of(dialogue), Limits(), **fields)


def test_a_tools_pictures_follow_its_text_each_time_it_is_called() -> None:
    talk = with_tool("native")
    call = Called("find", '{"name": "house"}', id="c1")
    for _ in range(2):
        played(run_calls(talk, [call]), lambda request: "")
    for result in talk.turns[-2:]:
        assert (result.role, result.content, len(result.shown)) == ("tool", "a house", 2)
        assert {each.at for each in result.shown} == {7}


def test_results_of_several_calls_show_each_its_own_picture() -> None:
    talk = with_tool("hermes")
    calls = [Called("find", json.dumps({"name": name})) for name in ("a", "bb")]
    played(run_calls(talk, calls), lambda request: "")
    [message] = as_messages(talk.turns[-1:])
    texts = [message.content[: each.at] for each in message.shown]
    assert [text.rpartition("\n")[2] for text in texts] == ["a a", "a a", "a bb", "a bb"]


@given(st.lists(st.tuples(st.text("ab\n", max_size=4), st.booleans()), min_size=1, max_size=5))
def test_turns_that_go_on_join_their_texts_and_keep_each_picture_where_it_stood(
    parts: list[tuple[str, bool]],
) -> None:
    picture = Shown("0" * 64, "image/png", 9, 9, 9)
    turns: tuple[Any, ...] = ()
    for text, seen in parts:
        at = replace(picture, at=len(text) // 2)
        message = PictureMessage("user", text, pictures=(at,) if seen else ())
        turns = (*turns, turn(turns, message, continues=bool(turns)))
    [joined] = as_messages(turns)
    texts = [text for text, _ in parts]
    assert joined.content == "".join(texts)
    starts = [sum(map(len, texts[:n])) + len(text) // 2 for n, text in enumerate(texts)]
    assert [p.at for p in joined.shown] == [
        start for start, (_, seen) in zip(starts, parts, strict=True) if seen
    ]


def test_a_turn_without_a_picture_is_what_it_was_before_there_were_pictures() -> None:
    plain, empty = turn((), Message("user", "Hi")), turn((), PictureMessage("user", "Hi"))
    assert plain == empty and plain.id == "a891a0534c5898c513fe77b18e4b972b"
    assert "pictures" not in str(arrow_schema(Trajectory).field("messages"))
    assert "pictures" not in asdict(plain)


def test_another_picture_is_another_turn() -> None:
    one, other = (
        turn((), PictureMessage("user", "", pictures=(Shown(name * 64, "image/png", 9, 9, 9),)))
        for name in "01"
    )
    assert one.id != other.id


def test_a_dialogue_that_continues_a_text_is_refused_for_pictures() -> None:
    with pytest.raises(SettingsError, match=r"stages\.look\.dialogue=interpreter shows results"):
        look_in = look("thyme", "look", "backend.continue_prefix=true")
        replace(look_in, dialogue=dialogue_of("interpreter"))


def test_a_replay_shows_the_same_pictures_and_runs_nothing(tmp_path: Path) -> None:
    made = look("thyme", "look", blobs=str(tmp_path / "blobs"))
    folder = Blobs(made.blobs)
    seed = replace(SEED, picture=folder.put(Blobs(blobs()).get(SEED.picture)))

    def work(seed: Any) -> Any:
        talk = made.begun(seed, 0)
        script = code(CUT).partition("```python\n")[2].partition("\n```")[0]
        yield from run_calls(talk, [Called("python", script, is_code=True)])
        return talk.turns

    def turns(backend: Any, sandbox: Any) -> Any:
        asking = Asking(backend, str(tmp_path / "ledger"), LedgerSettings(), blobs=folder.folder)
        return drive([seed], work, asking, sandbox)

    openai = OpenAIBackend(engine="openai", model="m", base_url="http://127.0.0.1:9/v1", api="chat")
    replay = ReplayBackend(engine="replay", model="m", api="chat", continue_prefix=False)
    first = turns(openai, SANDBOX)
    assert turns(replay, SANDBOX) == first and first[0][-1].shown
    other = SANDBOX.model_copy(update={"cpu_seconds": 2})
    with pytest.raises(LedgerMiss, match="a cell is not in the ledger"):
        turns(replay, other)

"""Pictures of rows in the form that trainers read: in place, each with its bytes, as many as marks.

Read in TRL 1.16 (a part {"type": "image"} for each picture; of text contents it would put all
pictures before the first), verl 0.9 and LLaMA-Factory 0.9.5 (the text <image> for each, counted
over all messages; LLaMA-Factory shrinks a picture to 768 x 768 pixels unless image_max_pixels is
set).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import pyarrow as pa

from transforms.images.rows import COLUMN
from transforms.images.wire import OF_TOOL
from transforms.publish.export.chats import LeftOut, Message

Places = Literal["parts", "marks"]
"""How a message shows where its pictures stand: as parts of its content, or as marks in it."""
MARK = "<image>"
BYTES = pa.list_(pa.struct([("bytes", pa.binary())]))
"""Pictures as verl reads them, without a declared feature: it decodes the bytes itself."""


def pictures_in(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The pictures of messages, in order."""
    return [picture for message in messages for picture in message.get("pictures") or ()]


def spread(messages: Sequence[Message]) -> list[Message]:
    """Returns messages in which pictures of tools are turns of the user's, behind the results of
    the tools of that turn: trainers fill no picture in a tool's message.

    >>> tool = {"role": "tool", "content": "cut", "pictures": [{"sha256": "a", "at": 3}]}
    >>> [message["content"] for message in spread([tool, {"role": "assistant", "content": "A."}])]
    ['cut', 'Pictures of tool result 1:', 'A.']
    """
    turns: list[Message] = []
    waiting: list[Message] = []
    number = 0
    for message in messages:
        if message["role"] != "tool":
            turns += waiting
            waiting, number = [], 0
        elif pictures := message.get("pictures"):
            number += 1
            text = OF_TOOL.format(number)
            placed = [{**picture, "at": len(text)} for picture in pictures]
            waiting.append({"role": "user", "content": text, "pictures": placed})
            message = {name: value for name, value in message.items() if name != "pictures"}
        else:
            number += 1
        turns.append(message)
    return turns + waiting


def pieces(text: str, pictures: Iterable[Mapping[str, Any]]) -> list[str | None]:
    """A message's texts, and None for each picture, in order; empty texts are left out."""
    found: list[str | None] = []
    start = 0
    for picture in pictures:
        found += [text[start : picture["at"]], None]
        start = picture["at"]
    return [piece for piece in (*found, text[start:]) if piece != ""]


def placed(messages: Iterable[Message], places: Places) -> list[Message]:
    """Returns messages with their pictures in place, and no field for them."""
    shown = []
    for message in messages:
        plain = {name: value for name, value in message.items() if name != "pictures"}
        each = pieces(message["content"], message.get("pictures") or ())
        if places == "marks":
            plain["content"] = "".join(MARK if piece is None else piece for piece in each)
        else:
            plain["content"] = [
                {"type": "image"} if piece is None else {"type": "text", "text": piece}
                for piece in each
            ]
        shown.append(plain)
    return shown


def check_marks(values: Iterable[str], pictures: int) -> None:
    """Raises LeftOut unless texts hold a mark for each picture, and no other mark."""
    marks = [mark for value in values for mark in re.findall("<(?:image|video|audio)>", value)]
    if marks != [MARK] * pictures:
        raise LeftOut(f"a text holds {MARK}, <video> or <audio> itself, which trainers replace")


def images(messages: Iterable[Mapping[str, Any]], row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the pictures of messages as a column `images` has them, from the row's own.

    Raises:
        LeftOut: the row does not hold the bytes of one.
    """
    held = {str(image["path"]).partition(".")[0]: image for image in row.get(COLUMN) or ()}
    try:
        return [held[picture["sha256"]] for picture in pictures_in(messages)]
    except KeyError:
        raise LeftOut("a picture that its row does not hold") from None

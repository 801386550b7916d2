"""Messages with pictures as chat APIs take them: data URLs, and tools' pictures as user turns."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from typing import Any

from transforms.engine.records import Message, Picture, PictureMessage, Shown, ToolCall
from transforms.images.blobs import Blobs
from transforms.models.requests import Request, message_json

OF_TOOL = "Pictures of tool result {}:"
"""What stands before the pictures of a tool in a turn of the user's."""
_IS_OF_TOOL = re.compile(r"Pictures of tool result (\d+):")


def picture_tokens(picture: Picture) -> int:
    """Estimates the tokens of a picture: one per 28 x 28 pixels, its sides rounded to multiples of
    28, as Qwen2.5-VL counts them.

    >>> picture_tokens(Picture("", "image/png", 640, 480, 0))
    391
    """
    return max(1, round(picture.width / 28)) * max(1, round(picture.height / 28))


class TooManyPictures(ValueError):
    """The pictures of a request are more than a setting of the backend allows: nothing is sent."""

    def __init__(self, setting: str, message: str) -> None:
        super().__init__(message)
        self.setting = setting


def sent(request: Request, most_tokens: float, most_mb: float) -> list[dict[str, Any]]:
    """Returns the messages of a request as they are sent to a chat API, pictures as data URLs.

    Args:
        most_tokens: estimated tokens of its pictures, at most.
        most_mb: MB of its pictures as base64, at most.

    Raises:
        RunFolderError: the bytes of a picture are not in `request.blobs`.
        TooManyPictures: one of the two is exceeded.
    """
    pictures = request.shown
    tokens, mb = sum(map(picture_tokens, pictures)), sum(p.size for p in pictures) * 4 / 3e6
    if tokens > most_tokens:
        raise TooManyPictures("picture_tokens", f"about {tokens:,} tokens of pictures, too many")
    if mb > most_mb:
        raise TooManyPictures("picture_mb", f"{mb:.1f} MB of pictures, too many")
    blobs = Blobs(request.blobs)
    return wired(request.messages, lambda each: data_url(each.mime, blobs.get(each)))


def data_url(mime: str, data: bytes) -> str:
    """A picture's bytes as a URL: a third longer than they are."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def split(content: str, pictures: Sequence[Shown]) -> list[str | Shown]:
    """Returns a message's content as its texts and pictures, in order; empty texts are left out.

    >>> split("ab", [Shown("", "image/png", 1, 1, 0, at=1)])[::2]
    ['a', 'b']
    """
    parts: list[str | Shown] = []
    start = 0
    for picture in pictures:
        parts += [content[start : picture.at], picture]
        start = picture.at
    return [part for part in (*parts, content[start:]) if part != ""]


def wired(messages: Iterable[Message], url: Callable[[Shown], str]) -> list[dict[str, Any]]:
    """Returns messages as chat APIs take them.

    A tool's message takes text alone: its pictures follow the results of that turn's tools in one
    turn of the user's, under the number of the result.

    Args:
        url: what a picture is sent as.
    """
    turns: list[dict[str, Any]] = []
    for is_tool, group in groupby(messages, lambda message: message.role == "tool"):
        seen: list[dict[str, Any]] = []
        for number, message in enumerate(group, start=1):
            turn = message_json(message)
            if is_tool and message.shown:
                seen.append({"type": "text", "text": OF_TOOL.format(number)})
                seen += [_part(picture, url) for picture in message.shown]
            elif message.shown:
                parts = split(message.content, message.shown)
                turn["content"] = [_part(part, url) for part in parts]
            turns.append(turn)
        if seen:
            turns.append({"role": "user", "content": seen})
    return turns


def _part(part: str | Shown, url: Callable[[Shown], str]) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    detail = {} if part.detail == "auto" else {"detail": part.detail}
    return {"type": "image_url", "image_url": {"url": url(part), **detail}}


def unwired(
    turns: Iterable[Mapping[str, Any]], picture: Callable[[str], Picture]
) -> list[PictureMessage]:
    """Returns the messages that `wired` made turns of: pictures of tools are theirs again.

    Args:
        picture: what a URL stands for.
    """
    messages: list[PictureMessage] = []
    results = 0
    for turn in turns:
        parts = turn["content"]
        if results and turn["role"] == "user" and _are_of_tools(parts):
            for part in parts:
                if found := _IS_OF_TOOL.fullmatch(part.get("text", "")):
                    place = len(messages) - results + int(found[1]) - 1
                else:
                    messages[place] = _with_part(messages[place], part, picture)
            results = 0
            continue
        results = results + 1 if turn["role"] == "tool" else 0
        calls = tuple(
            ToolCall(each["id"], **each["function"]) for each in turn.get("tool_calls", ())
        )
        message = PictureMessage(
            turn["role"],
            parts if isinstance(parts, str) else "",
            turn.get("reasoning_content"),
            calls or None,
            turn.get("tool_call_id"),
            turn.get("name"),
        )
        for part in () if isinstance(parts, str) else parts:
            message = _with_part(message, part, picture)
        messages.append(message)
    return messages


def _are_of_tools(parts: Any) -> bool:
    return isinstance(parts, list) and bool(_IS_OF_TOOL.fullmatch(parts[0].get("text", "")))


def _with_part(
    message: PictureMessage, part: Mapping[str, Any], picture: Callable[[str], Picture]
) -> PictureMessage:
    if part["type"] == "text":
        return replace(message, content=message.content + part["text"])
    link = part["image_url"]
    seen = Shown(
        **asdict(picture(link["url"])), detail=link.get("detail", "auto"), at=len(message.content)
    )
    return replace(message, pictures=(*message.pictures, seen))

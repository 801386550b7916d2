"""How pages show a record of any type: short facts, texts, code, conversations, lists of items."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from transforms.engine.records import ToolCall
from transforms.images.blobs import FORMATS
from transforms.images.rows import COLUMN

_CODE = {"code", "input", "output", "answer", "program", "record"}
"""Fields whose texts keep their spaces."""
_SHORT = 60
"""Characters of a value that stands in a line with others."""


class Picture(NamedTuple):
    """A picture of a record, and what it is called."""

    caption: str
    name: str
    """That of its file: hash and format."""
    width: int
    height: int


@dataclass(frozen=True)
class Turn:
    """One turn of a conversation."""

    role: str
    content: str
    """Its text alone."""
    parts: tuple[str | Picture, ...]
    """Text and pictures in their order."""
    reasoning: str
    """Empty where there is none."""
    calls: tuple[ToolCall, ...]
    name: str
    """Who speaks, or the tool that answers; empty where the turn names nobody."""


@dataclass(frozen=True)
class Block:
    """A field that takes lines of its own: as text, code, turns or items."""

    title: str
    text: str = ""
    is_code: bool = False
    turns: tuple[Turn, ...] = ()
    items: tuple[Fields, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Fields:
    """A record's fields: short ones as (name, value), and the others as blocks; empty ones are
    left out."""

    facts: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]


def is_talk(value: Any) -> bool:
    """Whether a field's value is a conversation: turns that name their role."""
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(turn, Mapping) and isinstance(turn.get("role"), str) for turn in value)
    )


def turns_of(messages: Any) -> tuple[Turn, ...]:
    """Returns the turns of a conversation, as rows hold it or as chat APIs and trainers do.

    >>> [turn] = turns_of([{"role": "user", "content": [{"type": "text", "text": "Look!"}]}])
    >>> turn.role, turn.content
    ('user', 'Look!')
    """
    return tuple(
        Turn(
            role=turn["role"],
            content=(content := _content(turn.get("content"))),
            parts=_parts(content, turn.get("pictures")),
            reasoning=str(turn.get("reasoning") or turn.get("reasoning_content") or ""),
            calls=_calls(turn.get("tool_calls")),
            name=str(turn.get("name") or ""),
        )
        for turn in messages
    )


def _content(content: Any) -> str:
    """The text of a turn; parts that are no text are named by their type."""
    if not isinstance(content, list):
        return str(content or "")
    parts = [part if isinstance(part, Mapping) else {"text": part} for part in content]
    return "\n".join(str(part.get("text") or f"[{part.get('type', 'part')}]") for part in parts)


def _parts(content: str, pictures: Any) -> tuple[str | Picture, ...]:
    given = pictures if isinstance(pictures, list | tuple) else ()
    shown = [each for each in given if is_picture(each)]
    places = [place if isinstance(place := each.get("at"), int) else 0 for each in shown]
    edges = zip([0, *places], [*places, len(content)], strict=True)
    texts = [content[start:end] for start, end in edges]
    seen = [picture_of(each) for each in shown]
    parts = [texts[0], *(part for pair in zip(seen, texts[1:], strict=True) for part in pair)]
    return tuple(part for part in parts if part)


def is_picture(value: Any) -> bool:
    """Whether a field's value is a picture by its hash (`records.Picture`)."""
    if not isinstance(value, Mapping) or str(value.get("mime")) not in FORMATS:
        return False
    sizes = (value.get("width"), value.get("height"))
    is_hash = re.fullmatch("[0-9a-f]{64}", str(value.get("sha256"))) is not None
    return is_hash and all(isinstance(size, int) for size in sizes)


def picture_of(value: Mapping[str, Any], caption: str = "") -> Picture:
    """A picture as pages show it."""
    name = f"{value['sha256']}.{FORMATS[value['mime']]}"
    return Picture(caption, name, value["width"], value["height"])


def _calls(calls: Any) -> tuple[ToolCall, ...]:
    """The calls of a turn; what has not the form of one is shown as it is."""
    if not calls:
        return ()
    return tuple(map(_call, calls if isinstance(calls, list | tuple) else [calls]))


def _call(call: Any) -> ToolCall:
    function = call.get("function") or call if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        return ToolCall("", "", pretty(call))
    name, arguments = str(function.get("name") or ""), _parsed(function.get("arguments"))
    return ToolCall(str(call.get("id") or ""), name, pretty(arguments))


def _parsed(arguments: Any) -> Any:
    """Arguments that are JSON text as values; of one text among them, that text."""
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return arguments
    if isinstance(arguments, dict) and len(arguments) == 1:
        (only,) = arguments.values()
        return only if isinstance(only, str) else arguments
    return arguments


def pretty(value: Any) -> str:
    """A value as indented JSON, a text as it is."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, indent=2, ensure_ascii=False, default=str)
    except RecursionError:
        return "(nested too deeply to be shown)"


def fields_of(record: Any) -> Fields:
    """Returns how a record is shown, whatever its type; its id is left to the page.

    >>> shown = fields_of({"id": "1", "kind": "rates", "code": "x = 1\\ny = 2", "error": None})
    >>> shown.facts, [block.title for block in shown.blocks]
    ((('kind', 'rates'),), ['code'])
    """
    if not isinstance(record, Mapping):
        record = {"record": record}
    facts, blocks = [], []
    pictures: list[Picture] = []
    for name, value in record.items():
        if name == "id" or value in (None, "", [], (), {}) or (name, value) == (COLUMN, "(bytes)"):
            continue
        if is_picture(value):
            pictures.append(picture_of(value, name))
        elif isinstance(value, list | tuple) and all(map(is_picture, value)):
            pictures += (picture_of(each, f"{name} {n}") for n, each in enumerate(value, start=1))
        elif is_talk(value):
            turns = turns_of(value)
            if not _repeats(turns, record):
                blocks.append(Block(name, turns=turns))
        elif isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
            blocks.append(Block(name, items=tuple(map(fields_of, value))))
        else:
            text = _plain(value)
            if "\n" not in text and (len(text) <= _SHORT or not isinstance(value, str)):
                facts.append((name, text))
            else:
                is_code = name in _CODE or not isinstance(value, str)
                blocks.append(Block(name, text, is_code))
    if pictures:  # side by side, such as before and after
        blocks.insert(0, Block("pictures", pictures=tuple(pictures)))
    return Fields(tuple(facts), tuple(blocks))


def _repeats(turns: Sequence[Turn], record: Mapping[str, Any]) -> bool:
    """Whether a conversation only tells what other fields of its record tell."""
    texts = [value for value in record.values() if isinstance(value, str)]
    return all(
        turn.content in texts
        and turn.parts == (turn.content,)
        and not turn.calls
        and (not turn.reasoning or turn.reasoning in texts)
        for turn in turns
    )


def _plain(value: Any) -> str:
    """A number, a list or map of short values in a line; else indented JSON."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list) and all(map(_is_short, value)):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping) and all(map(_is_short, value.values())):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    return pretty(value)


def _is_short(value: Any) -> bool:
    is_scalar = value is None or isinstance(value, str | int | float)
    return is_scalar and len(str(value)) <= _SHORT and "\n" not in str(value)

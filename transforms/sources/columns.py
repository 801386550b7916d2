"""Finds the value of a seed's field in a row: by column, by path into a column, or in a chat."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

import pyarrow as pa
from pydantic import AfterValidator, Field

from transforms.engine.errors import SourceError

Columns: TypeAlias = Mapping[str, "str | Sequence[str]"]
"""Seed field -> column, or columns whose texts are joined."""

FIELDS = ("problem", "answer", "code", "solution", "kind", "license", "source", "options")
"""The fields of a seed that a column can fill; `options` become part of problem and answer."""

_NAMES = {"options": ("options", "choices")}
"""Columns that fill a field without being mapped, where not just the one of its own name."""

_TEXTS = ("question", "prompt", "instruction", "query", "input")
_CHATS = ("messages", "conversations")
PROBLEMS = (*_TEXTS, *_CHATS)
"""Columns taken for the problem where none is mapped or named so, if a row has just one of them."""

_ANSWERING = ("assistant", "gpt", "model", "bot", "chatgpt")
_SHOWN = 40
"""Columns that an error lists at most."""


def _seed_fields(columns: dict[str, Any]) -> dict[str, Any]:
    for name in columns:
        if name not in FIELDS:
            raise ValueError(f"a seed has no field {name}: it has {', '.join(FIELDS)}")
    return columns


ColumnMap = Annotated[
    dict[str, str | Annotated[list[str], Field(min_length=1)]], AfterValidator(_seed_fields)
]


def column_at(row: Any, path: str) -> Any:
    """Returns the value at `path`: a column of that very name, or keys and indexes joined by dots.

    A key may itself hold dots, and an object may be written as JSON text.

    Raises:
        KeyError: there is nothing at that path.

    >>> column_at({"a.b": 1, "a": {"b": 2}}, "a.b"), column_at({"a": [{"b": 2}]}, "a.0.b")
    (1, 2)
    """
    if isinstance(row, str) and row.lstrip().startswith(("{", "[")):
        try:
            row = json.loads(row)
        except (ValueError, RecursionError):
            raise KeyError(path) from None
    if isinstance(row, list):
        index, _, rest = path.partition(".")
        if index.isdecimal() and int(index) < len(row):
            return column_at(row[int(index)], rest) if rest else row[int(index)]
    if not isinstance(row, Mapping):
        raise KeyError(path)
    if path in row:
        return row[path]
    for at, letter in enumerate(path):
        if letter == "." and path[:at] in row:
            try:
                return column_at(row[path[:at]], path[at + 1 :])
            except KeyError:
                continue
    raise KeyError(path)


def has_column(row: Any, path: str) -> bool:
    """Whether a row has something at `path`, be it null."""
    try:
        column_at(row, path)
    except KeyError:
        return False
    return True


def is_chat(value: Any) -> bool:
    """Whether a value is a conversation: turns with role and content, or with from and value."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(turn, Mapping) and (turn.keys() >= {"role", "content"} or
                                           turn.keys() >= {"from", "value"})
            for turn in value
        )
    )  # fmt: skip


def opened(value: Any) -> Any:
    """Returns the chat that a text of JSON holds; any other value as it is."""
    if isinstance(value, str) and value.lstrip().startswith("[{"):
        try:
            chat = json.loads(value)
        except (ValueError, RecursionError):
            return value
        return chat if is_chat(chat) else value
    return value


def turn_for(field: str, chat: list[Mapping[str, Any]]) -> str | None:
    """Returns the text of a chat that fills a field: the first turn of the user for the problem,
    the last one of the assistant for any other; None where there is no such turn.
    """
    roles = (
        ("user", "human") if field == "problem" else ("assistant", "gpt", "model", "bot", "chatgpt")
    )
    turns = [turn for turn in chat if turn.get("role", turn.get("from")) in roles]
    if not turns:
        return None
    turn = turns[0 if field == "problem" else -1]
    content = turn["content"] if "content" in turn else turn["value"]
    if isinstance(content, list):  # text parts, among images and the like
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        content = "\n".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else None


def columns_of(field: str, columns: Columns, row: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the columns that fill a field in this row; none where nothing does.

    A field that is not mapped takes the column of its own name (`source` does not, and no field
    takes a column that is mapped to another). Without such a column the problem is the one that
    `guesses_in` finds. The solution is in the chat that the problem is in.
    """
    if field in columns:
        return mapped(columns, field)
    taken = {path for name in columns for path in mapped(columns, name)}
    names = [name for name in _NAMES.get(field, (field,)) if name in row and name not in taken]
    if names and field != "source":
        return (names[0],)
    if field == "problem":
        guesses = guesses_in(row, columns)
        return tuple(guesses) if len(guesses) == 1 else ()
    if field == "solution":
        problem = columns_of("problem", columns, row)
        if len(problem) == 1 and is_chat(opened(value_at(row, problem[0]))):
            return problem
    return ()


def mapped(columns: Columns, field: str) -> tuple[str, ...]:
    """Returns the columns that are mapped to a field."""
    paths = columns.get(field, ())
    return (paths,) if isinstance(paths, str) else tuple(paths)


def guesses_in(row: Mapping[str, Any], columns: Columns) -> list[str]:
    """Returns the columns of a row that may be the problem, by their names.

    A column that is mapped is not, unless it is a chat, which has both question and answer. Beside
    code `input` is not: it is what the code is given.
    """
    taken = {path for name in columns for path in mapped(columns, name)}
    if columns_of("code", columns, row):
        taken.add("input")
    found = (name for name in PROBLEMS if name in row)
    return [name for name in found if name not in taken or is_chat(opened(row[name]))]


def value_at(row: Any, path: str) -> Any:
    """Returns the value at `path`, or None where there is none."""
    try:
        return column_at(row, path)
    except KeyError:
        return None


def value_of(field: str, paths: tuple[str, ...], row: Mapping[str, Any]) -> Any:
    """Returns what columns of a row give a field: a value, a turn of a chat, or texts joined.

    None where a column is null, a chat without the turn, or all of them are blank.
    """
    values = [opened(value_at(row, path)) for path in paths]
    values = [turn_for(field, value) if is_chat(value) else value for value in values]
    if not values or None in values or all(isinstance(v, str) and not v.strip() for v in values):
        return None
    if len(values) == 1:
        return values[0]
    texts = [value.strip() if isinstance(value, str) else str(value) for value in values]
    return " ".join(filter(None, texts))


def wanted_columns(columns: Columns) -> list[str]:
    """Returns the columns that may fill a seed, with those that hold a path's first keys."""
    names = dict.fromkeys(PROBLEMS if "problem" not in columns else ())
    for field in FIELDS:
        for path in mapped(columns, field):
            names |= dict.fromkeys(_prefixes(path))
        if field not in columns and field != "source":
            names |= dict.fromkeys(_NAMES.get(field, (field,)))
    return list(names)


def _prefixes(path: str) -> Iterator[str]:
    yield path
    yield from (path[:at] for at, letter in enumerate(path) if letter == ".")


def outline(schema: pa.Schema) -> dict[str, Any]:
    """Returns a row of the shape that a schema has, its values None."""
    return {field.name: _outline(field.type) for field in schema}


def _outline(kind: pa.DataType) -> Any:
    if pa.types.is_struct(kind):
        return {field.name: _outline(field.type) for field in kind}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [_outline(kind.value_type)]
    return None


def check_columns(where: str, columns: Columns, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Checks that the mapped columns exist in a source, by its first rows or their outline.

    Returns:
        Lines that say which column is taken for the problem without having been mapped, and that
        none gives an answer.

    Raises:
        SourceError: a mapped column is not there, or nothing gives a problem or code.
    """
    there = list(dict.fromkeys(path for row in rows for path in _paths(row)))
    shown = sorted(there)[:_SHOWN] + ["..."] * (len(there) > _SHOWN)
    have = ", ".join(shown) or "none"
    for name in columns:
        for path in mapped(columns, name):
            if not any(has_column(row, path) for row in rows):
                near = _nearest(path, there)
                hint = f"did you mean {near}? " if near else ""
                raise SourceError(
                    f"{where} has no column {path} (source.columns.{name}): {hint}"
                    f"its columns are {have}"
                )
    found = [columns_of(name, columns, row) for row in rows for name in ("problem", "code")]
    if not any(found):
        guesses = list(dict.fromkeys(name for row in rows for name in guesses_in(row, columns)))
        if len(guesses) > 1:
            raise SourceError(
                f"{where} has no column problem or code, and {' or '.join(guesses)} may be it: "
                f"map one, such as source.columns.problem={guesses[0]}, or some to join, such as "
                f"[{','.join(guesses[:2])}]; its columns are {have}"
            )
        near = next((path for path in there if path.lower() in ("problem", *PROBLEMS)), "question")
        raise SourceError(
            f"{where} has no column problem or code: map one, such as "
            f"source.columns.problem={near}; its columns are {have}"
        )
    guessed = {paths[0] for paths in found if paths and paths[0] in PROBLEMS} - {
        path for name in columns for path in mapped(columns, name)
    }
    notes = [
        f"{where}: the problem is read from column {name} (source.columns.problem={name} says so)"
        for name in sorted(guessed)
    ]
    answers = ("answer", "solution", "code")
    if not any(columns_of(name, columns, row) for row in rows for name in answers):
        notes.append(
            f"{where}: no column gives an answer, and seeds without one are rejected: map it, such "
            f"as source.columns.answer=final_answer; its columns are {have}"
        )
    return notes


def _nearest(path: str, there: Sequence[str]) -> str | None:
    """The name most like `path`, in any case of letters, or one that ends in it."""
    lowered = {name.lower(): name for name in reversed(there)}
    close = difflib.get_close_matches(path.lower(), lowered, n=1)
    if close:
        return lowered[close[0]]
    return next((name for name in there if name.lower().endswith(f".{path.lower()}")), None)


def _paths(value: Any, before: str = "", depth: int = 0) -> Iterator[str]:
    """Yields the columns of a row, and the paths into those that are objects."""
    for key, inner in value.items():
        yield f"{before}{key}"
        if isinstance(inner, Mapping) and depth < 2:
            yield from _paths(inner, f"{before}{key}.", depth + 1)

"""What every format shares: examples, the types of their columns, and chats to be rendered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from transforms.engine.settings import Group
from transforms.publish.export.chats import Message
from transforms.publish.export.tasks import Task

MESSAGES = pa.list_(pa.json_())
"""The type of a column of messages. Where all of them have role and content alone they are written
as structs of these, else as JSON objects, which `datasets` reads as objects without empty keys."""


@dataclass(frozen=True)
class Example:
    """One example, and the chats of it that a trainer will render."""

    values: dict[str, Any]
    """Column -> value, as JSON can hold it."""
    chats: list[list[Message]] = field(default_factory=list)
    tools: str | None = None


@dataclass(frozen=True)
class Omitted:
    """A row, or a part of one, that makes no example, and why."""

    reason: str


class Format(Group):
    """What a format is told, and what it makes of a task."""

    @property
    def attempts(self) -> bool:
        """Whether it needs the attempts of the stage that solved the problems."""
        return True

    @property
    def failures(self) -> list[str]:
        """Reasons of the rejects that it takes for attempts that went wrong: its setting `failed`,
        where it has one."""
        return getattr(self, "failed", [])

    def types(self) -> dict[str, pa.DataType]:
        """Column -> type, in their order. A column without a value in any example is left out."""
        raise NotImplementedError

    def examples(self, task: Task, side: str, index: int) -> Iterator[Example | Omitted]:
        """Yields what a task makes.

        Args:
            side: the split that the task belongs to.
            index: examples of this split so far.
        """
        raise NotImplementedError


def lineage(row: dict[str, Any]) -> dict[str, Any]:
    """Columns by which an example is traced: its row, and the seeds' source and licence."""
    return {name: row.get(name) for name in ("id", "source", "license")}


LINEAGE = {name: pa.string() for name in ("id", "source", "license")}


def tools_of(row: dict[str, Any]) -> str | None:
    """The tools that a row's model could call, as JSON text; None where the row names none."""
    return row.get("tools") or None


FAILED = [
    *("wrong_answer", "wrong_prediction", "no_prediction", "no_answer", "fails"),
    *("turns", "cells", "errors"),
    *("failed_tests", "false_claim", "not_distinguished", "wrong_unit"),
]
"""Reasons of rejects that are attempts which went wrong, of the shipped recipes."""

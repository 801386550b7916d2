"""Raw rows of a source, and the seeds that their columns make."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transforms.accounting import Reason, Reject, Verdict, reason_text, reject
from transforms.errors import SourceError
from transforms.ids import canonical_json, content_id
from transforms.records import Seed

FIELDS = ("problem", "answer", "code", "solution", "kind", "license", "source")
"""The fields of a seed that a column can fill."""

NO_LICENSE = "NOASSERTION"
"""What SPDX writes where nobody states a licence."""


@dataclass(frozen=True)
class Row:
    """A row as it was read, before anything is known of it."""

    id: str
    source: str
    """The name of its source, which is part of the seed's id."""
    raw: str
    """The row as JSON, or the text that should have been JSON."""
    place: str
    """Where it was read, for people: a file, or a task and a number."""

    @classmethod
    def make(cls, source: str, raw: str, place: str) -> Row:
        return cls(content_id("row", source, raw), source, raw, place)


def refused(stage: str, row: Row, verdict: Verdict) -> Reject:
    """Returns the reject of a row; its record is the raw row, as JSON."""
    if verdict.reason is None:
        raise ValueError("a kept row cannot be refused")
    return Reject(
        id=row.id,
        stage=stage,
        reason=reason_text(verdict.reason),
        detail=verdict.detail[:500],
        record_type="Row",
        record=row.raw if isinstance(parsed(row.raw), dict) else json.dumps(row.raw),
        seed_ids=(),
    )


def parsed(raw: str) -> Any:
    """Returns the value of a JSON text (NaN and infinities as None), or the reason it has none."""
    try:
        value = json.loads(raw, parse_constant=lambda _: None)
        canonical_json(value).encode()
    except UnicodeEncodeError:
        return reject(Reason.UNREADABLE_RECORD, "holds half a surrogate pair, which is no text")
    except (ValueError, RecursionError) as error:
        return reject(Reason.UNREADABLE_RECORD, f"not JSON: {error}")
    return value


def seed_of(row: Row, columns: Mapping[str, str], license: str | None) -> Seed | Verdict:
    """Returns the seed that a row's columns make, or why they make none.

    Args:
        row: its raw text is a JSON object of columns.
        columns: seed field -> column. A mapped column must have a value in every row; a field that
            is not mapped takes the column of its own name where there is one (not `source`).
        license: of the rows in which no column states it.

    An answer that is not text becomes its JSON (72, [1, 2], true). An answer that ends in a line
    `#### 72`, as in GSM8K, is a worked solution: 72 is the answer, and what stands before it the
    solution, unless the row has a solution of its own. Other columns go into the metadata.
    """
    data = parsed(row.raw)
    if isinstance(data, Verdict):
        return reject(Reason.UNREADABLE_RECORD, f"{row.place}: {data.detail}")
    if not isinstance(data, dict):
        kind = type(data).__name__
        return reject(Reason.UNREADABLE_RECORD, f"{row.place}: a {kind}, not a JSON object")
    values: dict[str, str | None] = dict.fromkeys(FIELDS)
    taken = set()
    for name in FIELDS:
        column = columns.get(name, name)
        value = data.get(column)
        if value is None or (isinstance(value, str) and not value.strip()):
            if name in columns:
                return reject(
                    Reason.MISSING_FIELD, f"{row.place}: column {column} ({name}) is empty"
                )
        elif name not in columns and (name == "source" or not _fits(name, value)):
            continue
        elif not _fits(name, value):
            detail = (
                f"{row.place}: column {column} ({name}) holds a {type(value).__name__}, not text"
            )
            return reject(Reason.UNREADABLE_RECORD, detail)
        else:
            values[name] = value if isinstance(value, str) else canonical_json(value)
        taken.add(column)
    if values["problem"] is None and values["code"] is None:
        return reject(Reason.MISSING_FIELD, f"{row.place}: neither a problem nor code")
    answer, steps = split_steps(values["answer"])
    rest = {column: value for column, value in data.items() if column not in taken}
    return Seed.make(
        problem=values["problem"] or "",
        answer=answer,
        code=values["code"],
        solution=values["solution"] or steps,
        kind=values["kind"],
        source=values["source"] or row.source,
        license=values["license"] or license or NO_LICENSE,
        metadata=canonical_json(rest),
    )


def _fits(name: str, value: Any) -> bool:
    return isinstance(value, str) or name in ("answer", "kind")


def split_steps(answer: str | None) -> tuple[str | None, str | None]:
    """Returns (answer, worked solution or None) of an answer that may end in `#### 72`."""
    match = re.fullmatch(
        r"(.*?)\s*^####[ \t]*(\S[^\n]*?)\s*", answer or "", re.DOTALL | re.MULTILINE
    )
    if match is None:
        return answer, None
    return match[2], match[1].strip() or None


def check_columns(where: str, columns: Mapping[str, str], there: set[str]) -> None:
    """Checks that the mapped columns exist in a file or dataset.

    Raises:
        SourceError: a mapped column is not there, or nothing gives a problem or code.
    """
    have = ", ".join(sorted(there)) or "none"
    for name, column in columns.items():
        if column not in there:
            raise SourceError(
                f"{where} has no column {column} (source.columns.{name}): its columns are {have}"
            )
    if not there & {columns.get("problem", "problem"), columns.get("code", "code")}:
        raise SourceError(
            f"{where} has no column problem or code: map one, such as "
            f"source.columns.problem=question; its columns are {have}"
        )


def plain(value: Any) -> Any:
    """Returns `value` as JSON can hold it, the same in every process.

    Keys become text, tuples lists, sets sorted lists, numbers that are not finite None, arrays and
    numpy numbers what they hold, dates ISO text, and any other object its text, or its type's name
    where its text would be an address.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value if type(value) in (bool, int, str, type(None)) else _base(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {
            key if isinstance(key, str) else str(plain(key)): plain(v) for key, v in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=canonical_json)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if type(value).__repr__ is object.__repr__ and type(value).__str__ is object.__str__:
        return type(value).__name__
    return str(value)


def _base(value: Any) -> Any:
    """Returns an enum member or other subclass of int or str as the plain value under it."""
    return int(value) if isinstance(value, int) else str.__str__(value)

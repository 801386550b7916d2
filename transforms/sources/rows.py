"""Raw rows of a source, and the seeds that their columns make."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from transforms.engine.accounting import Reject, Verdict, reason_text, reject
from transforms.engine.ids import canonical_json, content_id
from transforms.engine.records import Seed
from transforms.sources import forms
from transforms.sources.columns import FIELDS, Columns, columns_of, value_of
from transforms.sources.licenses import NO_LICENSE, spdx
from transforms.text.answers import extract_answer
from transforms.text.thoughts import visible


class SeedReason(StrEnum):
    """Why a row of a source makes no seed."""

    UNREADABLE_RECORD = "unreadable_record"
    MISSING_FIELD = "missing_field"
    NOT_CONVERTIBLE = "not_convertible"
    NO_REFERENCE_ANSWER = "no_reference_answer"
    DUPLICATE_ID = "duplicate_id"


_NOT_UTF_8 = "not UTF-8"
"""The key of the object that shows bytes which are no text."""

_ANY_VALUE = ("answer", "kind", "options")
"""Fields that a column may fill with other values than text."""


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
        return reject(SeedReason.UNREADABLE_RECORD, "no text: half a surrogate pair")
    except (ValueError, RecursionError) as error:
        return reject(SeedReason.UNREADABLE_RECORD, f"not JSON: {error}")
    return value


def seed_of(
    row: Row, columns: Columns, license: str | None, *, answers: bool = True
) -> Seed | Verdict:
    """Returns the seed that a row's columns make, or why they make none.

    Args:
        row: its raw text is a JSON object of columns.
        columns: seed field -> column. A mapped column must have a value in every row; `columns_of`
            says what fills a field that is not mapped.
        license: of the rows in which no column states it.
        answers: whether answer, options and solution are read; a question alone is a seed without.

    `forms.stated` says how an answer is read. Where there is none, it is the one that the solution
    marks. Options become part of the problem, and the answer the text of the option that it names.
    Code that is not unified is left out where an answer can stand without it, for `UnifySeeds` to
    write it. All columns that fill no field go into the metadata.
    """
    data = parsed(row.raw)
    if isinstance(data, Verdict):
        return reject(SeedReason.UNREADABLE_RECORD, f"{row.place}: {data.detail}")
    if not isinstance(data, dict):
        kind = type(data).__name__
        return reject(SeedReason.UNREADABLE_RECORD, f"{row.place}: a {kind}, not a JSON object")
    values: dict[str, Any] = dict.fromkeys(FIELDS)
    taken: dict[str, tuple[str, ...]] = {}
    for name in FIELDS:
        if not answers and name in ("answer", "options", "solution"):
            continue
        paths = columns_of(name, columns, data)
        value = value_of(name, paths, data)
        if isinstance(value, Mapping) and _NOT_UTF_8 in value:
            return reject(
                SeedReason.UNREADABLE_RECORD, f"{_column(row, name, paths)} holds no text in UTF-8"
            )
        if isinstance(value, str) or (value is not None and name in _ANY_VALUE):
            values[name], taken[name] = value, paths
        elif value is not None and (name in columns or name == "problem"):
            return reject(
                SeedReason.UNREADABLE_RECORD,
                f"{_column(row, name, paths)} holds a {type(value).__name__}, not text",
            )
        elif value is None and name in columns:
            return reject(SeedReason.MISSING_FIELD, f"{_column(row, name, paths)} is empty")
    problem, code = values["problem"] or "", values["code"]
    if not problem and code is None:
        return reject(SeedReason.MISSING_FIELD, f"{row.place}: neither a problem nor code")
    options = forms.options_of(values["options"])
    unified = code and forms.unified_code(code)
    in_chat = taken.get("solution") is not None and taken["solution"] == taken.get("problem")
    stated = _stated(values, options, bool(unified), in_chat)
    if isinstance(stated, Verdict):
        return reject(SeedReason.NO_REFERENCE_ANSWER, f"{row.place}: {stated.detail}")
    if code and not unified and problem and stated.answer is not None:
        code = None
        del taken["code"]
    used = {path for paths in taken.values() for path in paths}
    return Seed.make(
        problem=forms.with_options(problem, options) if options else problem,
        answer=stated.answer,
        code=unified or code,
        solution=forms.with_answer(stated.solution or "", stated.answer),
        kind=values["kind"] if _is_text(values["kind"]) else canonical_json(values["kind"]),
        source=values["source"] or row.source,
        license=_license(values["license"]) or license or NO_LICENSE,
        metadata=canonical_json({name: data[name] for name in data if name not in used}),
    )


def with_seed(
    row: Row, columns: Columns, license: str | None, answers: bool
) -> tuple[Row, Seed | Verdict]:
    """Returns the row with what `seed_of` makes of it."""
    return row, seed_of(row, columns, license, answers=answers)


def _column(row: Row, field: str, paths: tuple[str, ...]) -> str:
    return f"{row.place}: column {', '.join(paths)} ({field})"


def _stated(
    values: Mapping[str, Any], options: Mapping[str, str] | None, unified: bool, in_chat: bool
) -> forms.Stated | Verdict:
    """Returns a row's answer and worked solution, or why it has no answer though a column should
    state it. Rows with unified code need none: their code gives it. Without such a column the
    answer is the one that the solution marks, in a chat also what its last line comes to.
    """
    answer, solution = values["answer"], values["solution"]
    if answer is None:
        if solution and not unified:
            answer = (extract_answer if in_chat else forms.marked)(visible(solution))
        return forms.Stated(answer, solution)
    if options:
        answer = forms.only(answer)
        choice = forms.chosen(answer, options)
        if choice is not None:
            return forms.Stated(choice, solution)
        if forms.is_label(answer):
            labels = ", ".join(options)
            return reject(
                SeedReason.NO_REFERENCE_ANSWER, f"answer {answer} is none of the options {labels}"
            )
    text, steps = forms.stated(answer)
    if forms.NO_ANSWER.fullmatch(text or ""):
        if unified:
            return forms.Stated(None, solution or steps)
        return reject(SeedReason.NO_REFERENCE_ANSWER, f"answer {text!r} states no value")
    return forms.Stated(text, solution or steps)


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _license(column: str | None) -> str | None:
    return column and (spdx(column) or column)


def plain(value: Any) -> Any:
    """Returns `value` as JSON can hold it, the same in every process.

    Keys become text, bytes the text that they encode (or an object that shows them), tuples lists,
    sets sorted lists, numbers that are not finite None, arrays and numpy numbers what they hold,
    dates ISO text, and any other object its text, or its type's name where its text would be an
    address.
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
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {_NOT_UTF_8: value.decode(errors="backslashreplace")}
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

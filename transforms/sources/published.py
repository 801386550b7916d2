"""Files of published systems as seeds' columns, for `source=function`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transforms.programs.calls import program_of_call
from transforms.programs.questions import NotLiteral, read_literal

IDENTITY: dict[str, Any] = {
    "snippet": "def f(a):\n    return a",
    "input": '"Hello world"',
    "output": '"Hello world"',
    "imports": [],
}
"""The one triplet of program, input and output that Absolute Zero starts from."""


def triplets(path: str | None = None) -> Iterator[dict[str, Any]]:
    """Yields triplets as seeds' columns, for `source=function`: the identity function alone, or
    those of a file of Absolute Zero's repository (`data/*_seed_io.jsonl`).

    An output that is no literal is the answer as it stands, so that no run confirms it.
    """
    lines = Path(path).read_text(encoding="utf-8").splitlines() if path else []
    for row in map(json.loads, lines) if path else [IDENTITY]:
        code = program_of_call("\n".join([*row["imports"], row["snippet"]]), row["input"])
        if code is None:
            continue
        try:
            answer = json.dumps(read_literal(row["output"]), ensure_ascii=False)
        except (NotLiteral, TypeError):
            answer = row["output"] or "none"
        problem = "What does the function give?"
        yield {"problem": problem, "code": code, "answer": answer, "license": "MIT"}


def cruxeval_rows(path: str) -> Iterator[dict[str, Any]]:
    """Yields the rows of CRUXEval's file whose arguments can be written as JSON, as seeds' columns.

    The function `f` becomes `solution`, its arguments the input by name;
    those that call themselves are left out.
    """
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if code := program_of_call(row["code"], row["input"]):
            yield {"problem": row["id"], "code": code, "license": "MIT"}

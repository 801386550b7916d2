"""Questions about tables, each with the program that answers it; no model is asked.

Tables are drawn from the schemas that ship, or read from CSV files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from transforms.engine.ids import derived_seed
from transforms.engine.paths import DATA
from transforms.text.tables import Table, read_table

STRATA: dict[str, tuple[str, str]] = {
    "lookup": (
        "What does the table give as {number} for {key} {name}?",
        "for row in table:\n        if row[key] == name:\n            return row[number]",
    ),
    "count": (
        "In how many rows is {group} {value} and {number} above {bound}?",
        "kept = [row for row in table if row[group] == value]\n"
        "    above = [row for row in kept if row[number] > bound]\n"
        "    return len(above)",
    ),
    "total": (
        "What is the sum of {number} over the rows whose {group} is {value}?",
        "kept = [row for row in table if row[group] == value]\n"
        "    total = sum(row[number] for row in kept)\n"
        "    return round(total, 6)",
    ),
    "mean": (
        "What is the mean of {number} over the rows whose {group} is {value}, to two decimals?",
        "values = [row[number] for row in table if row[group] == value]\n"
        "    mean = sum(values) / len(values)\n"
        "    return round(mean, 2)",
    ),
    "extreme": (
        "For which {key} is {number} largest, of those whose {group} is {value}?",
        "kept = [row for row in table if row[group] == value]\n"
        "    top = max(row[number] for row in kept)\n"
        "    best = [row[key] for row in kept if row[number] == top]\n"
        "    return best[0] if len(best) == 1 < len(kept) else None",
    ),
    "group": (
        "For which {group} is the sum of {number} largest?",
        "totals = {}\n"
        "    for row in table:\n"
        "        totals[row[group]] = totals.get(row[group], 0) + row[number]\n"
        "    best = [each for each, total in totals.items() if total == max(totals.values())]\n"
        "    return best[0] if len(best) == 1 < len(totals) else None",
    ),
    "two_step": (
        "Of the rows with {number} above its mean over all rows, in how many is {group} {value}?",
        "mean = sum(row[number] for row in table) / len(table)\n"
        "    above = [row for row in table if row[number] > mean]\n"
        "    return sum(row[group] == value for row in above)",
    ),
}
"""Kind of question -> its words, and the end of the program that answers it."""

_PROGRAM = """input = {given!r}


def solution({names}):
    # what is asked of the table
    {body}


output = solution(**input)
"""


def questions(
    count: int = 100, first: int = 0, folder: str = "", schema: str = "", rows: int = 14
) -> Iterator[dict[str, Any]]:
    """Yields questions about tables as seeds' columns, for `source=function`: the kinds and the
    tables in turn.

    Args:
        folder: of CSV files with a header, whose first column is the key; empty draws tables from
            the schemas that ship.
        schema: the one that tables are drawn from; empty is all.
        rows: of a drawn table, at most; at least half as many.
    """
    tables = sorted(Path(folder).glob("*.csv")) if folder else []
    schemas = [each for each in _shipped()["schemas"].items() if schema in ("", each[0])]
    for number in range(first, first + count):
        if folder:
            path = tables[number % len(tables)]
            name, table = path.stem, read_table(path.read_text("utf-8").rstrip("\n"), "csv")
            summed = table.columns
        else:
            name, drawn_from = schemas[number % len(schemas)]
            table, summed = drawn_table(drawn_from, number, rows), drawn_from["sums"]
        kind = list(STRATA)[number // max(len(tables) or len(schemas), 1) % len(STRATA)]
        made = _question(table, kind, number, summed)
        if made is not None:
            given = {} if folder else {"license": _shipped()["license"]}
            yield {**made, "kind": kind, "table": table._asdict(), "table_name": name, **given}


@cache
def _shipped() -> dict[str, Any]:
    return yaml.safe_load((DATA / "tables" / "schemas.yaml").read_text("utf-8"))


def drawn_table(schema: dict[str, Any], number: int, rows: int) -> Table:
    """Draws a table of a schema."""

    def drawn(most: int, *parts: Any) -> int:
        return derived_seed(0, "table", number, schema["key"], *parts) % most

    def value(place: int, name: str, low: float, high: float, decimals: int) -> float:
        steps = round((high - low) * 10**decimals)
        made = low + drawn(steps + 1, place, name) / 10**decimals
        return round(made, decimals) if decimals else round(made)

    length = min(len(schema["names"]), rows // 2 + drawn(rows - rows // 2 + 1, "rows"))
    made = []
    for place, name in enumerate(schema["names"][:length]):
        groups = [each[drawn(len(each), place, key)] for key, each in schema["groups"].items()]
        numbers = [value(place, key, *each) for key, each in schema["numbers"].items()]
        made.append([name, *groups, *numbers])
    return Table.of([schema["key"], *schema["groups"], *schema["numbers"]], made)


def _question(table: Table, kind: str, number: int, summed: Sequence[str]) -> dict[str, Any] | None:
    """A question of a kind about a table; None where the table has no such columns, or the answer
    is not unique.

    Args:
        summed: columns whose sums mean something; those of altitudes or ages do not.
    """
    key, *others = table.columns
    columns = dict(zip(table.columns, zip(*table.rows, strict=True), strict=True))
    numbers = [c for c in others if not any(isinstance(each, str) for each in columns[c])]
    groups = [c for c in others if all(isinstance(each, str) and each for each in columns[c])]
    if kind in ("total", "group"):
        numbers = [column for column in numbers if column in summed]
    if not (numbers and groups):
        return None

    def drawn(several: Any, *parts: Any) -> Any:
        return several[derived_seed(0, "question", number, kind, *parts) % len(several)]

    group, column = drawn(groups, "group"), drawn(numbers, "number")
    given = {
        "table": table.records,
        "key": key,
        "name": drawn(columns[key], "name"),
        "group": group,
        "value": drawn(sorted(set(columns[group])), "value"),
        "number": column,
        "bound": sorted(columns[column])[len(table.rows) // 3],
    }
    text, body = STRATA[kind]
    words = set(re.findall(r"\w+", body))
    used = {name: value for name, value in given.items() if name in words}
    code = _PROGRAM.format(given=used, names=", ".join(used), body=body)
    names: dict[str, Any] = {}
    exec(code, names)  # of our own words and literals
    if names["output"] is None:
        return None
    return {"problem": text.format(**given), "code": code, "answer": str(names["output"])}

"""Tables as texts of several forms, each of which is read back as the same table."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from html.parser import HTMLParser
from typing import Any, NamedTuple

Cell = str | int | float


class Table(NamedTuple):
    """A header and rows of as many cells; a text that is a number's is that number."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @classmethod
    def of(cls, columns: Iterable[Any], rows: Iterable[Iterable[Any]]) -> Table:
        """Makes a table of any values; line breaks in texts become blanks.

        Raises:
            ValueError: a row is longer or shorter than the header, or two columns share a name.
        """
        names = tuple(" ".join(str(name).split()) for name in columns)
        made = tuple(tuple(map(cell, row)) for row in rows)
        if any(len(row) != len(names) for row in made) or len(set(names)) != len(names):
            raise ValueError("each row has a cell for each column, and columns differ in name")
        return cls(names, made)

    @property
    def records(self) -> list[dict[str, Cell]]:
        """Each row as a dict."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,10})?")


def cell(value: Any) -> Cell:
    """Returns a value as a cell: a number where its text is one, else the text.

    >>> cell("1.50"), cell(" 12 "), cell("007"), cell(None)
    (1.5, 12, '007', '')
    """
    text = "" if value is None else " ".join(str(value).split())
    if not _NUMBER.fullmatch(text):
        return text
    number = float(text) if "." in text else int(text)
    return number if _NUMBER.fullmatch(str(number)) else text


def _separated(separator: str) -> Callable[[Table], str]:
    def write(table: Table) -> str:
        text = io.StringIO()
        writer = csv.writer(text, delimiter=separator, lineterminator="\n")
        writer.writerows([table.columns, *table.rows])
        return text.getvalue().rstrip("\n")

    return write


def _markdown(table: Table) -> str:
    def line(cells: Sequence[Any]) -> str:
        escaped = (str(each).replace("\\", "\\\\").replace("|", "\\|") for each in cells)
        return f"| {' | '.join(escaped)} |"

    return "\n".join(
        [line(table.columns), line(["---"] * len(table.columns)), *map(line, table.rows)]
    )


def _html(table: Table) -> str:
    def line(tag: str, cells: Sequence[Any]) -> str:
        inner = "".join(f"<{tag}>{escape(str(each))}</{tag}>" for each in cells)
        return f"<tr>{inner}</tr>"

    rows = [line("th", table.columns), *(line("td", row) for row in table.rows)]
    return "\n".join(["<table>", *rows, "</table>"])


def _json(table: Table) -> str:
    lines = [json.dumps(table.columns, ensure_ascii=False)]
    lines += [json.dumps(row, ensure_ascii=False) for row in table.rows]
    return "[\n" + ",\n".join(lines) + "\n]"


def _read_separated(separator: str) -> Callable[[str], list[list[Any]]]:
    return lambda text: list(csv.reader(io.StringIO(text), delimiter=separator))


def _read_markdown(text: str) -> list[list[Any]]:
    lines = []
    for line in text.split("\n"):
        cells = re.findall(r"\| ((?:\\.|[^\\|])*) (?=\|)", line)
        lines.append([re.sub(r"\\(.)", r"\1", each) for each in cells])
    return [lines[0], *lines[2:]]


class _Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[list[Any]] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "tr":
            self.lines.append([])
        elif tag in ("td", "th"):
            self.lines[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.lines and self.lines[-1] and data.strip():
            self.lines[-1][-1] += data


def _read_html(text: str) -> list[list[Any]]:
    reader = _Cells()
    reader.feed(text)
    reader.close()
    return reader.lines


FORMS: dict[str, tuple[Callable[[Table], str], Callable[[str], list[list[Any]]]]] = {
    "markdown": (_markdown, _read_markdown),
    "csv": (_separated(","), _read_separated(",")),
    "tsv": (_separated("\t"), _read_separated("\t")),
    "html": (_html, _read_html),
    "json": (_json, json.loads),
}
"""Name -> what writes a table, and what reads its lines back."""


def rendered(table: Table, form: str) -> str:
    """Returns a table as a text.

    >>> print(rendered(Table.of(["city", "rain"], [["A|B", 3]]), "markdown"))
    | city | rain |
    | --- | --- |
    | A\\|B | 3 |
    """
    return FORMS[form][0](table)


def read_table(text: str, form: str) -> Table:
    """Returns the table that `rendered` wrote.

    >>> read_table('city,rain\\n"A,B",3', "csv")
    Table(columns=('city', 'rain'), rows=(('A,B', 3),))
    """
    columns, *rows = FORMS[form][1](text)
    return Table.of(columns, rows)

"""What a program that uses a package writes into a file, held against another file as data."""

from __future__ import annotations

import ast
import csv
import io
import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from difflib import SequenceMatcher
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from transforms.packages.package import Files, is_test, roots, tops
from transforms.programs.questions.answers import is_close
from transforms.sandbox.jobs import Job, Status

if TYPE_CHECKING:
    from transforms.models.episode import Steps

MOST_BYTES = 64 << 10
"""Size of a file that is written, at most."""


def run_program(
    package: Files, program: str, inputs: Mapping[str, str], wanted: str, seed: int = 0
) -> Steps[tuple[str | None, str]]:
    """Runs a program in a folder that holds a package, without its tests, and input files.

    Returns:
        (text, detail): the text of the file `wanted`, which is not there before the run; None where
        the program leaves none that can be read as its name says, and why not.
    """
    given = {name: text.encode() for name, text in inputs.items()}
    files = {path: data for path, data in package.items() if not is_test(path)} | given
    files.pop(wanted, None)
    code = f"import sys; sys.path[:0] = {roots(package)!r}\n{program}"
    [result] = yield [Job(code, files=files, wanted=(wanted,), seed=seed)]
    if result.status is not Status.OK:
        return None, (result.error or result.status)[-200:]
    data = result.files.get(wanted, b"")
    try:
        text = data[:MOST_BYTES].decode()
        cells(wanted, text)
    except (ValueError, RecursionError, csv.Error) as error:
        return None, f"{wanted}: {error}"
    return (text, "") if text.strip() else (None, f"{wanted} is not there, or empty")


def cells(name: str, text: str) -> dict[Any, Any]:
    """Returns the values of a JSON or CSV file by their places; of other files nothing.

    Raises:
        ValueError: it is no JSON.

    >>> cells("a.csv", "x,y\\n1, b\\n")
    {(0, 0): 'x', (0, 1): 'y', (1, 0): 1.0, (1, 1): 'b'}
    >>> cells("a.json", '{"a": [1, {}]}')
    {('a', 0): 1, ('a', 1): 'empty dict'}
    """
    suffix = PurePosixPath(name).suffix
    if suffix == ".json":
        return dict(_leaves(json.loads(text), ()))
    if suffix != ".csv":
        return {}
    rows = csv.reader(io.StringIO(text), strict=True)
    return {(i, j): _cell(each) for i, row in enumerate(rows) for j, each in enumerate(row)}


def _leaves(value: Any, place: tuple[Any, ...]) -> Any:
    if isinstance(value, (dict, list)) and value:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in pairs:
            yield from _leaves(each, (*place, key))
    else:
        empty = f"empty {type(value).__name__}"
        yield place, empty if isinstance(value, (dict, list)) else value


def _cell(text: str) -> Any:
    with suppress(ValueError):
        if math.isfinite(number := float(text)):
            return number
    return text.strip()


def likeness(name: str, text: str, other: str) -> float:
    """Returns the share of the values of two files that are the same at the same place; of files
    without values that of their words, in order.

    >>> likeness("a.json", "[1, 2, 3]", "[1, 2.0000000001]"), likeness("a.txt", "a b c", "a  b")
    (0.6666666666666666, 0.8)
    """
    if name.endswith((".json", ".csv")):
        one, two = cells(name, text), cells(name, other)
        same = sum(is_close(one[place], two[place]) for place in one.keys() & two.keys())
        return same / max(len(one), len(two))
    return SequenceMatcher(None, text.split(), other.split(), autojunk=False).ratio()


def uses(program: str, package: Files) -> bool:
    """Whether a program imports a package."""
    try:
        nodes = list(ast.walk(ast.parse(program)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    named = [alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names]
    named += [n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)]
    return any(name.partition(".")[0] in tops(package) for name in named)


def named_in(text: str, program: str, outlines: Mapping[str, str]) -> str:
    """Returns a function or class of a package that a program uses and a text names; empty where
    there is none."""
    defined = re.findall(r"^\s*(?:def|class) (\w+)", "\n".join(outlines.values()), re.MULTILINE)
    shared = set(defined) & set(re.findall(r"\w+", program))
    as_code = set(re.findall(r"`(\w+)`|\b(\w+)\(|\b(\w*_\w*)\b", text))
    return min({name for names in as_code for name in names} & shared, default="")

"""A source of one's own is a function that yields rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sources.reading import read, source_of
from transforms.engine.errors import SourceError
from transforms.sources import check_source

HERE = "tests.sources.test_function"


def sums(most: int, word: str = "plus") -> Iterator[dict[str, Any]]:
    for number in range(most):
        yield {"asked": f"What is {number} {word} 1?", "result": number + 1, "more": {number}}


def nothing() -> Iterator[dict[str, Any]]:
    yield from ()


def texts() -> list[str]:
    return ["a"]


COLUMNS = {"problem": "asked", "answer": "result"}


def test_what_the_function_yields_becomes_seeds(tmp_path: Path) -> None:
    source = {"type": "function", "function": f"{HERE}.sums", "arguments": {"most": 3}}
    seen = read(tmp_path, 2, **source, columns=COLUMNS, license="MIT", limit=2)
    assert {(s["problem"], s["answer"], s["license"], s["metadata"]) for s in seen.seeds} == {
        ("What is 0 plus 1?", "1", "MIT", '{"more":[0]}'),
        ("What is 1 plus 1?", "2", "MIT", '{"more":[1]}'),
    }


@pytest.mark.parametrize(
    ("function", "changes", "message"),
    [
        ("sums", {"arguments": {"mots": 3}}, "source.function=.*sums: TypeError: .*mots"),
        ("sums", {"arguments": {"most": 3}, "columns": {"problem": "q"}}, "no column q"),
        ("nothing", {}, "yields no row"),
        ("texts", {}, "yields str, not dicts"),
        ("no_such", {}, "source.function=.*no_such: there is no function"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_function(
    function: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(SourceError, match=message) as error:
        check_source(source_of(type="function", function=f"{HERE}.{function}", **changes))
    assert "\n" not in str(error.value)

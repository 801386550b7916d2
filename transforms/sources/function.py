"""Rows that a Python function yields: a source of one's own, named by its import path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import apache_beam as beam
from pydantic import Field

from transforms.engine.code import code_digest
from transforms.engine.errors import SourceError, first_line
from transforms.engine.ids import canonical_json
from transforms.engine.stage import named
from transforms.sandbox.settings import SandboxSettings
from transforms.sources.base import ReadInOrder, SourceSettings
from transforms.sources.columns import ColumnMap, check_columns
from transforms.sources.licenses import stated
from transforms.sources.rows import Row, plain, with_seed


class FunctionSource(SourceSettings):
    """Seeds from rows that a Python function yields."""

    type: Literal["function"]
    function: str = Field(
        description="import path of a function that yields rows, dicts of columns, such as "
        "my_package.seeds.words (also of a module in a folder of --config-dir)"
    )
    arguments: dict[str, Any] = Field(
        {}, description="what the function is called with, such as {path: words.txt}"
    )
    columns: ColumnMap = Field(
        {}, description="seed field -> the rows' column, as for source=jsonl"
    )
    name: str = Field("function", description="what the rows name as their source")
    license: str | None = Field(
        None, description="SPDX licence of the rows, where no column states it"
    )

    def check(self) -> list[str]:
        """Takes the first row of the function, and returns lines that tell how its rows are read.

        Raises:
            SourceError: there is no such function, it raises, yields nothing, or yields no dicts,
                or a mapped column is not in its first row.
        """
        where = f"source.function={self.function}"
        try:
            first = next(iter(_function(self)(**self.arguments)), None)
        except SourceError:
            raise
        except Exception as error:
            raise SourceError(f"{where}: {type(error).__name__}: {first_line(error)}") from error
        if first is None:
            raise SourceError(f"{where} yields no row")
        if not isinstance(first, Mapping):
            raise SourceError(f"{where} yields {type(first).__name__}, not dicts of columns")
        return check_columns(where, self.columns, [first])

    def rows(self) -> beam.PTransform:
        return ReadInOrder(self, _rows)

    def seeds(self, sandbox: SandboxSettings, answers: bool) -> beam.PTransform:
        return beam.Map(with_seed, self.columns, stated(self.license), answers)

    def content(self) -> Any:
        """The code that the function rests on."""
        return code_digest(self.function.rpartition(".")[0])


def _function(source: FunctionSource) -> Callable[..., Any]:
    try:
        function: Callable[..., Any] = named(source.function)
    except ValueError as error:
        raise SourceError(f"source.function={source.function}: {error}") from None
    return function


def _rows(source: FunctionSource) -> Iterator[Row]:
    for record in _function(source)(**source.arguments):
        yield Row.make(source.name, canonical_json(plain(record)), source.function)

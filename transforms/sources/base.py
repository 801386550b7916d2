"""What every source offers: settings that say how they are checked, read and told apart."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import PBegin, PCollection
from pydantic import Field

from transforms.engine.settings import Group
from transforms.sandbox.settings import SandboxSettings
from transforms.sources.rows import Row, SeedReason


class SourceSettings(Group):
    """One source of seeds. A concrete subclass in a module of this package is a choice of `source`;
    its `type` is a Literal, the name of the choice."""

    type: str
    limit: int | None = Field(None, ge=1, description="seeds that are read, at most (null: all)")

    reasons: ClassVar[Iterable[str]] = SeedReason
    """Why its rows are rejected."""

    @abstractmethod
    def check(self) -> list[str]:
        """Checks, before a pipeline starts, that the source can be read.

        Returns:
            Lines for the user, such as which column is taken for the problem.

        Raises:
            SourceError: one line that names what is wrong.
        """

    @abstractmethod
    def rows(self) -> beam.PTransform:
        """Returns the transform PBegin -> PCollection[Row]."""

    @abstractmethod
    def seeds(self, sandbox: SandboxSettings, answers: bool) -> beam.PTransform:
        """Returns the transform PCollection[Row] -> PCollection[(Row, Seed | Verdict)].

        Args:
            sandbox: limits for code of the source's, where it has some to run.
            answers: whether columns of answers and options are read.
        """

    @abstractmethod
    def content(self) -> Any:
        """Returns, as JSON, what tells the content from another under the same settings.

        None where nothing can be read: `check` says why.
        """

    def parts(self) -> dict[str, SourceSettings]:
        """Returns the sources that are read, by name: itself, by its type."""
        return {self.type: self}


@dataclass
class ReadInOrder(beam.PTransform):
    """PBegin -> PCollection[Row]: what `read` yields of a source, the first `source.limit` of it;
    in one worker."""

    source: SourceSettings
    read: Callable[[Any], Iterable[Row]]

    def expand(self, begin: PBegin) -> PCollection:
        read, limit = self.read, self.source.limit
        return (
            begin
            | "Source" >> beam.Create([self.source], reshuffle=False)
            | "In order" >> beam.FlatMap(lambda source: islice(read(source), limit))
        )

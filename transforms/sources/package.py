"""Python packages as seeds: files, licence and tests that pass, run before anything is changed."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Any, ClassVar, Literal

import apache_beam as beam
from apache_beam.pvalue import PCollection
from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.errors import SourceError
from transforms.engine.ids import canonical_json
from transforms.engine.records import Seed
from transforms.models.driver import Drive
from transforms.models.episode import Steps
from transforms.packages.evaluations import is_evaluation
from transforms.packages.package import (
    NotAPackage,
    Package,
    is_permissive,
    modules,
    packed,
    read_package,
    suites,
    tops,
    unpacked,
)
from transforms.packages.suite import TEST_COMMAND, baseline
from transforms.sandbox.settings import SandboxSettings
from transforms.sources.base import ReadInOrder, SourceSettings
from transforms.sources.licenses import NO_LICENSE, stated
from transforms.sources.rows import Row, SeedReason, parsed


class PackageReason(StrEnum):
    """Why a package makes no seed."""

    EVALUATION_TASK = "evaluation_task"
    """An evaluation has tasks about it (`packages.evaluations`)."""
    LICENSE = "license"
    """Its licence is unknown, or not one of those that are taken."""
    NO_TESTS = "no_tests"
    """It comes without files of tests."""
    BASELINE_FAILS = "baseline_fails"
    """No test passes in all baselines, or the suite does not end within the sandbox's limits."""


class PackageSource(SourceSettings):
    """Python packages with tests, as archives, folders or installed distributions."""

    type: Literal["package"]
    packages: list[str] = Field(
        min_length=1,
        description="folders, archives (.tar.gz, .zip, .whl) or names of installed distributions",
    )
    license: str | None = Field(None, description="SPDX licence of packages that state none")
    licenses: list[str] = Field(
        [], description="licences that are taken beside permissive ones, such as [MPL-2.0]"
    )

    reasons: ClassVar[Iterable[str]] = (*SeedReason, *PackageReason)

    def check(self) -> list[str]:
        """Reads each package, and returns a line for each that programs could import by itself.

        Raises:
            SourceError: pytest is not installed, or a package cannot be read.
        """
        if importlib.util.find_spec("pytest") is None:
            raise SourceError("source=package needs pytest: pip install 'cotmill[repositories]'")
        lines = []
        for package in _packages(self):
            names = sorted(tops(package.files))
            if here := [name for name in names if importlib.util.find_spec(name)]:
                lines.append(
                    f"{package.name} is installed here ({', '.join(here)}): a solver's code can "
                    "read it, and so what a bug of it was before"
                )
        return lines

    def rows(self) -> beam.PTransform:
        return ReadInOrder(self, rows_of)

    def seeds(self, sandbox: SandboxSettings, answers: bool) -> beam.PTransform:
        return RunBaselines(self, sandbox)

    def content(self) -> Any:
        """The packages' digests."""
        return [package.digest for package in _packages(self)]


def _packages(source: PackageSource) -> Iterator[Package]:
    for place in islice(source.packages, source.limit):
        try:
            yield read_package(place)
        except NotAPackage as error:
            raise SourceError(f"source.packages: {error}") from None


def rows_of(source: PackageSource) -> Iterator[Row]:
    """Yields a row for each package: name, version, license, summary, digest and archive."""
    for package, place in zip(_packages(source), source.packages, strict=False):
        license = package.license
        if license == NO_LICENSE:
            license = stated(source.license) or NO_LICENSE
        facts = {
            "name": package.name,
            "version": package.version,
            "license": license,
            "summary": package.summary,
            "digest": package.digest,
            "archive": packed(package.files),
        }
        yield Row.make(package.name, canonical_json(facts), place)


def seed_of(row: Row, source: PackageSource) -> Steps[tuple[Row, Seed | Verdict]]:
    """Returns the row with the seed that it makes, or why it makes none.

    The seed's metadata has the row's columns and `modules`, `test_command`, `passing` (ids of the
    tests that pass in three baselines).
    """
    facts = parsed(row.raw)
    name, license = facts["name"], facts["license"]
    if is_evaluation(name):
        return row, reject(PackageReason.EVALUATION_TASK, name)
    if not is_permissive(license) and license not in source.licenses:
        return row, reject(PackageReason.LICENSE, f"{name}: {license}")
    files = unpacked(facts["archive"])
    if not suites(files):
        return row, reject(PackageReason.NO_TESTS, name)
    base = yield from baseline(files, row.id)
    if base.fault:
        return row, reject(PackageReason.BASELINE_FAILS, f"{name}: {base.fault}")
    return row, Seed.make(
        problem=f"{name} {facts['version']}: {facts['summary']}".rstrip(": "),
        kind="package",
        source=name,
        license=license,
        metadata=json.dumps(
            {
                **facts,
                "modules": modules(files),
                "test_command": TEST_COMMAND,
                "passing": base.passing,
            },
            sort_keys=True,
        ),
    )


@dataclass
class RunBaselines(beam.PTransform):
    """PCollection[Row] -> PCollection[(Row, Seed | Verdict)]: runs the packages' tests."""

    source: PackageSource
    sandbox: SandboxSettings

    def expand(self, rows: PCollection) -> PCollection:
        drive = Drive("seeds", partial(seed_of, source=self.source), sandbox=self.sandbox)
        return (rows | "Spread" >> beam.Reshuffle() | "Run baselines" >> drive).results

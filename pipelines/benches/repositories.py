"""cotmill bench repositories: bugs of packages checked per second, and how many a test sees."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any, NamedTuple, TypeVar

from pydantic import Field

from pipelines.benches.shown import plain, table_of
from transforms.engine.accounting import Verdict
from transforms.engine.errors import SourceError
from transforms.engine.machine import machine_line
from transforms.engine.records import Seed
from transforms.engine.settings import Group
from transforms.models.episode import Steps, play
from transforms.packages.bugs import Site
from transforms.packages.making import Made, bug_of, judged, made, sound
from transforms.packages.package import Files, unpacked
from transforms.packages.patches import changed
from transforms.packages.suite import SuiteRun, run_suite
from transforms.recipes.swe_tasks import MakeBugs
from transforms.sandbox.jobs import Job, Result
from transforms.sandbox.sandbox import Sandbox
from transforms.sandbox.settings import SandboxSettings
from transforms.sources.package import PackageSource, rows_of, seed_of

T = TypeVar("T")


class BenchRepositoriesSettings(Group):
    """Everything `cotmill bench repositories` can be told."""

    packages: list[str] = Field(
        min_length=1, description="folders, archives or names of installed distributions"
    )
    bugs: int = Field(ge=1, description="bugs of each package that are tried")
    cold: int = Field(
        ge=1, description="of these, tried also in processes that import pytest themselves"
    )
    slots: int = Field(ge=1, description="suites at once")
    sandbox: SandboxSettings


SETTINGS = BenchRepositoriesSettings


def bench(settings: BenchRepositoriesSettings) -> None:
    """Suites and bugs per second, forked from a process with pytest and cold, and valid shares."""
    console = plain()
    console.print(f"{settings.slots} suites at once, {machine_line()}")
    rows, operators = measure(settings)
    names = ("tests", "bugs", "valid %", "compared %", "suites/s", "forked CPU s", "cold CPU s")
    table = table_of(["package"], names)
    for row in rows:
        table.add_row(
            row["package"],
            *(f"{row[name]:,}" for name in ("tests", "bugs")),
            *(f"{100 * row[name]:.0f}" for name in ("valid", "compared")),
            f"{row['suites_per_second']:.2f}",
            *(f"{row[name]:.2f}" for name in ("forked_cpu_seconds", "cold_cpu_seconds")),
        )
    console.print(table)
    for name, (valid, tried) in operators.items():
        console.print(f"{name}: {valid} of {tried} seen by a test")
    print(json.dumps({"bench": "repositories", "rows": rows, "operators": operators}))


def measure(
    settings: BenchRepositoriesSettings,
) -> tuple[list[dict[str, Any]], dict[str, tuple[int, int]]]:
    """Runs each package's tests with one bug after another.

    Returns:
        (rows, operators): of each package its name, tests, bugs, valid (share that a test sees and
        another does not), suites_per_second of wall time, bugs_per_core_second (of a slot),
        forked_cpu_seconds and cold_cpu_seconds (medians of a suite, of the same bugs), reasons;
        and by operator (valid, tried), over all packages. Of the valid ones among those that are
        tried cold, `compared` is the share with values that are compared outside of the sandbox.

    Raises:
        SourceError: a package cannot be read, or makes no seed.
    """
    rows, tried, valid = [], Counter[str](), Counter[str]()
    limits = settings.sandbox.model_copy(update={"slots": settings.slots})
    with Sandbox(limits) as box, ThreadPoolExecutor(settings.slots) as threads:
        runner = _Runner(box, threads)
        for package in settings.packages:
            seed = _seed(package, runner)
            facts = json.loads(seed.metadata)
            files, passing = unpacked(facts["archive"]), frozenset(facts["passing"])
            stage = MakeBugs(sandbox=limits, most=settings.bugs, combined=False)
            sites = [site for _, batch in stage.batches(seed) for site in batch]
            sample = sites[: settings.cold]
            runner.suites(files, sample[:1])  # the processes that it starts once are not timed
            started = time.perf_counter()
            forked = runner.suites(files, sites)
            seconds = time.perf_counter() - started
            cold = runner.suites(files, sample, cold=True)
            tasks = [task for task, verdict in runner.tasks(seed, sample) if verdict.kept]
            verdicts = [judged(passing, run)[2] for run in forked]
            for site, verdict in zip(sites, verdicts, strict=True):
                tried[site.operator] += 1
                valid[site.operator] += verdict.kept
            rows.append(
                {
                    "package": f"{facts['name']} {facts['version']}",
                    "tests": len(passing),
                    "bugs": len(sites),
                    "valid": sum(verdict.kept for verdict in verdicts) / len(sites),
                    "compared": sum(t.compared > 0 for t in tasks) / max(1, len(tasks)),
                    "suites_per_second": len(sites) / seconds,
                    "bugs_per_core_second": len(sites) / seconds / settings.slots,
                    "forked_cpu_seconds": median(r.cpu_seconds for r in forked[: len(sample)]),
                    "cold_cpu_seconds": median(run.cpu_seconds for run in cold),
                    "reasons": Counter(str(each.reason or "valid") for each in verdicts),
                }
            )
    return rows, {name: (valid[name], tried[name]) for name in sorted(tried)}


class _Runner(NamedTuple):
    """Plays steps on a sandbox, several at once."""

    box: Sandbox
    threads: ThreadPoolExecutor

    def play(self, steps: Steps[T], job: Callable[[Job], Job] = lambda job: job) -> T:
        def answer(effect: Any) -> Result:
            return self.box.submit(job(effect)).result()

        return play(steps, answer).result

    def suites(self, files: Files, sites: Iterable[Site], cold: bool = False) -> list[SuiteRun]:
        def run(site: Site) -> SuiteRun:
            tree = changed(files, bug_of(files, [site]).after)
            return self.play(run_suite(tree, str(site)), _unloaded if cold else lambda job: job)

        return list(self.threads.map(run, sites))

    def tasks(self, seed: Seed, sites: Sequence[Site]) -> list[Made]:
        package = self.play(sound(seed, [(site.path, site.function) for site in sites]))
        if isinstance(package, Verdict):
            return []
        bugs = [bug_of(package.files, [site]) for site in sites]
        return list(self.threads.map(lambda bug: self.play(made(package, bug)), bugs))


def _unloaded(job: Job) -> Job:
    """The same job in a process that has nothing loaded: its text names no module."""
    code = f"exec(bytes.fromhex({job.code.encode().hex()!r}))"
    return Job(code, seed=job.seed, files=job.files, cpu_seconds=job.cpu_seconds)


def _seed(place: str, runner: _Runner) -> Any:
    source = PackageSource(type="package", packages=[place])
    [row] = rows_of(source)
    _, seed = runner.play(seed_of(row, source))
    if isinstance(seed, Verdict):
        raise SourceError(f"packages: {place} makes no seed ({seed.reason}): {seed.detail}")
    return seed

"""cotmill bench fire: distinct right programs for the tokens they cost, with a hot first token and
without one."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any, NamedTuple

from pydantic import Field
from rich.console import Console

from pipelines.benches.shown import plain, table_of
from transforms.engine.ids import content_id
from transforms.engine.machine import machine_line
from transforms.engine.paths import DATA
from transforms.engine.records import Seed
from transforms.engine.settings import Group
from transforms.models.asking import Asking
from transforms.models.backends.settings import Backend
from transforms.models.driver import drive
from transforms.models.episode import Steps
from transforms.models.ledger.ledger import LedgerSettings
from transforms.models.pool import Pool, draw_shots
from transforms.models.prompts import PromptTemplate
from transforms.models.settings import SamplerSettings
from transforms.programs import fingerprint
from transforms.programs.checks import FilterSettings
from transforms.recipes.caco.unify import written_programs
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.unify import ran_well, try_programs


class BenchFireSettings(Group):
    """Everything `cotmill bench fire` can be told."""

    kinds: list[str] = Field(
        min_length=1, description="kinds of the shipped problems that programs are written for"
    )
    problems: int = Field(ge=1, description="problems of each kind, at most")
    seeds: int = Field(ge=2, description="run seeds, over which the spread is taken")
    fire_temperature: float = Field(gt=0, description="temperature of the first token, where hot")
    sampler: SamplerSettings
    backend: Backend
    sandbox: SandboxSettings
    filter: FilterSettings


SETTINGS = BenchFireSettings


class Yielded(NamedTuple):
    """What became of the samples of one problem."""

    tokens: int
    """Generated tokens."""
    samples: int
    running: int
    """Structures of programs that ran well."""
    right: int
    """Structures of those that gave the problem's answer."""


def bench(settings: BenchFireSettings) -> None:
    """Asks for programs in three ways and prints how many different right ones came of them."""
    console = plain()
    console.print(
        f"{settings.sampler.samples} samples each, {settings.seeds} seeds, "
        f"{settings.backend.answering}; {machine_line()}"
    )
    rows = measure(settings, Console(stderr=True).print)
    table = table_of(["way"], ["temperature", "tokens", "running", "right"])
    for each in rows:
        figures = (
            f"{each[what]} ({each[f'{what}_rate']:.2f} ± {each[f'{what}_spread']:.2f})"
            for what in ("running", "right")
        )
        table.add_row(each["way"], f"{each['temperature']:.2f}", f"{each['tokens']:,}", *figures)
    console.print(table)
    console.print(
        "running, right: different structures of programs that ran well, and that gave the "
        "answer, of each problem; in brackets for 1,000 tokens, with the standard deviation over "
        "the seeds; the temperature of hot is the mean over its tokens"
    )
    hot, even, _ = rows
    changes = {what: change(hot, even, what) for what in ("running", "right")}
    for what, each in changes.items():
        said = f"{each['mean']:+.2f} ± {each['spread']:.2f} for 1,000 tokens: {each['outcome']}"
        console.print(f"{what}, hot beside even, seed by seed: {said}")
    print(json.dumps({"bench": "fire", "rows": rows, "hot_beside_even": changes}))


def measure(
    settings: BenchFireSettings, say: Callable[[str], object] = lambda text: None
) -> list[dict[str, Any]]:
    """Returns a row for each way: hot (the first token alone), even (all tokens at the mean
    temperature of hot) and plain (all tokens at that of hot's later ones).

    Args:
        say: is told how far it is.
    """
    with tempfile.TemporaryDirectory(prefix="cotmill-") as folder:
        number = count(1)

        def ask(changes: dict[str, float]) -> list[list[Yielded]]:
            say(f"way {next(number)} of 3: {changes or 'as the sampler is set'}")
            begun = time.monotonic()
            found = asked(settings, folder, changes)
            made = [each for seed in found for each in seed]
            answers, tokens = sum(e.samples for e in made), sum(e.tokens for e in made)
            say(f"{answers} answers, {tokens:,} tokens in {time.monotonic() - begun:.0f} s")
            return found

        hot = ask({"fire_temperature": settings.fire_temperature})
        later = settings.sampler.temperature
        made = [each for seed in hot for each in seed]
        length = sum(each.tokens for each in made) / max(1, sum(each.samples for each in made))
        even = min(2.0, mean_temperature(settings.fire_temperature, later, length))
        return [
            row("hot", even, hot),
            row("even", even, ask({"temperature": even})),
            row("plain", later, ask({})),
        ]


def mean_temperature(first: float, later: float, length: float) -> float:
    """Returns the mean temperature of an answer's tokens.

    >>> mean_temperature(30, 0.4, 100)
    0.696
    """
    return round(later + (first - later) / max(length, 1), 4)


def row(way: str, temperature: float, found: Sequence[Sequence[Yielded]]) -> dict[str, Any]:
    """Returns the figures of a way.

    Args:
        found: by run seed, then by problem.

    >>> made = row("hot", 0.7, [[Yielded(500, 4, 2, 1)], [Yielded(500, 4, 3, 2)]])
    >>> {name: made[name] for name in ("right", "right_rate", "right_spread")}
    {'right': 3, 'right_rate': 3.0, 'right_spread': 1.414}
    """
    tokens = [sum(each.tokens for each in seed) for seed in found]
    figures: dict[str, Any] = {"way": way, "temperature": temperature, "tokens": sum(tokens)}
    for what in ("running", "right"):
        sums = [sum(getattr(each, what) for each in seed) for seed in found]
        rates = [1000 * amount / max(1, size) for amount, size in zip(sums, tokens, strict=True)]
        figures |= {
            what: sum(sums),
            f"{what}_rates": [round(rate, 3) for rate in rates],
            f"{what}_rate": round(statistics.fmean(rates), 3),
            f"{what}_spread": round(statistics.stdev(rates), 3),
        }
    return figures


def change(one: dict[str, Any], other: dict[str, Any], what: str) -> dict[str, Any]:
    """Returns by how much the rates of a way exceed another's, seed by seed, and what that says.

    >>> change({"right_rates": [3.0, 4.0, 5.0]}, {"right_rates": [1.0, 1.0, 1.0]}, "right")
    {'mean': 3.0, 'spread': 1.0, 'outcome': 'more'}
    >>> change({"right_rates": [0.0, 1.0]}, {"right_rates": [1.0, 0.0]}, "right")["outcome"]
    'no difference beyond the spread'
    """
    rates = zip(one[f"{what}_rates"], other[f"{what}_rates"], strict=True)
    changes = [mine - yours for mine, yours in rates]
    mean, spread = statistics.fmean(changes), statistics.stdev(changes)
    outcome = "more" if mean > spread else "fewer" if mean < -spread else None
    if not any((*one[f"{what}_rates"], *other[f"{what}_rates"])):
        outcome = "none in either way, which says nothing"
    outcome = outcome or "no difference beyond the spread"
    return {"mean": round(mean, 3), "spread": round(spread, 3), "outcome": outcome}


def asked(settings: BenchFireSettings, folder: str, changes: dict[str, Any]) -> list[list[Yielded]]:
    """What one way makes of the problems, by run seed."""
    sampler = settings.sampler.model_copy(update=changes)
    asking = Asking(settings.backend, folder, LedgerSettings.model_validate(_LEDGER))
    everything = shipped()
    problems = chosen(everything, settings.kinds, settings.problems)
    pool = Pool(seed for seed in everything if seed.kind not in settings.kinds)
    prompt = PromptTemplate.load(str(DATA / "prompts" / "caco" / "unify.yaml"))

    def episode(task: tuple[int, Seed]) -> Steps[Yielded]:
        number, seed = task
        shots = draw_shots(pool, sampler.shots, number, "fire", seed.id)
        requests = prompt.requests(
            stage="fire", backend=settings.backend, sampler=sampler, run_seed=number,
            seed=seed, shots=shots,
        )  # fmt: skip
        responses = yield list(requests)
        tried = written_programs(seed, responses)
        tried, agrees = yield from try_programs(tried, settings.sandbox, settings.filter)
        well = ran_well(tried)
        structures = [fingerprint(execution.code) for execution in well]
        right = {each for each, yes in zip(structures, agrees, strict=True) if yes}
        tokens = sum(response.generated_tokens for response in responses)
        return Yielded(tokens, len(responses), len(set(structures)), len(right))

    tasks = [(number, seed) for number in range(settings.seeds) for seed in problems]
    found = drive(tasks, episode, asking, settings.sandbox, "fire")
    size = len(problems)
    return [found[n * size : (n + 1) * size] for n in range(settings.seeds)]


_LEDGER = {"dir": None, "flush_requests": 512, "flush_bytes": 16_000_000, "flush_seconds": 1.5}


def shipped() -> list[Seed]:
    """The seeds that ship."""
    lines = (
        line
        for path in sorted((DATA / "seeds").glob("*.jsonl"))
        for line in path.read_text().splitlines()
    )
    return [Seed.make(**json.loads(line)) for line in lines]


def chosen(seeds: Iterable[Seed], kinds: Sequence[str], most: int) -> list[Seed]:
    """Returns up to `most` seeds of each kind, those of the smallest hashes."""
    ordered = sorted(seeds, key=lambda seed: content_id("fire", seed.id))
    of_kinds = ([seed for seed in ordered if seed.kind == kind][:most] for kind in kinds)
    return [seed for some in of_kinds for seed in some]

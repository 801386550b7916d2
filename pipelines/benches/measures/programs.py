"""`cotmill bench sandbox`: the sandbox and what else could run the programs, in one run."""

from __future__ import annotations

import contextlib
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from pipelines.benches.measures.cpu import cpu_seconds
from transforms.engine.errors import SandboxError
from transforms.engine.paths import child_environment
from transforms.sandbox.sandbox import TIERS, Job, Sandbox, Status, tier_of
from transforms.sandbox.settings import SandboxSettings

_ARITHMETIC = (
    """input = {{"emails": {a}, "percent": {b}, "days": {c}}}

def solution(emails, percent, days):
    spam = emails * percent // 100
    answered = emails - spam
    return answered * days

output = solution(**input)
""",
    """input = {{"n": {a}, "k": {b}}}

def solution(n, k):
    total = 0
    for i in range(n):
        if i % k == 0:
            total += i * i
    return total

output = solution(**input)
""",
)
_STANDARD = (
    """from collections import Counter
from itertools import combinations
import math

input = {{"n": {c}, "r": 3, "mod": {b}}}

def solution(n, r, mod):
    sums = Counter(sum(c) % mod for c in combinations(range(n + 5), r))
    return [sums.most_common(1)[0][1], math.comb(n + 5, r)]

output = solution(**input)
""",
    """from fractions import Fraction
from datetime import date, timedelta
from functools import lru_cache

input = {{"a": {a}, "b": {b}, "days": {c}}}

@lru_cache(None)
def ways(n):
    return 1 if n < 2 else ways(n - 1) + ways(n - 2)

def solution(a, b, days):
    share = Fraction(a, b)
    day = date(2024, 1, 1) + timedelta(days=days)
    return {{"share": str(share), "day": day.isoformat(), "ways": ways(days)}}

output = solution(**input)
""",
)
_SYMPY = (
    """from sympy import symbols, solve

input = {{"b": {b}, "c": {c}}}

def solution(b, c):
    x = symbols("x")
    return sorted(str(root) for root in solve(x**2 - (b + c) * x + b * c, x))

output = solution(**input)
""",
    """import sympy as sp

input = {{"a": {a}, "b": {b}}}

def solution(a, b):
    x = sp.symbols("x")
    f = sp.expand((x + a) ** 2 - b * x)
    return str(sp.diff(f, x).subs(x, b)) + str(sp.factorint(a))

output = solution(**input)
""",
)
_NUMPY = (
    """import numpy as np

input = {{"a": {a}, "b": {b}}}

def solution(a, b):
    grid = np.arange(a % 20 + 9).reshape(1, -1) * b
    return int((grid @ grid.T).sum())

output = solution(**input)
""",
)
_SHARES = ((0.3, _ARITHMETIC), (0.3, _STANDARD), (0.3, _SYMPY), (0.1, _NUMPY))


def mixed_programs(count: int, seed: int = 0) -> list[str]:
    """Returns programs in a random order: 30 % plain arithmetic, 30 % standard library, 30 % sympy
    and 10 % numpy, no two with the same input."""
    numbers = random.Random(seed)
    programs = []
    for share, templates in _SHARES:
        for index in range(round(count * share)):
            a, b, c = numbers.randint(100, 2_000), numbers.randint(2, 97), numbers.randint(3, 20)
            programs.append(templates[index % len(templates)].format(a=a, b=b, c=c))
    numbers.shuffle(programs)
    return programs


def bench_sandbox(
    settings: SandboxSettings, mixes: Mapping[str, list[str]], slots: int, rounds: int
) -> list[dict[str, Any]]:
    """Runs each mix through every executor and returns a row a mix and executor.

    In each round every executor runs the same part of the mix, one after the other, so that what
    else the machine does slows all of them down alike.

    Args:
        settings: limits; mode and slots are the bench's own.
        mixes: name -> programs.
        slots: programs at once.

    Returns:
        mix, executor, programs_per_second, rates (programs per second, round by round), cpu_ms
        (of all processes, a program), p50_ms, p99_ms, ok (share that ran without an error), error
        (why it could not run; then the figures are None).
    """
    rows = []
    for mix, programs in mixes.items():
        with contextlib.ExitStack() as held:
            executors, errors = _executors(settings, slots, held)
            runs: dict[str, list[_Round]] = {name: [] for name in executors}
            for number in range(rounds):
                for name, run in executors.items():
                    runs[name].append(run(programs[number::rounds]))
        rows += [{"mix": mix, "executor": name, **_figures(each)} for name, each in runs.items()]
        rows += [{"mix": mix, "executor": name, "error": why} for name, why in errors.items()]
    return rows


def ratios(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    """Returns over_manager_ratio and of_fork_limit_ratio: strict on the first mix against both, as
    medians over the rounds; None where strict could not run."""
    first = {row["executor"]: row.get("rates") for row in rows if row["mix"] == rows[0]["mix"]}
    strict = first["strict"]

    def over(executor: str) -> float | None:
        pairs = zip(strict or (), first[executor] or (), strict=bool(strict))
        found = [ours / theirs for ours, theirs in pairs]
        return round(statistics.median(found), 3) if found else None

    return {"over_manager_ratio": over("manager"), "of_fork_limit_ratio": over("fork")}


class _Round(NamedTuple):
    seconds: float
    """From the first program's start to the last one's end."""
    cpu_seconds: float
    """Of all processes, this one included."""
    latencies: list[float]
    """Seconds of each program, from its start to its end."""
    ok: int
    """Programs that ran without an error."""


def _executors(
    settings: SandboxSettings, slots: int, held: contextlib.ExitStack
) -> tuple[dict[str, Callable[[list[str]], _Round]], dict[str, str]]:
    """Name -> executor, the sandboxes open and warm; and why those that cannot run cannot."""
    found: dict[str, Callable[[list[str]], _Round]] = {}
    errors = {}
    for mode in ("strict", "auto"):
        try:
            chosen = settings.model_copy(update={"mode": mode, "slots": slots})
            box = held.enter_context(Sandbox(chosen))
        except SandboxError as error:  # strict, where the kernel does not give what it needs
            errors[mode] = str(error)
            continue
        # one program of each tier on each slot first: what starts once is not timed
        warm = [Job(f"import {tier.named[0]}" if tier.named[0] else "") for tier in TIERS]
        list(box.run(job for job in warm for _ in range(4 * slots)))
        found[mode] = partial(_run_in_sandbox, box)
    for name in ("manager", "subprocess", "fork"):
        found[name] = partial(_run_baseline, name, slots)
    return found, errors


def _run_in_sandbox(box: Sandbox, programs: list[str]) -> _Round:
    """Runs programs as a pipeline does: many wait, as the other executors have theirs in a list."""
    cpu, started = cpu_seconds(), time.perf_counter()
    results = list(box.run(Job(code) for code in programs))
    seconds, cpu = time.perf_counter() - started, cpu_seconds() - cpu
    latencies = [result.wall_seconds for result in results]
    return _Round(seconds, cpu, latencies, sum(result.status is Status.OK for result in results))


def _run_baseline(executor: str, slots: int, programs: list[str]) -> _Round:
    tiers = [
        (tier.preload if executor == "fork" else (), [p for p in programs if tier_of(p) is tier])
        for tier in reversed(TIERS)
    ]
    request = {"executor": executor, "slots": slots, "tiers": [tier for tier in tiers if tier[1]]}
    ran = subprocess.run(
        [sys.executable, "-m", "pipelines.benches.measures.baselines"],
        env={**child_environment(), "TMPDIR": "/tmp"},  # a manager's socket needs a short path
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
    )
    return _Round(**json.loads(ran.stdout))


def _figures(runs: list[_Round]) -> dict[str, Any]:
    ordered = sorted(latency for run in runs for latency in run.latencies)
    ok = sum(run.ok for run in runs)
    return {
        "error": None,
        "programs_per_second": round(len(ordered) / sum(run.seconds for run in runs), 1),
        "rates": [round(len(run.latencies) / run.seconds, 1) for run in runs],
        "cpu_ms": round(1000 * sum(run.cpu_seconds for run in runs) / len(ordered), 2),
        "p50_ms": round(1000 * ordered[len(ordered) // 2], 2),
        "p99_ms": round(1000 * ordered[len(ordered) * 99 // 100], 2),
        "ok": round(ok / len(ordered), 4),
    }

"""What a ledger costs: to join requests with it, by their number and order, and to record."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa

from transforms.engine.memory import resident_bytes
from transforms.engine.paths import child_environment
from transforms.engine.runner_settings import DirectSettings
from transforms.engine.runners import open_pipeline
from transforms.engine.tables import batched
from transforms.models.asking import Asking
from transforms.models.backends.settings import ReplayBackend
from transforms.models.driver import Drive
from transforms.models.episode import Steps
from transforms.models.ledger.ledger import LedgerSettings, LedgerWriter
from transforms.models.ledger.parts import SCHEMA, ledger_parts, new_part
from transforms.models.requests import Request, Response, Sampler

_CHILD = (
    # Beam warns at import of a package that only Google Cloud's sources need
    "import logging, sys; logging.disable(logging.WARNING); "
    "from pipelines.benches.measures.ledger import join; "
    "join(sys.argv[1], *map(int, sys.argv[2:]))"
)
_BLOCK = 10_000
_SPREAD = 7_368_787
"""A prime: the step from one request to the next, modulo their number, that is no order at all for
the ledger's parts. A step of 1 is the order in which the responses were written."""


@dataclass(frozen=True)
class Numbered:
    """A record that is nothing but its number."""

    id: str


def words(kind: str, index: int) -> str:
    """Returns 1,000 characters, half as dense as prose: the length of each prompt and answer."""
    return f"{kind} {index}. ".ljust(24, "-") + 2 * random.Random(index).randbytes(244).hex()


def request_of(record: Numbered) -> Request:
    """The record's one request."""
    sampler = Sampler(temperature=0.7, top_p=0.95, top_k=0, min_p=0.0, max_tokens=640)
    return Request(
        "solve", "bench", (), words("Problem", int(record.id)), sampler, run_seed=0, sample=0
    )


def asked(record: Numbered) -> Steps[bool]:
    """Asks the record's request; says whether what comes back is what was recorded for it."""
    response = yield request_of(record)
    return bool(response.text == words("Answer", int(record.id)))


def write_ledger(folder: str, count: int) -> None:
    """Writes a response to each of the first `count` records, in parts as large as a run's."""
    now = datetime.now(UTC)
    names = ("stage", "model", "engine", "sampler", "versions", "model_id", "backend")
    text = dict.fromkeys(names, "bench 1")
    for indexes in batched(iter(range(count)), LedgerSettings().flush_requests):
        asked = [request_of(Numbered(str(index))) for index in indexes]
        rows = [
            {
                **text,
                "id": request.id,
                "question": request.question,
                "max_tokens": request.sampler.max_tokens,
                "text": words("Answer", index),
                "finish_reason": "stop",
                "prompt_tokens": 250,
                "cached_tokens": 0,
                "generated_tokens": 250,
                "mean_logprob": None,
                "seconds": 1.0,
                "api": "completions",
                "continue_prefix": True,
                "request": words("Problem", index),
                "recorded_at": now,
            }
            for index, request in zip(indexes, asked, strict=True)
        ]
        with new_part(folder) as part:
            part.write(pa.Table.from_pylist(rows, schema=SCHEMA))


def bench_ledger(sizes: Sequence[int], workers: int) -> list[dict[str, Any]]:
    """Joins as many requests with as many responses, for each of `sizes`, and returns a row each.

    The join is that of episodes, replaying a ledger in which every request is recorded: once in
    the order in which it was written, once in no order. It runs in processes of its own.

    Returns:
        rows; ledger_mb (on disk); seconds and rows_per_second in order, from a start of Python to
        its end; shuffled_seconds; ratio of these to seconds; peak_mb, the most resident memory
        that the processes had together in either.
    """
    figures = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="cotmill-") as folder:
            write_ledger(folder, size)
            mb = sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6
            seconds, peak = _timed_join(folder, size, workers, 1)
            shuffled, shuffled_peak = _timed_join(folder, size, workers, _SPREAD)
        figures.append(
            {
                "rows": size,
                "ledger_mb": round(mb, 1),
                "seconds": round(seconds, 1),
                "rows_per_second": round(size / seconds),
                "shuffled_seconds": round(shuffled, 1),
                "ratio": round(shuffled / seconds, 2),
                "peak_mb": round(max(peak, shuffled_peak) / 1e6),
            }
        )
    return figures


def _timed_join(folder: str, size: int, workers: int, step: int) -> tuple[float, int]:
    """Returns the seconds of a join and its most resident bytes."""
    started = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, folder, str(size), str(workers), str(step)],
        env=child_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    peak = 0
    while child.poll() is None:
        peak = max(peak, resident_bytes(child.pid))
        time.sleep(0.2)
    seconds = time.monotonic() - started
    assert child.stdout is not None
    if child.stdout.read().strip() != f"{size} right":
        raise RuntimeError(f"the join of {size:,} requests did not answer all of them")
    return seconds, peak


def bench_recording(rate: int, seconds: float) -> dict[str, Any]:
    """Records answers that come at a steady rate, as a run does, and returns what that costs.

    Returns:
        answers_per_second; cpu_share of one core; parts that the ledger has at the end.
    """
    with tempfile.TemporaryDirectory(prefix="cotmill-") as folder:
        writer = LedgerWriter(folder, LedgerSettings(), api="completions", continue_prefix=True)
        answers = [_answered(index) for index in range(round(rate * seconds))]
        started, cpu = time.monotonic(), time.process_time()
        for index, (request, response) in enumerate(answers):
            time.sleep(max(0.0, started + index / rate - time.monotonic()))
            writer.add(request, response)
        writer.flush()
        took, cpu = time.monotonic() - started, time.process_time() - cpu
        return {
            "answers_per_second": round(len(answers) / took),
            "cpu_share": round(cpu / took, 3),
            "parts": len(ledger_parts(folder)),
        }


def _answered(index: int) -> tuple[Request, Response]:
    request = request_of(Numbered(str(index)))
    response = Response(
        id=request.id,
        stage=request.stage,
        model=request.model,
        engine="bench 1",
        text=words("Answer", index),
        finish_reason="stop",
        error=None,
        prompt_tokens=250,
        generated_tokens=250,
        seconds=1.0,
    )
    return request, response


def _spread(block: int, count: int, step: int) -> Iterator[Numbered]:
    for index in range(block * _BLOCK, min((block + 1) * _BLOCK, count)):
        yield Numbered(str(index * step % count))


def join(folder: str, count: int, workers: int, step: int) -> None:
    """Prints how many records were answered, and with what was recorded for them."""
    backend = ReplayBackend(engine="replay", model="bench", api="completions", continue_prefix=True)

    def show(right: int) -> None:
        print(right, "right", flush=True)

    with open_pipeline(DirectSettings(workers=workers)) as pipeline:
        driven = (
            pipeline
            | "Blocks" >> beam.Create(range(-(-count // _BLOCK)))
            | "Records" >> beam.FlatMap(_spread, count, step)
            | "Ask" >> Drive("solve", asked, Asking(backend, folder, LedgerSettings()))
        )
        (driven.results | "Count" >> beam.CombineGlobally(sum) | "Show" >> beam.Map(show))

"""Real programs for the benches: the shipped seeds, and CodeI/O programs with a drawn input."""

from __future__ import annotations

import json
import random
from functools import partial

from transforms.engine.paths import DATA
from transforms.engine.records import Seed
from transforms.models.driver import drive
from transforms.sandbox.settings import SandboxSettings
from transforms.sources import codeio
from transforms.sources.codeio import CodeIOSource


def shipped_seeds() -> list[Seed]:
    """The seeds in data/seeds: problem, program, worked solution and answer."""
    files = sorted((DATA / "seeds").glob("*.jsonl"))
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    return [Seed.make(**json.loads(line)) for line in lines]


def codeio_seeds(count: int, settings: SandboxSettings) -> list[Seed]:
    """Draws `count` of the CodeI/O programs, in the unified form."""
    source = CodeIOSource(type="codeio")
    rows = list(codeio.read(source))
    # some do not convert: twice as many as asked leave enough
    rows = random.Random(0).sample(rows, min(len(rows), 2 * count))
    found = drive(rows, partial(codeio.seed_of, source=source), sandbox=settings)
    seeds = [seed for _, seed in found if isinstance(seed, Seed) and seed.code]
    return seeds[:count]

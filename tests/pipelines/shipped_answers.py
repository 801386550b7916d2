"""Answers to a whole run's prompts, made of the seeds that ship: the same for the same prompt."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from transforms.engine.paths import DATA

SEEDS = [
    seed
    for path in sorted((DATA / "seeds").glob("*.jsonl"))
    for seed in map(json.loads, path.read_text().splitlines())
    if seed["code"].startswith('input = {"')
]
_BY_CODE = {seed["code"].strip(): seed for seed in SEEDS}
_BY_PROBLEM = {seed["problem"].strip(): seed for seed in SEEDS}


def shipped_answer(prompt: str) -> str:
    """A seed's program, the problem of the program shown, or the solution of the problem shown."""
    if prompt.endswith('input = {"'):
        digest = hashlib.sha256(prompt.encode()).digest()
        chosen = SEEDS[int.from_bytes(digest[:4]) % len(SEEDS)]
        return chosen["code"].removeprefix('input = {"')
    shown = prompt.rpartition("Program:\n")[2].removesuffix("\n\nProblem:").strip()
    if shown in _BY_CODE:
        return " " + _BY_CODE[shown]["problem"]
    shown = prompt.rpartition("Problem: ")[2].removesuffix("\n\nSolution:").strip()
    return " " + _BY_PROBLEM[shown]["solution"]


def stage_of(prompt: str) -> str:
    """Which stage asks with a prompt."""
    if prompt.endswith('input = {"'):
        return "sample"
    return "reverse" if prompt.endswith("\n\nProblem:") else "solve"


def write_seeds(path: Path, count: int = 30) -> Path:
    """Writes some of the seeds as a source: those with programs of 10 lines of code or more."""
    longest = [seed for seed in SEEDS if len(lines_of_code(seed["code"])) >= 10]
    path.write_text("".join(json.dumps(seed) + "\n" for seed in longest[:count]))
    return path


def lines_of_code(code: str) -> list[str]:
    return [line for line in code.splitlines() if line.strip() and not line.strip().startswith("#")]

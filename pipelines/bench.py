"""cotmill bench NAME: measures things beside each other in one run; the last line is JSON."""

from __future__ import annotations

import sys

from pipelines.arguments import HELP, take_word
from pipelines.cli import import_leanly
from pipelines.hydra_app import run_command

BENCHES = {
    "sandbox": "programs per second, ours beside other ways to run them",
    "sessions": "cells per second of many sessions, beside programs, and what a branch costs",
    "episodes": "a thousand conversations with cells at once, and what forks save",
    "filters": "what the filters let through of records whose faults are known",
    "reward": "completions graded per second, and whether Verify judges them alike",
    "execution": "questions about runs per second, by recipe, without a model",
    "repositories": "bugs of packages checked per second, and how many a test sees",
    "worlds": "instances, solutions, moves and levels of the puzzles and games, a line each",
    "images": "pictures drawn, changed, proved and read back per second",
    "minhash": "near-duplicates per second, ours beside datatrove and rensa",
    "generation": "tokens/s of the pipeline and the server, beside bare vLLM",
    "fire": "different right programs per 1,000 tokens, with a hot first token and without",
    "requests": "requests/s at one token a request, the pipeline beside bare vLLM and asyncio",
    "ledger": "memory and time of joining requests with a ledger",
    "pipeline": "rows per second of whole runs, with an endpoint that answers at once",
    "trainers": "some steps of SFT, DPO and GRPO by TRL on a run's exports",
    "codegen": "the funnel before and after training, on kinds not trained on",
    "summaries": "problems worded from programs beside problems worded from summaries",
    "scale": "time and memory of checks and deduplication, as rows grow",
}
"""Name -> what it measures. Each is a module pipelines.benches.NAME with `SETTINGS` and `bench`."""


def main() -> None:
    name = take_word()
    if name not in BENCHES:
        width = max(map(len, BENCHES))
        lines = "\n".join(f"  {bench:<{width}}  {purpose}" for bench, purpose in BENCHES.items())
        if name:
            lines += f"\n\ncotmill: there is no bench {name!r}"
        print(f"Usage: cotmill bench NAME [KEY=VALUE] ...\n\n{lines}", file=sys.stderr)
        sys.exit(0 if not name and set(HELP) & set(sys.argv) else 2)
    module = import_leanly(f"pipelines.benches.{name}")
    run_command(f"bench {name}", BENCHES[name], module.SETTINGS, module.bench)

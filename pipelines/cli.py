"""The `cotmill` command: picks the pipeline that its first argument names."""

from __future__ import annotations

import importlib
import re
import sys
from typing import Any

from transforms.engine.lean_imports import lean_imports
from transforms.engine.worker_server import begin_server

COMMANDS = {
    "synthesize": "seeds in, verified reasoning data out",
    "recipes": "which recipes there are, what each makes, and its stages",
    "init": "init recipe NAME: a folder with a recipe of one's own that runs at once",
    "preview": "a few records through all stages of a recipe, shown in the terminal",
    "augment": "verified seeds in, the same problems with other numbers out; no model",
    "dedup": "any Parquet: of rows alike in text, or in program, one stays",
    "decontaminate": "any Parquet: rows that repeat an item of an evaluation set are rejected",
    "hashes": "hashes NAME: a copy of an evaluation set into hashes that decontaminate takes",
    "execute": "any Parquet: programs are run in the sandbox, and what they give is added",
    "verify": "any Parquet: solutions are kept whose final answer agrees with the reference",
    "train": "verified seeds, or a run's accepted rows, into a model that writes more of them",
    "export": "export RUN: a run's rows in the form that a trainer reads",
    "report": "one page on a run: funnel, cost, diversity, rejects, rows",
    "publish": "a run's rows, card, report and manifest to the Hugging Face Hub",
    "inspect": "a run's records: how each ended, why, and one record's whole life",
    "sandbox": "sandbox status: which walls this machine's kernel puts around programs",
    "bench": "bench NAME: measures things beside each other in one run",
    "backend": "backend check: what an endpoint takes, and the settings to use with it",
    "ledger": "ledger status, ledger compact: what a ledger holds; its small parts merged",
}
"""Command -> what it is for. Each is the module pipelines.COMMAND with a main()."""


def usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {purpose}" for name, purpose in COMMANDS.items()]
    return "\n".join(
        [
            "cotmill makes verified reasoning data.",
            "",
            "Usage: cotmill COMMAND [GROUP=CHOICE] [KEY=VALUE] ...",
            "",
            "Commands:",
            *lines,
            "",
            "`cotmill COMMAND --help` shows every option with its meaning.",
        ]
    )


def main() -> None:
    """Runs `cotmill COMMAND ARGUMENTS`; exit status 2 for a command that does not exist.

    All that takes long to import is imported here, so that Ctrl-C is one line from the beginning.
    """
    try:
        _run()
    except KeyboardInterrupt:  # while modules are imported; a command has words of its own
        print("cotmill: interrupted before the command began", file=sys.stderr)
        sys.exit(130)


def _run() -> None:
    if "--version" in sys.argv[1:]:
        from importlib.metadata import version

        print(f"cotmill {version('cotmill')}")
        return
    from pipelines.arguments import take_word

    command = take_word()
    if command in ("", "help"):
        print(usage())
        return
    if command not in COMMANDS:
        print(
            f"cotmill: there is no command {command!r}: {', '.join(COMMANDS)} (see cotmill --help)",
            file=sys.stderr,
        )
        sys.exit(2)
    several = any(re.fullmatch(r"runner\.workers=(?!1$)\d+", word) for word in sys.argv)
    if several and command != "bench":  # whose runs are processes of their own
        begin_server()
    sys.argv[0] = f"cotmill {command}"
    import_leanly(f"pipelines.{command}").main()


def import_leanly(name: str) -> Any:
    with lean_imports():
        return importlib.import_module(name)


if __name__ == "__main__":
    main()

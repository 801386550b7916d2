"""Runs the real command, as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TypeVar

from hydra import compose, initialize_config_dir

from pipelines.hydra_app import search_path, settable, to_settings
from transforms.engine.paths import CONF, PROJECT
from transforms.engine.settings import Group

S = TypeVar("S", bound=Group)


def settings_of(command: str, root: type[S], *overrides: str) -> S:
    """The settings of `cotmill COMMAND OVERRIDES`."""
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return to_settings(compose(command, [*search_path(), *map(settable, overrides)]), root)


def cotmill(
    *arguments: str, timeout: float = 800, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs `cotmill ARGUMENTS` in a process of its own, whatever its exit status."""
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]),
        },
    )

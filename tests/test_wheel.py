"""The wheel carries everything that a run needs, and clashes with no other wheel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models.fault_server import fault_server
from tests.pipelines.shipped_answers import shipped_answer
from transforms.engine.paths import PROJECT


def done(arguments: list[str], folder: Path, **environment: str) -> str:
    """Runs a command to its end in a folder and returns what it printed."""
    ended = subprocess.run(
        arguments,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    return ended.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as site-packages, with the wheel in it."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    done([*pip, *build, str(PROJECT)], folder)
    [wheel] = folder.glob("*.whl")
    target = ["install", "--quiet", "--no-deps", "--target", str(folder / "site"), str(wheel)]
    done([*pip, *target], folder)
    return folder / "site"


def test_only_the_two_packages_are_at_the_top_of_site_packages(installed: Path) -> None:
    names = {path.name for path in installed.iterdir() if path.suffix != ".dist-info"}
    assert names == {"bin", "pipelines", "transforms"}


def test_a_recipe_runs_from_the_wheel_in_any_folder(installed: Path, tmp_path: Path) -> None:
    for other in ("conf", "data"):  # of another wheel, which has folders of these names too
        (installed / other).mkdir()
    with fault_server(answer=shipped_answer) as server:
        done(
            [
                *(str(installed / "bin" / "cotmill"), "synthesize", "output_dir=run"),
                *("backend=openai", f"backend.base_url={server.base_url}", "backend.model=m"),
                *("backend.api=completions", "source.limit=12", "sampling.num_programs=8"),
                *("sampling.program.shots=1", "sampling.solve.samples=1", "verify.rounds=1"),
                *("filter.max_trivial_share=1", "sandbox.slots=2"),
            ],
            tmp_path,
            PYTHONPATH=str(installed),
        )
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["status"] == "complete"
    assert f"{installed}/transforms/data/seeds" in manifest["config"]["source"]["path"]

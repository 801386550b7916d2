"""What holds for every recipe of science and of code: rows are the same bytes for any number of
workers, counts add up, and every reject has a reason that its stage declares.

All of them run in one job each time, which costs little more than one of them.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
import yaml

from tests.chat_server import chat_server
from tests.programs_for_tests import SPAM
from tests.recipes.test_code_recipes import INPUTS, RARE, TWICE, fenced
from tests.recipes.trajectories.test_invariants import (
    LAWS,
    TABLES,
    asked,
    chem_agent,
    med_agent_gym,
    table_qa,
)
from tests.settings_for_tests import composed
from transforms.engine.one_job import build_job
from transforms.engine.paths import CONF
from transforms.engine.recipe import Segment, build_segments
from transforms.engine.run_folder import RunFolder
from transforms.engine.runners import open_pipeline
from transforms.engine.segments import account_of, spilled, undeclared
from transforms.recipes.biomechanics import problems
from transforms.recipes.concepts import statements
from transforms.recipes.settings import Settings
from transforms.recipes.sgi_dry import parted

Answer = Callable[[dict[str, Any]], str]
BODY = list(problems(3))
SAID = list(statements())[:4]
PROGRAMS = [{"problem": "How many?", "answer": "560", "code": SPAM}]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def biomechanics(body: dict[str, Any]) -> str:
    return f"```\n{next(row['answer'] for row in BODY if row['problem'] in asked(body))}\n```"


def biomechanics_concepts(body: dict[str, Any]) -> str:
    own = next(row for row in SAID if row["problem"] in asked(body))
    return f"<answer>{own['answer']}: {own['title']}</answer>"


def sgi_dry(body: dict[str, Any]) -> str:
    functions = [node for node in ast.parse(parted(SPAM) or "").body if hasattr(node, "args")]
    return fenced(next(ast.unparse(f) for f in functions if f"of `{f.name}`" in asked(body)))  # type: ignore[attr-defined]


def edit_by_summary(body: dict[str, Any]) -> str:
    text = asked(body)
    return fenced(SPAM) if "Change nothing else" in text else f"It is of the sort {digest(text)}."


def agreed_tests(body: dict[str, Any]) -> str:
    return fenced(INPUTS if "Write a list" in asked(body) else TWICE)


ANSWERS: dict[str, tuple[Answer, list[dict[str, Any]]]] = {
    "biomechanics": (biomechanics, BODY),
    "biomechanics_concepts": (biomechanics_concepts, SAID),
    "table_qa": (table_qa, TABLES[:2]),
    "med_agent_gym": (med_agent_gym, TABLES[:2]),
    "chem_agent": (chem_agent, LAWS),
    "sgi_dry": (sgi_dry, PROGRAMS),
    "edit_by_summary": (edit_by_summary, PROGRAMS),
    "code_choice": (asked, PROGRAMS),
    "hidden_function": (lambda body: fenced(SPAM), PROGRAMS),
    "agreed_tests": (agreed_tests, [{"problem": "Twice?", "answer": "6"}]),
    "stronger_tests": (
        lambda body: fenced("{'n': 12, 'k': 4}"),
        [{"problem": "How many?", "answer": "58", "code": RARE}],
    ),
    "code_plans": (lambda body: "```\n560\n```", PROGRAMS),
}
"""Recipe -> a model for it, and its seeds."""
SETTINGS = {
    "chem_agent": ["recipe.stages.develop.train=8", "recipe.stages.solve.sampler.samples=1"],
    "med_agent_gym": ["recipe.stages.act.sampler.samples=2"],
    "table_qa": ["recipe.stages.solve.sampler.samples=2"],
    "agreed_tests": ["recipe.stages.agree.sampler.samples=3"],
}


def scripted(body: dict[str, Any]) -> dict[str, Any]:
    """Answers as the recipe does by whose name the model goes."""
    return {"content": ANSWERS[body["model"]][0](body)}


class Whole(beam.PTransform):
    """All segments of a recipe."""

    def __init__(self, segments: list[Segment], run: RunFolder, settings: Settings) -> None:
        super().__init__()
        self._build = lambda pipeline: build_job(pipeline, segments, None, run, settings)

    def expand(self, begin: Any) -> Any:
        self._build(begin.pipeline)
        return begin.pipeline | beam.Create([None])


def run_all(folder: Path, url: str, workers: int) -> dict[str, dict[str, bytes]]:
    """Runs all recipes as one job; returns the files of their rows. Counts have to add up."""
    runs: dict[str, tuple[list[Segment], RunFolder]] = {}
    for name, (_, seeds) in ANSWERS.items():
        source = folder / f"{name}.jsonl"
        source.write_text("\n".join(map(json.dumps, seeds)))
        settings = composed(
            f"recipe={name}", "backend=openai", f"backend.base_url={url}", f"backend.model={name}",
            "backend.api=chat", "source=jsonl", f"source.path={source}", "source.license=MIT",
            "sandbox.slots=1", f"runner.workers={workers}", f"output_dir={folder}/{name}",
            "filter.min_code_lines=4", *SETTINGS.get(name, []),
        )  # fmt: skip
        run = RunFolder(f"{folder}/{name}")
        runs[name] = (build_segments(settings, run.root, f"{folder}/{name}/ledger"), run)
    with spilled(runs["biomechanics"][1], settings), open_pipeline(settings.runner) as pipeline:
        for name, (segments, run) in runs.items():
            pipeline | name >> Whole(segments, run, settings)
    for segments, run in runs.values():
        for segment in segments:
            assert undeclared(segment.stages, account_of(segment, run, None)) == {}
    return {
        name: {file.name: file.read_bytes() for file in sorted((folder / name / "data").glob("*"))}
        for name in runs
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory: Any) -> list[dict[str, dict[str, bytes]]]:
    with chat_server(scripted) as (url, _):
        folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
        return [run_all(folder, url, n) for n, folder in enumerate(folders, 1)]


@pytest.mark.parametrize("name", ANSWERS)
def test_rows_are_the_same_bytes_with_one_worker_and_with_two(name: str, written: Any) -> None:
    one, two = (each[name] for each in written)
    assert one == two and one


def test_every_recipe_of_science_and_code_is_run_here() -> None:
    files = [yaml.safe_load(path.read_text()) for path in CONF.glob("recipe/*.yaml")]
    listed = {each["name"] for each in files if each.get("family") in ("science", "code")}
    assert listed == set(ANSWERS)

"""Recipes whose model writes code about pictures, whole: rows of right scripts and of no others,
the same with two workers, and from stages that were pickled."""

from __future__ import annotations

import pickle
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from pipelines.benches.execution import stages_of
from pipelines.benches.planted.pictures import CODED, Script, as_seed
from tests.chat_server import chat_server
from tests.recipes.test_recipes import run
from tests.recipes.trajectories.test_invariants import files
from tests.stages.trajectories.talking import played, script
from tests.vision_server import texts_of

COUNT = 6


def seeds(recipe: str) -> list[dict[str, Any]]:
    """Columns of seeds of a recipe, no two of which ask the same."""
    found: dict[str, dict[str, Any]] = {}
    for row in islice(CODED[recipe].seeds(30), 100):
        found.setdefault(question(row), row)
    return list(found.values())[:COUNT]


def question(row: dict[str, Any]) -> str:
    """What a prompt says of a seed."""
    return row["problem"].partition(". ")[2] if "asked" in row else row["problem"]


def scripts(recipe: str) -> dict[str, Script]:
    """Question -> what the model writes: rightly, and at every third wrongly."""
    made = {}
    for number, row in enumerate(seeds(recipe)):
        each = list(CODED[recipe].scripts(as_seed(row)))
        made[question(row)] = each[2 if number % 3 == 2 else 0]
    return made


@pytest.mark.parametrize("recipe", ["vipergpt", "explicit_qa", "cad_rl"])
def test_a_recipe_keeps_the_right_scripts_and_with_two_workers_gives_the_same_bytes(
    recipe: str, tmp_path: Path
) -> None:
    coded, known = CODED[recipe], scripts(recipe)
    if coded.needs and find_spec(coded.needs) is None:
        pytest.skip(f"needs {coded.needs}")

    def model(body: dict[str, Any]) -> dict[str, Any]:
        asked = " ".join(texts_of(body))
        [written] = (each.texts for name, each in known.items() if name in asked)
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        return {"content": written[turn]}

    one = f"recipe.stages.{coded.stage}.sampler.samples=1"
    with chat_server(model) as (url, _):
        found = []
        for workers in (1, 2):
            more = [one, *coded.overrides, f"runner.workers={workers}"]
            folder = tmp_path / str(workers)
            _, rows, ends = run(folder, recipe, url, seeds(recipe), *more)
            found.append(files(folder))
    assert found[0] == found[1] != {}
    right = sum(each.rights == (True,) for each in known.values())
    assert (len(rows), len(ends)) == (right, COUNT - right) == (4, 2)


@pytest.mark.parametrize("recipe", CODED)
def test_stages_that_were_pickled_make_the_same_rows(recipe: str, tmp_path: Path) -> None:
    coded = CODED[recipe]
    if coded.needs and find_spec(coded.needs) is None:
        pytest.skip(f"needs {coded.needs}")
    one = f"recipe.stages.{coded.stage}.sampler.samples=1"
    stages = stages_of(recipe, one, *coded.overrides, root=str(tmp_path))
    found = []
    for made in (stages, pickle.loads(pickle.dumps(stages))):
        task: Any = as_seed(seeds(recipe)[0])
        if "draw" in made:
            task = made["draw"].of(task)
        right = next(each for each in coded.scripts(task) if all(each.rights))
        rows = played(made[coded.stage].episode(task), script(*right.texts)).result
        found.append((task, rows))
    assert found[0] == found[1]
    assert all(verdict.kept for _, verdict in found[0][1])

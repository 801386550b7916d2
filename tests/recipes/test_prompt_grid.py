"""prompt_grid: each task is asked once in each way of each model, and the best pair is kept."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import pickle
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipelines.synthesize import synthesize
from tests.chat_server import chat_server
from tests.models.examples import response
from tests.recipes.playing import stage
from tests.settings_for_tests import composed
from transforms.engine.errors import SettingsError
from transforms.engine.records import Seed
from transforms.models.episode import play
from transforms.models.requests import Request
from transforms.recipes.picture_qa import PictureTask
from transforms.recipes.prompt_grid import examples
from transforms.scenes.seeds import Asked, asked
from transforms.stages.methods import best_cell

METHODS = (
    "zero_shot", "one_shot", "few_shot", "chain_of_thought", "analogical", "generated_knowledge",
    "tree_of_thought",
)  # fmt: skip
BIG = "+models.big={engine: openai, model: big, base_url: 'http://127.0.0.1:1/v1', api: chat}"
TWO = (BIG, "recipe.stages.try.grid_models=[big]")


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> PictureTask:
    made = stage("prompt_grid", "ask")
    made.blobs = str(tmp_path_factory.mktemp("blobs"))
    [row] = asked(["shapes"], [1], 1, questions=1, kinds=["count"])
    more = json.dumps({name: row[name] for name in ("level", "seed")})
    words = {name: row[name] for name in ("problem", "answer", "kind", "license")}
    found = made.of(Seed.make(**words, source="tests", metadata=more))
    assert isinstance(found, PictureTask)
    return found


def tried(task: PictureTask, folder: Path, *overrides: str) -> tuple[list[Request], list[Any]]:
    """The requests of an episode, and its pairs of row and verdict; models that think are right."""
    made = pickle.loads(pickle.dumps(stage("prompt_grid", "try", *overrides)))  # as workers have it
    made.blobs = str(folder)
    [gold] = json.loads(task.answer)

    def answer(effect: Any) -> Any:
        if not isinstance(effect, Request):
            return None
        said = gold if "Think" in effect.messages[-1].content else "'no'"
        return response(effect, f"I look.\n```\n{said}\n```")

    turns, rows = play(made.episode(task), answer)
    return [each for turn in turns for each in turn if isinstance(each, Request)], rows


def test_a_task_is_asked_once_in_each_way_of_each_model(task: PictureTask, tmp_path: Path) -> None:
    _, rows = tried(task, tmp_path, *TWO)
    cells = Counter((row.method, row.asked) for row, _ in rows)
    assert cells == dict.fromkeys([(m, a) for m in METHODS for a in ("backend", "big")], 1)
    assert len({row.id for row, _ in rows}) == 14


def test_a_method_of_two_prompts_is_a_conversation(task: PictureTask, tmp_path: Path) -> None:
    requests, rows = tried(task, tmp_path)
    turns = {row.method: row.turns for row, _ in rows}
    assert {method for method, count in turns.items() if count == 2} == {
        "generated_knowledge", "tree_of_thought",
    }  # fmt: skip
    second = [each for each in requests if len(each.messages) == 3]
    assert len(second) == 2
    assert all(each.messages[1].content.startswith("I look") for each in second)


def test_rows_hold_the_plain_question_whatever_was_asked(task: PictureTask, tmp_path: Path) -> None:
    _, rows = tried(task, tmp_path)
    assert len({row.messages[0] for row, _ in rows}) == 1
    assert {len(row.messages) for row, _ in rows} == {2}
    assert rows[0][0].messages[0].shown[0].sha256 == task.picture.sha256


def test_examples_are_of_the_same_kind_and_of_other_pictures(
    task: PictureTask, tmp_path: Path
) -> None:
    requests, _ = tried(task, tmp_path)
    shown = {len(each.shown): each for each in requests}
    assert sorted(shown) == [1, 2, 4]
    assert len({each.sha256 for each in shown[4].shown}) == 4
    for scene, question in examples(task, 3):
        assert question.kind == "count" and question in scene.questions()
        assert question.text in shown[4].messages[-1].content


def test_a_frozen_kind_is_asked_in_one_way_alone(task: PictureTask, tmp_path: Path) -> None:
    frozen = "recipe.stages.try.frozen={count: [chain_of_thought, big]}"
    [request], [(row, _)] = tried(task, tmp_path, *TWO, frozen)
    assert (row.method, row.asked, request.model) == ("chain_of_thought", "big", "big")
    assert row.score == 1


def test_what_is_frozen_has_to_be_in_the_grid() -> None:
    with pytest.raises(SettingsError, match=r"frozen\.count=\['guess', 'backend'\].*few_shot"):
        stage("prompt_grid", "try", "recipe.stages.try.frozen={count: [guess, backend]}")


class Attempt(NamedTuple):
    id: str
    method: str
    asked: str
    score: float
    final_answer: str | None = None


ATTEMPTS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.sampled_from([0.0, 1.0])),
    min_size=1,
).map(lambda cells: [Attempt(f"{n:03}", *cell) for n, cell in enumerate(cells)])


@given(ATTEMPTS)
def test_what_stays_is_right_and_of_the_first_cell_with_the_most_right_ones(
    group: list[Attempt],
) -> None:
    lost = {name for name, _ in best_cell(group)}
    stays = [each for each in group if each.id not in lost]
    right = Counter((each.method, each.asked) for each in group if each.score == 1)
    assert len(stays) == max(right.values(), default=0)
    assert all(each.score == 1 for each in stays)
    if stays:
        cell = (stays[0].method, stays[0].asked)
        assert cell == min(c for c in right if right[c] == len(stays))
        assert all(
            (one.method, one.asked) == (two.method, two.asked) for one, two in pairwise(stays)
        )


def test_methods_fit_a_recipe_without_pictures() -> None:
    target = "recipe.stages.attempt._target_=transforms.stages.methods.TryMethods"
    made = stage(
        "codeio", "attempt", target,
        "+recipe.stages.attempt.method_prompts={twice: [attempt, attempt]}",
    )  # fmt: skip
    assert made.grid == [("zero_shot", "backend"), ("twice", "backend")]
    assert not made.shows_pictures


def test_the_recipe_keeps_of_each_kind_what_its_best_way_got_right(tmp_path: Path) -> None:
    arguments = {"scenes": ["shapes"], "levels": [1], "count": 2, "kinds": ["count", "exists"]}
    golds = {}
    for row in asked(**arguments):  # type: ignore[arg-type]
        more = json.dumps({name: row[name] for name in ("level", "seed")})
        seed = Seed.make(
            problem=row["problem"], source="", license="", kind="shapes", metadata=more
        )
        about = Asked.of(seed)
        assert about is not None
        golds[hashlib.sha256(about.scene.draw()).hexdigest(), about.question.text] = about.question

    def model(body: dict[str, Any]) -> dict[str, Any]:
        """Counts where it is told to think, and sees what exists where it is shown three."""
        parts = body["messages"][0]["content"]
        text = parts[-1]["text"]
        *others, last = (part["image_url"]["url"] for part in parts if "image_url" in part)
        sha256 = hashlib.sha256(base64.b64decode(last.partition(",")[2])).hexdigest()
        [question] = (q for (sha, asks), q in golds.items() if sha == sha256 and asks in text)
        sees = "Think step" in text if question.kind == "count" else len(others) == 3
        said = json.dumps(question.answer) if sees else '"no idea"'
        return {"content": f"```\n{said}\n```"}

    with chat_server(model) as (url, requests):
        settings = [
            "recipe=prompt_grid", "source=function", "sandbox.slots=1",
            "source.function=transforms.scenes.seeds.asked",
            "source.arguments={scenes: [shapes], levels: [1], count: 2, kinds: [count, exists]}",
        ]  # fmt: skip
        endpoint = ["backend=openai", f"backend.base_url={url}", "backend.model=m"]
        run = composed(*settings, *endpoint, f"output_dir={tmp_path}/run")
        manifest = synthesize(run, Console(file=io.StringIO()))
        before = len(requests)
        replay = ["backend=replay", f"ledger.dir={tmp_path}/run/ledger", "runner.workers=2"]
        again = composed(*settings, *replay, f"output_dir={tmp_path}/again")
        synthesize(again, Console(file=io.StringIO()))
        assert len(requests) == before
    rows = pl.read_parquet(tmp_path / "run" / "data" / "*.parquet").to_dicts()
    assert {(row["task"], row["method"]) for row in rows} == {
        ("count", "chain_of_thought"), ("exists", "few_shot"),
    }  # fmt: skip
    [counts] = [s["counts"] for e in manifest["segments"] for s in e["stages"] if s.get("counts")]
    assert "count, chain_of_thought, backend" in counts["right by kind, method, model"]
    files = [sorted((tmp_path / name / "data").iterdir()) for name in ("run", "again")]
    one, other = ([path.read_bytes() for path in paths] for paths in files)
    assert one == other

"""picture_qa: pictures are drawn, shown to a model, and its answers held against the scenes."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from datasets import Image, List, load_dataset
from PIL import Image as Pillow
from rich.console import Console

from pipelines.synthesize import synthesize
from tests.models.examples import response
from tests.publish.export.test_formats import exported
from tests.recipes.playing import stage
from tests.settings_for_tests import composed
from tests.vision_server import vision_server
from transforms.engine.accounting import Verdict
from transforms.engine.errors import SettingsError
from transforms.engine.recipe import build_segments
from transforms.engine.records import Seed
from transforms.engine.run_folder import RunFolder
from transforms.images.rows import COLUMN
from transforms.models.episode import play
from transforms.recipes.picture_qa import PictureTask, grey
from transforms.scenes import scene_type
from transforms.scenes.seeds import asked

_ARGUMENTS: dict[str, Any] = {"scenes": ["board", "shapes"], "levels": [1], "count": 3}


_RUN = [
    "recipe=picture_qa", "source=function", "source.function=transforms.scenes.seeds.asked",
    "source.arguments={scenes: [board, shapes], levels: [1], count: 3}",
    "backend=openai", "backend.model=m", "sandbox.slots=1",
]  # fmt: skip


def _known() -> dict[tuple[str, str], str]:
    """(Picture's hash, question) -> answer as JSON."""
    known = {}
    for row in asked(**_ARGUMENTS):
        scene = scene_type(row["kind"]).generate(row["seed"], row["level"])
        key = hashlib.sha256(scene.draw()).hexdigest()
        known |= {(key, each.text): json.dumps(each.answer) for each in scene.questions()}
    return known


def _seeds() -> list[Seed]:
    return [
        Seed.make(
            problem=row["problem"], answer=row["answer"], source="mine", license="MIT",
            kind=row["kind"], metadata=json.dumps({"level": row["level"], "seed": row["seed"]}),
        )
        for row in asked(**_ARGUMENTS)
    ]  # fmt: skip


def _tasks(folder: Path) -> list[PictureTask]:
    ask = stage("picture_qa", "ask")
    ask.blobs = str(folder / "blobs")
    return [ask.of(seed) for seed in _seeds()]


def _wrong(question: str) -> bool:
    return hashlib.sha256(question.encode()).digest()[0] % 3 == 0


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> list[PictureTask]:
    return _tasks(tmp_path_factory.mktemp("tasks"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A run's folder and its manifest; the model is wrong on some questions."""
    folder = tmp_path_factory.mktemp("run")
    with vision_server(_known(), _wrong) as url:
        settings = composed(
            *_RUN, f"backend.base_url={url}", f"output_dir={folder}", "recipe.stages.look.blind=1"
        )
        manifest = synthesize(settings, Console(file=io.StringIO()))
    return folder, manifest


def _json(task: PictureTask) -> str:
    (gold,) = json.loads(task.answer)
    return gold.replace("'", '"')


def _rows(folder: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(folder / "data").to_pylist())


def test_right_answers_are_kept_and_wrong_ones_are_not(run: tuple[Path, Any]) -> None:
    folder, _ = run
    kept = [json.loads(row["shown"])["question"] for row in _rows(folder)]
    rejects = pq.read_table(folder / "rejects").to_pylist()
    refused = [json.loads(json.loads(r["record"])["shown"])["question"] for r in rejects]
    assert kept and refused
    assert not any(map(_wrong, kept))
    assert all(map(_wrong, refused))


def test_every_row_carries_the_picture_that_its_question_is_about(run: tuple[Path, Any]) -> None:
    for row in _rows(run[0]):
        (image,) = row[COLUMN]
        assert hashlib.sha256(image["bytes"]).hexdigest() == row["picture"]["sha256"]
        assert [p["sha256"] for p in row["messages"][0]["pictures"]] == [row["picture"]["sha256"]]


def test_the_rows_load_as_images(run: tuple[Path, Any], tmp_path: Path) -> None:
    files = str(run[0] / "data" / "*.parquet")
    loaded = load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
    assert loaded.features[COLUMN] == List(Image())
    assert loaded[0][COLUMN][0].size == tuple(
        loaded[0]["picture"][side] for side in ("width", "height")
    )


def test_the_manifest_tells_of_the_column_of_pictures(run: tuple[Path, Any]) -> None:
    assert run[1]["columns"][-1]["name"] == COLUMN


def test_stages_hand_on_hashes_and_each_picture_is_kept_once(run: tuple[Path, Any]) -> None:
    folder, _ = run
    staged = [pq.read_schema(path).names for path in (folder / "stages").rglob("*.parquet")]
    assert staged and not any(COLUMN in names for names in staged)
    names = {path.name for path in (folder / "blobs").rglob("*.png")}
    shown = {f"{row['picture']['sha256']}.png" for row in _rows(folder)}
    assert shown <= names
    assert len(names) < 2 * len(_seeds())


def test_no_message_holds_the_scene(run: tuple[Path, Any]) -> None:
    for row in _rows(run[0]):
        texts = " ".join(message["content"] for message in row["messages"][:1])
        assert row["scene"] not in texts
        assert row["picture"]["sha256"] not in texts


@pytest.mark.parametrize(("looks", "blind"), [(True, 1), (False, 0)])
def test_a_row_that_a_grey_picture_answers_is_marked(
    looks: bool, blind: int, tasks: list[PictureTask], tmp_path: Path
) -> None:
    look = stage("picture_qa", "look")
    look.blind, look.blobs = 1, str(tmp_path)

    def model(request: Any) -> Any:
        sees = request.shown[0].sha256 == tasks[0].picture.sha256
        said = _json(tasks[0]) if sees or looks else '"nothing"'
        return response(request, f"```\n{said}\n```")

    def answers(effect: Any) -> Any:
        return model(effect)

    turns, ((row, verdict),) = play(look.episode(tasks[0]), answers)
    assert (row.blind, verdict.kept) == (blind, True)
    grey_one = turns[1][0].shown[0]
    assert (grey_one.width, grey_one.height) == (
        tasks[0].picture.width,
        tasks[0].picture.height,
    )


def test_a_grey_picture_shows_one_colour() -> None:
    assert len(Pillow.open(io.BytesIO(grey(60, 40))).getcolors()) == 1


def test_game_qa_asks_of_boards_alone(tmp_path: Path) -> None:
    ask = stage("game_qa", "ask")
    ask.blobs = str(tmp_path)
    ends = {seed.kind: ask.of(seed) for seed in _seeds()}
    assert isinstance(ends["shapes"], Verdict) and ends["shapes"].reason == "no_scene"
    assert isinstance(ends["board"], PictureTask)


def test_a_backend_that_takes_text_alone_is_refused_before_anything_is_drawn() -> None:
    settings = composed(
        "recipe=picture_qa", "backend=openai",
        "backend.model=m", "backend.base_url=http://127.0.0.1:1/v1", "backend.api=completions",
    )  # fmt: skip
    with pytest.raises(SettingsError, match=r"stages\.look shows pictures.*api=chat of backend"):
        build_segments(settings, "/run", "/run/ledger")


def test_pairs_of_attempts_leave_with_the_picture_that_both_answer_about(tmp_path: Path) -> None:
    times: Counter[str] = Counter()
    lock = threading.Lock()  # both samples of a question may come at once

    def at_times(question: str) -> bool:
        with lock:
            times[question] += 1
            return times[question] % 2 == 0

    with vision_server(_known(), at_times) as url:
        settings = composed(
            *_RUN, f"backend.base_url={url}", f"output_dir={tmp_path}/run",
            "recipe.stages.look.sampler.samples=2", "recipe.stages.look.keeps_wrong=true",
            "+recipe.stages.pairs={_target_: transforms.stages.preferences.MakePairs}",
        )  # fmt: skip
        manifest = synthesize(settings, Console(file=io.StringIO()))
    assert manifest["columns"][-1]["name"] == COLUMN
    rows = _rows(tmp_path / "run")
    assert len(rows) > 2
    for row in rows:
        [picture], [image] = row["prompt"][0]["pictures"], row[COLUMN]
        assert hashlib.sha256(image["bytes"]).hexdigest() == picture["sha256"]
        chosen, rejected = (row[name][0]["content"] for name in ("chosen", "rejected"))
        assert "something else" in rejected and "something else" not in chosen
    files = str(tmp_path / "run" / "data" / "*.parquet")
    loaded = load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
    assert loaded.features[COLUMN] == List(Image())
    for shape, prompt in (("messages", "prompt"), ("sharegpt", "conversations")):
        examples, left_out = exported(RunFolder(str(tmp_path / "run")), "preference", shape=shape)
        assert len(examples) == len(rows) and not left_out
        for example in examples:
            assert json.dumps(example[prompt]).count("image") == len(example[COLUMN]) == 1


def test_a_replay_by_two_workers_gives_the_same_bytes(
    run: tuple[Path, Any], tmp_path: Path
) -> None:
    backend = ["backend=replay", f"ledger.dir={run[0]}/ledger", "runner.workers=2"]
    settings = [each for each in _RUN if not each.startswith("backend")]
    again = composed(*settings, *backend, "recipe.stages.look.blind=1", f"output_dir={tmp_path}")
    synthesize(again, Console(file=io.StringIO()))
    one, other = (sorted((folder / "data").iterdir()) for folder in (run[0], tmp_path))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other] != []

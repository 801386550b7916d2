"""cotmill augment, whole: its rows are seeds again, and its account adds up."""

import json

import polars as pl
import pytest

from tests.pipelines.commands import cotmill
from transforms.engine.paths import DATA
from transforms.engine.records import Variant
from transforms.engine.tables import arrow_schema

SMALL = ["augmentation.draws=60", "augmentation.rows_per_seed=5", "sandbox.slots=2"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(folder, what was printed) of a run on the first seeds of one kind."""
    folder = tmp_path_factory.mktemp("augment")
    seeds = (DATA / "seeds" / "arithmetic_stories.jsonl").read_text().splitlines()[:5]
    (folder / "seeds.jsonl").write_text("\n".join(seeds) + "\n")
    source = ["source=jsonl", f"source.path={folder}/seeds.jsonl", "source.license=Apache-2.0"]
    done = cotmill("augment", *source, *SMALL, f"output_dir={folder}/run")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return folder / "run", done.stdout


def test_a_run_leaves_rows_rejects_and_an_account_that_adds_up(run):
    folder, printed = run
    rows = pl.read_parquet(folder / "data" / "*.parquet")
    manifest = json.loads((folder / "manifest.json").read_text())
    stages = {s["name"]: s for segment in manifest["segments"] for s in segment["stages"]}
    assert manifest["status"] == "complete" and manifest["accepted"] == len(rows) >= 10
    for stage in stages.values():
        assert stage["in"] == stage["kept"] + sum(stage["rejected"].values())
    rejects = pl.read_parquet(folder / "rejects" / "*.parquet")
    assert len(rejects) == sum(sum(s["rejected"].values()) for s in stages.values())
    assert f"{len(rows)} accepted rows" in printed
    assert rows.columns == arrow_schema(Variant).names
    assert "pencils" in (folder / "report.html").read_text()
    assert "new values" in (folder / "README.md").read_text()


def test_rows_are_seeds_again(run):
    folder, _ = run
    again = folder.parent / "again"
    source = ["source=parquet", f"source.path={folder}/data/*.parquet"]
    done = cotmill("augment", *source, *SMALL, f"output_dir={again}")
    assert done.returncode == 0, done.stderr
    stages = json.loads((again / "manifest.json").read_text())["segments"][0]["stages"]
    rows = pl.read_parquet(folder / "data" / "*.parquet")
    assert [(s["name"], s["kept"]) for s in stages] == [
        ("seeds", len(rows)),
        ("validate", len(rows)),
    ]


def test_a_mistake_is_one_line(tmp_path):
    done = cotmill("augment", "augmentation.draws=0", f"output_dir={tmp_path}")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("cotmill: augmentation.draws=0: ")

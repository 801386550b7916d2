"""cotmill export: the command, from a run's folder to one that `datasets` loads."""

import io
import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from pipelines.export import ExportSettings, export
from tests.pipelines.commands import cotmill, settings_of
from tests.publish.export import runs
from transforms.engine.errors import RunFolderError, SettingsError
from transforms.engine.run_folder import RunFolder


def exported(run: RunFolder, folder: Path, *overrides: str) -> str:
    """Exports without a check of templates; returns what was printed."""
    given = [f"run={run.root}", f"output_dir={folder}", "template=null", *overrides]
    out = io.StringIO()
    export(settings_of("export", ExportSettings, *given), Console(file=out))
    return out.getvalue()


def loaded(folder: Path) -> Any:
    return datasets.load_dataset(str(folder), cache_dir=f"{folder}-cache")


def test_a_run_named_first_is_exported_and_loaded_by_the_folders_name(tmp_path: Path) -> None:
    runs.tool_math(tmp_path / "run")
    done = cotmill("export", f"{tmp_path}/run", f"output_dir={tmp_path}/out")
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first == f"2 examples in {tmp_path}/out/data (train 2)"
    assert rest[0] == "left out: 1, another solution of a problem (format.solutions=best)"
    assert "does not show tool calls" in rest[1]
    rows = loaded(tmp_path / "out")["train"]
    calls = [m["tool_calls"] for row in rows for m in row["messages"] if "tool_calls" in m]
    assert calls[0][0]["function"]["arguments"] == {"code": "42 + 1"}
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (manifest["rows"], manifest["source_run"]["recipe"]) == ({"train": 2}, "tool_math")


def test_splits_and_json_lines_are_files_of_their_own(tmp_path: Path) -> None:
    run = runs.plain_rows(tmp_path / "run")
    told = exported(run, tmp_path / "out", "splits.test=2", "files=jsonl")
    assert "(test 2, train 4)" in told
    names = sorted(path.name for path in (tmp_path / "out" / "data").iterdir())
    assert names == ["test-00000-of-00001.jsonl", "train-00000-of-00001.jsonl"]
    found = loaded(tmp_path / "out")
    ids = [{row["id"] for row in found[split]} for split in ("train", "test")]
    assert (len(ids[0]), len(ids[1]), ids[0] & ids[1]) == (4, 2, set())


def test_formats_of_one_run_divide_its_problems_alike(tmp_path: Path) -> None:
    run = runs.caco(tmp_path / "run", 8)
    sides = []
    for name in ("sft", "rl", "preference"):
        exported(run, tmp_path / name, f"format={name}", "splits.test=3", "splits.validation=2")
        found = loaded(tmp_path / name)
        sides.append({row["id"]: split for split, rows in found.items() for row in rows})
    assert sides[0] == sides[1] == sides[2]
    assert set(sides[0].values()) == {"train", "test", "validation"}


def test_a_split_that_gets_too_little_is_told_with_the_largest_family(tmp_path: Path) -> None:
    told = exported(runs.tool_math(tmp_path / "run"), tmp_path / "out", "splits.test=0.5")
    [line] = [line for line in told.splitlines() if "splits.test" in line]
    assert "asks for 2 rows and gets 0" in line and "has 3 of 3" in line


def test_rows_that_call_tools_without_naming_them_are_told(tmp_path: Path) -> None:
    run = runs.tool_math(tmp_path / "run")
    [file] = (tmp_path / "run" / "data").iterdir()
    pq.write_table(pq.read_table(file).drop_columns("tools"), file)
    told = exported(run, tmp_path / "out")
    assert "rows call tools but have no column tools" in told


def test_overwrite_leaves_nothing_of_the_export_before(tmp_path: Path) -> None:
    run = runs.plain_rows(tmp_path / "run")
    exported(run, tmp_path / "out", "files=jsonl", "splits.test=2")
    with pytest.raises(RunFolderError, match="is not empty"):
        exported(run, tmp_path / "out")
    exported(run, tmp_path / "out", "overwrite=true")
    names = [path.name for path in (tmp_path / "out" / "data").iterdir()]
    assert names == ["train-00000-of-00001.parquet"]


def test_a_run_is_never_overwritten_by_an_export(tmp_path: Path) -> None:
    run = runs.plain_rows(tmp_path / "run")
    with pytest.raises(RunFolderError, match="something else than an export"):
        exported(run, tmp_path / "run", "overwrite=true")
    assert len(list((tmp_path / "run" / "data").iterdir())) == 1


def test_a_run_that_is_not_finished_or_makes_no_example_is_one_line(tmp_path: Path) -> None:
    run = runs.judge(tmp_path / "run")
    with pytest.raises(SettingsError, match="makes no example .1 rows: no reference answer"):
        exported(run, tmp_path / "rl", "format=rl")
    run.write_manifest({"status": "running", "segments": []})
    with pytest.raises(RunFolderError, match="not finished .status: running.: .*resume=true"):
        exported(run, tmp_path / "sft")
    with pytest.raises(RunFolderError, match="holds no manifest.json"):
        exported(RunFolder(f"{tmp_path}/none"), tmp_path / "sft2")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["format.solutions=0"], "format.solutions='0'"),
        (["format.solutions=many"], "format.solutions='many'"),
        (["format=rl", "format.at_least=0.9", "format.at_most=0.1"], "at_least=0.9 is above"),
        (["format=rl", "format.trainer=trl"], "format.trainer='trl'"),
        (["format.trainer=verl"], "format.trainer is not a setting"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(overrides: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings_of("export", ExportSettings, "run=a", "output_dir=b", *overrides)


def test_a_runs_problems_become_a_package_and_what_stays_as_it_is_is_told(tmp_path: Path) -> None:
    told = exported(runs.caco(tmp_path / "run", 1), tmp_path / "out", "format=environment")
    names = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert told.splitlines()[0] == f"1 examples in {tmp_path}/out (as they are 1)"
    assert "not drawn anew: 1, " in told
    assert {"pyproject.toml", "taskset.py", "problems.jsonl", "manifest.json"} <= names


def test_overwrite_leaves_nothing_of_a_package_but_a_users_own_files(tmp_path: Path) -> None:
    run, out = runs.caco(tmp_path / "run", 1), tmp_path / "out"
    exported(run, out, "format=environment")
    (out / "cotmill_problems" / "notes.md").write_text("mine")
    exported(run, out, "format=environment", "format.name=others", "overwrite=true")
    exported(run, out, "format=sft", "overwrite=true")
    left = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    shard = "data/train-00000-of-00001.parquet"
    assert left == {".lock", "manifest.json", shard, "cotmill_problems/notes.md"}


def test_an_environment_is_not_divided(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="format=environment is not divided"):
        exported(
            runs.caco(tmp_path / "run"), tmp_path / "out", "format=environment", "splits.test=1"
        )

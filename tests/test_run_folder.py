"""A run folder is taken only when it is free, or when the user says what to do with it."""

import json

import pytest

from transforms.errors import RunFolderError
from transforms.run_folder import RunFolder, files_below


@pytest.fixture
def run(tmp_path):
    return RunFolder(str(tmp_path / "run"))


def fill(run, tmp_path):
    run.write_manifest({"status": "running", "segments": []})
    for name in (
        *("data/train.parquet", "stages/01-seeds/part.parquet", "ledger/part.parquet"),
        *("README.md", "report.html"),
    ):
        path = tmp_path / "run" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def test_an_empty_or_missing_folder_is_free(run):
    assert run.claim(resume=False, overwrite=False) == {}


def test_a_filled_folder_is_refused_in_one_line_that_names_both_ways_out(run, tmp_path):
    fill(run, tmp_path)
    with pytest.raises(RunFolderError) as error:
        run.claim(resume=False, overwrite=False)
    assert "resume=true" in str(error.value) and "overwrite=true" in str(error.value)
    assert "\n" not in str(error.value)


def test_resume_returns_the_manifest_and_deletes_nothing(run, tmp_path):
    fill(run, tmp_path)
    assert run.claim(resume=True, overwrite=False)["status"] == "running"
    assert len(files_below(run.root)) == 6


def test_overwrite_deletes_the_run_but_not_the_paid_ledger(run, tmp_path):
    fill(run, tmp_path)
    assert run.claim(resume=False, overwrite=True) == {}
    assert [path.removeprefix(run.root) for path in files_below(run.root)] == [
        "/ledger/part.parquet"
    ]


def test_what_was_left_before_there_was_a_manifest_makes_no_run(run, tmp_path):
    (tmp_path / "run").mkdir()
    for name in (".spent", ".manifest.json.0123"):
        (tmp_path / "run" / name).write_bytes(b"")
    assert run.claim(resume=True, overwrite=False) == {}


def test_overwrite_forgets_what_the_run_before_has_spent(run, tmp_path):
    fill(run, tmp_path)
    (tmp_path / "run" / ".spent").write_bytes(b"0" * 16)
    run.claim(resume=False, overwrite=True)
    assert not (tmp_path / "run" / ".spent").exists()


@pytest.mark.parametrize("choice", [{"resume": True}, {"overwrite": True}])
def test_a_folder_that_is_no_run_is_never_resumed_or_deleted(tmp_path, choice):
    (tmp_path / "thesis.txt").write_text("years of work")
    run = RunFolder(str(tmp_path))
    with pytest.raises(RunFolderError, match="manifest.json"):
        run.claim(**{"resume": False, "overwrite": False, **choice})
    assert (tmp_path / "thesis.txt").exists()


def test_a_broken_manifest_is_one_clear_line(run, tmp_path):
    fill(run, tmp_path)
    (tmp_path / "run" / "manifest.json").write_text('{"status": ')
    with pytest.raises(RunFolderError, match="is not JSON"):
        run.claim(resume=True, overwrite=False)


def test_the_manifest_is_replaced_whole(run, tmp_path):
    run.write_manifest({"n": 1})
    run.write_manifest({"n": 2})
    assert json.loads((tmp_path / "run" / "manifest.json").read_text()) == {"n": 2}
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["manifest.json"]

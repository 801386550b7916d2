"""A run folder is taken only when it is free, or when the user says what to do with it."""

import json
import subprocess
import sys

import pytest

from transforms.engine.errors import RunFolderError
from transforms.engine.run_folder import RunFolder, absolute, files_below, is_ours

SHARD = "train-00000-of-00001.parquet"


@pytest.fixture
def run(tmp_path):
    return RunFolder(str(tmp_path / "run"))


def claim(run, resume=False, overwrite=False, identity="run_id"):
    """The manifest found in a folder that is claimed, and let go again."""
    with run.claimed(resume=resume, overwrite=overwrite, identity=identity) as found:
        return found


def write(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def left(run):
    """The files in a run's folder, but for the lock."""
    paths = [path.removeprefix(run.root + "/") for path in files_below(run.root)]
    return [path for path in paths if path != ".lock"]


def fill(run, tmp_path, **manifest):
    run.write_manifest({"run_id": "0" * 32, "status": "running", "segments": [], **manifest})
    write(
        tmp_path / "run",
        f"data/{SHARD}",
        "stages/01-seeds/part-00000-of-00004.parquet",
        "stages/01-seeds.counts.json",
        "rejects/01-seeds-00000-of-00001.parquet",
        "ledger/part-0.parquet",
        "README.md",
        "report.html",
    )


@pytest.mark.parametrize("choice", [{}, {"resume": True}, {"overwrite": True}])
def test_an_empty_or_missing_folder_is_free(run, choice):
    assert claim(run, **choice) == {}


def test_a_filled_folder_is_refused_in_one_line_that_names_both_ways_out(run, tmp_path):
    fill(run, tmp_path)
    with pytest.raises(RunFolderError) as error:
        claim(run)
    assert "resume=true" in str(error.value) and "overwrite=true" in str(error.value)
    assert "\n" not in str(error.value)


def test_resume_returns_the_manifest_and_deletes_nothing(run, tmp_path):
    fill(run, tmp_path)
    assert claim(run, resume=True)["status"] == "running"
    assert len(left(run)) == 8


def test_overwrite_deletes_the_run_but_not_the_paid_ledger(run, tmp_path):
    fill(run, tmp_path)
    assert claim(run, overwrite=True) == {}
    assert left(run) == ["ledger/part-0.parquet"]
    assert not (tmp_path / "run" / "stages").exists()


def test_what_was_left_before_there_was_a_manifest_makes_no_run(run, tmp_path):
    (tmp_path / "run").mkdir()
    for name in (".spent", ".manifest.json.0123"):
        (tmp_path / "run" / name).write_bytes(b"")
    assert claim(run, resume=True) == {}


def test_overwrite_forgets_what_the_run_before_has_spent(run, tmp_path):
    fill(run, tmp_path)
    (tmp_path / "run" / ".spent").write_bytes(b"0" * 16)
    (tmp_path / "run" / ".spent.01234567").write_bytes(b"0" * 16)
    claim(run, overwrite=True)
    assert not list((tmp_path / "run").glob(".spent*"))


@pytest.mark.parametrize("choice", [{"resume": True}, {"overwrite": True}])
def test_a_folder_that_is_no_run_is_never_resumed_or_deleted(tmp_path, choice):
    (tmp_path / "thesis.txt").write_text("years of work")
    run = RunFolder(str(tmp_path))
    with pytest.raises(RunFolderError, match="manifest.json"):
        claim(run, **choice)
    assert left(run) == ["thesis.txt"]
    assert not (tmp_path / ".lock").exists()


FOREIGN = [
    {},
    {"name": "My app", "icons": [], "start_url": "/"},
    {"run_id": "1", "status": "complete", "segments": [], "config": {}, "versions": {}},
    {"run_id": "0" * 32, "segments": 7, "config": {}, "versions": {}},
]


@pytest.mark.parametrize("manifest", FOREIGN)
@pytest.mark.parametrize("choice", [{"resume": True}, {"overwrite": True}])
def test_a_manifest_of_another_program_protects_its_folder(run, tmp_path, manifest, choice):
    write(tmp_path / "run", "data/years.csv", "model/weights.bin", f"data/{SHARD}")
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(manifest))
    before = left(run)
    with pytest.raises(RunFolderError, match="manifest.json is not cotmill's") as error:
        claim(run, **choice)
    assert left(run) == before
    assert "\n" not in str(error.value)


def test_overwrite_leaves_files_that_a_run_does_not_write(run, tmp_path):
    fill(run, tmp_path)
    own = ["data/notes.txt", "data/mine.parquet", "model/weights.bin", "thesis.txt"]
    write(tmp_path / "run", *own)
    claim(run, overwrite=True)
    assert left(run) == sorted([*own, "ledger/part-0.parquet"])


def test_overwrite_deletes_what_a_training_wrote(run, tmp_path):
    fill(run, tmp_path, training_id="1" * 32)
    write(tmp_path / "run", "adapter/adapter.safetensors", "checkpoints/checkpoint-1/rng.pth")
    claim(run, overwrite=True, identity="training_id")
    assert left(run) == ["ledger/part-0.parquet"]


@pytest.mark.parametrize("identity", ["run_id", "training_id"])
def test_a_manifest_of_the_first_edition_is_known_by_its_fields(identity):
    assert is_ours({identity: "0f" * 16, "config": {}, "versions": {}, "segments": []})


@pytest.mark.parametrize(
    ("held", "wanted", "message"),
    [
        ("training_id", "run_id", "holds a training, not a run"),
        ("run_id", "training_id", "holds a run, not a training"),
    ],
)
def test_a_run_does_not_resume_a_training_nor_a_training_a_run(run, held, wanted, message):
    run.write_manifest({held: "0" * 32})
    with pytest.raises(RunFolderError, match=message):
        claim(run, resume=True, identity=wanted)


def test_what_no_longer_holds_is_deleted_and_what_does_stays(run, tmp_path):
    fill(run, tmp_path)
    later = [
        "stages/02-unify/part-00000-of-00004.parquet",
        "stages/02-unify/.part-00001-of-00004.parquet." + "0" * 32,
        "stages/02-unify.counts.json",
        "stages/010-unify/part-00000-of-00001.parquet",
        "rejects/02-unify-00000-of-00001.parquet",
        "unanswered/02-unify-00000-of-00001.parquet",
    ]
    write(tmp_path / "run", *later, "rejects/notes.txt")
    run.discard_stale(["01-seeds"], ["stages/01-seeds"])
    assert left(run) == [
        "ledger/part-0.parquet",
        "manifest.json",
        "rejects/01-seeds-00000-of-00001.parquet",
        "rejects/notes.txt",
        "stages/01-seeds.counts.json",
        "stages/01-seeds/part-00000-of-00004.parquet",
    ]
    assert not (tmp_path / "run" / "data").exists()


def test_a_folder_that_holds_as_before_keeps_its_report(run, tmp_path):
    fill(run, tmp_path)
    before = left(run)
    run.discard_stale(["01-seeds"], ["stages/01-seeds", "data"])
    assert left(run) == before


HOLDER = """
import sys
from transforms.engine.run_folder import RunFolder
with RunFolder(sys.argv[1]).claimed(resume=True, overwrite=False):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_has_ended_or_was_killed(run, tmp_path):
    fill(run, tmp_path)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, run.root], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        for choice in ({}, {"resume": True}, {"overwrite": True}):
            with pytest.raises(RunFolderError, match=rf"by process {holder.pid} on \S+ since 2"):
                claim(run, **choice)
        assert len(left(run)) == 8
    finally:
        holder.kill()
        holder.communicate()
    assert claim(run, resume=True)["run_id"] == "0" * 32


@pytest.mark.parametrize("path", ["s3://", "gs:///run", "s3:/bucket/run"])
def test_an_object_store_without_a_bucket_is_no_local_folder(path):
    with pytest.raises(RunFolderError, match=f"{path} names no bucket: write {path[:2]}://BUCKET"):
        absolute(path)


def test_a_folder_name_is_no_pattern(tmp_path):
    run = RunFolder(str(tmp_path / "run[1]"))
    run.write_manifest({"run_id": "0" * 32})
    write(tmp_path / "run[1]", f"data/{SHARD}")
    assert left(run) == [f"data/{SHARD}", "manifest.json"]
    assert claim(run, overwrite=True) == {} == dict.fromkeys(left(run))


def test_a_broken_manifest_is_one_clear_line(run, tmp_path):
    fill(run, tmp_path)
    (tmp_path / "run" / "manifest.json").write_text('{"status": ')
    with pytest.raises(RunFolderError, match="is not JSON"):
        claim(run, resume=True)


def test_the_manifest_is_replaced_whole(run, tmp_path):
    run.write_manifest({"n": 1})
    run.write_manifest({"n": 2})
    assert run.read_manifest() == {"made_by": "cotmill", "n": 2}
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["manifest.json"]

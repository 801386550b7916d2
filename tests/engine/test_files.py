"""Files in object stores: real servers on the loopback, and one that fails now and then."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from apache_beam.options.value_provider import RuntimeValueProvider

from tests.images.drawn import drawn
from tests.stores import BUCKET, failing, free_port, gs_server, s3_server
from transforms.engine import files
from transforms.engine.errors import SettingsError, StoreError
from transforms.engine.files import FileSystems, new_file, use_options
from transforms.engine.run_folder import RunFolder, files_below
from transforms.engine.runner_settings import BeamSettings
from transforms.engine.tables import write_text
from transforms.images.blobs import Blobs


@pytest.fixture(autouse=True)
def no_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Beam was told of pipelines before is no part of these tests."""
    monkeypatch.setattr(FileSystems, "_pipeline_options", None)
    monkeypatch.setattr(RuntimeValueProvider, "runtime_options", None)


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    with s3_server() as found:
        yield found


@pytest.fixture(scope="module")
def gs() -> Iterator[dict[str, str]]:
    with gs_server() as found:
        yield found


@pytest.fixture(params=["s3", "gs"])
def folder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of its own in either store."""
    for name, value in request.getfixturevalue(request.param).items():
        monkeypatch.setenv(name, value)
    return f"{request.param}://{BUCKET}/{os.urandom(4).hex()}"


def test_a_file_is_read_as_it_was_written(folder: str) -> None:
    write_text(f"{folder}/a/b.txt", "text")
    with FileSystems.open(f"{folder}/a/b.txt") as file:
        assert file.read() == b"text"


def test_a_picture_is_kept_by_its_hash(folder: str) -> None:
    blobs = Blobs(f"{folder}/blobs")
    assert blobs.get(blobs.put(drawn(2))) == drawn(2)


def test_a_file_whose_name_says_so_is_decompressed(folder: str) -> None:
    with FileSystems.create(f"{folder}/b.txt.gz") as file:
        file.write(b"text" * 100)
    with FileSystems.open(f"{folder}/b.txt.gz") as file:
        assert file.read() == b"text" * 100


def test_every_file_below_a_folder_is_listed_and_no_neighbour(folder: str) -> None:
    names = ["a/1.txt", "a/b/2.txt", "a[1]/3.txt", "ab/4.txt"]
    for name in names:
        write_text(f"{folder}/{name}", name)
    assert files_below(f"{folder}/a") == [f"{folder}/a/1.txt", f"{folder}/a/b/2.txt"]
    assert files_below(f"{folder}/none") == []


def test_a_glob_takes_the_files_of_one_folder_with_their_sizes(folder: str) -> None:
    for name in ("a/part-1.txt", "a/part-2.csv", "a/b/part-3.txt"):
        write_text(f"{folder}/{name}", name)
    (found,) = FileSystems.match([f"{folder}/a/part-*.txt"])
    assert [(file.path, file.size_in_bytes) for file in found.metadata_list] == [
        (f"{folder}/a/part-1.txt", 12)
    ]
    assert found.metadata_list[0].last_updated_in_seconds > 1.7e9


def test_what_is_deleted_or_renamed_is_gone_and_deleting_twice_is_no_error(folder: str) -> None:
    write_text(f"{folder}/a.txt", "a")
    FileSystems.rename([f"{folder}/a.txt"], [f"{folder}/b.txt"])
    FileSystems.delete([f"{folder}/a.txt"])
    assert files_below(folder) == [f"{folder}/b.txt"]
    FileSystems.delete([f"{folder}/b.txt"])
    assert not FileSystems.exists(f"{folder}/b.txt")


def test_a_file_whose_writing_fails_never_appears(folder: str) -> None:
    with pytest.raises(KeyError), new_file(f"{folder}/a.txt") as new:
        new.file.write(b"half")
        raise KeyError
    assert files_below(folder) == []


def test_a_folder_with_files_is_refused_and_overwritten_only_where_it_is_a_run(folder: str) -> None:
    run = RunFolder(folder)
    with run.claimed(resume=False, overwrite=False):
        run.write_manifest({"run_id": "1"})
        write_text(run.path("data", "train-00000-of-00001.parquet"), "rows")
        write_text(run.path("notes.txt"), "mine")
    with run.claimed(resume=False, overwrite=True) as found:
        assert found == {}
    assert files_below(folder) == [f"{folder}/notes.txt"]


def test_options_of_the_runner_go_before_the_environment(
    s3: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    use_options(
        {
            "s3_endpoint_url": s3["AWS_ENDPOINT_URL"],
            "s3_region_name": "us-east-1",
            "s3_access_key_id": "key",
            "s3_secret_access_key": "secret",
        }
    )
    write_text(f"s3://{BUCKET}/options.txt", "here")
    assert FileSystems.exists(f"s3://{BUCKET}/options.txt")


def test_an_option_that_the_clients_do_not_take_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"runner\.options\.s3_verify is not taken"):
        use_options({"s3_verify": "false"})


def test_a_bucket_that_is_not_there_is_one_line_that_names_the_file(
    s3: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StoreError, match=r"^s3://nobody/a.txt: .*NO_SUCH_BUCKET.*resume=true$"):
        write_text("s3://nobody/a.txt", "text")


def test_a_store_that_fails_now_and_then_loses_nothing(
    s3: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = f"s3://{BUCKET}/failing"
    texts = {f"{folder}/{i}.txt": str(i) * 2000 for i in range(100)}
    with failing(s3) as (proxy, found):
        for name, value in found.items():
            monkeypatch.setenv(name, value)
        for path, text in texts.items():
            write_text(path, text)
        for path, text in texts.items():
            with FileSystems.open(path) as file:
                assert file.read().decode() == text
        assert proxy.cut_off and proxy.failed > 10
    assert len(texts) == 100


def test_a_large_file_of_which_a_part_is_refused_never_appears(
    s3: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_ATTEMPTS", 2)
    path = f"s3://{BUCKET}/refused/large.bin"
    with failing(s3, refuses="partNumber=2") as (_, found):
        for name, value in found.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(StoreError, match=r"large\.bin"), new_file(path) as new:
            new.file.write(bytes(45_000_000))
        assert not FileSystems.exists(path)


def test_a_key_among_the_runners_options_is_used_and_shown_in_no_manifest() -> None:
    options = {"runner": "PortableRunner", "s3_secret_access_key": "hush", "s3_region_name": "r"}
    settings = BeamSettings(type="beam", options=options)
    assert settings.beam_options()["s3_secret_access_key"] == "hush"
    shown = settings.model_dump(mode="json")["options"]
    assert shown == {**options, "s3_secret_access_key": "***"}

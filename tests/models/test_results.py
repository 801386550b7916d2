"""Results that were kept are found by what they depend on, and by nothing less."""

from pathlib import Path

from transforms.models.results import ResultReader, ResultWriter, key_of
from transforms.sandbox.jobs import Job


def kept(folder: Path, **results: int) -> ResultReader:
    """A reader of results that one writer kept."""
    writer = ResultWriter(folder)
    for code, result in results.items():
        writer.add(key_of("sandbox", Job(code)), result)
    writer.close()
    return ResultReader(folder)


def test_several_writers_results_are_found_by_sandbox_and_job(tmp_path: Path) -> None:
    kept(tmp_path, a=1, b=2)
    reader = kept(tmp_path, c=3)
    assert [reader.get(key_of("sandbox", Job(code))) for code in "abcd"] == [1, 2, 3, None]
    assert reader.get(key_of("other limits", Job("a"))) is None
    assert reader.get(key_of("sandbox", Job("a", seed=2))) is None


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    reader = ResultReader(tmp_path / "none")
    assert len(reader) == 0
    assert reader.get(key_of("sandbox", Job("a"))) is None


def test_what_a_killed_process_wrote_half_is_passed_over(tmp_path: Path) -> None:
    kept(tmp_path, a=1, b=2)
    (data,), (index,) = tmp_path.glob("*.data"), tmp_path.glob("*.index")
    index.write_bytes(index.read_bytes()[:-3])
    reader = ResultReader(tmp_path)
    assert [reader.get(key_of("sandbox", Job(code))) for code in "ab"] == [1, None]
    data.write_bytes(data.read_bytes()[:3])
    assert ResultReader(tmp_path).get(key_of("sandbox", Job("a"))) is None

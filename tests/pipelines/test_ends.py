"""How a run ends: with rows, without any, or by an error, each with a status of its own."""

from types import SimpleNamespace

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline

from pipelines.synthesize import check_rows, unexpected
from tests.beam import on_workers
from transforms.engine.errors import NoRows, SettingsError
from transforms.engine.run_folder import RunFolder
from transforms.models.backends.draining import Stopped


def fail(number):
    return 1 / number


@pytest.mark.parametrize("workers", [1, 2])
def test_an_unexpected_error_is_one_line_and_its_traceback_a_file(workers, tmp_path):
    with pytest.raises(Exception) as raised, TestPipeline(**on_workers(workers)) as pipeline:
        _ = pipeline | beam.Create([0]) | "solve" >> beam.Map(fail)
    ended = unexpected(raised.value, {"open_segment": "07-solving"}, RunFolder(str(tmp_path)))
    assert str(ended) == (
        "unexpected error in 07-solving, stage solve: ZeroDivisionError: division by zero; "
        f"{tmp_path}/error.txt has the traceback; once it is mended, go on with resume=true"
    )
    assert "return 1 / number" in (tmp_path / "error.txt").read_text()


@pytest.mark.parametrize("error", [ValueError("a\nb"), KeyError("x"), AssertionError()])
def test_an_error_outside_of_a_step_is_one_line_too(error, tmp_path):
    ended = unexpected(error, {"open_segment": None}, RunFolder(str(tmp_path)))
    assert str(ended).startswith(f"unexpected error in the end of the run: {type(error).__name__}")
    assert "\n" not in str(ended)


def test_who_asks_for_the_traceback_gets_it(tmp_path, monkeypatch):
    monkeypatch.setenv("COTMILL_DEBUG", "1")
    assert unexpected(ValueError(), {"open_segment": None}, RunFolder(str(tmp_path))) is None


@pytest.mark.parametrize("error", [SettingsError("x"), OSError(28, "No space left"), Stopped()])
def test_errors_that_speak_for_themselves_are_left_alone(error, tmp_path):
    assert unexpected(error, {"open_segment": None}, RunFolder(str(tmp_path))) is None
    assert list(tmp_path.iterdir()) == []


def stage(name, entered, kept, **rejected):
    return {"name": name, "in": entered, "kept": kept, "rejected": rejected}


def end(*stages, accepted=0, empty_status=3):
    segments = [{"stages": [each]} for each in stages]
    settings = SimpleNamespace(output_dir="/run", empty_status=empty_status)
    check_rows({"segments": segments, "accepted": accepted}, settings)


def test_a_run_with_rows_ends_well():
    end(stage("seeds", 5, 5), accepted=5)


def test_a_run_without_rows_names_the_stage_that_rejected_the_last_and_its_top_reasons():
    with pytest.raises(NoRows) as error:
        end(
            stage("seeds", 5, 0, no_program=5),
            stage("sample", 9, 9),
            stage("form", 9, 0, banned=4, too_short=3, no_input=1, does_not_parse=1),
            stage("execute", 0, 0),
        )
    assert error.value.status == 3
    assert str(error.value) == (
        "no row was accepted: stage form kept none of 9 records (4 banned, 3 too_short, 1 no_input)"
        "; /run/rejects says why for each"
    )


def test_unanswered_records_are_named_with_the_way_to_ask_again():
    with pytest.raises(NoRows, match="2 unanswered .asked again by resume=true."):
        end({**stage("solve", 2, 0), "unanswered": 2})


def test_a_source_without_rows_is_named():
    with pytest.raises(NoRows, match="the source has no rows"):
        end(stage("seeds", 0, 0))


def test_the_status_of_an_empty_run_is_a_setting():
    with pytest.raises(NoRows) as error:
        end(stage("seeds", 0, 0), empty_status=0)
    assert error.value.status == 0

"""How a run ends: with rows, without any, or by an error, each with a status of its own."""

from types import SimpleNamespace

import pytest

from pipelines.synthesize import check_rows
from transforms.errors import NoRows


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

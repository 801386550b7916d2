"""Programs are run while the model writes others, and their own stage finds what they gave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.programs_for_tests import FILTER, SANDBOX, SPAM, program
from tests.settings_for_tests import OPENAI, composed
from transforms.engine.recipe import build_segments
from transforms.engine.stage import Stage
from transforms.models.backends.settings import ReplayBackend
from transforms.models.episode import Ahead, Driver, ModelEpisode, Steps, play
from transforms.models.run_ahead import RunAhead, plan_ahead
from transforms.sandbox.jobs import Job, Result, Status
from transforms.stages.filtering import FilterForm, FilterMeaning, RunPrograms

RESULT = Result(Status.OK, '{"emails": 1}', "8", "", None, None, 0.1, 0.1, 30.0)


def segments() -> list[tuple[Stage, ...]]:
    """The stages of recipe=caco, by segment."""
    return [segment.stages for segment in build_segments(composed(*OPENAI), "/run")]


def ahead_of(stages: list[tuple[Stage, ...]]) -> dict[str, list[str]]:
    """Stage that asks a model -> the stages that are run ahead of its records."""
    plan_ahead(stages, Path("/run/ahead"))
    found: dict[str, list[str]] = {}
    for stage in (stage for segment in stages for stage in segment):
        if isinstance(stage, ModelEpisode):
            assert stage.ahead is None or isinstance(stage.ahead, RunAhead)
            found[stage.name] = [each.name for each in stage.ahead.stages] if stage.ahead else []
    return found


def test_what_the_next_segment_runs_first_of_a_record_is_run_ahead() -> None:
    assert ahead_of(segments()) == {
        "unify": [],  # the next stage asks the model
        "sample": ["form", "execute", "meaning"],  # structure looks at all programs together
        "reverse": [],
        "solve": [],  # what follows runs no program
    }


def test_a_replay_waits_for_no_model_and_runs_nothing_ahead() -> None:
    stages = segments()
    (sample,) = (each for part in stages for each in part if each.name == "sample")
    assert isinstance(sample, ModelEpisode)
    sample.backend = ReplayBackend(engine="replay")
    assert ahead_of(stages)["sample"] == []


def test_programs_under_other_limits_are_not_run_ahead() -> None:
    stages = segments()
    (meaning,) = (each for part in stages for each in part if each.name == "meaning")
    assert isinstance(meaning, FilterMeaning)
    meaning.sandbox = meaning.sandbox.model_copy(update={"cpu_seconds": 77})
    assert ahead_of(stages)["sample"] == []


AHEAD = RunAhead((FilterForm(filter=FILTER), RunPrograms(sandbox=SANDBOX, filter=FILTER)), SANDBOX)


def test_a_program_is_run_ahead_as_its_stage_will_run_it() -> None:
    own = play(RunPrograms(sandbox=SANDBOX, filter=FILTER).episode(program(SPAM)), lambda _: RESULT)
    ahead = play(AHEAD.steps(program(SPAM)), lambda _: RESULT)
    assert ahead.turns == [[Ahead(job) for job in turn] for turn in own.turns]  # type: ignore[arg-type]


def test_a_program_that_will_be_rejected_before_it_is_run_is_not_run_ahead() -> None:
    assert play(AHEAD.steps(program("import socket"))).turns == []


def test_a_result_is_kept_for_drivers_that_come_later(tmp_path: Path) -> None:
    job = Job('input = {"a": 1}\noutput = 8')

    def run(effect: Any) -> tuple[Result, bool]:
        """What a driver gives for an effect, and whether it opened the sandbox for it."""

        def episode() -> Steps[Result]:
            return (yield effect)

        driver = Driver("stage", None, SANDBOX, str(tmp_path))
        driver.start()
        driver.begin(0, episode())
        while driver.open:
            driver.step(wait=True)
        ((_, result),) = driver.ended()
        opened = driver._box is not None
        driver.close()
        return result, opened

    first, opened = run(Ahead(job))
    assert (first.output, opened) == ("8", True)
    assert run(job) == (first, False)
    assert run(Ahead(job)) == (first, False)  # an interrupted run that goes on
    assert run(Job(job.code, seed=1))[1]

"""Programs are run while the model writes others, and their own stage finds what they gave."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tests.programs_for_tests import FILTER, SANDBOX, SPAM, program
from tests.settings_for_tests import OPENAI, composed
from transforms.engine.accounting import Tally
from transforms.engine.recipe import build_segments
from transforms.engine.stage import Stage
from transforms.models.backends.settings import ReplayBackend
from transforms.models.driver import Driver
from transforms.models.effects import Ending, Keep, Recall
from transforms.models.episode import Episode, ModelEpisode, Steps, _judged, play
from transforms.models.run_ahead import RunAhead, plan_ahead
from transforms.sandbox.jobs import Cell, Job, Result, Status
from transforms.sandbox.settings import SandboxSettings
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
    stage = RunPrograms(sandbox=SANDBOX, filter=FILTER)
    own = play(stage.episode(program(SPAM)), lambda _: RESULT)
    ahead = play(AHEAD.steps(program(SPAM)), lambda e: None if isinstance(e, Recall) else RESULT)
    recall = Recall("execute", program(SPAM))
    assert ahead.turns == [[recall], *own.turns, [Keep(recall, Ending(own.result, ()))]]


def test_a_program_that_will_be_rejected_before_it_is_run_is_not_run_ahead() -> None:
    assert play(AHEAD.steps(program("import socket"))).turns == []


@dataclass(kw_only=True)
class Sums(Episode):
    """Runs a program, and counts it; with `in_session` as a cell."""

    name: str = "sums"
    sandbox: SandboxSettings = SANDBOX
    in_session: bool = False

    reads: ClassVar[type] = Job
    writes: ClassVar[type] = Result

    def episode(self, job: Job) -> Steps[Result]:
        result, _ = yield [
            Cell(job.code) if self.in_session else job,
            Tally("sums", "programs", "run", 1),
        ]
        return result


def driven(folder: Path, steps: Steps[Any]) -> tuple[Any, list[Tally], bool]:
    """What steps return, what was counted, and whether a sandbox was opened for it."""
    driver = Driver("stage", None, SANDBOX, str(folder))
    driver.start()
    driver.begin(0, steps)
    while driver.open:
        driver.step(wait=True)
    ((_, result),) = driver.ended()
    opened = driver._box is not None
    driver.close()
    return result, list(driver.tallies()), opened


def test_what_was_played_ahead_is_recalled_with_its_tallies_and_not_run_again(
    tmp_path: Path,
) -> None:
    job = Job('input = {"a": 1}\noutput = 8')
    stage = Sums(ran_ahead=str(tmp_path))
    ahead = RunAhead((stage,), SANDBOX)
    assert driven(tmp_path, ahead.steps(job)) == (None, [], True)
    assert driven(tmp_path, ahead.steps(job)) == (None, [], False)  # a run that goes on
    [(result, verdict)], tallies, opened = driven(tmp_path, _judged(stage, None, job))
    assert (result.output, verdict.kept, opened) == ("8", True, False)
    assert tallies == [Tally("stage", "programs", "run", 1)]
    assert driven(tmp_path, _judged(stage, None, Job(job.code, seed=1)))[2]
    assert driven(tmp_path, _judged(Sums(), None, job))[2]  # a stage that nothing is kept for


def test_an_episode_of_cells_is_left_to_its_own_stage(tmp_path: Path) -> None:
    ahead = RunAhead((Sums(ran_ahead=str(tmp_path), in_session=True),), SANDBOX)
    assert driven(tmp_path, ahead.steps(Job("output = 8"))) == (None, [], False)

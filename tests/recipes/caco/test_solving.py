"""Attempts are asked for in rounds, and no more than can change the verdict."""

import itertools
import json
from dataclasses import replace

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from hypothesis import given
from hypothesis import strategies as st

from tests.beam import on_workers
from tests.models.fault_server import fault_server
from tests.programs_for_tests import SPAM, execution
from tests.settings_for_tests import composed
from transforms.engine.paths import DATA
from transforms.engine.recipe import build_segments
from transforms.engine.records import Problem, Seed, grow
from transforms.engine.tables import shard_path, write_table
from transforms.models.engines import close_engines
from transforms.recipes.caco.solving import Solve, shares


@given(st.integers(0, 20), st.integers(1, 8))
def test_rounds_share_out_every_sample_once_and_in_order(samples, rounds):
    parts = shares(samples, rounds)
    assert len(parts) == rounds
    assert [sample for part in parts for sample in part] == list(range(samples))


REASONED = "Take off the spam and count the days. "


def answer(prompt):
    """Right where the last problem is easy, by telling or by a program as the prompt demands."""
    last = prompt.rsplit("Problem:", 1)[-1]
    if "Program:" in prompt:
        return SPAM.removeprefix('input = {"') if "easy" in last else "none"
    return f" {REASONED}The answer is {560 if 'easy' in last else 561}."


PROBLEMS = [
    replace(
        grow(Problem, execution(id=name), instruction=f"An {name} one: how many emails?"), id=name
    )
    for name in ("easy", "hard")
]


def stage_on(server, folder, *overrides):
    """The solving stage of a recipe whose model is the server."""
    settings = composed(
        "backend=openai", f"backend.base_url={server.base_url}", "backend.model=m",
        "backend.api=completions", f"output_dir={folder}", "sampling.solve.samples=4",
        "sampling.solve.shots=1", "sampling.solve_code.shots=1", "sandbox.slots=1", *overrides,
    )  # fmt: skip
    segments = build_segments(settings, str(folder), str(folder / "ledger"))
    (stage,) = [s for segment in segments for s in segment.stages if isinstance(s, Solve)]
    return stage


def solve(server, folder, workers, *overrides):
    """Runs the stage; returns (verdict marks by problem, attempts saved, requests asked)."""
    seeds = folder / "stages" / "02-unify"
    shown = json.loads((DATA / "seeds" / "rates.jsonl").read_text().splitlines()[0])
    seed = Seed.make(source="test", license="CC0-1.0", **{
        name: shown[name] for name in ("problem", "answer", "code", "solution")
    })  # fmt: skip
    write_table(shard_path(str(seeds), "part", 0, 1), [seed], Seed, "zstd")
    stage = stage_on(server, folder, *overrides)
    before = sum(server.asked.values())
    out = folder / "out.json"
    with TestPipeline(**on_workers(workers)) as pipeline:
        outcome = pipeline | beam.Create(PROBLEMS) | stage
        marks = outcome.kept | "Marks" >> beam.Map(
            lambda r: (r.id, [(a.kind, a.answer, a.agrees) for a in r.attempts])
        )
        saved = (
            outcome.tallies
            | beam.Filter(lambda tally: tally.what == "requests.saved")
            | "Amounts" >> beam.Map(lambda tally: tally.amount)
            | beam.CombineGlobally(sum)
        )
        (
            pipeline
            | "Once" >> beam.Create([None])
            | "Write"
            >> beam.Map(
                lambda _, marks, saved: out.write_text(json.dumps([sorted(marks), saved])),
                beam.pvalue.AsList(marks),
                beam.pvalue.AsSingleton(saved),
            )
        )
    marks, saved = json.loads(out.read_text())
    return dict(marks), saved, sum(server.asked.values()) - before


@pytest.mark.parametrize("workers", [1, 2])
def test_no_attempt_is_asked_for_that_cannot_change_the_verdict(workers, tmp_path):
    strict = "verify.min_agreement=0.75"
    with fault_server(answer=answer) as server:
        early = solve(server, tmp_path, workers, "verify.rounds=4", strict)
        assert early == (
            {"easy": [["cot", "560", True]] * 3, "hard": [["cot", "561", False]] * 2},
            1 + 2,
            5,
        )
        # the same samples: what the ledger holds is not asked again
        marks, saved, asked = solve(server, tmp_path, workers, "verify.rounds=1", strict)
        assert {name: len(attempts) for name, attempts in marks.items()} == {"easy": 4, "hard": 4}
        assert (saved, asked) == (0, 3)


def test_programs_are_written_from_the_instruction_and_run(tmp_path):
    both = ("verify.mode=both", "verify.rounds=1", "sampling.solve.samples=1")
    with fault_server(answer=answer) as server:
        marks, _, asked = solve(server, tmp_path, 1, *both)
        assert marks == {
            "easy": [["cot", "560", True]] + [["code", "560", True]] * 2,
            "hard": [["cot", "561", False]] + [["code", None, False]] * 2,
        }
        assert asked == 6
        assert not any(SPAM in prompt for prompt in server.asked)


def ends(server, folder, problems, *overrides):
    """Runs the stage; returns how each problem ended: (reason or None, detail)."""
    write_table(shard_path(str(folder / "stages" / "02-unify"), "part", 0, 1), [], Seed, "zstd")
    stage = stage_on(server, folder, "backend.max_retries=0", "verify.rounds=2", *overrides)
    out = folder / "ends.json"
    with TestPipeline(**on_workers(1)) as pipeline:
        outcome = pipeline | beam.Create(problems) | stage
        kept = outcome.kept | "Kept" >> beam.Map(lambda r: (r.id, (None, len(r.attempts))))
        lost = (outcome.rejected, outcome.unanswered) | beam.Flatten()
        lost = lost | "Lost" >> beam.Map(lambda r: (r.id, (r.reason, r.detail)))
        all_ = (kept, lost) | "All" >> beam.Flatten() | beam.combiners.ToList()
        all_ | "Write" >> beam.Map(lambda found: out.write_text(json.dumps(found)))
    close_engines()
    return {name: tuple(end) for name, end in json.loads(out.read_text())}


def failing(first, kind):
    """A fault for the first requests of the hard problem; all others are answered well."""
    turn = itertools.count()

    def fault(prompt):
        hard = "hard" in prompt.rsplit("Problem:", 1)[-1]
        return kind if hard and next(turn) < first else "well"

    return fault


@pytest.mark.parametrize(
    ("failures", "end"), [(1, (None, 3)), (2, ("unanswered", "server_error: "))]
)
def test_a_problem_whose_verdict_hangs_on_unanswered_requests_is_put_off(failures, end, tmp_path):
    with fault_server(
        answer=lambda _: f" {REASONED}It is 560.", fault=failing(failures, "500")
    ) as server:
        found = ends(server, tmp_path, PROBLEMS)
        assert found["easy"][0] is None
        assert found["hard"][0] == end[0]
        assert found["hard"][1] == end[1] or end[1] in found["hard"][1]
        if failures == 2:  # what was answered is in the ledger: the others are asked again
            before = server.asked.total()
            assert ends(server, tmp_path, PROBLEMS) == {"easy": found["easy"], "hard": (None, 4)}
            assert server.asked.total() == before + 2


def test_a_refused_request_is_an_attempt_that_does_not_agree(tmp_path):
    with fault_server(
        answer=lambda _: f" {REASONED}It is 560.", fault=failing(2, "filtered")
    ) as server:
        stage = ends(server, tmp_path, PROBLEMS)
        assert stage["hard"] == (None, 4)  # two of four agree, and no other value has a vote
    with fault_server(
        answer=lambda _: f" {REASONED}It is 560.", fault=failing(9, "filtered")
    ) as server:
        reason, detail = ends(server, tmp_path / "all", PROBLEMS)["hard"]
        assert (reason, "filtered" in detail) == ("refused", True)

"""Programs are sampled from seeds drawn by ids, and exact copies are one program."""

import dataclasses
from collections import Counter

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.beam import on_workers
from tests.generation.examples import response
from tests.programs_for_tests import SPAM
from tests.test_settings import composed
from transforms.errors import SourceError
from transforms.generation.ledger import LedgerWriter
from transforms.generation.prompts import PromptTemplate
from transforms.paths import DATA
from transforms.records import Seed
from transforms.sampling import SamplePrograms, draw
from transforms.settings import BudgetSettings, LedgerSettings, ReplayBackend

POOL = [
    Seed.make(
        problem=f"problem {n}",
        code=SPAM.replace("160", str(100 + n)),
        source="a" if n % 2 else "b",
        license="MIT",
    )
    for n in range(30)
]
SAMPLING = composed("sampling.num_programs=6").sampling
ALONE = composed("sampling=unconditional", "sampling.num_programs=6").sampling


def stage(folder, sampling):
    return SamplePrograms(
        sampling=sampling,
        backend=ReplayBackend(engine="replay", model="m", api="completions", continue_prefix=True),
        prompt=PromptTemplate.load(str(DATA / "prompts" / "caco" / "program.yaml")),
        ledger_dir=str(folder),
        ledger=LedgerSettings(flush_requests=100, flush_seconds=60),
        budget=BudgetSettings(),
        prices={},
    )


def record(folder, sampling, texts):
    """Writes a ledger in which prompt number i of the stage was answered by texts[i]."""
    writer = LedgerWriter(
        str(folder),
        LedgerSettings(flush_requests=9, flush_seconds=9),
        api="completions",
        continue_prefix=True,
    )
    pool = sorted(POOL, key=lambda seed: seed.id)
    for index, (text, finish) in enumerate(texts):
        [request] = stage(folder, sampling)._prompt(index, pool).requests
        answer = dataclasses.replace(response(request), text=text, finish_reason=finish)
        writer.add(request, answer)
    writer.flush()


def test_a_prompt_shows_as_many_seeds_as_asked_and_names_them():
    drawn, shots = draw(3, POOL, SAMPLING)
    assert len(shots) == SAMPLING.program.shots == len(set(drawn.seed_ids))
    assert drawn.license == "MIT"
    assert set(drawn.source.split(", ")) <= {"a", "b"}


def test_prompts_draw_different_seeds():
    sets = Counter(draw(index, POOL, SAMPLING)[0].seed_ids for index in range(50))
    assert len(sets) == 50


def test_without_a_verified_seed_few_shot_says_what_to_do():
    with pytest.raises(SourceError, match="sampling.conditioning=unconditional"):
        draw(0, [], SAMPLING)


def test_unconditional_prompts_show_no_seed_and_are_told_apart_by_their_sample(tmp_path):
    prompts = [stage(tmp_path, ALONE)._prompt(index, []) for index in range(6)]
    requests = [request for prompt in prompts for request in prompt.requests]
    assert all(prompt.record.seed_ids == () for prompt in prompts)
    assert len({request.prompt for request in requests}) == 1
    assert len({request.id for request in requests}) == len(requests)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("sampling", [SAMPLING, ALONE], ids=["few_shot", "unconditional"])
def test_each_answer_is_a_program_or_a_reject(tmp_path, sampling, workers):
    other = SPAM.replace("* days", "+ days")
    answers = [
        (SPAM, "stop"),
        (SPAM + "\n\n# Problem 6\ninput", "length"),
        (other, "stop"),
        ("I would rather not.", "stop"),
        (SPAM[:60], "length"),
        (" ", "stop"),
    ]
    record(tmp_path, sampling, answers)
    with TestPipeline(**on_workers(workers)) as pipeline:
        outcome = pipeline | beam.Create(POOL) | stage(tmp_path, sampling)
        kept = outcome.kept | "Kept" >> beam.Map(lambda program: program.code)
        lost = outcome.rejected | "Lost" >> beam.Map(lambda item: item.reason)
        entered = outcome.entered | beam.combiners.Count.Globally()
        assert_that(kept, equal_to([SPAM, other]), label="kept")
        assert_that(
            lost,
            equal_to(["duplicate_program", "no_program", "truncated", "empty_response"]),
            label="lost",
        )
        assert_that(entered, equal_to([6]), label="entered")

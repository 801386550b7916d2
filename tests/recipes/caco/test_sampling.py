"""Programs are sampled from seeds drawn by ids, and exact copies are one program."""

import dataclasses
from collections import Counter

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.beam import on_workers
from tests.models.examples import response
from tests.programs_for_tests import SPAM
from tests.settings_for_tests import composed
from transforms.engine.errors import SourceError
from transforms.engine.paths import DATA
from transforms.engine.records import Seed
from transforms.models.backends.settings import ReplayBackend
from transforms.models.episode import play
from transforms.models.ledger.ledger import LedgerSettings, LedgerWriter
from transforms.models.pool import Pool
from transforms.models.prompts import PromptTemplate
from transforms.models.settings import BudgetSettings
from transforms.recipes.caco.sampling import SamplePrograms, conditioning_of, draw

POOL = Pool(
    Seed.make(
        problem=f"problem {n}",
        code=SPAM.replace("160", str(100 + n)),
        kind=("rates", "algebra", "dates_clocks", None)[n % 4],
        source="a" if n % 3 else "b",
        license="MIT",
    )
    for n in range(30)
)
MIX = {"few_shot": 1.0, "kind": 5.0, "unconditional": 4.0}
SAMPLING = composed("sampling.num_programs=6").sampling
MIXED = SAMPLING.model_copy(update={"conditioning": MIX})
KIND = composed("sampling.conditioning=kind", "sampling.num_programs=6").sampling
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


def asked(stage, index, pool):
    """The requests of prompt number `index`."""
    return next(stage.episode(index, Pool(pool)))


def record(folder, sampling, texts):
    """Writes a ledger in which prompt number i of the stage was answered by texts[i]."""
    writer = LedgerWriter(
        str(folder),
        LedgerSettings(flush_requests=9, flush_seconds=9),
        api="completions",
        continue_prefix=True,
    )
    pool = Pool(sorted(POOL, key=lambda seed: seed.id))
    for index, (text, finish) in enumerate(texts):
        [request] = asked(stage(folder, sampling), index, pool)
        answer = dataclasses.replace(response(request), text=text, finish_reason=finish)
        writer.add(request, answer)
    writer.flush()


def test_a_prompt_shows_as_many_seeds_as_asked_and_names_them():
    drawn, shots = draw(3, POOL, SAMPLING, 0)
    assert len(shots) == SAMPLING.program.shots == len(set(drawn.seed_ids))
    assert drawn.license == "MIT"
    assert set(drawn.source.split(", ")) <= {"a", "b"}


def test_prompts_draw_different_seeds():
    sets = Counter(draw(index, POOL, SAMPLING, 0)[0].seed_ids for index in range(50))
    assert len(sets) == 50


def test_without_a_verified_seed_few_shot_says_what_to_do():
    with pytest.raises(SourceError, match="sampling.conditioning=unconditional"):
        draw(0, Pool(), SAMPLING, 0)


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.permutations(sorted(MIX)))
def test_what_a_prompt_names_is_decided_by_its_number_alone(seed, index, order):
    one = SAMPLING.model_copy(update={"conditioning": MIX})
    two = one.model_copy(update={"conditioning": {name: MIX[name] * 3 for name in order}})
    assert conditioning_of(index, one, seed) == conditioning_of(index, two, seed)


@given(st.lists(st.integers(0, 9), min_size=3, max_size=3).filter(any), st.integers(0, 99))
@settings(max_examples=20)
def test_a_mix_is_drawn_by_its_weights(weights, seed):
    mix = dict(zip(sorted(MIX), map(float, weights), strict=True))
    sampling = SAMPLING.model_copy(update={"conditioning": mix})
    drawn = Counter(conditioning_of(index, sampling, seed) for index in range(1000))
    for name, weight in mix.items():
        assert drawn[name] / 1000 == pytest.approx(weight / sum(weights), abs=0.08)
        assert weight > 0 or drawn[name] == 0


def test_a_kind_is_drawn_from_those_of_the_seeds_and_no_seed_is_shown():
    drawn = [draw(index, POOL, KIND, 0) for index in range(200)]
    assert {record.kind for record, _ in drawn} == {"rates", "algebra", "dates_clocks"}
    assert not any(shots for _, shots in drawn)


def test_kinds_that_are_named_are_asked_for_whether_or_not_a_seed_has_them():
    sampling = KIND.model_copy(update={"kinds": ["knots"]})
    assert {draw(index, Pool(), sampling, 0)[0].kind for index in range(9)} == {"knots"}


def test_where_no_seed_has_a_kind_the_error_says_how_to_name_some():
    bare = Pool(dataclasses.replace(seed, kind=None) for seed in POOL)
    with pytest.raises(SourceError, match=r"no verified seed has a kind.*sampling.kinds="):
        draw(0, bare, KIND, 0)


def test_with_kinds_each_prompt_shows_seeds_of_one_of_them():
    sampling = SAMPLING.model_copy(update={"kinds": ["rates", "algebra"]})
    drawn = [draw(index, POOL, sampling, 0) for index in range(50)]
    assert all({seed.kind for seed in shots} == {record.kind} for record, shots in drawn)
    assert {record.kind for record, _ in drawn} == {"rates", "algebra"}


def test_a_kind_that_no_seed_has_cannot_be_shown():
    sampling = SAMPLING.model_copy(update={"kinds": ["knots"]})
    with pytest.raises(SourceError, match="of the kind knots .*: the seeds have algebra, dates_"):
        draw(0, POOL, sampling, 0)


def test_shown_seeds_have_a_kind_where_all_of_them_share_it():
    for record, shots in [draw(index, POOL, SAMPLING, 0) for index in range(200)]:
        kinds = {seed.kind for seed in shots}
        assert record.kind == (kinds.pop() if len(kinds) == 1 else None)


def test_a_kind_is_named_in_the_prompt_which_forces_no_beginning(tmp_path):
    [request] = asked(stage(tmp_path, KIND.model_copy(update={"kinds": ["dates_clocks"]})), 5, [])
    assert request.prompt == "# Kind: dates clocks\n# Problem 1\n"
    assert request.sampler.prefix == ""


def test_shown_programs_come_with_a_forced_beginning_and_no_kind(tmp_path):
    sampling = SAMPLING.model_copy(update={"kinds": ["rates"]})
    [request] = asked(stage(tmp_path, sampling), 5, POOL)
    assert "# Kind" not in str(request.prompt)
    assert request.sampler.prefix == 'input = {"'


def test_a_program_keeps_the_kind_it_was_asked_for(tmp_path):
    built = stage(tmp_path, KIND.model_copy(update={"kinds": ["rates"]}))
    played = play(built.episode(5, Pool()), lambda request: response(request, SPAM))
    assert [program.kind for program, _ in played.result] == ["rates"]


def test_prompts_of_one_kind_are_told_apart_by_their_sample(tmp_path):
    for sampling in (KIND, SAMPLING.model_copy(update={"kinds": ["rates"]})):
        built = stage(tmp_path, sampling)
        requests = [asked(built, index, POOL[:3])[0] for index in range(50)]
        assert len({request.id for request in requests}) == 50


@pytest.mark.parametrize("seeds", [1, 3, 30])
def test_a_thousand_draws_are_a_thousand_requests_however_few_the_seeds(tmp_path, seeds):
    built = stage(tmp_path, SAMPLING)
    requests = [r for index in range(1000) for r in asked(built, index, POOL[:seeds])]
    assert len({request.id for request in requests}) == 1000


def test_unconditional_prompts_show_no_seed_and_are_told_apart_by_their_sample(tmp_path):
    requests = [r for index in range(6) for r in asked(stage(tmp_path, ALONE), index, [])]
    assert all(draw(index, Pool(), ALONE, 0)[0].seed_ids == () for index in range(6))
    assert len({request.prompt for request in requests}) == 1
    assert len({request.id for request in requests}) == len(requests)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    "sampling", [SAMPLING, ALONE, KIND, MIXED], ids=["few_shot", "unconditional", "kind", "mixed"]
)
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

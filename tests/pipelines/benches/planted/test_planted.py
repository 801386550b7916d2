"""Planted records are what their label says, and the bench's scores follow from their fates."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.benches.planted.answers import WRONG, first_wrong, is_wrong, notations, stated
from pipelines.benches.planted.benchmark import (
    BenchFiltersSettings,
    Fate,
    bench_filters,
    score_groups,
    score_records,
)
from pipelines.benches.planted.cases import make_cases, redrawn, slots, without
from pipelines.benches.planted.faults import RIGHT, Planted, plant
from pipelines.benches.planted.sets import (
    LabelledGroup,
    contaminated_set,
    instruction_set,
    jaccard,
    program_set,
    renamed,
    reworded,
    trivial_set,
)
from pipelines.benches.programs import shipped_seeds
from tests.programs_for_tests import DEDUP, FILTER, SANDBOX
from transforms.programs import fingerprint
from transforms.recipes.caco.verify import VerifyReason, VerifySettings
from transforms.sandbox.sandbox import Sandbox
from transforms.stages.diversity.reasons import Sameness
from transforms.stages.diversity.settings import DecontaminateSettings
from transforms.text.answers import compare_plain, extract_answer

values = st.one_of(
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 4)),
    st.lists(st.integers(0, 99), min_size=1, max_size=5),
    st.text("abcdefgh", min_size=3, max_size=9),
)
PROBLEM = "A clerk gets 160 emails a day, 30 percent of them spam. How many in 5 days, not 5 weeks?"
INPUTS = {"emails": 160, "percent_spam": 30, "days": 5, "rate": 1}


@pytest.fixture(scope="module")
def cases():
    with Sandbox(SANDBOX) as box:
        return make_cases(shipped_seeds()[::9], 1, box)


@given(values, st.sampled_from(sorted(WRONG)), st.integers())
def test_a_wrong_value_is_another_answer(value, fault, seed):
    wrong = first_wrong(WRONG[fault], value, random.Random(seed))
    assert wrong is None or is_wrong(value, wrong)
    if wrong is not None and type(wrong) is type(value):
        assert json.dumps(wrong) != json.dumps(value)


@given(st.one_of(st.booleans(), st.integers(), values))
def test_no_notation_of_a_value_is_taken_for_another(value):
    for written in notations(value):
        assert compare_plain(json.dumps(value), written) is not False


@given(st.integers(0, 10**6), st.integers())
def test_a_stated_answer_is_found_again(value, seed):
    text = stated(value, random.Random(seed), reasoning="First 3 and 4.")
    assert compare_plain(str(value), extract_answer(text) or "") is True


def test_only_numbers_that_the_text_states_once_are_slots():
    assert slots(PROBLEM, INPUTS) == {"emails": "160", "percent_spam": "30"}


def test_a_redrawn_case_states_its_new_numbers_and_no_old_ones():
    problem, inputs = redrawn("seed", PROBLEM, INPUTS, 0)
    assert inputs["emails"] != 160 and str(inputs["emails"]) in problem
    assert inputs["days"] == 5
    assert "160" not in problem


def test_a_number_is_taken_out_where_it_stands_alone():
    assert without("16 boats, 160 oars and 1.6 m", "16", "some").startswith("some boats, 160 oars")


def test_cases_keep_the_seeds_answers_and_redraws_are_of_the_same_kind(cases):
    seeds = {seed.id: seed for seed in shipped_seeds()}
    for case in cases:
        seed = seeds[case.id.partition("/")[0]]
        if case.id == seed.id:
            assert compare_plain(json.dumps(case.answer), seed.answer) is True
        else:
            assert isinstance(case.answer, (int, float)) and case.problem != seed.problem
    assert sum("/" in case.id for case in cases) >= 5


def test_every_record_has_one_id_and_every_family_is_there(cases):
    planted = plant(cases)
    assert len({record.id for record in planted}) == len(planted)
    families = {record.family for record in planted}
    assert families == {"right", "answer", "solution", "instruction", "program"}
    assert all(bool(record.reasons) == (record.family != RIGHT) for record in planted)


def test_rewording_lowers_the_similarity_word_by_word():
    text = " ".join(f"w{number}" for number in range(40))
    shares = [jaccard(text.split(), reworded(text, count).split()) for count in (1, 2, 8)]
    assert shares == [39 / 41, 38 / 42, 32 / 48]


def test_a_renamed_program_keeps_its_structure_and_no_name():
    seed = shipped_seeds()[0]
    assert fingerprint(renamed(seed.code, 1)) == fingerprint(seed.code)
    assert renamed(seed.code, 1) != renamed(seed.code, 2)


def planted(name: str, *reasons: str) -> Planted:
    family = "answer" if reasons else RIGHT
    return Planted(name, family, family, reasons, code="", instruction="", attempts=())


def test_rates_count_what_was_wrongly_accepted_and_rightly_kept():
    wrong = [planted(str(number), VerifyReason.LOW_AGREEMENT) for number in range(4)]
    right = [planted(f"r{number}") for number in range(5)]
    fates = {
        key: Fate(key, "verify", reason, "")
        for key, reason in {"0": "low_agreement", "1": "timeout", "r0": "low_agreement"}.items()
    }
    rows, figures = score_records([*wrong, *right], fates)
    assert figures == {"records": 9, "wrong_accepted_rate": 0.5, "right_kept_rate": 0.8}
    [answer] = [row for row in rows if row["family"] == "answer"]
    assert (answer["rejected"], answer["as_expected"], answer["precision"]) == (2, 1, 0.5)


def test_a_group_is_scored_by_how_many_of_it_stay():
    groups = [
        LabelledGroup("copies", (Sameness.NEAR_DUPLICATE,), ("a", "b", "c"), 1),
        LabelledGroup("copies", (Sameness.NEAR_DUPLICATE,), ("d", "e"), 1),
    ]
    fates = {key: Fate(key, "deduplicate", "near_duplicate", "") for key in ("a", "d", "e")}
    [row] = score_groups(groups, fates)
    assert (row["planted"], row["recall"], row["precision"]) == (
        3,
        round(2 / 3, 4),
        round(2 / 3, 4),
    )
    assert row["kept"] == 0.5


def test_labelled_sets_say_how_many_of_each_group_stay(cases):
    originals = [case for case in cases if "/" not in case.id]
    for labelled in (
        program_set(originals, 4),
        instruction_set(originals, 3, 0.8),
        trivial_set(originals, 0.2),
        contaminated_set(originals, {originals[0].id: "Other numbers."}),
    ):
        ids = [key for group in labelled.groups for key in group.ids]
        assert sorted(ids) == sorted(record.id for record in labelled.records)
        assert all(0 <= group.survivors <= len(group.ids) for group in labelled.groups)


def test_the_stages_reject_what_is_wrong_and_keep_what_is_right(tmp_path):
    settings = BenchFiltersSettings(
        redraws=0,
        codeio=0,
        show=0,
        sandbox=SANDBOX,
        filter=FILTER,
        verify=VerifySettings(mode="cot", min_agreement=0.5, rounds=2),
        dedup=DEDUP,
        decontaminate=DecontaminateSettings(ngram=8, share=0.5, long_ngram=13, similarity=0.6),
    )
    scores = bench_filters(shipped_seeds()[::32], [], settings, tmp_path)
    assert scores.figures["records"] > 100
    assert scores.figures["wrong_accepted_rate"] == 0
    assert scores.figures["right_kept_rate"] == 1
    for row in scores.rows:
        if row["family"] == "program":
            assert row["recall"] == 1, row

"""Selectors choose by what records are, never by how they arrive, and say why others go."""

from __future__ import annotations

import json
import pickle
import random
from dataclasses import dataclass, replace

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.beam import on_workers
from tests.programs_for_tests import SPAM
from tests.publish.report.folder import examples
from transforms.engine import groups
from transforms.engine.blocks import pack
from transforms.engine.records import Message
from transforms.engine.stage import lacking
from transforms.stages.trajectories import select
from transforms.stages.trajectories.select import (
    SELECTORS,
    Chosen,
    Select,
    error_share,
    potential_bin,
    rejects,
)

CHOSEN = TypeAdapter(Chosen)
NEEDS = {"one_of_each": {"kind": "kind"}, "of_potential": {"stay": [0, 1]}}


@dataclass(frozen=True)
class Row:
    id: str
    seed_ids: tuple[str, ...] = ("s1",)
    score: float = 0.0
    answer: str | None = None
    kind: str = ""
    code: str = SPAM
    messages: tuple[Message, ...] = ()


def row(name, score=0.0, said="", *results, **fields):
    """A conversation: what the model said, and the results that it was shown before its end."""
    turns = [Message("user", "How many?")]
    for result in results:
        turns += [Message("assistant", "I run it. "), Message("tool", result)]
    return Row(name, score=score, messages=(*turns, Message("assistant", said)), **fields)


def rows(scores, **fields):
    return [row(f"r{number:02}", score, **fields) for number, score in enumerate(scores)]


def choose(rule, group):
    """The ids that stay, and the reasons of the others by id."""
    made = Select(rule=CHOSEN.validate_python(rule))
    judged = [(r.id, v.reason) for r, v in made.of(sorted(group, key=lambda r: r.id))]
    return [name for name, reason in judged if reason is None], dict(judged)


def test_the_highest_scores_stay_and_ties_go_to_the_smallest_id() -> None:
    stay, reasons = choose({"highest": {"keep": 2}}, rows([0.5, 1, 0.5, 0.2]))
    assert stay == ["r00", "r01"] and reasons["r02"] == "lower_score"


def test_the_shortest_or_longest_right_attempt_stays() -> None:
    group = [
        row("a", 1, "long enough"),
        row("b", 1, "short"),
        row("c", 0, "no"),
        row("d", 1, "x" * 9),
    ]
    assert choose("shortest_right", group) == (
        ["b"], {"a": "longer", "b": None, "c": "wrong", "d": "longer"},
    )  # fmt: skip
    assert choose("longest_right", group)[0] == ["a"]


def test_the_answer_of_most_stays_however_it_is_worded() -> None:
    answers = ["1/2", "0.5", None, "7", "7.0", "0.50", "8"]
    group = [replace(row(f"r{n}"), answer=answer) for n, answer in enumerate(answers)]
    stay, reasons = choose("majority", group)
    assert stay == ["r0", "r1", "r5"]
    assert (reasons["r2"], reasons["r6"]) == ("no_answer", "minority")


def test_a_group_of_equal_scores_goes() -> None:
    assert choose("unequal_scores", rows([1, 1, 1]))[0] == []
    assert choose("unequal_scores", rows([1, 0, 1]))[0] == ["r00", "r01", "r02"]


def test_groups_of_a_difficulty_stay() -> None:
    band = {"difficulty": {"at_least": 0.25, "at_most": 0.5}}
    assert len(choose(band, rows([1, 0, 0, 0]))[0]) == 4
    assert set(choose(band, rows([1, 1, 1, 0]))[1].values()) == {"too_easy"}
    assert set(choose(band, rows([0, 0]))[1].values()) == {"too_hard"}


def test_ten_of_twenty_right_is_the_first_bin_and_all_or_none_the_last() -> None:
    assert [potential_bin(right / 20, 4) for right in (10, 20, 0)] == [0, 3, 3]
    first = {"of_potential": {"stay": [0]}}
    assert len(choose(first, rows([1] * 10 + [0] * 10))[0]) == 20
    assert choose(first, rows([1] * 20))[0] == []


def test_one_of_each_kind_and_of_each_structure_stays() -> None:
    kinds = [row("a", 0, kind="sums"), row("b", 1, kind="sums"), row("c", 0, kind="rates")]
    assert choose({"one_of_each": {"kind": "kind"}}, kinds)[0] == ["b", "c"]
    other = SPAM.replace("// 100", "// 200")
    codes = [row("a", code=SPAM), row("b", code=other), row("c", code="x ="), row("d", code="y =")]
    stay, reasons = choose("one_of_each_structure", codes)
    assert stay == ["a", "c", "d"] and reasons["b"] == "same_structure"


LONG = "We add the first number to the second one and then divide the sum by the third number. "


def test_nearly_equal_texts_are_one_and_no_more_than_a_number_stay() -> None:
    group = [row("a", 0, LONG * 3), row("b", 0, LONG * 3 + "So."), row("c", 0, "Else."), row("d")]
    stay, reasons = choose({"unlike": {"keep": 2}}, group)
    assert stay == ["a", "c"]
    assert (reasons["b"], reasons["d"]) == ("near_duplicate", "over_limit")


def test_what_is_least_like_those_that_stay_is_the_next_to_stay() -> None:
    group = [row("a", 0.9, LONG), row("b", 0.8, LONG + "So."), row("c", 0.1, "Else it is simple.")]
    assert choose({"novel": {"keep": 2}}, group)[0] == ["a", "c"]


DONE = "<answer>1</answer>"


def test_resampling_keeps_the_cleanest_right_ones_in_proportion() -> None:
    right = [row(f"r{n:02}", 1, DONE, *["ValueError: no"] * (n % 2), "1") for n in range(20)]
    wrong = [row(f"w{n:02}") for n in range(12)]
    stay, _ = choose("resample_on_correct", [*right, *wrong])
    clean = [f"r{n:02}" for n in range(0, 20, 2)]
    assert [name for name in stay if name[0] == "r"] == clean and len(stay) == 16


@pytest.mark.parametrize("rule", ["code", "paper"])
@pytest.mark.parametrize(
    ("right", "wrong", "stay"),
    [(20, 12, (10, 6)), (31, 1, (15, 1)), (32, 0, (0, 0)), (1, 31, (1, 15))],
)
def test_resampling_keeps_half_of_each_and_drops_equal_scores(right, wrong, stay, rule) -> None:
    group = rows([1] * right + [0] * wrong)
    ids, _ = choose({"resample_on_correct": {"rule": rule}}, group)
    kept = [each.score for each in group if each.id in ids]
    assert (kept.count(1), kept.count(0)) == stay


def test_the_penalty_of_a_conversation_is_its_share_of_errors_and_its_answer_tags() -> None:
    failed = row("a", 1, DONE, "the error is 0.1", "NameError: a", "1", "1")
    assert error_share(failed) == 0.25
    assert error_share(row("b", 1, DONE)) == 0.5
    twice = row("c", 1, DONE * 2, "1")
    found = [
        select.tag_penalty(each, "answer") for each in (failed, twice, row("d", 1, "<answer>"))
    ]
    assert found == [0, 0.5, 1]


ROWS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.5, 1.0]),
        st.sampled_from(["", LONG, LONG + "So.", "Else."]),
        st.sampled_from([None, "1", "1.0", "2"]),
        st.sampled_from(["sums", "rates"]),
    ),
    min_size=1,
    max_size=8,
).map(
    lambda items: [
        replace(row(f"r{n}", score, said), answer=answer, kind=kind)
        for n, (score, said, answer, kind) in enumerate(items)
    ]
)


@pytest.mark.parametrize("name", sorted(SELECTORS))
@given(ROWS, st.randoms(use_true_random=False))
def test_a_selector_does_not_depend_on_the_order_of_its_group(name, group, chance):
    rule = CHOSEN.validate_python({name: NEEDS.get(name, {})})
    shuffled = chance.sample(group, len(group))
    made = Select(rule=rule)
    found, again = (
        {
            record.id: (record, verdict)
            for members in groups.groups([pack(each)], lambda record: record.seed_ids[0])
            for record, verdict in made.of(members)
        }
        for each in (group, shuffled)
    )
    assert found == again and found.keys() == {each.id for each in group}
    assert {v.reason for _, v in found.values()} <= {None, *made.rejects_for()}


def test_rows_of_caco_are_chosen_by_their_own_fields() -> None:
    group = [replace(each, agreement=each.agreement / 2) for each in examples(3)]
    best = {"highest": {"score": "agreement"}}
    assert choose(best, [*group[:2], examples(3)[2]])[0] == [group[2].id]
    short = {"shortest_right": {"text": "solution", "score": "agreement", "right": 0}}
    assert choose(short, [group[0], replace(group[1], solution="7")])[0] == [group[1].id]


@rejects("unlucky")
def without_thirteen(group, *, unlucky: str = "r13"):
    return [(each.id, select.reject("unlucky")) for each in group if each.id == unlucky]


def test_a_selector_of_ones_own_is_named_by_its_import_path() -> None:
    assert choose(f"{__name__}.without_thirteen", rows([0] * 15))[1]["r13"] == "unlucky"


def test_a_field_that_records_lack_is_named_before_a_run() -> None:
    made = Select(by="problem", rule=CHOSEN.validate_python({"highest": {"score": "agreement"}}))
    assert lacking(made, Row) == {"by": "problem", "rule.score": "agreement"}
    with pytest.raises(ValueError, match="highest.keep: Input should be greater than"):
        CHOSEN.validate_python({"highest": {"keep": 0}})


def test_groups_are_whole_in_however_many_passes_they_are_read(monkeypatch) -> None:
    records = [replace(row(f"r{n:03}"), seed_ids=(f"s{n % 7}",)) for n in range(70)]
    blocks = [pack(records[start::3]) for start in range(3)]
    monkeypatch.setattr(groups, "_HELD_BYTES", 1000)
    found = list(groups.groups(blocks, lambda r: r.seed_ids[0]))
    assert sorted(map(len, found)) == [10] * 7
    assert all(members == sorted(members, key=lambda r: r.id) for members in found)


@pytest.mark.parametrize("workers", [1, 2])
def test_each_group_is_judged_whole_on_any_number_of_workers(workers) -> None:
    records = [
        replace(row(f"{seed}-{n}", score), seed_ids=(seed,))
        for seed in ("s1", "s2", "s3")
        for n, score in enumerate([0, 1, 0.5])
    ]
    random.Random(workers).shuffle(records)
    made = pickle.loads(pickle.dumps(Select(rule=CHOSEN.validate_python("highest"))))
    with TestPipeline(**on_workers(workers)) as pipeline:
        outcome = pipeline | beam.Create(records) | made
        assert outcome.entered is None
        assert_that(outcome.kept | beam.Map(lambda r: r.id), equal_to(["s1-1", "s2-1", "s3-1"]))
        reasons = outcome.rejected | "Reasons" >> beam.Map(
            lambda r: (json.loads(r.record)["score"], r.reason)
        )
        expected = [(score, "lower_score") for score in (0, 0.5) for _ in range(3)]
        assert_that(reasons, equal_to(expected), label="reasons")

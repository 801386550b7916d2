"""An instruction is accepted where enough of its solutions agree with the program."""

import itertools
import json
from dataclasses import replace
from functools import partial

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.beam import on_workers
from tests.programs_for_tests import FILTER, SANDBOX, SPAM, execution
from transforms.engine.records import Attempt, Attempts, grow
from transforms.models.driver import Drive, drive
from transforms.programs.checks import FormOf, form_checks
from transforms.recipes.caco.mark import mark, rivals
from transforms.recipes.caco.verify import (
    Verify,
    VerifySettings,
    answer_type,
    example,
    is_settled,
    judge_agreement,
    solution_of,
    with_shown,
)
from transforms.stages.judge import Pair, compare
from transforms.text.answers import extract_answer, final_answer

VERIFY = VerifySettings(mode="cot", min_agreement=0.5, rounds=1)
MARK = partial(mark, form=FormOf(form_checks(FILTER)))


REASONED = "Take the spam off, then count the days. "


def attempts(*texts, output="560", id="a", kind="cot"):
    return grow(
        Attempts,
        execution(output=output, id=id),
        instruction=f"How many emails does {id} answer?",
        attempts=tuple(
            Attempt(REASONED + text if kind == "cot" and text else text, "stop", kind)
            for text in texts
        ),
    )


def check(records, verify, kept, lost):
    """Marks and verifies; compares (instruction's fifth word, agreement, attempts) and reasons."""
    with TestPipeline(**on_workers(1)) as pipeline:
        outcome = (
            pipeline
            | beam.Create(drive(records, MARK, sandbox=SANDBOX))
            | Verify(verify=verify, recipe="caco", run_id="run")
        )
        accepted = outcome.kept | "Kept" >> beam.Map(
            lambda e: (e.instruction.split()[4], e.agreement, e.attempts)
        )
        refused = outcome.rejected | "Lost" >> beam.Map(lambda item: (item.reason, item.detail))
        assert_that(accepted, equal_to(kept), label="kept")
        assert_that(refused, equal_to(lost), label="lost")


def test_agreement_is_the_share_of_attempts_that_match():
    check(
        [
            attempts("The answer is 560.", "So \\boxed{560}", "The answer is 559.", "", id="a"),
            attempts("The answer is 1.", "The answer is 560.", "The answer is 2.", id="b"),
            attempts("I do not know", "", id="c"),
        ],
        VERIFY,
        kept=[("a", 0.5, 4)],
        lost=[
            ("low_agreement", "0.33: program gives 560, attempts say 1, 560, 2"),
            ("no_answer_found", "in 2 attempts"),
        ],
    )


def test_a_solution_that_calculates_wrongly_is_not_shown_and_alone_it_is_rejected():
    false, true = "It is 2 × 279 = 560.", "It is 2 × 280 = 560."
    check(
        [attempts(false, true, id="a"), attempts(false, false, id="b")],
        VERIFY,
        kept=[("a", 1.0, 2)],
        lost=[("false_equation", "2 × 279 = 560")],
    )
    one, both = attempts(false), attempts(false, true)
    agreed = [
        replace(r, attempts=tuple(replace(a, agrees=True) for a in r.attempts)) for r in (one, both)
    ]
    assert [is_settled(record, (1,), VERIFY) for record in agreed] == [False, True]
    assert example(agreed[1], "caco", "run").solution == REASONED + true


WRONG = SPAM.replace("answered * days", "answered + days")


def test_programs_written_from_the_instruction_are_run_and_compared():
    check(
        [
            attempts(SPAM, SPAM, WRONG, "print(560)", id="a", kind="code"),
            attempts(WRONG, "print(560)", id="b", kind="code"),
        ],
        VERIFY.model_copy(update={"mode": "code"}),
        kept=[("a", 0.5, 4)],
        lost=[("low_agreement", "0.00: program gives 560, attempts say 117, None")],
    )


def test_both_kinds_have_to_agree_where_both_are_asked_for():
    told, written = attempts("It is 560."), attempts(SPAM, kind="code")
    wrong = attempts(WRONG, kind="code")
    check(
        [
            replace(told, attempts=told.attempts + written.attempts),
            replace(told, attempts=told.attempts + wrong.attempts),
        ],
        VERIFY.model_copy(update={"mode": "both"}),
        kept=[("a", 1.0, 2)],
        lost=[("low_agreement", "0.50: program gives 560, attempts say 560, 117")],
    )


def marked(*agrees, kind="cot"):
    """A record with marked attempts: True agrees, a text is another value, False has no answer."""
    return replace(
        attempts(),
        attempts=tuple(
            Attempt(
                f"{REASONED}Attempt {n}.",
                "stop",
                kind,
                answer="1" if yes is True else yes or None,
                agrees=yes is True,
                value=yes or None if yes is not True else None,
            )
            for n, yes in enumerate(agrees)
        ),
    )


def test_an_accepted_row_shows_the_first_solution_that_agrees():
    row = example(marked(False, True, True, False), "caco", "run")
    assert row.solution == f"{REASONED}Attempt 1."
    assert [turn.role for turn in row.messages] == ["user", "assistant"]
    assert (row.answer, row.agreement, row.difficulty) == ("560", 0.5, 0.5)


def test_without_language_solutions_the_shortest_program_that_agrees_is_shown():
    record = replace(
        marked(),
        attempts=tuple(
            Attempt(text, "stop", "code", answer="1", agrees=yes)
            for text, yes in (("wrong", False), ("longer program", True), ("program", True))
        ),
    )
    assert example(record, "caco", "run").solution == "program"


OUTCOMES = {
    "cot": [
        Attempt("It is 2 × 280 = 560.", "stop", "cot", "560", agrees=True),
        Attempt("It is 2 × 279 = 560.", "stop", "cot", "560", agrees=True),
        *(Attempt(v, "stop", "cot", v, agrees=False, value=v) for v in ("1", "2", "3")),
        Attempt("", "error", "cot", None, agrees=False),
    ],
    "code": [
        Attempt(SPAM, "stop", "code", "560", agrees=True),
        *(Attempt(v, "stop", "code", v, agrees=False, value=v) for v in ("1", "2", "3")),
    ],
}
"""What an attempt may come to: right, right by a wrong step, one of some other values, nothing."""


@given(st.lists(st.sampled_from(OUTCOMES["cot"]), min_size=1, max_size=5))
def test_what_is_known_of_the_solution_to_show_changes_no_verdict(tries):
    record = replace(attempts(), attempts=tuple(tries))
    known = with_shown(record, VERIFY)
    verdict = judge_agreement(record, VERIFY)
    assert judge_agreement(known, VERIFY) == verdict
    assert [each.text for each in known.attempts if each.holds] == (
        [example(record, "caco", "run").solution] if verdict.kept else []
    )


def test_a_solution_that_is_known_not_to_hold_is_not_judged_anew():
    right, *_ = OUTCOMES["cot"]
    record = replace(attempts(), attempts=(replace(right, holds=False), right))
    assert solution_of(record) is record.attempts[1]


@given(
    st.sampled_from(["cot", "code", "both"]),
    st.sampled_from([0.01, 0.25, 0.5, 0.6, 0.75, 1.0]),
    st.data(),
)
def test_a_verdict_is_settled_just_where_all_completions_have_it(mode, least, data):
    verify = VERIFY.model_copy(update={"mode": mode, "min_agreement": least})
    made, left = [], []
    for kind in verify.kinds:
        made += data.draw(st.lists(st.sampled_from(OUTCOMES[kind]), max_size=4))
        left.append(data.draw(st.integers(0, 3 - len(verify.kinds))))
    missing = [k for kind, more in zip(verify.kinds, left, strict=True) for k in [kind] * more]
    record = attempts()
    completions = {
        judge_agreement(replace(record, attempts=(*made, *more)), verify).kept
        for more in itertools.product(*(OUTCOMES[kind] for kind in missing))
    }
    early = replace(record, attempts=tuple(made))
    assert is_settled(early, left, verify) is (len(completions) == 1)
    if len(completions) == 1:
        assert completions == {judge_agreement(early, verify).kept}


@pytest.mark.parametrize(
    ("marks", "reason"),
    [
        ((True, True, "7", "7"), "tied"),
        ((True, True, "7", "8"), None),
        ((True, True, "7", False), None),
        ((True, "7", "7", "8"), "low_agreement"),
        ((True, False, False, False), "low_agreement"),
    ],
)
def test_the_program_needs_more_votes_than_any_other_value(marks, reason):
    assert judge_agreement(marked(*marks), VERIFY).reason == reason


def test_three_requests_that_nobody_answered_leave_one_agreeing_attempt_undecided():
    assert not is_settled(marked(True), (3,), VERIFY)
    assert is_settled(marked(True, True, True), (1,), VERIFY)
    assert not is_settled(marked(True, True), (2,), VERIFY)  # the other two may be a tie


def test_attempts_that_disagree_are_grouped_by_the_value_that_they_give():
    answers = ("The answer is 1/2.", "So \\boxed{0.5}", "The answer is 7.", "The answer is 560.")
    symbolic = ("The answer is \\boxed{2\\sqrt{3}}.", "The answer is \\boxed{\\sqrt{12}}.")
    marked = drive([attempts(*answers), attempts(*symbolic, id="b")], MARK, sandbox=SANDBOX)
    root = "2\\sqrt{3}"
    values = [[attempt.value for attempt in record.attempts] for record in marked]
    assert values == [["1/2", "1/2", "7", None], [root, root]]


@given(st.lists(st.sampled_from([*OUTCOMES["cot"], *OUTCOMES["code"]]), max_size=8))
def test_each_two_values_that_disagree_with_the_program_are_compared_once(made):
    pairs = [(made[one], made[other]) for one, other in rivals(made, "560")]
    others = {(a.kind, a.value) for a in made if a.value is not None}
    assert len(pairs) == sum(a[0] == b[0] for a, b in itertools.combinations(others, 2))
    assert all(a.kind == b.kind and a.value != b.value for a, b in pairs)


def test_a_solution_that_was_cut_off_has_no_final_answer():
    assert final_answer("So far the sum is 560", "length") is None
    assert final_answer("The answer is 560.", "stop") == "560"


@pytest.mark.parametrize(
    ("output", "name"),
    [
        ("1", "integer"),
        ("1.5", "float"),
        ('"a"', "string"),
        ("true", "boolean"),
        ("[1]", "list"),
        ('{"a": 1}', "object"),
    ],
)
def test_the_answer_type_is_that_of_the_output(output, name):
    assert answer_type(output) == name


@pytest.mark.parametrize("workers", [1, 2])
def test_symbolic_answers_are_compared_in_the_sandbox_on_any_number_of_workers(workers):
    pairs = (
        Pair(json.dumps("2*sqrt(3)"), "\\sqrt{12}"),
        Pair(json.dumps("2*sqrt(3)"), "3.5"),
        Pair("560", "560"),
        Pair("560", None),
    )
    with TestPipeline(**on_workers(workers)) as pipeline:
        compared = pipeline | beam.Create([pairs]) | Drive("compare", compare, sandbox=SANDBOX)
        assert_that(compared.results, equal_to([[True, False, True, False]]))


def test_an_answer_that_is_code_is_not_run_by_the_comparison(tmp_path):
    target = tmp_path / "written"
    hostile = f"__import__('pathlib').Path({str(target)!r}).write_text('x')"
    texts = (f"The answer is {hostile}", f"\\boxed{{{hostile}}}")
    pairs = tuple(Pair("560", extract_answer(text)) for text in texts)
    assert drive([pairs], compare, sandbox=SANDBOX) == [[False, False]]
    assert not target.exists()

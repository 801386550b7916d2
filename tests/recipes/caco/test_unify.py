"""A seed without code is kept when a program gives its answer, and says why when none does."""

from dataclasses import replace

import pytest

from tests.models.test_responses import response
from tests.programs_for_tests import FILTER, SANDBOX, SPAM, execution
from transforms.engine.accounting import keep
from transforms.engine.records import Seed
from transforms.models.driver import drive
from transforms.models.requests import ErrorKind
from transforms.recipes.caco.unify import judge_written_code, written_programs
from transforms.stages.unify import Tried, program_of, try_programs


def seed(problem, answer, code):
    return Seed.make(
        problem=problem, answer=answer, code=code, source="test", license="CC0-1.0", kind="rates"
    )


def tried(*codes, answer="560"):
    record = seed("problem", answer, None)
    return Tried(record, tuple(program_of(record, code) for code in codes))


def check(item, expected):
    """Runs the programs of `item` and compares (code, output, reason, detail)."""
    [tried] = drive([item], lambda one: try_programs(one, SANDBOX, FILTER), sandbox=SANDBOX)
    seed, verdict = judge_written_code(tried)
    assert (seed.code, seed.output, verdict.reason, verdict.detail) == expected


def test_of_the_programs_that_agree_the_shortest_is_kept():
    longer = SPAM.replace("answered", "number_of_answered_emails")
    wrong = SPAM.replace("* days", "+ days")
    check(tried(longer, wrong, SPAM, "not a program"), (SPAM, "560", None, ""))


def test_where_none_agrees_the_reject_says_what_the_programs_gave():
    check(
        tried(SPAM, SPAM.replace("// 100", "// 0"), answer="99"),
        (None, None, "no_program_agrees", "answer 99; programs: gives 560, runtime_error 1"),
    )


def written(*texts):
    """The programs among a seed's responses: None for a request that nobody answered."""
    responses = [
        response(text or "", **({} if text else {"error": "late", "kind": ErrorKind.TIMEOUT}))
        for text in texts
    ]
    return written_programs(seed("problem", "560", None), responses)


@pytest.mark.parametrize(
    ("texts", "agrees", "reason"),
    [
        ((SPAM, None), (True,), None),
        ((SPAM, None), (False,), "unanswered"),
        ((None, None), (), "unanswered"),
        ((SPAM, "I cannot."), (False,), "no_program_agrees"),
    ],
)
def test_a_seed_is_put_off_where_nothing_agrees_and_a_request_stayed_unanswered(
    texts, agrees, reason
):
    item = written(*texts)
    ran = tuple(execution(code=SPAM, output="560", id=program.id) for program in item.programs)
    item = replace(item, verdicts=(keep(),) * len(ran), executions=ran)
    _, verdict = judge_written_code((item, agrees))
    assert verdict.reason == reason


def test_a_seed_without_a_program_says_what_came_in_place_of_them():
    item = written("I cannot.", "Nor I.")
    _, verdict = judge_written_code((item, ()))
    assert verdict.detail == "answer 560; programs: no_program 2"

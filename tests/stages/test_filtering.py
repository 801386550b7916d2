"""The filtering stages keep, reject and account for every program."""

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.beam import on_workers
from tests.programs_for_tests import FILTER, SANDBOX, SPAM, execution, program
from transforms.models.driver import drive
from transforms.stages.filtering import (
    CapTrivial,
    FilterForm,
    FilterMeaning,
    RunPrograms,
    over_share,
)


def ids(pcoll):
    return pcoll | beam.Map(lambda record: record.id)


def reasons(pcoll):
    return pcoll | beam.Map(lambda item: (item.id, item.reason))


@pytest.mark.parametrize("workers", [1, 2])
def test_programs_pass_form_run_and_meaning_or_are_rejected_there(workers):
    programs = [
        program(SPAM, "good"),
        program("print(1)", "formless"),
        program(SPAM.replace("// 100", "// (days - 5)"), "crash"),
        program(SPAM.replace("answered * days", "answered * days * 0 + 3"), "constant"),
    ]
    with TestPipeline(**on_workers(workers)) as pipeline:
        form = pipeline | beam.Create(programs) | "form" >> FilterForm(filter=FILTER)
        run = form.kept | "run" >> RunPrograms(sandbox=SANDBOX, filter=FILTER)
        meaning = run.kept | "meaning" >> FilterMeaning(sandbox=SANDBOX, filter=FILTER)
        assert_that(ids(meaning.kept), equal_to(["good"]))
        refused = (form.rejected, run.rejected, meaning.rejected) | beam.Flatten()
        assert_that(
            refused | "Reasons" >> beam.Map(lambda item: (item.id, item.reason)),
            equal_to(
                [
                    ("formless", "not_unified"),
                    ("crash", "runtime_error"),
                    ("constant", "constant_output"),
                ]
            ),
            label="reasons",
        )


CLOCK = SPAM.replace(
    "return answered * days", "import time\n    return answered * days + int(time.time()) // 10**7"
)


def test_a_second_run_that_goes_on_to_other_inputs_decides_as_the_two_stages_do():
    programs = [
        program(SPAM, "good"),
        program(SPAM.replace("// 100", "// (days - 5)"), "crash"),
        program(SPAM.replace("answered * days", "answered * days * 0 + 3"), "constant"),
        program(SPAM.replace("answered * days", "answered > 0"), "yes"),
        program(CLOCK, "clock"),
        program(SPAM.replace("answered * days", "days"), "copy"),
    ]
    runs, meaning = (
        [RunPrograms(sandbox=SANDBOX, filter=FILTER, perturbs=each) for each in (False, True)],
        FilterMeaning(sandbox=SANDBOX, filter=FILTER),
    )

    def verdicts(run):
        ran = drive(programs, run.episode, sandbox=SANDBOX)
        kept = [made for made, verdict in ran if verdict.kept]
        found = drive(kept, meaning.episode, sandbox=SANDBOX)
        refused = [(made.id, verdict.reason) for made, verdict in ran if not verdict.kept]
        return refused, [(made.id, made.sensitive_keys, verdict) for made, verdict in found]

    apart, together = map(verdicts, runs)
    assert apart == together
    assert together[0] == [("crash", "runtime_error"), ("clock", "nondeterministic")]


def test_yes_and_no_answers_are_capped_by_their_share():
    loops = ["+", "-", "*", "//", "%", "**"]
    programs = [
        execution(
            SPAM.replace("answered * days", f"answered {sign} days"),
            output="true" if index < 4 else "17",
            id=str(index),
        )
        for index, sign in enumerate(loops)
    ]
    with TestPipeline(**on_workers(1)) as pipeline:
        outcome = pipeline | beam.Create(programs) | CapTrivial(filter=FILTER)
        counts = outcome.rejected | beam.combiners.Count.Globally()
        assert_that(counts, equal_to([2]), label="two of the four go")
        assert_that(
            reasons(outcome.rejected) | "Why" >> beam.Values() | beam.Distinct(),
            equal_to(["trivial_over_share"]),
            label="why",
        )


@given(
    st.sets(st.text(min_size=1), max_size=30),
    st.integers(0, 100),
    st.sampled_from([0, 0.05, 0.5, 1]),
)
def test_the_guessable_kept_are_as_many_as_the_share_allows(guessable, others, share):
    lost = list(over_share(sorted(guessable), others, share))
    kept = len(guessable) - len(lost)
    total = kept + others
    assert kept <= share * total + 1e-6
    if lost and share < 1:
        assert (kept + 1) > share * (total + 1) - 1e-6

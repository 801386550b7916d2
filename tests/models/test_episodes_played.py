"""Every episode played by hand: what it asks and runs, in which turns, and how it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.models.examples import response
from tests.programs_for_tests import FILTER, SANDBOX, SPAM, execution, program
from tests.recipes.augment.seeds import AUGMENTATION, PENCILS
from tests.settings_for_tests import composed
from transforms.engine.accounting import Tally
from transforms.engine.recipe import build_segments
from transforms.engine.records import Problem, Seed, ToolCall, grow
from transforms.models.effects import Played
from transforms.models.episode import play
from transforms.models.pool import Pool
from transforms.models.requests import Request
from transforms.recipes.augment.stages import Augment
from transforms.sandbox.jobs import Cell, CellResult, Job, Result, Status
from transforms.stages.filtering import FilterMeaning, RunPrograms
from transforms.stages.unify import ValidateSeeds

SEED = Seed.make(problem="How many emails?", answer="560", code=SPAM, source="s", license="MIT")
BARE = Seed.make(problem="How many emails?", answer="560", source="s", license="MIT")
SETS = SPAM.replace("    return", "    assert days in {days}\n    return")
"""A program of which a second run has to tell that no seed touches it."""


def ran(output: str | None = "560", status: Status = Status.OK) -> Result:
    return Result(status, '{"emails": 160}', output, "", None, None, 0.1, 0.1, 9.0)


def stage(name: str, *overrides: str) -> Any:
    """A stage of a recipe, on an endpoint that chats."""
    settings = composed(
        "backend=openai", "backend.base_url=http://127.0.0.1:1/v1", "backend.model=m",
        "backend.api=chat", "output_dir=x", *overrides,
    )  # fmt: skip
    segments = build_segments(settings, "x", "x/ledger")
    return {s.name: s for segment in segments for s in segment.stages}[name]


def shape(played: Played[Any]) -> list[list[str]]:
    """The kinds of effects of each turn."""
    return [[type(effect).__name__ for effect in turn] for turn in played.turns]


def test_validate_runs_a_seed_s_own_program_and_passes_seeds_without() -> None:
    validate = ValidateSeeds(sandbox=SANDBOX, filter=FILTER)
    played = play(validate.episode(SEED), [ran()])
    assert shape(played) == [["Job"]]
    assert played.result[1].kept and played.result[0].output == "560"
    wrong = play(validate.episode(SEED), [ran("559")]).result[1]
    assert (wrong.reason, wrong.detail) == ("answer_mismatch", "code gives 559, seed says 560")
    assert play(validate.episode(BARE)).result is BARE


def test_unify_asks_for_programs_runs_each_once_and_keeps_one_that_agrees() -> None:
    unify = stage("unify", "sampling.unify.samples=3")
    wrong = SPAM.replace("* days", "+ days")

    def answer(effect: Any) -> Any:
        if isinstance(effect, Request):
            code = [SPAM, SPAM, wrong][effect.sample]
            return response(effect, f"```python\n{code}\n```")
        return ran("560" if "* days" in effect.code else "117")

    played = play(unify.episode(BARE, Pool([SEED])), answer)
    assert shape(played) == [["Request"] * 3, ["Job"] * 2]  # of equal programs, one is run
    seed, verdict = played.result
    assert verdict.kept and seed.code == SPAM
    assert play(unify.episode(replace(BARE, answer=None), Pool())).result.reason == (
        "no_reference_answer"
    )


def test_a_program_is_run_and_judged_by_how_it_ended() -> None:
    run = RunPrograms(sandbox=SANDBOX, filter=FILTER)
    made, verdict = play(run.episode(program(SETS)), [ran(), ran("561")]).result
    assert (made.status, verdict.reason) == ("nondeterministic", "nondeterministic")
    made, verdict = play(run.episode(program(SETS)), [ran(), ran()]).result
    assert made.output == "560" and verdict.kept


def test_a_program_that_fails_is_run_once_where_the_second_run_goes_on_to_other_inputs() -> None:
    run = RunPrograms(sandbox=SANDBOX, filter=FILTER, perturbs=True)
    failing = play(run.episode(program(SETS)), [ran(None, Status.RUNTIME_ERROR)])
    assert shape(failing) == [["Job"]]
    moving = play(run.episode(program(SETS)), [ran(), replace(ran(), moved=frozenset(["days"]))])
    assert shape(moving) == [["Job"], ["Job"]]
    assert moving.result[0].sensitive_keys == ("days",)


def test_a_program_that_no_seed_touches_is_run_once_under_all_inputs() -> None:
    run = RunPrograms(sandbox=SANDBOX, filter=FILTER, perturbs=True)
    fast = replace(ran(), cpu_seconds=0.01, moved=frozenset(["days"]))
    played = play(run.episode(program(SPAM)), [fast])
    [[job]] = played.turns
    assert isinstance(job, Job) and job.vary is not None
    assert {key for key, _ in job.vary.inputs} == {"emails", "percent_spam", "days"}
    assert played.result[0].sensitive_keys == ("days",)


@pytest.mark.parametrize("result", [replace(ran(), cpu_seconds=0.1), ran("true")])
def test_inputs_tried_in_too_little_time_or_without_comparisons_are_left_to_be_tried_again(
    result: Result,
) -> None:
    run = RunPrograms(sandbox=SANDBOX, filter=FILTER, perturbs=True)
    played = play(run.episode(program(SPAM)), [result])
    assert shape(played) == [["Job"]] and played.result[0].sensitive_keys is None


def test_other_keys_are_tried_only_where_the_first_move_nothing() -> None:
    meaning = FilterMeaning(
        sandbox=SANDBOX, filter=FILTER.model_copy(update={"max_perturbed_keys": 1})
    )
    first = play(
        meaning.episode(execution(SPAM)), lambda job: replace(ran(), moved=frozenset(["d"]))
    )
    assert shape(first) == [["Job"]]
    never = play(meaning.episode(execution(SPAM)), lambda job: ran())
    assert shape(never) == [["Job"], ["Job"]]
    assert never.result[1].reason == "constant_output"


def test_a_problem_is_worded_by_one_request() -> None:
    reverse = stage("reverse")
    played = play(
        reverse.episode(execution(SPAM), Pool([SEED])),
        lambda request: response(request, "Problem: How many emails does Ada answer?"),
    )
    assert shape(played) == [["Request"]]
    problem, verdict = played.result
    assert verdict.kept and problem.instruction == "How many emails does Ada answer?"


@pytest.mark.parametrize(
    ("answers", "turns", "saved"),
    [("560 560 560 560", [2, 1], 1), ("7 8 9 560", [2], 2), ("560 7 560 560", [2, 1, 1], 0)],
)
def test_attempts_are_asked_for_in_rounds_until_the_verdict_is_certain(
    answers: str, turns: list[int], saved: int
) -> None:
    solve = stage(
        "solve", "sampling.solve.samples=4", "verify.rounds=3", "verify.min_agreement=0.6"
    )
    said = answers.split()
    problem = grow(Problem, execution(SPAM), instruction="How many emails does Ada answer?")
    played = play(
        solve.episode(problem, Pool()),
        lambda asked: response(
            asked, f"Take off the spam and count the days. The answer is {said[asked.sample]}."
        ),
    )
    asked = [turn for turn in played.turns if turn and isinstance(turn[0], Request)]
    assert [len(turn) for turn in asked] == turns
    tallies = [effect for turn in played.turns for effect in turn if isinstance(effect, Tally)]
    assert sum(tally.amount for tally in tallies) == saved
    assert played.result[1].kept


def test_augment_runs_what_it_needs_and_gives_a_verdict_for_each_redraw() -> None:
    augment = Augment(augmentation=AUGMENTATION, sandbox=SANDBOX)
    played = play(augment.episode(PENCILS), lambda job: ran(None, Status.TIMEOUT))
    assert len(played.turns) == 1 and all(isinstance(job, Job) for job in played.turns[0])
    assert [verdict.kept for _, verdict in played.result] == [False] * len(played.result)
    assert play(augment.episode(BARE)).result[0].reason == "not_redrawable"


def test_a_conversation_goes_on_from_the_state_that_its_last_cell_left() -> None:
    solve = stage("solve", "recipe=tool_math", "recipe.stages.solve.sampler.samples=1")

    def answer(effect: Any) -> Any:
        if isinstance(effect, Cell):
            return CellResult(
                Status.OK, "7", "", None, None, (*effect.after, effect.code), 0.1, 0.1
            )
        cells = sum(message.role == "tool" for message in effect.messages)
        if cells == 2:
            return response(effect, "The answer is \\boxed{560}.")
        call = ToolCall(f"c{cells}", "python", json.dumps({"code": f"x = {cells}"}))
        return replace(response(effect, ""), tool_calls=(call,))

    played = play(solve.episode(BARE), answer)
    assert shape(played)[:5] == [["Request"], ["Cell"], ["Request"], ["Cell"], ["Request"]]
    assert played.turns[3] == [Cell("x = 1", ("x = 0",))]
    [(made, verdict)] = played.result
    assert verdict.kept and made.answer == "560" and made.seed_ids == (BARE.id,)


def test_a_predicted_input_is_right_where_the_program_gives_the_same_on_it() -> None:
    predict = stage("predict", "recipe=predict")
    seed = replace(SEED, output="560")

    def answer(effect: Any) -> Any:
        if isinstance(effect, Request):
            what = "560" if "value of `output`" in effect.messages[-1].content else "{'emails': 1}"
            return response(effect, f"So:\n```\n{what}\n```")
        return ran("560" if 'input = {"emails": 1}' in effect.code else None)

    played = play(predict.episode(seed), answer)
    assert shape(played) == [["Request", "Request"], ["Job"]]
    assert [(made.task, verdict.kept) for made, verdict in played.result] == [
        ("output", True),
        ("input", True),
    ]


def test_a_judge_that_favours_a_place_prefers_nothing() -> None:
    answer_twice, prefer = (stage(name, "recipe=judge") for name in ("answer", "prefer"))
    pair = play(
        answer_twice.episode(BARE), lambda request: response(request, f"Answer {request.sample}.")
    ).result
    always_a = play(prefer.episode(pair), lambda request: response(request, "[[A]]"))
    asked, [counted] = always_a.turns
    assert (len(asked), always_a.result.reason) == (2, "no_preference")
    assert (counted.what, counted.key) == ("pairs judged both ways", "changed")
    second = play(
        prefer.episode(pair),
        lambda r: response(
            r, "[[B]]" if "Answer A:\nAnswer 0" in r.messages[-1].content else "[[A]]"
        ),
    ).result
    assert second.chosen[0].content == "Answer 1."


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("It is fine.\nJudgement: sound", None),
        ("8 of 6 fields.\n**Judgement:** impossible", "impossible"),
        ("I cannot say.", None),
        ("Judgement: sound? No. Judgement: `unit_unclear`", "unit_unclear"),
    ],
)
def test_a_judge_s_last_word_on_an_instruction_counts(said: str, reason: str | None) -> None:
    sound = stage("sound", "recipe=caco_judged")
    problem = grow(Problem, execution(SPAM), instruction="How many emails does Ada answer?")
    played = play(sound.episode(problem), lambda request: response(request, said))
    assert getattr(played.result, "reason", None) == reason
    unreadable = [e for turn in played.turns for e in turn if isinstance(e, Tally)]
    assert len(unreadable) == (said == "I cannot say.")


def test_most_of_several_judgements_count() -> None:
    sound = stage("sound", "recipe=caco_judged", "recipe.stages.sound.sampler.samples=3")
    problem = grow(Problem, execution(SPAM), instruction="How many emails does Ada answer?")
    for said, reason in (
        ("sound sound impossible", None),
        ("sound ambiguous ambiguous", "ambiguous"),
    ):
        words = said.split()
        played = play(
            sound.episode(problem),
            lambda r, words=words: response(r, f"Judgement: {words[r.sample]}"),
        )
        assert getattr(played.result, "reason", None) == reason


def test_the_judge_stands_between_answerable_and_solve() -> None:
    settings = composed("recipe=caco_judged", "output_dir=x")
    names = [s.name for segment in build_segments(settings, "x") for s in segment.stages]
    assert names[names.index("sound") - 1 : names.index("sound") + 2] == [
        "answerable",
        "sound",
        "solve",
    ]

"""codeadapt: examples are right attempts at training problems, and are in no row."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.chat_server import chat_server
from tests.models.examples import chat, response
from tests.recipes.playing import stage
from tests.recipes.test_recipes import run
from tests.stages.trajectories.talking import asked, once, played, prompt_of, script
from transforms.engine.records import Seed
from transforms.models.backends.openai_engine import cut_at
from transforms.models.pool import Pool
from transforms.models.requests import ErrorKind
from transforms.recipes.codeadapt import Trained

SEEDS = [
    Seed.make(problem=f"What is {n} plus 1?", answer=str(n + 1), source="mine", license="MIT")
    for n in range(6)
]
TRAINING = Pool(SEEDS[:5])


def bootstrapped(seed: Seed, *texts: Any) -> Any:
    return played(stage("codeadapt", "bootstrap").episode(seed, TRAINING), script(*texts)).result


def example(seed: Seed) -> Trained:
    """A training problem that is solved in two turns, the first of which runs code."""
    made: Trained = bootstrapped(
        seed,
        f"Easy.\n<execute>\nprint({seed.answer})\n</execute>",
        f"So \\boxed{{{seed.answer}}} it is.",
    )
    return made


def test_of_five_training_problems_the_three_that_are_solved_are_examples() -> None:
    answers = ["\\boxed{1}", "\\boxed{0}", "\\boxed{3}", "none", "\\boxed{5}"]
    made = [bootstrapped(seed, text) for seed, text in zip(TRAINING, answers, strict=True)]
    pool = [each for each in made if isinstance(each, Trained)]
    assert [each.id for each in pool] == [TRAINING[n].id for n in (0, 2, 4)]
    assert [each.reason for each in made if each not in pool] == ["wrong_answer", "no_answer"]


def test_a_problem_that_is_no_training_problem_is_not_attempted_in_the_first_round() -> None:
    done = played(stage("codeadapt", "bootstrap").episode(SEEDS[5], TRAINING), script())
    assert done.result.id == SEEDS[5].id and not done.result.trace and not done.turns


def test_an_example_that_stays_unanswered_is_put_off() -> None:
    lost = response(chat(), "", error="504", error_kind=ErrorKind.TIMEOUT)
    assert bootstrapped(SEEDS[0], lost).unanswered


def test_two_examples_are_shown_before_the_problem_and_are_in_no_row() -> None:
    pool = Pool(example(seed) for seed in SEEDS[:3])
    solve = stage("codeadapt", "solve", "recipe.stages.solve.sampler.samples=1")
    row, verdict, done = once(solve.episode(Trained(**vars(SEEDS[5])), pool), "\\boxed{6}")
    [request] = asked(done)
    roles = [message.role for message in request.messages]
    assert roles == ["system", *["user", "assistant"] * 4, "user"]
    assert prompt_of(request).count("Easy.") == 2
    assert verdict.kept and "Easy." not in "".join(turn.content for turn in row.messages)
    assert [turn.role for turn in row.messages] == ["system", "user", "assistant"]


def test_which_examples_are_shown_depends_on_the_problem_alone() -> None:
    pool = Pool(example(seed) for seed in SEEDS[:4])
    solve = stage("codeadapt", "solve", "recipe.stages.solve.sampler.samples=1")
    seeds = [Trained(**vars(Seed.make(problem=f"{n}?", answer="1", source="s", license="MIT")))
             for n in range(12)]  # fmt: skip
    shown = [
        [prompt_of(asked(played(solve.episode(seed, pool), script("")))[0]) for seed in seeds]
        for _ in range(2)
    ]
    assert shown[0] == shown[1]
    assert len({re.sub(r"\d+\?", "", text) for text in shown[0]}) > 2


def test_without_examples_the_problems_are_rejected() -> None:
    made = stage("codeadapt", "solve").episode(Trained(**vars(SEEDS[5])), Pool())
    assert played(made, script()).result.reason == "no_examples"


def test_a_run_shows_its_own_examples_and_has_no_row_about_them(tmp_path: Path) -> None:
    seeds = [{"problem": f"What is {n} plus 1?", "answer": str(n + 1)} for n in range(9)]

    def model(body: dict[str, Any]) -> dict[str, Any]:
        number = re.findall(r"What is (\d+) plus", body["messages"][-1]["content"])
        text = f"<execute>\nprint({number[0]} + 1)\n</execute>" if number else "So \\boxed{{{}}}."
        said = text.format(body["messages"][-1]["content"].strip())
        return {"content": cut_at(said, tuple(body.get("stop") or ()))[0]}

    with chat_server(model) as (url, bodies):
        few = ["recipe.stages.solve.sampler.samples=1"]
        _, rows, ends = run(tmp_path, "codeadapt", url, seeds, *few)
    trained = {b["messages"][1]["content"] for b in bodies if len(b["messages"]) == 2}
    assert (len(trained), len(rows), ends) == (5, 4, [])
    assert not trained & {row["problem"] for row in rows}
    assert {len(b["messages"]) for b in bodies} == {2, 4, 2 + 8, 4 + 8}

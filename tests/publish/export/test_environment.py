"""A run's problems become a package that verifiers loads, draws and grades with."""

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.packages.repairs import BROKEN, PLACE, SOURCE, diff_to
from tests.packages.repairs import task as repair
from tests.programs_for_tests import SPAM
from tests.publish.export import runs
from tests.recipes.augment.seeds import PENCILS
from tests.recipes.test_puzzleplex import HANOI, game, solver
from transforms.engine.ids import content_id
from transforms.engine.paths import PROJECT
from transforms.engine.records import Message, Variant
from transforms.engine.run_folder import RunFolder
from transforms.programs.questions import Attempted
from transforms.publish.export.environment import EnvironmentExport, environment, write
from transforms.publish.instances import instances, problem_of
from transforms.publish.reward import reward

SETTINGS = EnvironmentExport(type="environment")
AUGMENTED = {**asdict(PENCILS), "output": "14", "input": "{}", "seed_ids": ["s"]}
SOLVED = {
    "id": "caco",
    "instruction": "Of 160 emails a day 30 percent are spam. How many others come in 5 days?",
    "solution": "As on page 77, 112 of 160 emails stay each day, so 560 in 5 days.\n"
    "The answer is 560.",
    "code": SPAM,
    "answer": "560",
    "answer_type": "integer",
    "kind": None,
    "source": "test",
    "license": "MIT",
    "seed_ids": ["s", "t"],
    "difficulty": 0.25,
}


def package(root: Path) -> Path:
    """The package of a run of two rows, one of which can be drawn anew."""
    fixed = {name: SOLVED[name] for name in ("id", "code", "solution", "kind", "source", "license")}
    fixed |= {"problem": SOLVED["instruction"], "answer": "560", "output": "560"}
    rows = [
        Variant(**{**AUGMENTED, "seed_ids": ("s",)}),
        Variant(**fixed, metadata="{}", seed_ids=("s", "t")),
    ]
    run = runs.finished(root / "run", "augment", rows)
    write(run, {"status": "complete", "recipe": "augment"}, RunFolder(f"{root}/package"), SETTINGS)
    return root / "package"


GOLD, WRONG = (f"So:\n```diff\n{diff_to(PLACE, t)}```\n" for t in (SOURCE, f"{BROKEN}\n# x\n"))


def attempt(reply: str, score: float = 1.0, *more: Message) -> Attempted:
    """An answer to a bug in a package, as `recipe=swe_patch` has it."""
    asked = Message("user", "`merge` is wrong.")
    return Attempted(
        id=content_id(reply, score),
        task_id="merge",
        task="repair",
        code="",
        grader="repair",
        answer=json.dumps(vars(repair())),
        messages=(asked, *more, Message("assistant", reply)),
        final_answer=None,
        score=score,
        turns=1,
        agreement=0.5,
        attempts=2,
        **{**runs.LINEAGE, "source": "spans"},
    )


def repairs(root: Path) -> Path:
    """The package of a run of swe_patch."""
    run = runs.finished(root / "patches", "swe_patch", [attempt(GOLD)])
    settings = SETTINGS.model_copy(update={"name": "my-repairs"})
    manifest = {"status": "complete", "recipe": "swe_patch"}
    write(run, manifest, RunFolder(f"{root}/repairs"), settings)
    return root / "repairs"


def test_a_row_with_a_grader_is_a_problem_whose_reward_runs_offline(tmp_path):
    rows = [
        attempt(GOLD),
        attempt(GOLD + "\n"),
        attempt(WRONG),
        attempt(WRONG, 0.0),
        attempt(GOLD, 1.0, Message("assistant", "Well."), Message("user", "Go on.")),
    ]
    made = environment([asdict(row) for row in rows], SETTINGS)
    [problem] = made.problems
    assert made.left_out == {
        "another answer to one problem": 2,
        "an attempt that is not right": 1,
        "a conversation of several turns": 1,
    }
    [instance] = instances([problem_of(json.loads(json.dumps(asdict(problem))))])
    assert instance.instruction == "`merge` is wrong."
    assert [reward(reply, instance.row) for reply in (instance.reference, WRONG)] == [1, 0]
    refused = environment([asdict(attempt(WRONG))], SETTINGS)
    assert refused.left_out == {"its solution earns no reward": 1}
    project = tomllib.loads((repairs(tmp_path) / "pyproject.toml").read_text())["project"]
    assert project["dependencies"][0].startswith("cotmill[repositories]>=")


def test_a_row_is_drawn_anew_or_stays_as_it_is():
    made = environment([AUGMENTED, SOLVED], SETTINGS)
    assert [(p.seed.problem, p.redrawn) for p in made.problems] == [
        (PENCILS.problem, True),
        (SOLVED["instruction"], False),
    ]
    assert made.fixed == {"unexplained_number": 1} and not made.left_out


def test_fixed_problems_are_left_out_on_request_and_counted():
    made = environment([AUGMENTED, SOLVED], SETTINGS.model_copy(update={"fixed": False}))
    assert len(made.problems) == 1
    assert made.left_out == {"cannot be drawn anew: unexplained_number": 1}


def test_the_redraws_of_one_problem_are_one_problem():
    again = {
        **AUGMENTED,
        "problem": PENCILS.problem.replace("5 pencils", "4 pencils"),
        "code": PENCILS.code.replace('"pencils_each": 5', '"pencils_each": 4'),
    }
    made = environment([again, AUGMENTED], SETTINGS)
    assert len(made.problems) == 1 and made.left_out == {"a redraw of another row": 1}


@pytest.mark.parametrize("lacking", ["code", "instruction", "solution", "answer"])
def test_a_row_without_what_an_instance_needs_is_left_out_and_counted(lacking):
    made = environment([{**SOLVED, lacking: None}], SETTINGS)
    assert not made.problems and made.left_out.total() == 1


def test_a_row_solved_by_a_program_has_no_solution_in_words():
    assert environment([{**SOLVED, "solution": SPAM}], SETTINGS).left_out.total() == 1


def test_a_solution_that_the_grader_refuses_is_left_out():
    wrong = {**SOLVED, "solution": SOLVED["solution"].replace("560", "561")}
    assert environment([wrong], SETTINGS).left_out == {"its solution earns no reward": 1}


def test_problems_are_placed_by_failed_attempts_and_then_by_their_programs():
    easy = {
        **SOLVED,
        "id": "easy",
        "difficulty": 0.0,
        "instruction": "Easy: " + SOLVED["instruction"],
    }
    made = environment([SOLVED, easy, AUGMENTED], SETTINGS)
    assert [p.difficulty for p in made.problems] == [0, 0.5, 1]
    assert made.problems[-1].seed.problem == SOLVED["instruction"]


def test_the_package_names_sources_licences_and_seeds(tmp_path):
    folder = package(tmp_path)
    readme = (folder / "README.md").read_text()
    lines = (folder / "cotmill_problems" / "problems.jsonl").read_text().splitlines()
    assert "| test | CC0-1.0 | 1 | 0 |" in readme and "| test | MIT | 0 | 1 |" in readme
    assert [json.loads(line)["seed_ids"] for line in lines] == [["s"], ["s", "t"]]


LEAN = ("babel", "numpy", "pydantic", "pyyaml", "sympy", "math-verify", "text2num")
"""What the grader and the redraws need of cotmill's dependencies."""
TRIED = """
import asyncio, json, verifiers.v1 as vf
def taken(name, **more):
    config = vf.resolve_env_config({"taskset": {"id": name, **more}})
    return list(vf.load_environment(config).taskset.take(20))
tasks = taken("cotmill-problems", seed=3) + taken("my-repairs")
async def scored(task, reply):
    trace = vf.Trace.model_construct(root_reply=reply)
    await task.score(trace)
    return trace.reward
async def graded(task):
    replies = task.data.reference, WRONG
    if "output" in task.data.row:
        output = task.data.row["output"]
        replies = ["It is \\\\boxed{%s}." % each for each in (output, output + "1")]
    scores = [await scored(task, each) for each in replies]
    return task.data.prompt, await task.validate(None), *scores
async def main():
    return [await graded(task) for task in tasks]
print(json.dumps(asyncio.run(main())))
"""


def pip(python: Path) -> list[str]:
    options = ["--no-compile", "--disable-pip-version-check", "-q"]
    return [sys.executable, "-m", "pip", "--python", str(python), "install", *options]


@pytest.fixture(scope="module")
def verifiers(pytestconfig) -> Path:
    """An interpreter with verifiers, whose dependencies are not cotmill's; kept between runs."""
    folder = Path(pytestconfig.cache.mkdir("verifiers-0.4.0-pytest"))
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        needed = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
        lean = [line for line in needed if Requirement(line).name in LEAN]
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        wanted = ["verifiers==0.4.0", "hatchling", "pytest", *lean]
        done = subprocess.run([*pip(python), *wanted], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"verifiers cannot be installed here: {done.stderr.strip()[-200:]}")
        (folder / "ready").touch()
    return python


def test_verifiers_draws_instances_accepts_references_and_refuses_wrong_answers(
    verifiers, tmp_path
):
    installed = tmp_path / "installed"
    options = ["--no-deps", "--no-build-isolation", "--target", installed]
    packages = package(tmp_path), repairs(tmp_path)
    subprocess.run([*pip(verifiers), *options, *packages], check=True)
    shown = subprocess.run(
        [verifiers, "-c", f"WRONG = {WRONG!r}{TRIED}"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{installed}:{PROJECT}"},
        capture_output=True,
        text=True,
        check=True,
    )
    prompts, *graded = zip(*json.loads(shown.stdout), strict=True)
    assert len(set(prompts)) == 21
    assert graded == [(True,) * 21, (1,) * 21, (0,) * 21]


PLAYED = """
import asyncio, contextlib, json, types, verifiers.v1 as vf
env = vf.load_environment(vf.resolve_env_config({"taskset": {"id": "cotmill-problems"}}))
class Talk:
    def __init__(self, answers):
        self.answers, self.said = iter(answers), []
        self.trace = vf.Trace.model_construct(info={})
    async def turn(self, said=None):
        self.said.append(said)
        return types.SimpleNamespace(terminated=False, last_reply=next(self.answers))
async def played(task, answers):
    talk = Talk(answers)
    @contextlib.asynccontextmanager
    async def interaction(task):
        yield talk
    agent = types.SimpleNamespace(interaction=interaction)
    await env.run(task, types.SimpleNamespace(agent=agent))
    await task.score(talk.trace)
    return talk.trace.reward, talk.said
async def main():
    task = next(iter(env.taskset))
    right = json.loads(task.data.reference)
    return [await task.validate(None), await played(task, right), await played(task, ["", ""])]
print(json.dumps(asyncio.run(main())))
"""


def test_verifiers_plays_a_game_turn_by_turn_and_rewards_what_was_won(verifiers, tmp_path):
    row, _ = game(HANOI, solver(HANOI))
    run = runs.finished(tmp_path / "run", "puzzleplex", [row])
    folder = RunFolder(f"{tmp_path}/package")
    write(run, {"status": "complete", "recipe": "puzzleplex"}, folder, SETTINGS)
    shown = subprocess.run(
        [verifiers, "-c", PLAYED],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{tmp_path}/package:{PROJECT}"},
        capture_output=True,
        text=True,
    )
    assert shown.returncode == 0, shown.stderr
    valid, (won, said), (lost, refused) = json.loads(shown.stdout)
    assert (valid, won, lost) == (True, 1, 0)
    assert said[0] is None and all("Now the position is" in each for each in said[1:])
    assert len(refused) == 2 and "no legal move" in refused[1]

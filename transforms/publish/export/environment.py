"""A run's verified problems as an environment for `verifiers`: a Python package that draws them.

The package has the problems as data and depends on cotmill, whose lean modules draw and grade:
`transforms.publish.instances` and `transforms.publish.reward`. Its form is that of verifiers 0.4:
a package that exports a `vf.Taskset`.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from typing import Any, Literal, NamedTuple

from pydantic import Field

from transforms import programs
from transforms.engine.accounting import reject
from transforms.engine.files import FileSystems
from transforms.engine.ids import canonical_json
from transforms.engine.paths import DATA
from transforms.engine.records import Seed
from transforms.engine.run_folder import RunFolder
from transforms.engine.settings import Group
from transforms.engine.tables import write_text
from transforms.models.responses import extract_program
from transforms.programs.operations import operations
from transforms.publish.card import table
from transforms.publish.export.run import Exported
from transforms.publish.export.tasks import accepted_rows
from transforms.publish.games import Plays
from transforms.publish.instances import Asked, Graded, Problem, earns_reward, redraws
from transforms.recipes.augment.rewrite import AugmentationSettings
from transforms.sandbox.shared import process_sandbox
from transforms.text.answers import plain_answer

_TEMPLATES = sorted((DATA / "environment").glob("*.py"))


class EnvironmentExport(Group):
    """A package with problems whose numbers are drawn anew."""

    type: Literal["environment"]
    name: str = Field(
        "cotmill-problems",
        pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
        description="name of the package, by which verifiers loads it",
    )
    fixed: bool = Field(
        True, description="keep problems whose numbers cannot be drawn anew, as they are"
    )
    draws: int = Field(
        240, ge=1, description="inputs drawn to see whether a problem can be drawn anew"
    )
    spread: float = Field(
        1.67, gt=1, description="a drawn value is at most this many times the old one"
    )
    sandbox: Literal["auto", "strict"] = Field(
        "auto", description="walls around the problems' programs"
    )

    @property
    def module(self) -> str:
        """The package's name in imports."""
        return self.name.replace("-", "_")


@dataclass
class Environment:
    """What became of a run's rows."""

    problems: list[Problem] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """Why -> rows that are no problem of their own."""
    fixed: Counter[str] = field(default_factory=Counter)
    """Why -> problems that stay as they are."""

    @property
    def exported(self) -> Exported:
        """The same as what an export made of a run."""
        redrawn = sum(problem.redrawn for problem in self.problems)
        rows = {"drawn anew": redrawn, "as they are": len(self.problems) - redrawn}
        notes = [f"as it is, not drawn anew: {n}, {why}" for why, n in sorted(self.fixed.items())]
        return Exported({name: n for name, n in rows.items() if n}, self.left_out, notes)


def seed_of(row: Mapping[str, Any]) -> Seed | None:
    """Returns a row's problem, program, output and solution as a verified seed.

    None for a row without a problem in words, a program, or a solution in words: nothing draws it
    anew, or no solution of it can be shown.
    """
    problem = row.get("instruction") or row.get("problem")
    output = row.get("output") or (row.get("answer") if row.get("instruction") else None)
    solution = row.get("solution")
    if not (problem and output and row.get("code") and solution) or extract_program(solution):
        return None
    seed = Seed.make(
        problem=problem,
        answer=plain_answer(output),
        code=row["code"],
        solution=solution,
        kind=row.get("kind"),
        source=row.get("source") or "",
        license=row.get("license") or "",
        metadata=canonical_json({"row": row["id"]}),
    )
    return replace(seed, output=output)


def asked_of(row: Mapping[str, Any]) -> tuple[Seed, Asked] | None:
    """Returns the seed of a row of `recipe=code2logic`, and what it asks; None for other rows."""
    shown = json.loads(row.get("shown") or "{}")
    if not {"world", "level", "asked"} <= shown.keys():
        return None
    answer = json.loads(row["answer"])[0]
    seed = Seed.make(
        problem=shown["asked"],
        answer=answer,
        solution=row["messages"][-1]["content"],
        kind=shown["world"],
        source=row.get("source") or "",
        license=row.get("license") or "",
        metadata=canonical_json({"row": row["id"]}),
    )
    return replace(seed, output=answer), Asked(shown["world"], shown["level"], row["task"])


def plays_of(row: Mapping[str, Any]) -> tuple[Seed, Plays] | None:
    """Returns the seed of a row of `recipe=puzzleplex` that was played turn by turn, and what it
    plays; None for other rows."""
    said = json.loads(row.get("data") or "{}")
    if said.get("mode") != "turns" or "world" not in said:
        return None
    seed = Seed.make(
        problem=row["problem"],
        kind=said["world"],
        source=row.get("source") or "",
        license=row.get("license") or "",
        metadata=canonical_json({"row": row["id"]}),
    )
    return seed, Plays(said["world"], said["level"], said["opponent"])


def graded_of(row: Mapping[str, Any]) -> Kept | str:
    """Returns a row of a recipe with graders as a problem: its prompt, its reply and its grader; or
    why it is none."""
    if not (row.get("grader") and row.get("answer") and row.get("messages")):
        return "no problem, program and solution in words"
    *prompt, reply = row["messages"]
    if (row.get("score") or 0) < 1:
        return "an attempt that is not right"
    if any(message["role"] == "assistant" for message in prompt):
        return "a conversation of several turns"
    seed = Seed.make(
        problem="\n\n".join(message["content"] for message in prompt),
        answer=row["answer"],
        solution=reply["content"],
        kind=row.get("task"),
        source=row.get("source") or "",
        license=row.get("license") or "",
        metadata=canonical_json({"row": row["id"]}),
    )
    graded = Graded(row["grader"], row["answer"], row.get("code") or "")
    return Kept(replace(seed, answer=None), row, False, graded)


def _without_values(seed: Seed) -> tuple[str, str]:
    """A seed's program and problem without their values: equal for redraws of one problem."""
    code = seed.code or ""
    with suppress(ValueError, programs.Unparsable):
        code = programs.with_input(code, {})
    return code, re.sub(r"\d+(?:[.,:/]\d+)*", "#", seed.problem)


class Kept(NamedTuple):
    """A row that becomes a problem."""

    seed: Seed
    row: Mapping[str, Any]
    redrawn: bool
    about: Asked | Plays | Graded | None = None
    """What it asks about a world, or plays, or how it is graded."""


@dataclass
class _Sorted:
    """What became of the rows of one problem."""

    kept: list[Kept] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    fixed: Counter[str] = field(default_factory=Counter)


def environment(rows: Iterable[Mapping[str, Any]], settings: EnvironmentExport) -> Environment:
    """Sorts rows into problems that are drawn anew, problems that stay as they are, and the rest.

    Rows that differ in their values alone are one problem: the first by id that can be drawn anew
    speaks for them.
    """
    made = Environment()
    seeds: dict[tuple[str, str], list[Kept]] = {}
    worlds: dict[Asked | Plays, Kept] = {}
    for row in rows:
        seed = seed_of(row)
        if of_world := asked_of(row) or plays_of(row):
            first, about = of_world
            made.left_out["a redraw of another row"] += about in worlds
            worlds.setdefault(about, Kept(first, row, True, about))
            continue
        one = graded_of(row) if seed is None else Kept(seed, row, False)
        if isinstance(one, str):
            made.left_out[one] += 1
        elif one.about is None:
            seeds.setdefault(_without_values(one.seed), []).append(one)
        elif [one] != seeds.setdefault((one.seed.id, ""), [one]):
            made.left_out["another answer to one problem"] += 1
    kept = list(worlds.values())
    with ThreadPoolExecutor(process_sandbox(settings.sandbox).slots) as threads:
        for found in threads.map(lambda family: _sorted(family, settings), seeds.values()):
            kept += found.kept
            made.left_out += found.left_out
            made.fixed += found.fixed
    made.left_out = +made.left_out
    made.problems = list(_placed(kept))
    return made


def _sorted(family: Sequence[Kept], settings: EnvironmentExport) -> _Sorted:
    """Sorts the rows of one problem."""
    drawing = AugmentationSettings(
        draws=settings.draws, rows_per_seed=1, spread=settings.spread, seed=0
    )
    family = sorted(family, key=lambda each: each.seed.id)
    reasons = []
    for each in family:
        verdict = reject("graded_as_a_whole")
        if each.about is None:
            _, verdict = redraws(each.seed, drawing, settings.sandbox)
        if verdict.kept:
            spoken_for = Counter({"a redraw of another row": len(family) - 1})
            return _Sorted([each._replace(redrawn=True)], left_out=+spoken_for)
        reasons.append(str(verdict.reason))
    found = _Sorted()
    for each, why in zip(family, reasons, strict=True):
        graded = each.about if isinstance(each.about, Graded) else None
        if not settings.fixed:
            found.left_out[f"cannot be drawn anew: {why}"] += 1
        elif not earns_reward(each.seed, settings.sandbox, graded):
            found.left_out["its solution earns no reward"] += 1
        else:
            found.kept.append(each)
            found.fixed[why] += 1
    return found


def _placed(kept: Sequence[Kept]) -> Iterator[Problem]:
    """Yields the problems with their places, the easiest first."""

    def hard(entry: Kept) -> tuple[float, int, str]:
        seed, row, _, about = entry
        uses = operations(programs.parse(seed.code or ""))
        steps = about.level if isinstance(about, (Asked, Plays)) else len(uses.all) + uses.nesting
        failed = row["difficulty"] if row.get("difficulty") is not None else 1 - _rate(row)
        return (failed, steps, seed.id)

    last = max(1, len(kept) - 1)
    for place, (seed, row, redrawn, about) in enumerate(sorted(kept, key=hard)):
        behind = tuple(row.get("seed_ids") or ())
        asked = about if isinstance(about, Asked) else None
        plays = about if isinstance(about, Plays) else None
        graded = about if isinstance(about, Graded) else None
        yield Problem(seed, behind, round(place / last, 4), redrawn, asked, plays, graded)


def _rate(row: Mapping[str, Any]) -> float:
    """The share of the attempts at a row's problem that are right; 1 where nobody counted."""
    return 1.0 if row.get("agreement") is None else row["agreement"]


def write(
    run: RunFolder, source: Mapping[str, Any], folder: RunFolder, settings: EnvironmentExport
) -> Exported:
    """Writes the package of a run's problems into a folder; nothing where it has none.

    Args:
        source: the run's manifest.

    Raises:
        RunFolderError: the run is not finished, or has no rows.
        SandboxError: the kernel does not give what `settings.sandbox` needs.
    """
    made = environment(accepted_rows(run, source), settings)
    if made.problems:
        lines = [json.dumps(asdict(p), ensure_ascii=False) + "\n" for p in made.problems]
        texts = {template.name: template.read_text("utf-8") for template in _TEMPLATES}
        texts["problems.jsonl"] = "".join(lines)
        graders = {problem.graded.grader for problem in made.problems if problem.graded}
        extra = "[repositories]" if graders & {"repair", "build", "kills"} else ""
        texts["pyproject.toml"] = _pyproject(settings.name, settings.module, extra)
        texts["README.md"] = _readme(made, source, settings.name)
        for path in _files(folder, settings):
            write_text(path, texts[FileSystems.split(path)[1]])
    return made.exported


def _files(folder: RunFolder, settings: EnvironmentExport) -> list[str]:
    """The files of a package."""
    of_module = [*(template.name for template in _TEMPLATES), "problems.jsonl"]
    paths = [folder.path(settings.module, name) for name in of_module]
    return [*paths, folder.path("pyproject.toml"), folder.path("README.md")]


def remove(manifest: Mapping[str, Any], folder: RunFolder) -> None:
    """Deletes the package in a folder, where its manifest is that of one."""
    form = manifest["config"]["format"]
    if form["type"] == "environment":
        settings = EnvironmentExport.model_validate(form)
        FileSystems.delete(list(filter(FileSystems.exists, _files(folder, settings))))
        with suppress(OSError):  # it holds something, or is no folder but a prefix
            os.rmdir(folder.path(settings.module))


def _pyproject(name: str, module: str, extra: str) -> str:
    return f"""\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "0.1.0"
description = "Verified problems whose numbers are drawn anew, for verifiers."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["cotmill{extra}>={version("cotmill")}", "verifiers>=0.4"]

[tool.hatch.build.targets.wheel]
packages = ["{module}"]
"""


def _readme(made: Environment, source: Mapping[str, Any], name: str) -> str:
    redrawn = sum(problem.redrawn for problem in made.problems)
    sources = Counter((p.seed.source, p.seed.license, p.redrawn) for p in made.problems)
    pairs = sorted({(origin, license) for origin, license, _ in sources})
    return (
        "\n\n".join(
            [
                f"# {name}",
                f"{len(made.problems):,} verified problems for "
                "[verifiers](https://github.com/PrimeIntellect-ai/verifiers): "
                f"{redrawn:,} whose numbers or positions are drawn anew each time, and "
                f"{len(made.problems) - redrawn:,} that stay as they are. A program, the engine of "
                "a game or a grader decides about each answer. Written by `cotmill export` from "
                f"the run `{source.get('run_id', '')}` of the recipe {source.get('recipe', '')}.",
                "The programs were written by models or taken from seeds; they run in cotmill's "
                "sandbox, which needs Linux.",
                f"```\npip install .\nvf-validate {name} -n 20 --runtime.type subprocess\n"
                f"vf-eval {name} -n 20 --env.taskset.easiest 0.5 --env.taskset.spread 3 \\\n"
                "    --env.agent.harness.id null --env.agent.runtime.type subprocess\n```",
                "`easiest` and `hardest` are places among the problems, from 0 to 1, by the share "
                "of attempts that failed and by what their programs do. `spread` says how far from "
                "the original numbers new ones are drawn, `seed` draws others, and `task.steps` "
                "judges the steps of a solution too.",
                "## Seeds and licences",
                table(
                    ("source", "licence", "drawn anew", "as they are"),
                    [(*pair, sources[*pair, True], sources[*pair, False]) for pair in pairs],
                ),
                "`problems.jsonl` names the seeds behind each problem (`seed_ids`).",
            ]
        )
        + "\n"
    )

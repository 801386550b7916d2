"""cotmill bench execution: the execution recipes: rows per second, and which answers are kept."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from pydantic import Field
from rich.console import Console

from pipelines.benches.planted.attempts import judge_answers
from pipelines.benches.programs import shipped_seeds
from pipelines.benches.shown import plain
from pipelines.hydra_app import settable, to_settings
from pipelines.synthesize import synthesize
from transforms.engine.machine import machine_line
from transforms.engine.paths import CONF
from transforms.engine.recipe import build_segments
from transforms.engine.records import Seed
from transforms.engine.settings import Group
from transforms.engine.stage import named
from transforms.models.driver import drive
from transforms.recipes.settings import Settings
from transforms.sandbox.settings import SandboxSettings
from transforms.sandbox.shared import shared_sandbox


class Asking(NamedTuple):
    """Where a recipe asks."""

    asks: str
    """The stage that makes tasks."""
    function: str = ""
    """What yields its seeds; empty for the CodeI/O programs, and for shipped seeds where its tasks
    are answered."""
    first: str = ""
    """Its first stage after the seeds are verified, where what is timed begins; empty for that
    which makes tasks."""
    is_traced: bool = True
    """Whether programs are run with a trace."""
    settings: tuple[str, ...] = ()
    """Further settings of the recipe where its tasks are answered."""


_LOOPS = "transforms.programs.loops.programs"


ASKING = {
    "codesense": Asking("ask"),
    "compiler_ir": Asking("ask", _LOOPS, is_traced=False),
    "cruxeval": Asking("ask", first="easy"),
    "cwm": Asking("trace"),
    "flare": Asking("search", "transforms.programs.deductions.problems", is_traced=False),
    "reval": Asking("ask"),
    "selfpico": Asking("remove"),
    "sx_bench": Asking("compose", _LOOPS),
    "think_and_execute": Asking("print", is_traced=False),
}
"""The recipes that ask without a model."""

WITH_A_MODEL = {
    "absolute_zero": Asking("propose"),
    "codeio": Asking("pairs"),
    "codemind": Asking("ask"),
    "coderl_plus": Asking("fail"),
    "cogex": Asking("split"),
    "cross_lingual": Asking("translate"),
    "cruxeval_x": Asking("translate", settings=("recipe.stages.translate.languages=[javascript]",)),
    # faults of shipped seeds show on most inputs; the problems of these do not say what is right
    "refute": Asking("mutate", _LOOPS, settings=("recipe.stages.mutate.shows_right=true",)),
    "semcoder": Asking("monologues"),
}
"""The recipes whose tasks a model attempts."""


class BenchExecutionSettings(Group):
    """Everything `cotmill bench execution` can be told."""

    programs: int = Field(ge=1, description="programs read for each recipe without a model")
    answered: int = Field(
        ge=0, description="programs whose tasks are answered rightly and wrongly, for each recipe"
    )
    workers: int = Field(ge=1, description="worker processes")
    sandbox: SandboxSettings


SETTINGS = BenchExecutionSettings


def bench(settings: BenchExecutionSettings) -> None:
    """Rows per second of the recipes that ask about runs without a model, seeds verified; then, of
    all recipes, which answers to their tasks are kept."""
    console = plain()
    console.print(
        f"{settings.programs:,} programs, {settings.workers} workers, {machine_line()}; seconds "
        "from verified seeds to rows"
    )
    columns = ("verified programs", "whole traces %", "rows", "seconds", "rows/s")
    measured = _printed(console, columns, measure(settings))
    rows, seconds = (sum(row[name] for row in measured) for name in ("rows", "seconds"))
    total = round(rows / seconds, 1)
    console.print(f"in all {rows:,} rows in {seconds:,.1f} s: {total:,} rows/s")
    answered = []
    if settings.answered:
        console.print("answers of known worth, in eight ways; right ones in three of them")
        columns = ("tasks", "right answers", "right kept %", "wrong kept", "precision %")
        answered = _printed(console, columns, judge(settings))
        for line in (line for row in answered for line in row["misjudged"]):
            console.print(line, markup=False)
    found = {"per_second": total, "recipes": measured, "answers": answered}
    print(json.dumps({"bench": "execution", **found}))


def _printed(
    console: Console, columns: tuple[str, ...], rows: Iterable[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Prints a line for each row when it comes: the recipe, and the figures in the order of the
    columns."""
    printed = []
    console.print(f"{'recipe':<18}" + "".join(f"{name:>{len(name) + 2}}" for name in columns))
    for row in rows:
        figures = zip(columns, [*row.values()][1:], strict=False)
        shown = (("" if f is None else f"{f:,}").rjust(len(name) + 2) for name, f in figures)
        console.print(f"{row['recipe']:<18}" + "".join(shown))
        printed.append(row)
    return printed


def measure(settings: BenchExecutionSettings) -> Iterator[dict[str, Any]]:
    """Runs each recipe without a model whole.

    Yields:
        recipe, programs (verified), whole (percent of them whose trace was not cut; None where none
        is made), rows, and seconds and per_second of the stages that ask.
    """
    for recipe, asking in ASKING.items():
        source = ["source=codeio", f"source.limit={settings.programs}"]
        if asking.function:
            source = ["source=function", f"source.function={asking.function}"]
            source.append(f"source.arguments.count={settings.programs}")
        with tempfile.TemporaryDirectory(prefix="cotmill-execution-") as folder:
            overrides = [
                f"recipe={recipe}",
                f"recipe.stages.{asking.first or asking.asks}.begins_segment=true",
                *(*source, "filter.min_code_lines=4", f"runner.workers={settings.workers}"),
                f"output_dir={folder}/run",
            ]
            manifest = synthesize(_composed(overrides), Console(file=io.StringIO()))
        verified, asked = manifest["segments"]
        cut = sum(each["rejected"].get("trace_cut", 0) for each in asked["stages"])
        yield {
            "recipe": recipe,
            "programs": verified["rows"],
            "whole": round(100 - 100 * cut / verified["rows"], 1) if asking.is_traced else None,
            "rows": asked["rows"],
            "seconds": round(asked["seconds"], 1),
            "per_second": round(asked["rows"] / asked["seconds"], 1),
        }


def judge(settings: BenchExecutionSettings) -> Iterator[dict[str, Any]]:
    """Has each recipe make tasks of shipped seeds, and answers them in all ways.

    Yields:
        recipe, tasks, right (answers), right_kept (percent), wrong_kept (answers), precision
        (percent of kept answers that are right), and misjudged: those judged wrongly, in words.
    """
    shipped = shipped_seeds()
    drawn = shipped[:: max(1, len(shipped) // settings.answered)][: settings.answered]
    with shared_sandbox(settings.sandbox) as box:
        for recipe, asking in sorted({**ASKING, **WITH_A_MODEL}.items()):
            seeds = drawn
            if asking.function:
                rows = islice(named(asking.function)(count=settings.answered), settings.answered)
                seeds = [Seed.make(source=recipe, **row) for row in rows]
            stages = stages_of(recipe, "filter.min_code_lines=4", *asking.settings)
            ends = drive(seeds, stages["validate"].episode, sandbox=settings.sandbox)
            verified = [each for each in ends if isinstance(each, tuple) and each[1].kept]
            judged = judge_answers(recipe, stages[asking.asks], [seed for seed, _ in verified], box)
            wrong = len(judged.accepted)
            yield {
                "recipe": recipe,
                "tasks": judged.tasks,
                "right": judged.right,
                "right_kept": _percent(judged.kept, judged.right),
                "wrong_kept": wrong,
                "precision": _percent(judged.kept, judged.kept + wrong),
                "misjudged": [*judged.accepted, *judged.lost],
            }


def stages_of(recipe: str, *overrides: str, root: str = "unused") -> dict[str, Any]:
    """Returns the stages of a recipe by name; the endpoint that they ask is not there.

    Args:
        root: the folder of their run, where those that draw keep their pictures.
    """
    asked = ["backend=openai", "backend.base_url=http://127.0.0.1:1/v1", "backend.api=chat"]
    named = [f"recipe={recipe}", "backend.model=scripted", f"output_dir={root}", *overrides]
    segments = build_segments(_composed([*asked, *named]), root, f"{root}/ledger")
    return {stage.name: stage for segment in segments for stage in segment.stages}


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 2) if whole else None


def _composed(overrides: list[str]) -> Settings:
    GlobalHydra.instance().clear()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return to_settings(compose("synthesize", list(map(settable, overrides))), Settings)

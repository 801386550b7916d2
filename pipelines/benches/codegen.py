"""cotmill bench codegen: the funnel before and after training, on kinds not trained on."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from typing import Any

from pydantic import Field
from rich.console import Console

from pipelines.benches.shown import plain, table_of
from pipelines.synthesize import synthesize
from transforms.engine.machine import machine_line
from transforms.engine.run_folder import absolute
from transforms.engine.runner_settings import DirectSettings
from transforms.engine.settings import Group, RecipeSettings, SinkSettings, parse_settings
from transforms.models.backends.settings import Backend
from transforms.models.ledger.ledger import LedgerSettings
from transforms.programs.checks import FilterSettings
from transforms.recipes.augment.rewrite import AugmentationSettings
from transforms.recipes.caco.settings import SamplingSettings
from transforms.recipes.caco.verify import VerifySettings
from transforms.recipes.settings import Settings
from transforms.sandbox.settings import SandboxSettings
from transforms.sources.read import AnySource
from transforms.stages.diversity.settings import DecontaminateSettings, DedupSettings

_OURS = ("kinds", "num_programs", "output_dir", "before", "after")
"""The settings that are this bench's; all others are a run's."""


class CodegenWay(Group):
    """A model, and how it is asked."""

    backend: Backend
    sampling: SamplingSettings


class BenchCodegenSettings(Group):
    """Everything `cotmill bench codegen` can be told."""

    kinds: list[str] = Field(
        min_length=1,
        description="kinds of problem that programs are asked for: each prompt shows "
        "seeds of one of them, or names it",
    )
    num_programs: int = Field(ge=1, description="program prompts, before and after alike")
    output_dir: str | None = Field(
        None,
        description="folder for the two runs; what it holds already of the same settings is not "
        "asked again (null: a temporary one)",
    )
    before: CodegenWay
    after: CodegenWay
    recipe: RecipeSettings
    source: AnySource
    sandbox: SandboxSettings
    filter: FilterSettings
    verify: VerifySettings
    dedup: DedupSettings
    decontaminate: DecontaminateSettings
    augmentation: AugmentationSettings
    ledger: LedgerSettings
    runner: DirectSettings
    sink: SinkSettings


SETTINGS = BenchCodegenSettings


def bench(settings: BenchCodegenSettings) -> None:
    """Runs the recipe once with each model, on the same seeds, and prints both funnels."""
    console, progress = plain(), Console(stderr=True, highlight=False)
    ways = {"before": settings.before, "after": settings.after}
    console.print(
        f"{settings.num_programs} prompts each, of {', '.join(settings.kinds)}; {machine_line()}; "
        + "; ".join(f"{name}: {asked(way)}" for name, way in ways.items())
    )
    rows = []
    with _folder(settings) as folder:
        for name, way in ways.items():
            progress.print(f"{name}: {asked(way)}")
            manifest = synthesize(run_settings(settings, way, f"{folder}/{name}"), progress)
            rows.append({"model": name, "asked": asked(way), **funnel(manifest)})
    print_funnels(rows, console)
    print(json.dumps({"bench": "codegen", "kinds": settings.kinds, "rows": rows}))


@contextlib.contextmanager
def _folder(settings: BenchCodegenSettings) -> Iterator[str]:
    if settings.output_dir is not None:
        yield absolute(settings.output_dir)
        return
    with tempfile.TemporaryDirectory(prefix="cotmill-") as folder:
        yield folder


def asked(way: CodegenWay) -> str:
    """The model, and what its prompts for programs have, in a few words."""
    mix = way.sampling.conditioning
    named = [name if len(mix) == 1 else f"{name} {weight:g}" for name, weight in mix.items()]
    return f"{way.backend.answering}, {' + '.join(named)}"


def run_settings(settings: BenchCodegenSettings, way: CodegenWay, folder: str) -> Settings:
    """The settings of the run with one model; what its folder holds is not asked again."""
    values = settings.model_dump(by_alias=True, exclude=set(_OURS))
    drawn = {"kinds": settings.kinds, "num_programs": settings.num_programs}
    values |= {
        "output_dir": folder,
        "resume": True,
        "backend": way.backend.model_dump(),
        "sampling": {**way.sampling.model_dump(), **drawn},
    }
    return parse_settings(values, Settings)


def funnel(manifest: dict[str, Any]) -> dict[str, Any]:
    """What became of the programs of a finished run.

    Shares are of the programs asked for: `runnable` ended well in the sandbox, `kept` passed the
    filters and the deduplication as well, `accepted` have a problem and solutions that agree.
    """
    stages = {s["name"]: s for segment in manifest["segments"] for s in segment["stages"]}
    programs = stages["sample"]["in"]
    accepted = manifest["accepted"]
    return {
        "programs": programs,
        "runnable_share": round(stages["execute"]["kept"] / programs, 4),
        "kept_share": round(stages["trivial"]["kept"] / programs, 4),
        "accepted": accepted,
        "accepted_share": round(accepted / programs, 4),
        "fingerprints": manifest["diversity"]["rows"]["fingerprints"]["distinct"],
        "tokens_per_accepted": manifest["tokens_per_accepted"],
    }


def print_funnels(rows: list[dict[str, Any]], console: Console) -> None:
    """Prints a line for each model."""
    shown = ("programs", "runnable %", "kept %", "accepted %", "accepted", "structures")
    table = table_of(["model"], [*shown, "tokens per accepted"])
    for row in rows:
        shares = (row[f"{name}_share"] for name in ("runnable", "kept", "accepted"))
        tokens = row["tokens_per_accepted"]
        table.add_row(
            row["model"],
            f"{row['programs']:,}",
            *(f"{100 * share:.1f}" for share in shares),
            f"{row['accepted']:,}",
            f"{row['fingerprints']:,}",
            "" if tokens is None else f"{tokens:,.0f}",
        )
    console.print(table)

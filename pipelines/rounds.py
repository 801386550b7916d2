"""Runs a recipe with more and more programs, until as many rows are accepted as are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console

from pipelines.hydra_app import is_caused_by
from transforms.engine.errors import BudgetReached, SettingsError
from transforms.engine.recipe import in_order, stage_class
from transforms.engine.run_folder import RunFolder, absolute
from transforms.recipes.settings import Settings

_MARGIN = 10
"""A round asks for one in so many programs more than the yield so far calls for."""
_GROWTH = 4
"""A round has at most so many times the programs of the round before."""


def next_programs(programs: int, accepted: int, wanted: int) -> int:
    """Returns how many programs the next round has, where `programs` gave `accepted` rows.

    >>> next_programs(100, 40, 100)
    275
    >>> next_programs(100, 0, 5)
    400
    """
    most = _GROWTH * programs
    if not accepted:
        return most
    needed = -(-programs * wanted * (_MARGIN + 1) // (accepted * _MARGIN))  # rounded up
    return max(programs + 1, min(needed, most))


def until_accepted(
    settings: Settings, run: Callable[[Settings], dict[str, Any]], console: Console
) -> dict[str, Any]:
    """Runs a recipe in rounds until `sampling.accepted` rows are there; returns the manifest.

    A round is a run with more programs in the same folder, and its rows are those of a run that
    began with as many: the ledger serves what was asked before, so only the added programs, and
    what is made of them, are paid for. Rounds end too where one adds no row, and at the budget:
    the rows are then those of the last whole round.

    Args:
        run: runs the recipe into the run folder once, and returns its manifest.

    Raises SettingsError where no stage of the recipe draws programs, and whatever `run` raises;
    a budget that ends after the first round is no error.
    """
    wanted = settings.sampling.accepted
    if wanted is None:
        return run(settings)
    stages = in_order(settings.recipe)
    if not any(stage_class(name, stage).draws for name, stage in stages.items()):
        raise SettingsError(
            f"sampling.accepted={wanted} needs a recipe with a stage that draws programs, and "
            f"{settings.recipe.name} has none: give it more seeds, or more samples a seed"
        )
    programs = _begun_with(settings)
    manifest = run(_round(settings, programs))
    while manifest["accepted"] < wanted:
        before, fewer = manifest["accepted"], programs
        programs = next_programs(programs, before, wanted)
        _say(console, f"{before} of {wanted} rows from {fewer} programs: on with {programs}")
        again = settings.model_copy(update={"resume": True, "overwrite": False})
        try:
            manifest = run(_round(again, programs))
        except Exception as error:
            if not is_caused_by(error, BudgetReached):
                raise
            _say(console, f"the budget is spent: back to the {before} rows of {fewer} programs")
            return run(_round(again, fewer))
        if manifest["accepted"] <= before:
            _say(console, f"{programs - fewer} more programs add no row: {before} of {wanted}")
            break
    return manifest


def _round(settings: Settings, programs: int) -> Settings:
    sampling = settings.sampling.model_copy(update={"num_programs": programs})
    return settings.model_copy(update={"sampling": sampling})


def _begun_with(settings: Settings) -> int:
    """The programs of the first round; of the last one begun, where a run is gone on with."""
    programs = settings.sampling.num_programs
    if not settings.resume:
        return programs
    found = RunFolder(absolute(settings.output_dir)).read_manifest() or {}
    return max(programs, found.get("config", {}).get("sampling", {}).get("num_programs", 0))


def _say(console: Console, line: str) -> None:
    console.print(f"rounds: {line}", highlight=False, soft_wrap=True)

"""cotmill's library: stages, episodes and records, by the names in `__all__` (docs/library.md).

A name is imported from its module when it is first used: a worker loads what it needs.
"""

import importlib
import sys
from typing import Any

# Outputs may be longer than the 4,300 digits that Python reads by itself; the sandbox bounds them.
sys.set_int_max_str_digits(100_000)

MODULES = {
    "transforms.engine.accounting": ("Reject", "Verdict", "keep", "reject"),
    "transforms.engine.defaults": ("group",),
    "transforms.stages.diversity.decontaminate": ("Decontaminate",),
    "transforms.stages.diversity.instructions": ("Deduplicate",),
    "transforms.stages.diversity.programs": ("DeduplicatePrograms",),
    "transforms.engine.outcomes": ("Outcome",),
    "transforms.models.driver": ("Drive", "drive"),
    "transforms.models.effects": ("Steps", "play"),
    "transforms.models.episode": ("Episode", "ModelEpisode"),
    "transforms.models.tools": ("Invoke", "Tools", "invoke"),
    "transforms.stages.execute": ("Execute",),
    "transforms.sandbox.jobs": ("Cell", "Job", "Result", "Status", "TraceLimits"),
    "transforms.stages.filtering": ("CapTrivial", "FilterForm", "FilterMeaning", "RunPrograms"),
    "transforms.engine.groups": ("GroupMap",),
    "transforms.engine.losers": ("Limit",),
    "transforms.engine.records": ("Derived", "Execution", "Message", "Program", "Seed", "derived"),
    "transforms.sources": ("ReadSeeds",),
    "transforms.engine.stage": ("AnyRecord", "Filter", "Map", "Same", "Stage", "check"),
    "transforms.engine.tables": ("ReadRecords", "WriteRecords"),
    "transforms.recipes.caco.unify": ("UnifySeeds",),
    "transforms.stages.unify": ("ValidateSeeds",),
    "transforms.stages.attempt": ("AttemptTasks", "PassRate"),
    "transforms.stages.grade": ("Grade",),
    "transforms.stages.preferences": ("MakePairs", "PairTurns"),
    "transforms.stages.trajectories.masks": ("Mask",),
    "transforms.stages.trajectories.select": ("Select",),
}
"""Module -> the names that it offers here."""

HOMES = {name: module for module, names in MODULES.items() for name in names}
"""Name -> its module."""

__all__ = sorted(HOMES)


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *HOMES})

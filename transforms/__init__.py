"""cotmill's library: stages, episodes and records, by the names in `__all__` (docs/library.md).

A name is imported from its module when it is first used: a worker loads what it needs.
"""

import importlib
import sys
from typing import Any

# Outputs may be longer than the 4,300 digits that Python reads by itself; the sandbox bounds them.
sys.set_int_max_str_digits(100_000)

MODULES = {
    "transforms.accounting": ("Reason", "Reject", "Verdict", "keep", "reject"),
    "transforms.defaults": ("group",),
    "transforms.diversity.decontaminate": ("Decontaminate",),
    "transforms.diversity.instructions": ("Deduplicate",),
    "transforms.diversity.programs": ("DeduplicatePrograms",),
    "transforms.engine.outcomes": ("Outcome",),
    "transforms.episode": ("Drive", "Episode", "ModelEpisode", "Steps", "drive", "play"),
    "transforms.execution.execute": ("Execute",),
    "transforms.execution.jobs": ("Job", "Result", "Status"),
    "transforms.filtering.stages": ("CapTrivial", "FilterForm", "FilterMeaning", "RunPrograms"),
    "transforms.losers": ("Limit",),
    "transforms.records": ("Derived", "Execution", "Message", "Program", "Seed", "derived"),
    "transforms.sources": ("ReadSeeds",),
    "transforms.stage": ("AnyRecord", "Filter", "Map", "Same", "Stage", "check"),
    "transforms.tables": ("ReadRecords", "WriteRecords"),
    "transforms.unify": ("UnifySeeds", "ValidateSeeds"),
    "transforms.verification.grade": ("Grade",),
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

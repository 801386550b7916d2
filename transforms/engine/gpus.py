"""Which of the machine's GPUs each local worker sees: a model is not loaded twice onto one."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping

from transforms.engine.errors import SettingsError
from transforms.engine.machine import machine

GROUPS = "COTMILL_GPU_GROUPS"
"""Environment variable of the driver: the GPUs of each local worker, such as `0,1;2,3`."""
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_MOST_SHARED = 0.95
"""Share of a GPU's memory that several models may take together; each needs some beside it."""
_numbers = itertools.count()


def visible_gpus() -> list[str]:
    """Returns the GPUs that this process sees, by their numbers or names."""
    seen = os.environ.get(_VISIBLE)
    names = map(str, range(len(machine()["gpus"]))) if seen is None else seen.split(",")
    return [name.strip() for name in names if name.strip()]


def check_shares(shares: Mapping[str, float]) -> None:
    """Checks that models which are loaded onto the same GPUs leave room for each other.

    Args:
        shares: setting of a model -> share of a GPU's memory that it takes.

    Raises:
        SettingsError: there are several, and together they take too much.
    """
    if len(shares) < 2 or sum(shares.values()) <= _MOST_SHARED:
        return
    each = int(100 * _MOST_SHARED / len(shares)) / 100
    fix = " ".join(f"{place}.gpu_memory_utilization={each}" for place in shares)
    taken = " + ".join(f"{share:g}" for share in shares.values())
    raise SettingsError(
        f"{' and '.join(shares)} are {len(shares)} models on the same GPUs, and would take {taken} "
        f"of their memory: set shares of at most {_MOST_SHARED:g} together, such as {fix}, or "
        "have one model answer for all"
    )


def share_gpus(cards: int, workers: int) -> None:
    """Deals this process's GPUs out to local workers, `cards` to each.

    Without a GPU, or for 0 cards, it does nothing.

    Raises SettingsError where there are too few.
    """
    os.environ.pop(GROUPS, None)
    gpus = visible_gpus()
    if not gpus or not cards:
        return
    groups = [",".join(gpus[i : i + cards]) for i in range(0, len(gpus) - cards + 1, cards)]
    if len(groups) < workers:
        raise SettingsError(
            f"runner.workers={workers} loads the model {workers} times, on {cards} GPUs each, and "
            f"{len(gpus)} are visible: set runner.workers={max(1, len(groups))}, or "
            "backend=vllm_server, which all workers share"
        )
    os.environ[GROUPS] = ";".join(groups)


def next_worker() -> dict[str, str]:
    """Returns what the next worker process has in its environment to see its GPUs alone.

    Each pipeline starts its workers anew, as many each time: in turns, those that run together have
    different ones.
    """
    groups = os.environ.get(GROUPS, "").split(";")
    return {_VISIBLE: groups[next(_numbers) % len(groups)]} if groups != [""] else {}

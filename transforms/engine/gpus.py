"""Which of the machine's GPUs each local worker sees: a model is not loaded twice onto one."""

from __future__ import annotations

import itertools
import os

from transforms.engine.errors import SettingsError
from transforms.engine.machine import machine

GROUPS = "COTMILL_GPU_GROUPS"
"""Environment variable of the driver: the GPUs of each local worker, such as `0,1;2,3`."""
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_numbers = itertools.count()


def share_gpus(cards: int, workers: int) -> None:
    """Deals this process's GPUs out to local workers, `cards` to each.

    Without a GPU, or for 0 cards, it does nothing.

    Raises SettingsError where there are too few.
    """
    os.environ.pop(GROUPS, None)
    seen = os.environ.get(_VISIBLE)
    names = map(str, range(len(machine()["gpus"]))) if seen is None else seen.split(",")
    gpus = [name.strip() for name in names if name.strip()]
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

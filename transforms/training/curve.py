"""The loss curve of a training, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def losses(log: Sequence[dict[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    """Returns {series: [(step, loss)]}: `training`, and `held-out TASK` for each evaluated task.

    `log` is the trainer's: entries with `loss`, and entries with `eval_TASK_loss`.
    """
    series: dict[str, list[tuple[int, float]]] = {}
    for entry in log:
        for key, value in entry.items():
            if key == "loss":
                name = "training"
            elif key.startswith("eval_") and key.endswith("_loss"):
                name = f"held-out {key[5:-5]}"
            else:
                continue
            series.setdefault(name, []).append((entry["step"], value))
    return series


def draw_losses(log: Sequence[dict[str, Any]], path: Path) -> None:
    """Draws the losses (nats per learned token) over steps into a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for name, points in losses(log).items():
        steps, values = zip(*points, strict=True)
        style = "-" if name == "training" else "o--"
        axes.plot(steps, values, style, linewidth=1.2, markersize=3, label=name)
    axes.set_xlabel("step")
    axes.set_ylabel("loss, nats per learned token")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)

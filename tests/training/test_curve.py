"""The loss curve shows the training's loss and that of each held-out task."""

from __future__ import annotations

from pathlib import Path

from transforms.training.curve import draw_losses, losses

LOG = [
    {"step": 0, "eval_solve_loss": 2.5, "eval_solve_runtime": 9.0},
    {"step": 1, "loss": 2.0, "grad_norm": 1.0},
    {"step": 2, "loss": 1.5},
    {"step": 2, "eval_solve_loss": 1.75},
    {"step": 2, "train_loss": 1.75, "train_runtime": 3.0},
]


def test_a_series_has_the_losses_of_its_own_by_step() -> None:
    assert losses(LOG) == {
        "held-out solve": [(0, 2.5), (2, 1.75)],
        "training": [(1, 2.0), (2, 1.5)],
    }


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    draw_losses(LOG, tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")

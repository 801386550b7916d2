"""Answers about scenes, held against the scene's own."""

from __future__ import annotations

from typing import Any


def agrees(answer: Any, gold: Any, overlap: float = 1.0) -> bool:
    """Whether an answer, a JSON value, is the gold one: a box by its overlap, a number by its
    value, also as a text, and a text but for case.

    Args:
        overlap: intersection over union from which a box is right.

    >>> agrees("Yes", "yes"), agrees("7.0", 7), agrees(70, 7), agrees(True, 1), agrees([7], 7)
    (True, True, False, False, False)
    >>> agrees([0, 0, 9, 9], [0, 0, 9, 8]), agrees([0, 0, 9, 9], [0, 0, 9, 8], 0.7)
    (False, True)
    """
    if isinstance(gold, list):
        return _overlap(answer, gold) >= overlap
    if isinstance(gold, str):
        return isinstance(answer, str) and answer.strip().lower() == gold.lower()
    if isinstance(answer, str):
        try:
            answer = float(answer)
        except ValueError:
            return False
    return _is_number(answer) and answer == gold


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _overlap(answer: Any, gold: list[int]) -> float:
    """Intersection over union of two boxes; 0 where the answer is none."""
    is_box = isinstance(answer, (list, tuple)) and len(answer) == 4
    if not (is_box and all(map(_is_number, answer))):
        return 0.0
    wide = min(answer[2], gold[2]) - max(answer[0], gold[0])
    high = min(answer[3], gold[3]) - max(answer[1], gold[1])
    both = max(0, wide) * max(0, high)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (answer, gold)]
    return float(both / (sum(areas) - both)) if areas[0] > 0 else 0.0

"""reval: four questions about a line and a variable, and how consistent the answers are.

After REval (arXiv 2403.16437).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

KINDS = ("covered", "state", "next_line", "output")
"""In the order in which consistency counts them."""


def consistency(right: Mapping[str, bool]) -> float:
    """Returns the incremental consistency of the answers to one item, by kind of question.

    All four right count 1, the first three of them alone 0.5, the first two 0.25, the first 0.125.
    """
    first = next((n for n, kind in enumerate(KINDS) if not right[kind]), len(KINDS))
    return 2.0 ** (first - len(KINDS)) if first else 0.0


def mean_consistency(rows: Sequence[Mapping[str, Any]], right: Sequence[bool]) -> float:
    """Returns the mean consistency over the items of rows; `right` says of each row's answer
    whether it is.

    Raises:
        KeyError: an item lacks one of its questions, or its program's output was not asked for.
    """
    outputs: dict[tuple[str, ...], bool] = {}
    items: defaultdict[tuple[Any, ...], dict[str, bool]] = defaultdict(dict)
    for row, is_right in zip(rows, right, strict=True):
        seeds = tuple(row["seed_ids"])
        if row["task"] == "output":
            outputs[seeds] = is_right
        else:
            items[seeds, json.loads(row["shown"])["item"]][row["task"]] = is_right
    scores = [consistency({**item, "output": outputs[key[0]]}) for key, item in items.items()]
    return sum(scores) / len(scores)

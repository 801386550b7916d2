"""Controls for reward studies: what a reward gives that knows nothing of the right answer.

After Spurious Rewards (arXiv 2506.10947): gains that a random, format-only, majority or wrong-label
reward gives as well were no gains from the data. All are decided by ids and texts alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from transforms.engine.ids import content_id
from transforms.publish.export.tasks import Attempted

TYPES = pa.struct([("random", pa.int64()), ("majority", pa.string()), ("wrong", pa.string())])
_BOX = re.compile(r"\\boxed\s*\{[^{}]*\S[^{}]*\}|\\boxed\s*\{.*\{.*\}.*\}", re.DOTALL)
_NUMBER = re.compile(r"[-−]?\d+(?:\.\d+)?")


def controls(row_id: str, truth: str, agreeing: int, others: Sequence[Attempted]) -> dict[str, Any]:
    """Returns the control column of a row.

    Args:
        truth: the right answer, as text.
        agreeing: attempts that give it.
        others: the attempts that are no rows; of these, those that do not agree give other answers.

    `random` is the seed of `random_reward`; `majority` the answer that most attempts give, right or
    wrong (the right one where they are as many); `wrong` the wrong answer that most give, else a
    number near the right one, and None where that is no number.
    """
    said = Counter(attempt.answer for attempt in others if not attempt.agrees and attempt.answer)
    # of answers given as often, the first by text
    wrong, most = min(said.items(), key=lambda item: (-item[1], item[0]), default=(None, 0))
    return {
        "random": int(content_id("control", row_id)[:15], 16),
        "majority": wrong if most > agreeing else truth,
        "wrong": wrong or near(truth, row_id),
    }


def near(truth: str, row_id: str) -> str | None:
    """Returns a number other than `truth` with as many decimals; None where it is no number.

    >>> near("12.50", "a") != "12.50", near("yes", "a")
    (True, None)
    """
    if not _NUMBER.fullmatch(truth):
        return None
    digits = list(truth)
    place = max(index for index, digit in enumerate(digits) if digit.isdigit())
    step = 1 + int(content_id("near", row_id)[:8], 16) % 9
    digits[place] = str((int(digits[place]) + step) % 10)
    return "".join(digits)


def random_reward(completion: str, seed: int) -> float:
    """1.0 for half of all completions, whatever they say: a coin decided by seed and text."""
    return float(int(content_id("coin", seed, completion)[:8], 16) % 2)


def format_reward(completion: str) -> float:
    r"""1.0 where a completion has a final answer in \boxed{}, right or wrong.

    >>> format_reward(r"So it is \boxed{7}."), format_reward("So it is 7.")
    (1.0, 0.0)
    """
    return float(_BOX.search(completion) is not None)

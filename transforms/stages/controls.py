"""Controls for a grader: what would be kept by others that know nothing of right and wrong.

After Spurious Rewards (arXiv 2506.10947), where such rewards helped some models as much as right
ones. `overlaps` compares the kept sets; a run's report shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from transforms.engine.accounting import Tally, Verdict, reject
from transforms.engine.ids import derived_seed
from transforms.engine.stage import AnyRecord
from transforms.models.episode import Episode, Steps
from transforms.publish.export.controls import format_reward
from transforms.stages.trajectories.select import written

Grader = Literal["real", "inverted", "random", "format_only", "mentions_python", "none"]
COUNT = "graders that keep"
"""The tally of `Control`: its keys are the graders that keep a record, joined by a comma."""
_ALIKE = 0.95
"""Overlap from which a control keeps what the real grader keeps."""


@dataclass(kw_only=True)
class Control(Episode):
    """PCollection[record] -> Outcome of the same: those that `grader` keeps, with its score.

    It counts which of the graders would keep each record, so that a run under the real one shows
    all of them. The records have to be right and wrong ones.
    """

    name: str = "control"
    grader: Grader = "real"
    """real keeps what scores `right` or more; inverted the others; random a share `p` of the ids;
    format_only what has an answer in a box; mentions_python what has the word; none keeps all."""
    p: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share that the random grader keeps."""
    run_seed: int = 0
    """Seed of its draws."""
    score: str = "score"
    """The records' field that says what the real grader found."""
    text: str = "messages"
    """The field that holds what a model wrote."""
    right: float = 1.0
    """Score from which a record is right."""
    keeps_wrong: bool = False
    """Whether records that `grader` does not keep are rows too, with the score 0."""

    reads: ClassVar[type] = AnyRecord
    by_field: ClassVar[tuple[str, ...]] = ("score", "text")
    reasons: ClassVar[Iterable[str]] = ("not_rewarded",)

    def episode(self, record: Any) -> Steps[Any | Verdict]:
        rewards = self.rewards(record)
        keeping = ",".join(name for name, reward in rewards.items() if reward)
        yield Tally(self.name, COUNT, keeping, 1)
        reward = rewards[self.grader]
        if not (reward or self.keeps_wrong):
            return reject("not_rewarded", f"{self.grader}: {reward:g}")
        kept_as_is = self.grader == "real"
        return record if kept_as_is else replace(record, **{self.score: reward})

    def rewards(self, record: Any) -> dict[Grader, float]:
        """Returns the reward of a record, 0 or 1, under each grader."""
        is_right = getattr(record, self.score) >= self.right
        text = written(getattr(record, self.text))
        drawn = derived_seed(self.run_seed, "control", record.id) / 2**31
        return {
            "real": float(is_right),
            "inverted": float(not is_right),
            "random": float(drawn < self.p),
            "format_only": format_reward(text),
            "mentions_python": float("python" in text.lower()),
            "none": 1.0,
        }


class Overlap(NamedTuple):
    """What a control and the real grader keep."""

    control: str
    kept: int
    """Records that the control keeps."""
    both: int
    """Records that both keep."""
    share: float
    """Records that both keep, of those that either keeps; 1 where neither keeps any."""

    @property
    def is_alike(self) -> bool:
        """Whether the real grader makes no difference beside this control."""
        return self.share >= _ALIKE


def overlaps(counts: Mapping[str, int]) -> list[Overlap]:
    """Returns how much of what the real grader keeps each control keeps, too.

    Args:
        counts: the tally `COUNT` of a stage.

    >>> [(each.control, each.both, round(each.share, 2)) for each in overlaps(
    ...     {"real,format_only,none": 2, "inverted,random,none": 1, "real,none": 1})]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('none', 3, 0.75), ('random', 0, 0.0), ('format_only', 2, 0.67), ('mentions_python', 0, 0.0),
     ('inverted', 0, 0.0)]
    """

    def size(keeps: Callable[[list[str]], bool]) -> int:
        return sum(amount for key, amount in counts.items() if keeps(key.split(",")))

    found = []
    for control in ("none", "random", "format_only", "mentions_python", "inverted"):
        kept = size(lambda graders, own=control: own in graders)  # type: ignore[misc]
        both = size(lambda graders, own=control: own in graders and "real" in graders)  # type: ignore[misc]
        either = kept + size(lambda graders: "real" in graders) - both
        found.append(Overlap(control, kept, both, both / either if either else 1.0))
    return found

"""Train, validation and test, so that nothing near leaks: rows of one family stay together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from transforms.engine.ids import content_id
from transforms.engine.settings import Group
from transforms.programs import Unparsable, fingerprint

Side = Literal["train", "validation", "test"]
Near = Literal["seeds", "structure"]


class SplitSettings(Group):
    """How rows are divided."""

    validation: float = Field(
        0, ge=0, description="rows for validation: a share (below 1) or a number (1 and more)"
    )
    test: float = Field(0, ge=0, description="rows for the test: a share or a number")
    by: list[Near] = Field(
        ["seeds", "structure"],
        min_length=1,
        description="what rows on two sides may not share: a seed, the structure of the program",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("validation", "test"):
            size = getattr(self, name)
            if size >= 1 and size != int(size):
                raise ValueError(
                    f"{name}={size} is neither a share below 1 nor a whole number of rows"
                )
        if sum(size for size in (self.validation, self.test) if size < 1) >= 1:
            raise ValueError("validation and test take all rows: their shares must be below 1")
        return self

    @property
    def asked(self) -> bool:
        """Whether there is anything to divide."""
        return self.validation > 0 or self.test > 0


def elements(row: Mapping[str, Any], task: str, by: Iterable[Near]) -> Iterator[str]:
    """Yields what a row must not share with a row of another side: its task, and those of its
    seeds and the structure of its program that it has.
    """
    yield content_id("task", task)
    if "seeds" in by:
        for seed in row.get("seed_ids") or ():
            yield content_id("seed", seed)
    if "structure" in by and row.get("code"):
        try:
            yield content_id("structure", fingerprint(row["code"]))
        except Unparsable:
            return


def families(rows: Iterable[tuple[str, Iterable[str]]]) -> tuple[dict[str, str], Counter[str]]:
    """Returns the family of each task, and how many rows each family has.

    Rows that share an element are of one family, and so are those that a chain of such rows links.
    A family is named by its smallest element, so a row that joins it seldom renames it.

    Args:
        rows: task and elements of each row; a task has all of its rows' elements.
    """
    parent: dict[str, str] = {}

    def root(element: str) -> str:
        while (up := parent.setdefault(element, element)) != element:
            parent[element] = parent[up]
            element = up
        return element

    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for task, shared in rows:
        counts[task] += 1
        for element in shared:
            low, high = sorted((root(element), root(first.setdefault(task, element))))
            parent[high] = low
    named = {task: root(element) for task, element in first.items()}
    sizes: Counter[str] = Counter()
    for task, family in named.items():
        sizes[family] += counts[task]
    return named, sizes


def sides(sizes: Mapping[str, int], settings: SplitSettings) -> dict[str, Side]:
    """Returns the side of each family, by a hash of its name.

    A share takes the families whose hashes lie in a range, so adding rows moves no family that
    they do not join; families that rows join together go where one of them was. A number takes
    families in the order of their hashes, as long as they fit. A family with more rows than are
    asked for stays in train.

    Args:
        sizes: rows of each family.
    """
    places = sorted(sizes, key=_place)
    chosen: dict[str, Side] = dict.fromkeys(places, "train")
    total = sum(sizes.values())
    wanted: tuple[tuple[Side, float, list[str]], ...] = (
        ("test", settings.test, places),
        ("validation", settings.validation, places[::-1]),
    )
    for side, size, order in wanted:
        left = size * total if size < 1 else size
        for family in order:
            place = _place(family) if side == "test" else 1 - _place(family)
            if chosen[family] == "train" and sizes[family] <= left and (place < size or size >= 1):
                chosen[family] = side
                left -= sizes[family] if size >= 1 else 0
    return chosen


def _place(family: str) -> float:
    """Where a family stands between 0 and 1."""
    return int(content_id("place", family)[:13], 16) / 16**13

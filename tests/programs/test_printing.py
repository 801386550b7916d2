"""A program that prints its steps prints each change once, and gives what it gave."""

from __future__ import annotations

from typing import Any

import pytest

from tests.programs.test_leaves import solution
from tests.recipes.test_codeio import SHIPPED
from transforms.programs.printing import printing


@pytest.mark.parametrize("code", [each["code"] for each in SHIPPED])
def test_a_program_that_prints_its_steps_gives_what_it_gave(code: str) -> None:
    printed: list[str] = []
    before: dict[str, Any] = {}
    after: dict[str, Any] = {"print": printed.append}
    exec(code, before)  # a shipped program, which is trusted
    exec(printing(code), after)
    assert after["output"] == before["output"]
    assert len(printed) > 1 and printed[-1] == f"Final answer: {before['output']!r}"


def test_the_program_prints_what_changes_and_keeps_what_it_gives() -> None:
    code = solution(
        "seen, first = {}, None  # both",
        "for k in range(2):",
        "    seen[k] = n",
        "    if k: n += 1; first = k",
        "rest = list(seen)",
        "rest.append(first)",
        "rest[0], *more = rest",
        "self = print('its own')",
        "return rest",
    )
    made = printing(code)
    printed: list[str] = []
    names: dict[str, Any] = {"print": printed.append}
    exec(made, names)
    assert printed == [
        "seen = {}, first = None", "k = 0", "seen = {0: 4}", "k = 1", "seen = {0: 4, 1: 4}",
        "rest = [0, 1]", "rest = [0, 1, 1]", "rest = [0, 1, 1], more = [1, 1]", "its own",
        "self = None", "Final answer: [0, 1, 1]",
    ]  # fmt: skip


def test_what_objects_and_modules_keep_is_printed_too() -> None:
    code = "\n".join(
        [
            "import heapq",
            "class Box:",
            "    count = 0",
            "    def __init__(self):",
            "        self.items = []",
            "    def put(self, item):",
            "        self.items.append(item)",
            "        Box.count += 1",
            solution(
                "box, heap, left = Box(), [], {1: 2, 3: 4}",
                "box.put(n)",
                "heapq.heappush(heap, n)",
                "least = heapq.heappop(heap)",
                "last = box.items.pop()",
                "del left[1]",
                "return least + last",
            ),
        ]
    )
    printed: list[str] = []
    exec(printing(code, without={"box"}), {"print": printed.append, "__name__": "m"})
    assert printed == [
        "count = 0", "self.items = []", "heap = [], left = {1: 2, 3: 4}", "self.items = [4]",
        "Box.count = 1", "heap = [4]", "least = 4, heap = []", "last = 4, box.items = []",
        "left = {3: 4}", "Final answer: 8",
    ]  # fmt: skip

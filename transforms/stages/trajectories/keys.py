"""Lines of keys in turns, such as `goal: ...` (StateAct, arXiv 2410.02810): what they say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from transforms.engine.stage import check
from transforms.stages.trajectories.records import Trajectory, Turn

_LINES = re.compile(r"(?:^\w+:.*\n?)+", re.MULTILINE)
_LINE = re.compile(r"^(\w+):(.*)$", re.MULTILINE)


def with_keys(text: str, keys: Iterable[str]) -> str:
    """Returns a text without the lines of other keys.

    >>> with_keys("> You see a mug.\\ngoal: a\\nthought: b\\naction: c", ["goal", "action"])
    '> You see a mug.\\ngoal: a\\naction: c'
    """
    lines = text.split("\n")
    return "\n".join(line for line in lines if not (stated(line).keys() - set(keys)))


def as_objects(text: str) -> str:
    """Returns a text with each run of lines of keys as one JSON object.

    >>> as_objects("> You see a mug.\\ngoal: a\\naction: c\\n> You have it.")
    '> You see a mug.\\n{"goal": "a", "action": "c"}\\n> You have it.'
    """
    return _LINES.sub(lambda lines: json.dumps(stated(lines[0]), ensure_ascii=False) + "\n", text)


def stated(text: str) -> dict[str, str]:
    """Returns what the keys in a turn say: those of its lines, or where it has none of its first
    JSON object."""
    found = {key: said.strip(" \t") for key, said in _LINE.findall(text)}
    if not found and "{" in text:
        try:
            value, _ = json.JSONDecoder().raw_decode(text, text.index("{"))
        except (ValueError, RecursionError):
            return {}
        return {
            key: each if isinstance(each, str) else json.dumps(each) for key, each in value.items()
        }
    return found


def accuracies(turns: Iterable[Turn], states: Sequence[dict[str, str]]) -> dict[str, float]:
    """Returns of each key that the game knows the share of the turns with it that say it rightly,
    but for case and blanks: the state is that before the turn's action."""
    right: dict[str, list[bool]] = {}
    for turn, state in zip((turn for turn in turns if turn.sampled), states, strict=False):
        for key, said in stated(turn.content).items():
            if key in state:
                same = said.casefold().split() == state[key].casefold().split()
                right.setdefault(key, []).append(same)
    return {key: sum(each) / len(each) for key, each in right.items()}


@check("goal_changed")
def goal_changed(row: Trajectory) -> str:
    """Objects to a play whose turns state different goals."""
    said = [stated(turn.content).get("goal") for turn in row.messages if turn.sampled]
    goals = list(dict.fromkeys(goal for goal in said if goal is not None))
    return " | ".join(goals[:2]) if len(goals) > 1 else ""

"""Problems worded by several hands, in several languages: cases of data/planted/wordings.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from pipelines.benches.planted.cases import Case
from transforms.engine.paths import DATA

PATH = DATA / "planted" / "wordings.yaml"


@cache
def _wordings() -> Any:
    return yaml.safe_load(PATH.read_text(encoding="utf-8"))


def phrases(language: str) -> dict[str, str]:
    """The phrases of a language that solutions and faulty instructions are made of.

    `name`, `closing` (states the answer), `vague` (some), `told` (gives the answer away), `label`
    (a number that is a name, as in "room 12") and `second` (asks something else).
    """
    found: dict[str, str] = _wordings()["phrases"][language]
    return found


def worded_cases() -> Iterator[Case]:
    """Yields a case for each text of each problem, without its answer: no program has run."""
    for problem in _wordings()["problems"]:
        for language, texts in problem["texts"].items():
            for number, text in enumerate(texts):
                yield Case(
                    id=f"{problem['name']}-{language}-{number}",
                    kind="worded",
                    problem=text,
                    code=_program(problem["input"], problem["solution"]),
                    input=problem["input"],
                    answer=None,
                    reasoning=problem["steps"],
                    language=language,
                )


def everyday_problems() -> list[dict[str, Any]]:
    """Sound problems (`text`, `input`, `answer` as JSON) whose values stand in the text in other
    words, or are known to everybody: a standard deck, quarter past nine."""
    found: list[dict[str, Any]] = _wordings()["everyday"]
    return found


def _program(inputs: dict[str, Any], body: str) -> str:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    signature = f"def solution({', '.join(inputs)}):"
    return f"input = {inputs!r}\n\n{signature}\n{lines}\n\noutput = solution(**input)\n"

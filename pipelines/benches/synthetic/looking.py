"""A scripted endpoint on loopback that sees: it knows drawn pictures by the hash of their bytes.

Half of its answers are right, in the ways of `planted.pictures`. The same question about the same
picture and the same seed have the same answer.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import math
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.benches.planted.pictures import RIGHT, looks
from pipelines.benches.synthetic.endpoint import Till, of_last, serve
from transforms.engine.ids import derived_seed
from transforms.scenes import Scene, scene_type
from transforms.scenes.seeds import asked

Known = Mapping[str, Mapping[str, Mapping[str, str]]]
"""SHA-256 of a picture -> question -> way -> response."""


def known(arguments: Mapping[str, Any]) -> Known:
    """Draws the pictures of `scenes.seeds.asked`, and returns the responses to its questions.

    Args:
        arguments: those of `asked`.
    """
    scenes: dict[tuple[str, int, int], tuple[Scene, str]] = {}
    found, by_kind = [], defaultdict[tuple[str, str], list[Any]](list)
    for row in asked(**arguments):
        name, number, level = row["kind"], row["seed"], row["level"]
        if (name, number, level) not in scenes:
            drawn = scene_type(name).generate(number, level)
            sha256 = hashlib.sha256(drawn.draw()).hexdigest()
            scenes[name, number, level] = drawn, sha256
        scene, sha256 = scenes[name, number, level]
        text = row["problem"].partition(f", picture {number}. ")[2]
        answer = next(each.answer for each in scene.questions() if each.text == text)
        found.append((sha256, text, answer, (name, row["asked"])))
        by_kind[name, row["asked"]].append(answer)
    texts: dict[str, dict[str, Mapping[str, str]]] = defaultdict(dict)
    for sha256, text, answer, kind in found:
        texts[sha256][text] = looks(answer, by_kind[kind])
    return texts


class Seer:
    """A model that looks: it has seen what is known."""

    def __init__(self, texts: Known) -> None:
        self._texts = texts

    def answer(self, content: list[dict[str, Any]], seed: int) -> str:
        """Answers the content of a message: a picture and a question."""
        [url] = (part["image_url"]["url"] for part in content if part["type"] == "image_url")
        said = "".join(part["text"] for part in content if part["type"] == "text")
        sha256 = hashlib.sha256(base64.b64decode(url.partition(",")[2])).hexdigest()
        asked_of = self._texts.get(sha256, {})
        question = max((text for text in asked_of if text in said), key=len, default="")
        if not question:
            return "I have never seen this."
        right = derived_seed(seed, sha256, question) % 2 == 0
        ways = [way for way in asked_of[question] if (way in RIGHT) is right]
        return asked_of[question][ways[derived_seed(seed, question) % len(ways)]]


if __name__ == "__main__":
    seer = Seer(json.loads(Path(sys.argv[1]).read_text()))
    asyncio.run(serve(of_last(seer), Till(math.inf)))

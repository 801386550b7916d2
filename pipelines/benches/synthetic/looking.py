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
from typing import Any

from pipelines.benches.planted.pictures import RIGHT, looks
from pipelines.benches.synthetic.endpoint import serve
from transforms.engine.ids import derived_seed
from transforms.scenes import Scene, scene_type
from transforms.scenes.seeds import asked


class Seer:
    """Knows the questions of `scenes.seeds.asked` and their answers.

    Args:
        arguments: those of `asked`.
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        scenes: dict[tuple[str, int, int], tuple[Scene, str]] = {}
        found, by_kind = [], defaultdict[tuple[str, str], list[Any]](list)
        for row in asked(**arguments):
            name, number, level = row["kind"], row["seed"], row["level"]
            if (name, number, level) not in scenes:
                scene = scene_type(name).generate(number, level)
                sha256 = hashlib.sha256(scene.draw()).hexdigest()
                scenes[name, number, level] = scene, sha256
            scene, sha256 = scenes[name, number, level]
            text = row["problem"].partition(f", picture {number}. ")[2]
            answer = next(each.answer for each in scene.questions() if each.text == text)
            found.append((sha256, text, answer, (name, row["asked"])))
            by_kind[name, row["asked"]].append(answer)
        self._texts: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
        for sha256, text, answer, kind in found:
            self._texts[sha256][text] = looks(answer, by_kind[kind])

    def answer(self, content: list[dict[str, Any]], seed: int) -> str:
        """Answers the content of a message: a picture and a question."""
        [url] = (part["image_url"]["url"] for part in content if part["type"] == "image_url")
        said = "".join(part["text"] for part in content if part["type"] == "text")
        sha256 = hashlib.sha256(base64.b64decode(url.partition(",")[2])).hexdigest()
        known = self._texts.get(sha256, {})
        question = max((text for text in known if text in said), key=len, default="")
        if not question:
            return "I have never seen this."
        right = derived_seed(seed, sha256, question) % 2 == 0
        ways = [way for way in known[question] if (way in RIGHT) is right]
        return known[question][ways[derived_seed(seed, question) % len(ways)]]

    def way(self, sha256: str, question: str, text: str) -> str:
        """Returns in which way a response of this model answers; it raises StopIteration where the
        response is another's."""
        ways = self._texts[sha256][question]
        return next(way for way in ways if ways[way] == text)


if __name__ == "__main__":
    asyncio.run(serve(Seer(json.loads(sys.argv[1])), math.inf))

"""A vision model on the loopback: it knows pictures by the hash of the bytes that it is sent."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.chat_server import server_by_path


@contextmanager
def vision_server(
    known: Mapping[tuple[str, str], str], wrong: Callable[[str], bool] = lambda question: False
) -> Iterator[str]:
    """A running server; yields its base URL.

    Args:
        known: (SHA-256 of a picture, question) -> the answer in words.
        wrong: whether a question is answered with another answer than the picture's.
    """

    def answer(path: str, body: dict[str, Any]) -> dict[str, Any]:
        picture, *texts = sorted(body["messages"][-1]["content"], key=lambda part: part["type"])
        data = base64.b64decode(picture["image_url"]["url"].partition(",")[2])
        question = texts[0]["text"].strip().split("\n")[0]
        told = known.get((hashlib.sha256(data).hexdigest(), question))
        if told is None:
            return {"content": 'I see nothing.\n\n```\n"nothing"\n```'}
        said = '"something else"' if wrong(question) else told
        return {"content": f"I see it.\n\n```\n{said}\n```"}

    with server_by_path(answer) as url:
        yield f"{url}/v1"


def texts_of(body: Mapping[str, Any]) -> list[str]:
    """The text of each message of a request; parts that are pictures are left out."""
    return [
        content if isinstance(content := message["content"], str)
        else "".join(part.get("text", "") for part in content)
        for message in body["messages"]
    ]  # fmt: skip


def seen_in(body: Mapping[str, Any]) -> list[str]:
    """The SHA-256 of each picture of a request, in order."""
    parts = [part for message in body["messages"] for part in message["content"]]
    urls = [each["image_url"]["url"] for each in parts if "image_url" in each]
    return [hashlib.sha256(base64.b64decode(url.partition(",")[2])).hexdigest() for url in urls]

"""A scripted endpoint that thinks aloud in the ways that reasoning models do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pipelines.benches.synthetic.endpoint import Model
from tests.chat_server import server_by_path

IN_TAGS = "The task is clear. The answer is \\boxed{17}?\n```python\noutput = 17\n```\nI write it."
IN_A_FIELD = "Is it 18? I know the answer."
CORRECTED = (
    "2 + 2 = 5, so the answer is 7.\n\nWait, that is wrong: 2 + 2 = 4. The final answer is "
    "$\\boxed{4}$. No, let me follow the story instead."
)
UNOPENED = "Let me see: it is 19."

WAYS: tuple[Callable[[str], dict[str, Any]], ...] = (
    lambda text: {"content": f"<think>\n{IN_TAGS}\n</think>\n\n{text}"},
    lambda text: {"content": text, "reasoning_content": IN_A_FIELD},
    lambda text: {"content": f"<think>\n{CORRECTED}\n</think>\n\n{text}"},
    lambda text: {"content": f"{UNOPENED}\n</think>\n\n{text}"},
)
"""The assistant's message for an answer. A request's seed chooses the way."""


@contextmanager
def reasoning_server() -> Iterator[tuple[str, list[bool]]]:
    """A running server; yields its root URL and, for each request, whether it reasoned.

    Below /reasoning/v1 it reasons, below /plain/v1 it gives the same answers without.
    """
    model, lock = Model(), threading.Lock()
    asked: list[bool] = []

    def answer(path: str, body: dict[str, Any]) -> dict[str, Any]:
        reasons = path.startswith("/reasoning/")
        with lock:
            asked.append(reasons)
            text = model.answer(body["messages"][-1]["content"], body["seed"])
        return WAYS[body["seed"] % len(WAYS)](text) if reasons else {"content": text}

    with server_by_path(answer) as url:
        yield url, asked

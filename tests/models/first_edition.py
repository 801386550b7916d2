"""Requests whose answers ledgers/first_edition holds, as commit 214a5dd recorded them."""

from __future__ import annotations

from tests.models.examples import chat, request
from transforms.engine.paths import PROJECT
from transforms.engine.records import Message
from transforms.models.requests import ErrorKind, Request

FOLDER = str(PROJECT / "tests" / "models" / "ledgers" / "first_edition")

_TURNS = (Message("system", "Be short."), Message("user", "What is 1 + 1?"))
ASKED: dict[str, Request] = {
    "completion": request(),
    "chat": request(None, messages=_TURNS, temperature=0.7, max_tokens=64, sample=3, run_seed=5),  # type: ignore[arg-type]
    "prefix": request(prefix='input = {"', stop=("\n\n", "Problem:"), max_tokens=32),
    "local": chat("And 2 + 2?", model="/models/tiny", model_id="blake2b:0a1b"),
    "left out": chat("And 3 + 3?", model="served", left_out=("temperature",), top_k=20, min_p=0.1),
    "thought": chat("And 4 + 4?", max_tokens=128),
    "cut off": chat("And 5 + 5?"),
    "too long": chat("And 6 + 6?"),
}
"""Name -> request."""

ANSWERS: dict[str, tuple[str, str, ErrorKind | None]] = {
    "completion": (" 2", "stop", None),
    "chat": ("It is 2.", "stop", None),
    "prefix": ('input = {"a": 1}', "stop", None),
    "local": ("4", "stop", None),
    "left out": ("6", "stop", None),
    "thought": ("<think>\nFour and four.\n</think>\n\nIt is 8.", "stop", None),
    "cut off": ("It is", "length", None),
    "too long": ("", "error", ErrorKind.TOO_LONG),
}
"""Name -> text as it was recorded, finish reason, kind of error."""

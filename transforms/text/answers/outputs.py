"""Outputs of programs (JSON), as sources and columns state them."""

from __future__ import annotations

import json


def plain_answer(output: str) -> str:
    """A program's output (JSON) as a source would state it: strings without their quotes."""
    value = json.loads(output)
    return value if isinstance(value, str) else output


def answer_type(output: str) -> str:
    """Names the JSON type of a program's output."""
    names = {bool: "boolean", int: "integer", float: "float", str: "string", list: "list"}
    return names.get(type(json.loads(output)), "object")

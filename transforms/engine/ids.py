"""Ids and random seeds, both derived from content, so that a retried bundle changes nothing."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """Returns the one JSON text of `value`: sorted keys, no spaces, UTF-8 kept as it is."""
    return _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
"""Made once: `json.dumps` makes one each time, which costs as much as a short value."""


def content_id(kind: str, *parts: Any) -> str:
    """Returns a 32-digit hexadecimal id of `parts` (anything JSON can hold).

    `kind` keeps ids of different record types apart even where their parts are equal.
    """
    return text_id(canonical_json([kind, *parts]))


def text_id(text: str) -> str:
    """Returns the id of a text; of parts, the text is the canonical JSON of the list that begins
    with the kind."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def derived_seed(seed: int, *parts: Any) -> int:
    """Returns a 31-bit random seed for the thing that `parts` name.

    Hashing, unlike `seed + index`, gives neighbouring run seeds unrelated streams.
    """
    return int(content_id("seed", seed, *parts)[:16], 16) >> 33

"""Texts as vectors: the interface, and a vectoriser that needs no model."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts -> vectors of length 1, shape (texts, dimensions). A text's vector depends on it alone."""

_DIMENSIONS = 2048
_LENGTHS = (3, 4, 5)
_NUMBER = re.compile(r"\d[\d,.]*")
_ALL = 0xFFFFFFFF
_CRC = np.array([zlib.crc32(bytes([byte]), _ALL) ^ _ALL for byte in range(256)], np.uint32)
"""What each byte adds to a CRC-32."""


def hashed_ngrams(texts: Sequence[str]) -> NDArray[np.float32]:
    """Hashed counts of character 3- to 5-grams, numbers masked: likeness of wording, not meaning.

    Frequent n-grams are not weighted down. Weights from a set would hide the very wording that its
    texts share, and make the distances of two sets incomparable.
    """
    vectors = np.empty((len(texts), _DIMENSIONS), dtype=np.float32)
    for vector, text in zip(vectors, texts, strict=True):
        plain = f" {_NUMBER.sub('0', ' '.join(text.lower().split()))} ".encode()
        ngrams, counts = np.unique(_checksums(plain), return_counts=True)
        weights = 1 + np.log(counts)
        # A sign from another bit: n-grams that share a place cancel rather than add up.
        signed = np.where(ngrams >> 31, weights, -weights)
        vector[:] = np.bincount(ngrams % _DIMENSIONS, signed, _DIMENSIONS)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.finfo(np.float32).tiny)


def _checksums(text: bytes) -> NDArray[np.uint32]:
    """The `zlib.crc32` of each n-gram of a text, byte by byte of all of them at once."""
    codes = np.frombuffer(text, np.uint8)
    found = []
    for length in _LENGTHS:
        sums = np.full(max(0, len(codes) - length + 1), _ALL, np.uint32)
        for place in range(length):
            following = codes[place : place + len(sums)]
            sums = _CRC[(sums ^ following) & 0xFF] ^ (sums >> 8)
        found.append(~sums)
    return np.concatenate(found)

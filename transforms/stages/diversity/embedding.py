"""Texts as vectors: the interface, and a vectoriser that needs no model."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts -> vectors of length 1, shape (texts, dimensions). A text's vector depends on it alone."""

_DIMENSIONS = 2048
_LENGTHS = (3, 4, 5)
_NUMBER = re.compile(r"\d[\d,.]*")


def hashed_ngrams(texts: Sequence[str]) -> NDArray[np.float32]:
    """Hashed counts of character 3- to 5-grams, numbers masked: likeness of wording, not meaning.

    Frequent n-grams are not weighted down. Weights from a set would hide the very wording that its
    texts share, and make the distances of two sets incomparable.
    """
    vectors = np.zeros((len(texts), _DIMENSIONS), dtype=np.float32)
    for vector, text in zip(vectors, texts, strict=True):
        plain = f" {_NUMBER.sub('0', ' '.join(text.lower().split()))} ".encode()
        counts = Counter(
            plain[start : start + length]
            for length in _LENGTHS
            for start in range(len(plain) - length + 1)
        )
        places = np.fromiter(map(zlib.crc32, counts), np.uint32, len(counts))
        weights = 1 + np.log(np.fromiter(counts.values(), np.float64, len(counts)))
        # A sign from another bit: n-grams that share a place cancel rather than add up.
        np.add.at(vector, places % _DIMENSIONS, np.where(places >> 31, weights, -weights))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.finfo(np.float32).tiny)

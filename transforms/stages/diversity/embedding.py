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
    for row, text in enumerate(texts):
        plain = f" {_NUMBER.sub('0', ' '.join(text.lower().split()))} ".encode()
        counts = Counter(
            plain[start : start + length]
            for length in _LENGTHS
            for start in range(len(plain) - length + 1)
        )
        for ngram, count in counts.items():
            place = zlib.crc32(ngram)
            # A sign from another bit: n-grams that share a place cancel rather than add up.
            sign = 1 if place & 1 << 31 else -1
            vectors[row, place % _DIMENSIONS] += sign * (1 + np.log(count))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.finfo(np.float32).tiny)

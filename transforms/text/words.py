"""Sets of words, as code writes them."""

from __future__ import annotations


def word_set(text: str) -> frozenset[str]:
    """The words of a text.

    >>> sorted(word_set("st nd rd"))
    ['nd', 'rd', 'st']
    """
    return frozenset(text.split())

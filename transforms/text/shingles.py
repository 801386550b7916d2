"""What two texts are compared by: n-grams of an instruction's words, or of a program's tokens."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Sequence
from contextlib import suppress

_WORD = re.compile(r"\w+")

_LAYOUT = frozenset(
    {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
)


def words(text: str) -> list[str]:
    """The words and numbers of a text, in lower case."""
    return _WORD.findall(text.lower())


def code_tokens(code: str) -> list[str]:
    """The tokens of a program: names, numbers and strings; no comments, no layout, no quotes.

    Names and numbers count here: programs that differ in nothing else have one fingerprint, of
    which a stated number is kept.
    """
    try:
        found = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError):  # text that is no program is compared as words
        return words(code)
    return [_text(token) for token in found if token.type not in _LAYOUT]


def _text(token: tokenize.TokenInfo) -> str:
    """A token as it counts: of a string, its value, whatever quotes stand around it."""
    if token.type == tokenize.STRING:
        with suppress(ValueError, SyntaxError):
            return repr(ast.literal_eval(token.string))
    return token.string


def shingles(tokens: Sequence[str], ngram: int) -> list[str]:
    """The n-grams of a row of tokens; a row shorter than one n-gram is one shingle."""
    return [
        " ".join(tokens[start : start + ngram]) for start in range(max(1, len(tokens) - ngram + 1))
    ]

"""What is written below the fields of a class, as Python itself does not keep it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise


def field_meanings(cls: type) -> dict[str, str]:
    """Returns field -> the text below it, in one line, for a class and those it inherits from.

    A class whose source is not at hand has none.
    """
    meanings: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(each)))
        except (OSError, TypeError):
            continue
        [body] = [node.body for node in tree.body if isinstance(node, ast.ClassDef)]
        for field, text in pairwise(body):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
                and isinstance(text.value.value, str)
            ):
                meanings[field.target.id] = " ".join(text.value.value.split())
    return meanings

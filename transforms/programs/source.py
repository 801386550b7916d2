"""A program's text with what is read off it, found once for all who look at it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property, lru_cache

from transforms.programs.form import NodesByType, Unparsable, parsed
from transforms.programs.names import Names
from transforms.text.shingles import code_tokens, parsed_tokens


@dataclass(frozen=True)
class Source:
    """A program's text, its syntax tree and its names. They are shared: nobody changes the tree."""

    code: str

    @cached_property
    def _parsed(self) -> tuple[ast.Module, NodesByType]:
        return parsed(self.code)

    @property
    def tree(self) -> ast.Module:
        """Raises Unparsable where the text is no program."""
        return self._parsed[0]

    @property
    def by_type(self) -> NodesByType:
        """The nodes of the tree (see `nodes_by_type`). Raises as `tree` does."""
        return self._parsed[1]

    @cached_property
    def names(self) -> Names:
        return Names(*self._parsed)

    @cached_property
    def tokens(self) -> list[str]:
        """The program's tokens, as `code_tokens` finds them; of a text that is none, its words."""
        try:
            _ = self._parsed
        except Unparsable:
            return code_tokens(self.code)
        return parsed_tokens(self.code)


@lru_cache(2)  # what looks at a text looks at it several times at once; trees are large
def source_of(code: str) -> Source:
    """Returns the source of a text; the same one for the texts that were asked for last."""
    return Source(code)

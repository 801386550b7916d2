"""A tool that searches the symbols of an installed Python package, ranked by BM25.

A recipe binds it so:

    symbols:
      function: transforms.stages.trajectories.symbols.SymbolSearch
      arguments: {package: pydantic, k: 3}
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from typing import Any

from transforms.programs.form import Unparsable, parse
from transforms.stages.trajectories.search import Index

_SIGNATURE, _DOC = 200, 300
"""Characters of a signature and of a docstring, at most."""


@dataclass(frozen=True)
class SymbolSearch:
    """Searches the public functions, classes and methods of a package, as a tool (see
    `transforms.models.tools`). Its modules are parsed, never imported.

    Args:
        package: name of an installed distribution, as `pip` has it.
        k: symbols in an answer, at most.

    Raises:
        ValueError: k is below 1, or the package is not installed, or has no symbol.
    """

    package: str
    k: int = 5

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError("k is 1 or more")
        if not symbols(self.package):
            raise ValueError(f"package={self.package} has no public function or class in Python")

    @property
    def version(self) -> Any:
        """What decides its answers: the package, its version, Python's, and the limit."""
        return [self.package, distribution(self.package).version, sys.version_info[:2], self.k]

    def __call__(self, intent: str) -> list[dict[str, str]]:
        """Finds the symbols that fit an intent best.

        Args:
            intent: what a symbol should do, in words
        """
        found = _index(self.package).search(intent, self.k)
        return [{"symbol": each["title"], "about": each["passage"]} for each in found]


@cache
def symbols(package: str) -> dict[str, str]:
    """Returns the public symbols of an installed package: dotted name -> signature and
    docstring, both cut.

    Raises:
        ValueError: the package is not installed.
    """
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        raise ValueError(f"package={package} is not installed: use a name of pip list") from None
    found: dict[str, str] = {}
    for file in sorted(files, key=str):
        module = _module(PurePosixPath(file))
        if module is None:
            continue
        try:
            tree = parse(Path(file.locate()).read_text("utf-8"))
        except (Unparsable, OSError, UnicodeDecodeError):
            continue
        found |= _symbols_of(tree, module)  # what overloads come to is defined after them
    return found


def _module(file: PurePosixPath) -> str | None:
    """The dotted name of a module; None of other files, and of private and test modules."""
    parts = file.with_suffix("").parts
    if file.suffix != ".py" or ".." in parts:
        return None
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    hidden = any(part.startswith(("_", "test")) or not part.isidentifier() for part in parts)
    return None if hidden or not parts else ".".join(parts)


def _symbols_of(tree: ast.Module | ast.ClassDef, name: str) -> Iterator[tuple[str, str]]:
    for each in tree.body:
        if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if each.name.startswith("_"):
            continue
        full, doc = f"{name}.{each.name}", (ast.get_docstring(each) or "")[:_DOC]
        if isinstance(each, ast.ClassDef):
            yield full, f"class {each.name}\n{doc}".strip()
            yield from _symbols_of(each, full)
        else:
            signature = f"{each.name}({ast.unparse(each.args)})"[:_SIGNATURE]
            yield full, f"{signature}\n{doc}".strip()


@cache
def _index(package: str) -> Index:
    return Index(symbols(package).items())

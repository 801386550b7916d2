"""Evaluation sets as lists of hashes: what is held against rows where the items may not be passed
on, or are too many or too large to be read in each run.

`build` makes a list from a user's own copy of a set; `Decontaminate` reads lists of its setting
`decontaminate.hashes`.
"""

from __future__ import annotations

import ast
import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from transforms.engine.errors import SourceError
from transforms.engine.paths import DATA
from transforms.programs.form import without_comments
from transforms.stages.diversity.overlap import Hashes, folded, hashed, runs

_WORDS, _CHARACTERS = 13, 20
"""Length of a run of words, as GPT-3's rule has it, and of characters."""
_LINE = 20
"""Characters of a line, at least: shorter ones are idioms."""
_COMMON = 3
"""What more different items than this have is a phrase of the trade."""


def _words(text: str) -> Hashes:
    return runs(folded(text), _WORDS)


def _characters(text: str) -> Hashes:
    return runs([each for each in text.casefold() if not each.isspace()], _CHARACTERS)


def _lines(text: str) -> Hashes:
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return _set(line for line in lines if len(line) >= _LINE)


def _exact(text: str) -> Hashes:
    return _set(word.strip(".,;:()[]'\"`") for word in text.split())


def _set(texts: Iterable[str]) -> Hashes:
    return np.unique(np.array([hashed(text) for text in texts if text], dtype=np.uint64))


KINDS: dict[str, Callable[[str], Hashes]] = {
    "words": _words,
    "characters": _characters,
    "lines": _lines,
    "exact": _exact,
}
"""Kind of hash -> the hashes of a text."""


def added_lines(patch: str) -> str:
    """Returns the lines that a diff adds; of a text that is no diff, all."""
    if not re.search(r"^@@ ", patch, re.MULTILINE):
        return patch
    return "\n".join(re.findall(r"^\+(?!\+\+ )(.*)$", patch, re.MULTILINE))


def docstrings(code: str) -> str:
    """Returns the docstrings of a program; of a text that is none, what stands in triple quotes."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "\n".join(re.findall(r'"""(.*?)"""', code, re.DOTALL))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)
    found = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds))
    return "\n".join(text for text in found if text)


_READ: dict[str, tuple[str, Callable[[str], str]]] = {
    "words": ("words", str),
    "characters": ("characters", str),
    "lines": ("lines", added_lines),
    "exact": ("exact", str),
    "code": ("words", without_comments),
    "docstrings": ("words", docstrings),
}
"""What a set's columns are listed under -> the kind of hash, and what is hashed of a column."""


def evaluations() -> dict[str, dict[str, Any]]:
    """The sets that can be hashed, by name: data/evaluations.yaml."""
    return yaml.safe_load((DATA / "evaluations.yaml").read_text("utf-8"))


def items(path: str) -> Iterator[dict[str, Any]]:
    """Yields the items of a copy of an evaluation set: rows of Parquet and JSONL files, objects of
    JSON files, and the texts of `.md` files.

    Args:
        path: a file, or a folder of them.

    Raises:
        SourceError: there is no such file, or one cannot be read.
    """
    root = Path(path).expanduser()
    kinds = (".parquet", ".jsonl", ".json", ".md", ".gz")
    files = sorted(f for f in root.rglob("*") if f.suffix in kinds) if root.is_dir() else [root]
    if not files or not all(file.exists() for file in files):
        raise SourceError(f"path={path} has no file {', '.join(kinds)}")
    for file in files:
        try:
            if file.suffix == ".parquet":
                yield from pl.read_parquet(file).iter_rows(named=True)
            elif file.suffix == ".md":
                yield {"text": file.read_text("utf-8")}
            elif file.suffix == ".json":
                whole = json.loads(file.read_text("utf-8"))
                yield from whole if isinstance(whole, list) else [whole]
            else:
                read = gzip.decompress if file.suffix == ".gz" else bytes
                lines = read(file.read_bytes()).decode().splitlines()
                yield from (json.loads(line) for line in lines if line.strip())
        except (ValueError, OSError, pl.exceptions.PolarsError) as error:
            raise SourceError(f"path={file}: {error}".split("\n")[0]) from None


class Built(NamedTuple):
    """How many items of a set were hashed, and into how many hashes."""

    items: int
    hashes: int


def build(name: str, path: str, output: str) -> Built:
    """Writes the hashes of a user's copy of an evaluation set, as Parquet of (kind, hash).

    Raises:
        SourceError: there is no such set, or the copy has none of its columns.
    """
    if name not in evaluations():
        raise SourceError(f"there is no evaluation {name}: there are {', '.join(evaluations())}")
    rule = evaluations()[name]
    users: dict[str, Counter[int]] = {}
    count = 0
    for item in items(path):
        of_one: dict[str, set[int]] = {}
        for listed, columns in rule.items():
            if listed in ("hits", "share"):
                continue
            kind, read = _READ[listed]
            for text in _texts(item, columns):
                of_one.setdefault(kind, set()).update(KINDS[kind](read(text)).tolist())
        count += any(of_one.values())
        for kind, found in of_one.items():
            users.setdefault(kind, Counter()).update(found)
    kept = {
        kind: [each for each, uses in sorted(counts.items()) if uses <= _COMMON]
        for kind, counts in users.items()
    }
    if not any(kept.values()):
        columns = ", ".join(c for k, listed in rule.items() if k in _READ for c in listed)
        raise SourceError(
            f"path={path} has none of the columns of {name}, or only short texts: {columns}"
        )
    meta = {"evaluation": name, "items": count, **{k: rule.get(k, {}) for k in ("hits", "share")}}
    table = pa.table(
        {
            "kind": [kind for kind, found in kept.items() for _ in found],
            "hash": pa.array([each for found in kept.values() for each in found], pa.uint64()),
        }
    ).replace_schema_metadata({"cotmill": json.dumps(meta)})
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, output, compression="zstd")
    return Built(count, len(table))


def _texts(item: Mapping[str, Any], columns: Iterable[str]) -> Iterator[str]:
    for column in columns:
        values = item.values() if column == "*" else [item.get(column)]
        yield from (text for value in values for text in _flat(value))


def _flat(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _flat(each)
    elif isinstance(value, dict):
        yield from _flat(list(value.values()))


@dataclass(frozen=True)
class HashedSet:
    """An evaluation set as hashes, and from how many of them a row repeats it."""

    name: str
    hashes: Mapping[str, Hashes]
    """Kind -> sorted hashes."""
    hits: Mapping[str, int] = field(default_factory=dict)
    """Kind -> hits of a row, at least; 1 where none is given."""
    share: Mapping[str, float] = field(default_factory=dict)
    """Kind -> share of a row's hashes that are hits, at least, beside `hits`."""

    def repeated(self, text: str) -> str | None:
        """Returns by what a text repeats the set, in words; None where it does not."""
        for kind, known in self.hashes.items():
            own = KINDS[kind](text)
            hits = int(np.isin(own, known, assume_unique=True).sum())
            if hits >= self.hits.get(kind, 1) and hits >= self.share.get(kind, 0) * len(own):
                return f"{self.name} ({hits} of {len(own)} hashes of {kind})"
        return None


@lru_cache
def read_hashes(path: str) -> HashedSet:
    """Reads what `build` wrote; once in a process.

    Raises:
        SourceError: there is no such file, or `build` did not write it.
    """
    try:
        table = pq.read_table(Path(path).expanduser())
        meta = json.loads((table.schema.metadata or {})[b"cotmill"])
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise SourceError(
            f"{path} is no file of `cotmill hashes`: {error}".split("\n")[0]
        ) from None
    kinds = table["kind"].to_numpy(zero_copy_only=False)
    found = table["hash"].to_numpy()
    by_kind = {str(kind): np.sort(found[kinds == kind]) for kind in dict.fromkeys(kinds)}
    return HashedSet(meta["evaluation"], by_kind, meta["hits"], meta["share"])

"""A tool that searches a folder of texts, ranked by BM25 (SQLite's FTS5).

A recipe binds it so:

    search:
      function: transforms.stages.trajectories.search.TextSearch
      arguments: {folder: texts, k: 5}
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from transforms.engine.errors import SourceError

_SUFFIXES = (".md", ".txt")


@dataclass(frozen=True)
class TextSearch:
    """Searches the texts of a folder, as a tool (see `transforms.models.tools`).

    Texts are cut into passages between paragraphs. The passages are indexed in memory, once a
    process for each content of the folder.

    Args:
        folder: where the texts are, in files `.txt` and `.md`, also in folders below.
        k: passages in an answer, at most.
        characters: of a passage, at most.

    Raises:
        ValueError: a number is below 1, or the folder has no text that can be read.
    """

    folder: str
    k: int = 3
    characters: int = 600

    def __post_init__(self) -> None:
        if min(self.k, self.characters) < 1:
            raise ValueError("k and characters are 1 or more")
        if not _texts(self.folder).texts:
            raise ValueError(f"folder={self.folder} holds no file that ends in .txt or .md")

    @property
    def version(self) -> Any:
        """What decides its answers: the digest of the texts, and the limits."""
        return [_texts(self.folder).digest, self.k, self.characters]

    def __call__(self, query: str) -> list[dict[str, str]]:
        """Finds the passages of the texts that match a query best.

        Args:
            query: words to look for
        """
        return _index(self.folder, self.characters).search(query, self.k)


class _Texts(NamedTuple):
    digest: str
    texts: dict[str, str]
    """Name (the path below the folder, without its suffix) -> text."""


class Index:
    """Passages with titles, in memory.

    Args:
        passages: (title, passage).
    """

    def __init__(self, passages: Iterable[tuple[str, str]]) -> None:
        self._lock = threading.Lock()
        self._base = sqlite3.connect(":memory:", check_same_thread=False)
        columns = "title, passage, tokenize='porter unicode61'"
        try:
            self._base.execute(f"CREATE VIRTUAL TABLE passages USING fts5({columns})")
        except sqlite3.OperationalError as error:
            raise SourceError(f"searching texts needs SQLite with FTS5: {error}") from None
        self._base.executemany("INSERT INTO passages VALUES (?, ?)", passages)

    def search(self, query: str, k: int) -> list[dict[str, str]]:
        """Returns title and passage of the best matches of any of a query's words, the best
        first; among equal ones, in the order of the texts."""
        words = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", query))
        if not words:
            return []
        with self._lock:
            rows = self._base.execute(
                "SELECT title, passage FROM passages WHERE passages MATCH ? "
                "ORDER BY rank, rowid LIMIT ?",
                (words, k),
            ).fetchall()
        return [{"title": title, "passage": passage} for title, passage in rows]


def passages(text: str, characters: int) -> Iterator[str]:
    """Cuts a text into passages of at most `characters`: whole paragraphs where these fit, else
    whole words.

    >>> list(passages("One two.\\n\\nThree.\\n\\nFour five six", 16))
    ['One two.\\n\\nThree.', 'Four five six']
    >>> list(passages("Four five six", 9))
    ['Four five', 'six']
    """
    passage = ""
    for paragraph in re.split(r"\n\s*\n", text):
        joint = "\n\n"
        if len(paragraph) > characters:
            pieces, joint = paragraph.split(), " "
        else:
            pieces = [paragraph.strip()]
        for word in pieces:
            for start in range(0, len(word), characters):
                piece = word[start : start + characters]
                if passage and len(passage) + len(joint) + len(piece) <= characters:
                    passage += joint + piece
                    continue
                if passage:
                    yield passage
                passage = piece
    if passage:
        yield passage


def _title(name: str, text: str) -> str:
    """A text's first heading, else its name."""
    heading = re.search(r"^#+ +(.+)", text, re.M)
    return heading[1].strip() if heading else name


def _titled(texts: dict[str, str], characters: int) -> Iterator[tuple[str, str]]:
    for name, text in sorted(texts.items()):
        for passage in passages(text, characters):
            yield _title(name, text), passage


def titled_passages(folder: str, characters: int) -> Iterator[tuple[str, str]]:
    """Yields (title, passage) of the texts of a folder, as `TextSearch` has them."""
    return _titled(_texts(folder).texts, characters)


_lock = threading.Lock()
_read: dict[Any, _Texts] = {}
_indexes: dict[tuple[str, int], Index] = {}


def _files(folder: str) -> list[Path]:
    return sorted(each for each in Path(folder).rglob("*") if each.suffix.lower() in _SUFFIXES)


def _texts(folder: str) -> _Texts:
    """Reads the texts of a folder; once, as long as no file changes its size or time."""
    files = _files(folder)
    stats = [each.stat() for each in files]
    key = (folder, *((str(f), s.st_size, s.st_mtime_ns) for f, s in zip(files, stats, strict=True)))
    with _lock:
        if key not in _read:
            texts = {
                each.relative_to(folder).with_suffix("").as_posix(): each.read_text(
                    "utf-8", "replace"
                )
                for each in files
            }
            whole = hashlib.blake2b(repr(sorted(texts.items())).encode(), digest_size=16)
            _read[key] = _Texts(whole.hexdigest(), texts)
        return _read[key]


def _index(folder: str, characters: int) -> Index:
    digest, texts = _texts(folder)
    with _lock:
        if (digest, characters) not in _indexes:
            _indexes[digest, characters] = Index(_titled(texts, characters))
        return _indexes[digest, characters]

"""Patches: unified diffs of a package's modules, and how they are applied."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from transforms.packages.package import Files, modules

Changes = Mapping[str, str]
"""Path of a module -> its whole text after a change."""


class NotAPatch(ValueError):
    """It cannot be applied; the message says why."""


class Edit(NamedTuple):
    """A text that takes the place of another in a file."""

    path: str
    old: str
    new: str
    line: int = 0
    """Where the old text should begin, counted from 1; 0 where nobody says."""


def text_of(files: Files, path: str) -> str:
    """Returns a module's text, an empty one where there is no such file; what is not UTF-8 stays as
    it is when it is written again."""
    return files.get(path, b"").decode(errors="surrogateescape")


def changed(files: Files, changes: Changes) -> dict[str, bytes]:
    """Returns a tree with some modules replaced."""
    made = {path: text.encode(errors="surrogateescape") for path, text in changes.items()}
    return {**files, **made}


def diff(files: Files, before: Changes, after: Changes) -> str:
    """Returns the unified diff between two changes of the same tree."""
    text = ""
    for path in sorted({*before, *after}):
        old, new = (each.get(path, text_of(files, path)) for each in (before, after))
        lines = difflib.unified_diff(_lines(old), _lines(new), f"a/{path}", f"b/{path}")
        for line in lines:
            text += line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
    return text


_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@")


def read_diff(text: str) -> list[Edit]:
    """Returns the hunks of a unified diff as edits. Numbers of lines need not be right.

    Raises:
        NotAPatch: it has no hunk, or one without a file before it.

    >>> read_diff("--- a/x.py\\n+++ b/x.py\\n@@ -1,2 +1,2 @@\\n a\\n-b\\n+c\\n")
    [Edit(path='x.py', old='a\\nb\\n', new='a\\nc\\n', line=1)]
    """
    edits: list[Edit] = []
    path, inside, last = "", False, ""
    for line in _lines(text if text.endswith("\n") else f"{text}\n"):
        if line.startswith(("--- ", "diff ")):
            inside = False
        elif line.startswith("+++ ") and not inside:
            path = line[4:].strip().partition("\t")[0].removeprefix("b/")
        elif match := _HUNK.match(line):
            if not path:
                raise NotAPatch("a hunk before any +++ line")
            edits.append(Edit(path, "", "", int(match[1])))
            inside = True
        elif inside:
            mark, rest = line[:1], line[1:]
            edit = edits[-1]
            if mark == "\\":  # no line break at the end of the line before it
                old = edit.old.removesuffix("\n") if last != "+" else edit.old
                new = edit.new.removesuffix("\n") if last != "-" else edit.new
                edits[-1] = edit._replace(old=old, new=new)
            elif mark in " \n":
                rest = rest if mark == " " else "\n"
                edits[-1] = edit._replace(old=edit.old + rest, new=edit.new + rest)
            elif mark == "-":
                edits[-1] = edit._replace(old=edit.old + rest)
            elif mark == "+":
                edits[-1] = edit._replace(new=edit.new + rest)
            else:
                inside = False
            last = mark
    if not edits:
        raise NotAPatch("no hunk of a unified diff")
    return edits


def apply(files: Files, edits: Iterable[Edit], start: Changes | None = None) -> dict[str, str]:
    """Returns the modules that edits change.

    Args:
        start: modules that were changed before.

    Raises:
        NotAPatch: an edit names another file than a module of the package, or its old text is not
            there, or there more than once and no line says where.
    """
    texts, own = dict(start or {}), set(modules(files))
    for path, old, new, line in edits:
        if path not in own:
            raise NotAPatch(f"{path} is no module of the package")
        text = texts.get(path, text_of(files, path))
        places = [match.start() for match in re.finditer(f"(?={re.escape(old)})", text)]
        if old.endswith("\n"):  # whole lines
            places = [place for place in places if place == 0 or text[place - 1] == "\n"]
        if not old or not places:
            raise NotAPatch(f"{path} does not hold the text that is to be replaced")
        if len(places) > 1 and not line:
            raise NotAPatch(f"{path} holds the text that is to be replaced {len(places)} times")
        at = min(places, key=lambda place: abs(text.count("\n", 0, place) + 1 - line))
        texts[path] = text[:at] + new + text[at + len(old) :]
    return texts


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)

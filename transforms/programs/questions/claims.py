"""Claims: what a text states of a run, held against the run's facts.

A text states a value where a line of it begins with a tag such as `[L7]` and names a variable's
value as an assignment in backquotes: ``[L7] adds the tax, so `total = 42` ``. It states that the
variable has the value after a run of line 7. Line tags are those of SemCoder's monologues (arXiv
2406.01006), which checks the end of a monologue alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from transforms.programs.facts import Kind, Trace, is_plain, values_after
from transforms.programs.questions.answers import NotLiteral, read_value, tolerant

_TAGGED = re.compile(r"^[^\w\n]*\[L(\d{1,9})\](.*)$", re.MULTILINE)
_ASSIGNED = re.compile(r"`([A-Za-z_]\w*)\s*=(?!=)\s*([^`\n]+?)\s*`")
_MOST_CHARS = 200
"""Longest value that a retelling states."""


class Claim(NamedTuple):
    """A variable's value after a run of a line."""

    line: int
    name: str
    value: str
    """As the text writes it: a literal, or JSON."""

    @property
    def text(self) -> str:
        return f"[L{self.line}] `{self.name} = {self.value}`"


def stated(text: str) -> list[Claim]:
    """Returns the claims of a text, in its order; what is assigned no literal is code, not a claim.

    >>> stated("[L2] it begins with `total = 0`\\n[L4] runs `total = total + n`")
    [Claim(line=2, name='total', value='0')]
    """
    claims = []
    for line, rest in _TAGGED.findall(text):
        for name, value in _ASSIGNED.findall(rest):
            try:
                read_value(value)
            except NotLiteral:
                continue
            claims.append(Claim(int(line), name, value))
    return claims


def false_claim(text: str, trace: Trace) -> Claim | None:
    """Returns the first claim of a text that is not a fact of the run; None where all are.

    Raises:
        CutTrace: the trace is not whole.
    """
    return next((claim for claim in stated(text) if not _holds(claim, trace)), None)


def _holds(claim: Claim, trace: Trace) -> bool:
    values = values_after(trace, claim.line, claim.name)
    return any(is_plain(value) and tolerant(claim.value, repr(value)) for value in values)


def retelling(trace: Trace) -> str:
    """Returns a text that tells what lines did, with values: needs no model.

    A line is told of at its first and its last change of a variable; values that are no literal or
    too long are left out.

    Raises:
        CutTrace: the trace is not whole.
    """
    changes = list(_changes(trace))
    last = {(line, name): place for place, (line, name, _) in enumerate(changes)}
    first = {(line, name): place for place, (line, name, _) in reversed([*enumerate(changes)])}
    told = sorted({*first.values(), *last.values()})
    return "\n".join(
        Claim(line, name, repr(value)).text for line, name, value in map(changes.__getitem__, told)
    )


def _changes(trace: Trace) -> Iterator[tuple[int, str, Any]]:
    """Yields (line, variable, value) of what lines changed, in order, where that can be told."""
    at: dict[int, int] = {}
    for event in trace.events:
        if event.of_expression:
            continue
        for name, value in event.changed.items() if event.frame in at else ():
            if (
                is_plain(value)
                and len(text := repr(value)) <= _MOST_CHARS
                and "`" not in text
                and "\n" not in text
            ):
                yield at[event.frame], name, value
        if event.kind is Kind.LINE:
            at[event.frame] = event.line
        elif event.kind is Kind.EXCEPTION:
            at.pop(event.frame, None)

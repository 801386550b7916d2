"""The lines of the report's table of diversity: what each is called, means and shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from transforms.publish.report.formats import number, percent
from transforms.stages.diversity.measure import Coverage, Figures, Lengths, Variety, Wording

NOTHING = "–"
_SPREAD = "median, 95th percentile, largest"


@dataclass(frozen=True)
class Measure:
    """One line: a figure of every set."""

    name: str
    meaning: str
    of: Callable[[Figures], str]


_ROWS = (
    Measure("rows", "", lambda f: number(f.rows + f.left_out)),
    Measure(
        "rows measured", "the others are not looked at for what follows", lambda f: number(f.rows)
    ),
    Measure(
        "kinds of problem",
        "as sources name them; rows whose prompt named none are not counted",
        lambda f: f"{f.kinds.distinct} (effective {number(f.kinds.effective)})",
    ),
)
_PROGRAMS = (
    Measure(
        "structures",
        "different programs once names and constants are taken away",
        lambda f: _distinct(f.fingerprints, f.rows),
    ),
    Measure(
        "effective structures",
        "exp of the entropy: as many, used equally, would be as varied",
        lambda f: number(f.fingerprints.effective),
    ),
    Measure(
        "largest structure",
        "share of the programs that have the most frequent structure",
        lambda f: percent(f.fingerprints.largest),
    ),
    Measure(
        "operations",
        "different operators, statements, builtins, methods and library functions",
        lambda f: f"{f.operations.distinct} (effective {number(f.operations.effective)})",
    ),
    Measure(
        "library functions",
        "different things taken from modules",
        lambda f: f"{f.functions.distinct} from {f.libraries.distinct} libraries",
    ),
    Measure("code lines", _SPREAD, lambda f: _spread(f.code_lines)),
    Measure(
        "nesting",
        f"depth of loops, ifs and comprehensions: {_SPREAD}",
        lambda f: _spread(f.nesting),
    ),
    Measure("input values", _SPREAD, lambda f: _spread(f.input_keys)),
)
_ANSWERS = (
    Measure("answers", "different ones", lambda f: _distinct(f.answers, f.rows)),
    Measure("most frequent answer", "", lambda f: _first(f.answers)),
    Measure("most frequent type", "", lambda f: _first(f.answer_types)),
)
_TEXTS = (
    Measure("instruction words", _SPREAD, lambda f: _spread(f.instruction_words)),
    Measure("solution words", _SPREAD, lambda f: _spread(f.solution_words)),
    Measure("most frequent opening", "first three words", lambda f: _first(f.openings)),
)


def _covered(name: str, of: Callable[[Coverage], int]) -> Measure:
    return Measure(name, "", lambda f: number(of(f.coverage)) if f.coverage else NOTHING)


def _worded(name: str, meaning: str, of: Callable[[Wording], float | None]) -> Measure:
    def shown(figures: Figures) -> str:
        value = of(figures.wording) if figures.wording else None
        return NOTHING if value is None else number(value)

    return Measure(name, meaning, shown)


_COVERAGE = (
    _covered("structures", lambda c: c.fingerprints),
    _covered("operations", lambda c: c.operations),
)
_WORDING = (
    _worded("distinct-1", "different words by words", lambda w: w.distinct_1),
    _worded("distinct-2", "different pairs by pairs", lambda w: w.distinct_2),
    _worded("distinct-3", "different triples by triples", lambda w: w.distinct_3),
    _worded("compression", "zlib: higher where texts repeat each other", lambda w: w.compression),
    _worded(
        "shared openings",
        "share whose first three words are another's too",
        lambda w: w.shared_openings,
    ),
    _worded("mean distance", "of each two instructions", lambda w: w.mean_distance),
    _worded("nearest distance", "of each to its nearest", lambda w: w.nearest_distance),
)


def measures(figures: dict[str, Figures]) -> dict[str, tuple[Measure, ...]]:
    """The lines of the table by their group, and what they are measured on in its name."""
    groups = {
        "": _ROWS,
        "Programs": _PROGRAMS,
        "Answers": _ANSWERS,
        "Instructions and solutions": _TEXTS,
    }
    for coverage in [found.coverage for found in figures.values() if found.coverage][:1]:
        groups[f"In {number(coverage.programs)} programs of each"] = _COVERAGE
    for wording in [found.wording for found in figures.values() if found.wording][:1]:
        sample = f"{number(wording.texts)} instructions, {number(wording.words)} words"
        groups[f"In {sample}, of each"] = _WORDING
    return groups


_EMBEDDINGS = {
    "hashed_ngrams": "hashed character 3- to 5-grams with numbers masked (no model: they tell"
    " likeness of wording, not of meaning)"
}


def embedding(figures: dict[str, Figures]) -> str | None:
    """What distances were measured by, in words; None where there are none."""
    names = [found.wording.embedding for found in figures.values() if found.wording]
    return _EMBEDDINGS.get(names[0], names[0]) if names else None


def _spread(lengths: Lengths | None) -> str:
    return NOTHING if lengths is None else f"{lengths.median}, {lengths.p95}, {lengths.max}"


def _first(variety: Variety) -> str:
    for kind, share in variety.shares.items():
        return f"{kind} ({percent(share)})"
    return NOTHING


def _distinct(variety: Variety, rows: int) -> str:
    share = f" ({percent(variety.distinct / rows)})" if rows else ""
    return f"{number(variety.distinct)}{share}"

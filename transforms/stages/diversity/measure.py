"""How different the rows of a set are: figures that can be held against another set's."""

from __future__ import annotations

import bisect
import heapq
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from transforms.engine.ids import content_id
from transforms.programs import Unparsable, code_lines, fingerprint, input_keys
from transforms.programs.operations import Operations, operations
from transforms.programs.source import source_of
from transforms.stages.diversity.embedding import Embed, hashed_ngrams
from transforms.text.answers import answer_type
from transforms.text.shingles import shingles, words

SAMPLE = 1000
"""Instructions, at most, that wording is measured on: distances are of each to each."""
NAMED = 30
"""Kinds, at most, that a figure names."""
_LONGEST = 60
"""Characters of a kind's name."""
BINS = (*range(8), *(base * step // 4 for base in (8, 16, 32, 64, 128, 256, 512, 1024)
                     for step in (4, 5, 6, 7)), 2048)  # fmt: skip
"""Lower bounds of all histograms, the last one open: a quarter of an octave each."""


@dataclass(frozen=True)
class Row:
    """What is measured of a row; None for what the set does not have."""

    id: str
    code: str
    answer: str | None
    """JSON."""
    instruction: str | None = None
    solution: str | None = None
    kind: str | None = None


@dataclass(frozen=True)
class Variety:
    """How many kinds there are and how evenly rows fall on them."""

    distinct: int
    effective: float
    """exp of the Shannon entropy: as many kinds, used equally, would be as hard to guess."""
    largest: float
    """Share of the rows that have the most frequent kind."""
    shares: dict[str, float]
    """The most frequent kinds with their shares of the rows, most frequent first."""


@dataclass(frozen=True)
class Lengths:
    """A distribution of whole numbers."""

    min: int
    median: int
    p95: int
    max: int
    histogram: list[int]
    """Rows by `BINS`."""


@dataclass(frozen=True)
class Wording:
    """How alike instructions are, in a sample drawn by the hashes of their ids.

    The sample is as large, in texts and in words, as that of the sets it is compared with: all of
    these figures fall with the size of what they are measured on.
    """

    texts: int
    words: int
    distinct_1: float
    """Different words by words: the type-token ratio."""
    distinct_2: float
    """Different pairs of words by pairs."""
    distinct_3: float
    compression: float
    """Bytes by bytes after zlib: more where texts repeat each other."""
    shared_openings: float
    """Share of the texts whose first three words are another's too."""
    mean_distance: float | None
    """Mean cosine distance of each two texts; None for fewer than two."""
    nearest_distance: float | None
    """Mean cosine distance of each text to the one next to it."""
    embedding: str
    """What distances are measured by."""


@dataclass(frozen=True)
class Coverage:
    """How much a sample of programs covers: as many of each set that is compared."""

    programs: int
    fingerprints: int
    operations: int


@dataclass(frozen=True)
class Figures:
    """How different the rows of one set are."""

    rows: int
    """Those that are measured."""
    left_out: int
    """Further rows of the set, which are not."""
    unparsable: int
    """Rows whose code is no program: they count in no figure of programs."""
    fingerprints: Variety
    """Structures of programs (names and constants taken away); they are not named."""
    operations: Variety
    """Operators, statements, builtins, methods and library functions, by programs that use them."""
    functions: Variety
    """What programs take from modules, by programs that use it."""
    libraries: Variety
    kinds: Variety
    """Kinds of problem, as sources name them."""
    answers: Variety
    """Answers as JSON."""
    answer_types: Variety
    openings: Variety
    """First three words of the instructions."""
    code_lines: Lengths | None
    nesting: Lengths | None
    """Depth of loops, ifs and comprehensions."""
    input_keys: Lengths | None
    instruction_words: Lengths | None
    solution_words: Lengths | None
    wording: Wording | None
    """None where the set has no instructions."""
    coverage: Coverage | None
    """None where the set has no programs."""


_OF_PROGRAMS = ("fingerprints", "operations", "functions", "libraries")
_KINDS = (*_OF_PROGRAMS, "kinds", "answers", "answer_types", "openings")
_SIZES = ("code_lines", "nesting", "input_keys", "instruction_words", "solution_words")


def compare(surveys: Mapping[str, Survey], embed: Embed = hashed_ngrams) -> dict[str, Figures]:
    """Returns the figures of sets that are to be held against each other.

    They depend on the rows alone, not on their order or on how they were parted.
    """
    texts = _same_size({name: survey.texts for name, survey in surveys.items()})
    programs = _same_size({name: survey.programs for name, survey in surveys.items()})
    budget = min((sum(len(words(t)) for t in sample) for sample in texts.values()), default=0)
    return {
        name: survey.figures(
            wording(texts[name], budget, embed) if name in texts else None,
            coverage(programs[name]) if name in programs else None,
        )
        for name, survey in surveys.items()
    }


def _same_size(samples: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Cuts samples to the smallest that is not empty; leaves out the empty ones."""
    size = min((len(sample) for sample in samples.values() if sample), default=0)
    return {name: sample[:size] for name, sample in samples.items() if sample}


class Survey:
    """Counts of the rows added, and samples of those with the smallest hashes.

    Surveys of parts of a set merge into the survey of the set.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows = self.unparsable = 0
        self.left_out = 0
        """Rows of the set that whoever adds them leaves out."""
        self._kinds: dict[str, Counter[str]] = {name: Counter() for name in _KINDS}
        self._sizes: dict[str, Counter[int]] = {name: Counter() for name in _SIZES}
        self._texts: list[tuple[int, str]] = []
        self._programs: list[tuple[int, str, tuple[str, ...]]] = []
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        self.rows += 1
        # Negative, so that the root of a heap is the largest hash, the first to go.
        drawn = -int(content_id("sample", row.id)[:16], 16)
        self._add_program(drawn, row.code)
        if row.kind is not None:
            self._kinds["kinds"][short(row.kind)] += 1
        if row.answer is not None:
            self._kinds["answers"][short(row.answer)] += 1
            self._kinds["answer_types"][answer_type(row.answer)] += 1
        if row.solution is not None:
            self._sizes["solution_words"][len(words(row.solution))] += 1
        if row.instruction is not None:
            said = words(row.instruction)
            self._sizes["instruction_words"][len(said)] += 1
            self._kinds["openings"][short(opening(said))] += 1
            _draw(self._texts, (drawn, row.instruction))

    def merge(self, part: Survey) -> None:
        """Adds what the survey of another part of the set counted."""
        self.rows += part.rows
        self.unparsable += part.unparsable
        self.left_out += part.left_out
        for name in _KINDS:
            self._kinds[name].update(part._kinds[name])
        for name in _SIZES:
            self._sizes[name].update(part._sizes[name])
        for text in part._texts:
            _draw(self._texts, text)
        for program in part._programs:
            _draw(self._programs, program)

    def _add_program(self, drawn: int, code: str) -> None:
        found = _measured(code)
        if found is None:
            self.unparsable += 1
            return
        used = found.used
        self._kinds["fingerprints"][found.structure] += 1
        self._kinds["operations"].update(map(short, used.all))
        self._kinds["functions"].update(map(short, used.functions))
        self._kinds["libraries"].update(map(short, used.libraries))
        self._sizes["nesting"][used.nesting] += 1
        self._sizes["code_lines"][found.lines] += 1
        self._sizes["input_keys"][found.keys] += 1
        _draw(self._programs, (drawn, found.structure, tuple(sorted(used.all))))

    @property
    def texts(self) -> list[str]:
        """Instructions with the smallest hashes of their ids, smallest first."""
        return [text for _, text in sorted(self._texts, reverse=True)]

    @property
    def programs(self) -> list[tuple[str, tuple[str, ...]]]:
        """(fingerprint, operations) of the programs with the smallest hashes of their ids."""
        return [(structure, used) for _, structure, used in sorted(self._programs, reverse=True)]

    def figures(self, wording: Wording | None, coverage: Coverage | None) -> Figures:
        programs = self.rows - self.unparsable
        counted: dict[str, Any] = {
            name: variety(
                counts,
                rows=programs if name in _OF_PROGRAMS else counts.total(),
                named=0 if name == "fingerprints" else NAMED,
            )
            for name, counts in self._kinds.items()
        }
        measured: dict[str, Any] = {name: lengths(counts) for name, counts in self._sizes.items()}
        return Figures(
            rows=self.rows,
            left_out=self.left_out,
            unparsable=self.unparsable,
            **counted,
            **measured,
            wording=wording,
            coverage=coverage,
        )


def survey(rows: Iterable[tuple[str, Row]]) -> dict[str, Survey]:
    """Surveys (set, row) by set. This module must not import Beam: a process that measures a part
    starts fast."""
    surveys: dict[str, Survey] = {}
    for name, row in rows:
        surveys.setdefault(name, Survey()).add(row)
    return surveys


class _Program(NamedTuple):
    structure: str
    """Its fingerprint."""
    used: Operations
    lines: int
    keys: int
    """Keys of its input."""


@lru_cache(maxsize=1 << 14)  # a row's program is in the set of programs as well
def _measured(code: str) -> _Program | None:
    """What is measured of a program; None where it does not parse."""
    source = source_of(code)
    try:
        tree = source.tree
    except Unparsable:
        return None
    return _Program(
        fingerprint(code),
        operations(tree, source.names),
        code_lines(code, source.by_type),
        len(input_keys(tree)),
    )


def _draw(sample: list[Any], item: tuple[Any, ...]) -> None:
    """Keeps the `SAMPLE` largest items."""
    if len(sample) < SAMPLE:
        heapq.heappush(sample, item)
    else:
        heapq.heappushpop(sample, item)


def opening(said: list[str]) -> str:
    """The first three words."""
    return " ".join(said[:3])


def short(text: str) -> str:
    """A text as the name of a kind: a long one by its beginning and a hash."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… {content_id('kind', text)[:8]}"


def variety(counts: Counter[str], rows: int, named: int) -> Variety:
    """Sums up how often each kind occurred among `rows` rows; names the first `named` kinds."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    total = counts.total()
    entropy = -math.fsum(n / total * math.log(n / total) for n in counts.values())
    return Variety(
        distinct=len(counts),
        effective=round(math.exp(entropy), 2) if counts else 0.0,
        largest=round(ranked[0][1] / rows, 4) if ranked else 0.0,
        shares={name: round(count / rows, 4) for name, count in ranked[:named]},
    )


def lengths(counts: Counter[int]) -> Lengths | None:
    """Sums up whole numbers (value -> how often); None where there are none."""
    if not counts:
        return None
    values = sorted(counts)
    histogram = [0] * len(BINS)
    below, upto = 0, []
    for value in values:
        histogram[bisect.bisect_right(BINS, value) - 1] += counts[value]
        below += counts[value]
        upto.append(below)

    def quantile(share: float) -> int:
        """The smallest value that so large a share of the rows does not exceed."""
        return values[bisect.bisect_left(upto, share * below)]

    return Lengths(values[0], quantile(0.5), quantile(0.95), values[-1], histogram)


def coverage(programs: list[tuple[str, tuple[str, ...]]]) -> Coverage:
    """Counts what (fingerprint, operations) of programs differ in."""
    return Coverage(
        programs=len(programs),
        fingerprints=len({structure for structure, _ in programs}),
        operations=len({name for _, used in programs for name in used}),
    )


def wording(texts: list[str], budget: int, embed: Embed) -> Wording:
    """Measures how alike texts are, n-grams on their first `budget` words in all."""
    said, left = [], budget
    for text in texts:
        said.append(words(text)[:left])
        left -= len(said[-1])
    openings = Counter(opening(words(text)) for text in texts)
    joined = "\n".join(" ".join(some) for some in said).encode()
    mean, nearest = distances(texts, embed)
    return Wording(
        texts=len(texts),
        words=budget - left,
        distinct_1=_distinct(said, 1),
        distinct_2=_distinct(said, 2),
        distinct_3=_distinct(said, 3),
        compression=round(len(joined) / len(zlib.compress(joined, 9)), 3),
        shared_openings=round(sum(n for n in openings.values() if n > 1) / len(texts), 4),
        mean_distance=mean,
        nearest_distance=nearest,
        embedding=getattr(embed, "__name__", type(embed).__name__),
    )


def _distinct(texts: list[list[str]], ngram: int) -> float:
    found = [item for text in texts if len(text) >= ngram for item in shingles(text, ngram)]
    return round(len(set(found)) / len(found), 4) if found else 0.0


def distances(texts: list[str], embed: Embed) -> tuple[float | None, float | None]:
    """Returns the mean cosine distance of all pairs, and of each text to its nearest."""
    if len(texts) < 2:
        return None, None
    vectors = embed(texts).astype(np.float64)
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -1.0)
    count = len(texts)
    mean = 1 - (alike.sum() + count) / (count * (count - 1))
    nearest = 1 - alike.max(axis=1).mean()
    return round(float(mean), 4), round(float(max(nearest, 0.0)), 4)

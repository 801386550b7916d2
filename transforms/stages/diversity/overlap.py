"""Whether a text repeats an item of a benchmark: the same words, long runs of them, or most.

Items are few (some ten thousand) and rows many, so the items' hashes are the index and each row is
looked up in it: no row is compared with another.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from transforms.programs.source import source_of
from transforms.stages.diversity.minhash import index_block, minima
from transforms.stages.diversity.settings import DecontaminateSettings
from transforms.text.shingles import shingles

Hashes = NDArray[np.uint64]

_COMMON = 3
"""A long run that more different items than this have is a phrase of the trade, such as "where m
and n are relatively prime positive integers find m n" in AIME: sharing it repeats no item."""

_SHINGLE = 3
"""Words per shingle of the similarity, as where rows are compared with each other."""

_NUM_PERM, _BANDS = 128, 32
"""32 bands of 4 rows: of pairs with similarity 0.5, 0.6 and 0.7, 87 %, 99 % and 99.98 % share a
band; those that do are then held to the threshold by their exact similarity."""

_LEAST_TOKENS = 30
"""Code of fewer tokens is compared as a whole only: half of a shorter program's runs are idioms,
such as Euclid's loop in HumanEval/13, which 4 of the 3,002 CodeI/O programs have."""

_LAYOUT = re.compile(
    r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|text|textbf|mathrm|mathbf|operatorname)(?![a-zA-Z])"
)
_FRACTION = re.compile(r"\\[dtc]frac(?![a-zA-Z])")
_THOUSANDS = re.compile(r"(?<=\d)(?:,|\{,\}|\\[,!])(?=\d{3}(?!\d))")
_WORD = re.compile(r"\d+(?:\.\d+)+|[^\W_]+")


def folded(text: str) -> list[str]:
    """The words and numbers of a text, whatever its case, punctuation, spaces and LaTeX layout.

    `\\(\\dfrac{1}{2}\\)` is `$\\frac{1}{2}$`; thousands separators go, decimals stay whole. A
    language that writes no spaces has words as long as its clauses, and is compared by those.
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    if "\\" in text:
        text = _FRACTION.sub(r"\\frac", _LAYOUT.sub(" ", text))
    return _WORD.findall(_THOUSANDS.sub("", text))


def without_numbers(words: Sequence[str]) -> list[str]:
    """The words with every number made the same one."""
    return ["0" if word[0].isdigit() else word for word in words]


@lru_cache(maxsize=1 << 13)  # misses 0.3 % of 60,000 texts' words, as eight times as many do
def hashed(text: str) -> int:
    """The hash of a text, 8 bytes."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def runs(words: Sequence[str], length: int) -> Hashes:
    """The hashes of the different runs of so many words, in order; none in a shorter text."""
    if len(words) < length:
        return np.empty(0, dtype=np.uint64)
    codes = np.array([hashed(word) for word in words], dtype=np.uint64)
    # wraps around, as a hash should
    products = sliding_window_view(codes, length) * _multipliers(length)
    return np.unique(products.sum(axis=1, dtype=np.uint64))


@lru_cache
def _multipliers(length: int) -> Hashes:
    odd = np.random.default_rng(length).integers(0, 2**63, length, dtype=np.uint64)
    return odd * np.uint64(2) + np.uint64(1)


@dataclass(frozen=True)
class _Joined:
    """The words of several texts one after the other, as hashes: looked up in a few array
    operations for all of them."""

    codes: Hashes
    text: NDArray[np.int64]
    """Number of the text that each word belongs to."""
    count: int

    @classmethod
    def of(cls, texts: Sequence[Sequence[str]]) -> _Joined:
        codes = np.fromiter(map(hashed, chain.from_iterable(texts)), dtype=np.uint64)
        lengths = np.fromiter(map(len, texts), dtype=np.int64)
        return cls(codes, np.repeat(np.arange(len(texts)), lengths), len(texts))

    def runs(self, length: int) -> tuple[Hashes, NDArray[np.int64]]:
        """The hashes of all runs of so many words, as `runs` has them, and the text of each."""
        most = max(0, len(self.codes) - length + 1)
        hashes = np.zeros(most, dtype=np.uint64)
        for place, factor in enumerate(_multipliers(length)):
            hashes += self.codes[place : place + most] * factor
        within = self.text[:most] == self.text[len(self.text) - most :]
        return hashes[within], self.text[:most][within]

    def different_runs(self, length: int) -> tuple[Hashes, NDArray[np.int64]]:
        """The same by text, then by hash, each run of a text once."""
        hashes, text = self.runs(length)
        order = np.lexsort((hashes, text))
        hashes, text = hashes[order], text[order]
        first = np.r_[True, (hashes[1:] != hashes[:-1]) | (text[1:] != text[:-1])][: len(hashes)]
        return hashes[first], text[first]

    def with_runs_in(self, length: int, postings: _Postings) -> NDArray[np.bool_]:
        """Which texts have a run that some item has, shape (count,)."""
        hashes, text = self.runs(length)
        return np.bincount(text[postings.has(hashes)], minlength=self.count) > 0

    def shares_in(self, length: int, postings: _Postings) -> NDArray[np.float64]:
        """The share of the different runs of each text that items have, shape (count,)."""
        hashes, text = self.different_runs(length)
        own = np.bincount(text, minlength=self.count)
        return np.bincount(text[postings.has(hashes)], minlength=self.count) / np.maximum(own, 1)


def runs_of_each(texts: Sequence[Sequence[str]], length: int) -> list[Hashes]:
    """The `runs` of each text, found for all of them at once."""
    if not texts:
        return []
    hashes, text = _Joined.of(texts).different_runs(length)
    return np.split(hashes, np.searchsorted(text, np.arange(1, len(texts))))


@dataclass(frozen=True)
class Item:
    """A question of a benchmark."""

    benchmark: str
    name: str
    """How to find it there: its id, or the place where it was read."""
    problem: str
    """Empty where the benchmark has only code."""
    code: str | None = None

    @property
    def start(self) -> str:
        """Its first words."""
        text = " ".join((self.problem or self.code or "").split())
        return text if len(text) <= 60 else f"{text[:60]}…"


@dataclass(frozen=True, order=True)
class Overlap:
    """An item that a row repeats; the smallest of a row's is the one that is named."""

    rank: int
    """Kinds in the order of their force: equal, a long run, many runs, similar; then the code's;
    then the same in other words."""
    item: int
    """The item's number in the index, which is in the order of benchmark, name and text."""
    kind: str


@dataclass(frozen=True)
class _Postings:
    """Which items have a hash: pairs, sorted."""

    keys: Hashes
    items: NDArray[np.int64]

    @classmethod
    def of(cls, hashes: Sequence[Hashes]) -> _Postings:
        """`hashes` are those of each item, each once."""
        items = np.repeat(np.arange(len(hashes)), [len(of_one) for of_one in hashes])
        keys = np.concatenate([np.empty(0, dtype=np.uint64), *hashes])
        order = np.lexsort((items, keys))
        return cls(keys[order], items[order])

    def without_common(self, most: int) -> _Postings:
        """Leaves out the hashes that more than `most` items have."""
        _, inverse, counts = np.unique(self.keys, return_inverse=True, return_counts=True)
        rare = counts[inverse] <= most
        return _Postings(self.keys[rare], self.items[rare])

    def has(self, hashes: Hashes) -> NDArray[np.bool_]:
        """Which of the hashes some item has."""
        if not len(self.keys):
            return np.zeros(len(hashes), dtype=np.bool_)
        places = np.searchsorted(self.keys, hashes)
        found: NDArray[np.bool_] = self.keys[np.minimum(places, len(self.keys) - 1)] == hashes
        return found

    def find(self, hashes: Hashes) -> NDArray[np.int64]:
        """The items that have any of the hashes, an item once for each that it has."""
        first = np.searchsorted(self.keys, hashes, "left")
        counts = np.searchsorted(self.keys, hashes, "right") - first
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.items[np.repeat(first, counts) + offsets]


@dataclass(frozen=True)
class _Texts:
    """The index of one side of the items, their questions or their code."""

    whole: _Postings
    long: _Postings
    short: _Postings
    shorts: NDArray[np.int64]
    """Shape (items,): how many different short runs each item has."""
    bands: _Postings
    shingled: tuple[Hashes, ...]
    """Each item's shingles; none of an item that is not compared by similarity."""
    shingles: _Postings


def _whole(words: Sequence[str]) -> Hashes:
    return np.array([hashed(" ".join(words))] if words else [], dtype=np.uint64)


def _long_enough(words: Sequence[str], least: int) -> bool:
    """Whether a text has enough words beside its numbers to be compared by similarity."""
    return sum(not word[0].isdigit() for word in words) >= least


def _bands(texts: Sequence[Sequence[str]]) -> list[Hashes]:
    """The keys of each text's bands."""
    if not texts:
        return []
    found = minima([shingles(list(words), _SHINGLE) for words in texts], _NUM_PERM)
    keys = index_block([b"0"] * len(texts), found, _BANDS).keys
    return [np.unique(of_one) for of_one in keys.reshape(len(texts), _BANDS)]


def _jaccard(one: Hashes, other: Hashes) -> float:
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)


@dataclass(frozen=True)
class BenchmarkIndex:
    """The items of all benchmarks, and the hashes by which a row that repeats one is found.

    About 40 bytes a word of the items, and 1 KiB an item beside its text.
    """

    items: tuple[Item, ...]
    settings: DecontaminateSettings
    questions: _Texts
    codes: _Texts
    vectors: NDArray[np.float32] | None = None
    """Embeddings of the questions, shape (items, dimensions), of length 1; None where they are not
    compared."""

    @classmethod
    def of(cls, items: Iterable[Item], settings: DecontaminateSettings) -> BenchmarkIndex:
        """Builds the index; the order of the items changes nothing."""
        ordered = sorted(
            items, key=lambda item: (item.benchmark, item.name, item.problem, item.code or "")
        )
        questions = [folded(item.problem) for item in ordered]
        codes = [source_of(item.code).tokens if item.code else [] for item in ordered]
        return cls(
            tuple(ordered), settings, _questions(questions, settings), _codes(codes, settings)
        )

    def overlaps(self, texts: Sequence[tuple[str, str]]) -> list[Overlap | None]:
        """What each (instruction, code) repeats first, in the order of kinds and items."""
        if not self.items:
            return [None] * len(texts)
        words = [folded(instruction) for instruction, _ in texts]
        questions, settings = self.questions, self.settings
        joined = _Joined.of(words)
        shares = joined.with_runs_in(settings.ngram, questions.short)
        shares |= joined.with_runs_in(settings.long_ngram, questions.long)
        similar = self._similar(words)
        return [
            min(
                (
                    # a shorter text has no run by which it could be found
                    *(self._by_runs(own) if has_run or len(own) < settings.ngram else ()),
                    *alike,
                    *self._by_code(code),
                ),
                default=None,
            )
            for own, has_run, alike, (_, code) in zip(words, shares, similar, texts, strict=True)
        ]

    def meant(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> list[Overlap | None]:
        """What each text says in other words, by the cosines of its vector and the items'."""
        assert self.vectors is not None
        cosines = vectors @ self.vectors.T
        cosines[[not text.strip() for text in texts]] = 0
        cosines[:, [not item.problem.strip() for item in self.items]] = 0
        closest = zip(cosines.argmax(axis=1).tolist(), cosines.max(axis=1).tolist(), strict=True)
        return [
            Overlap(6, item, f"in other words, cosine {cosine:.2f}")
            if cosine >= self.settings.semantic_threshold
            else None
            for item, cosine in closest
        ]

    def detail(self, overlap: Overlap) -> str:
        """Names the item and the kind of overlap, for people."""
        item = self.items[overlap.item]
        return f'{item.benchmark} {item.name} ({overlap.kind}): "{item.start}"'

    def _by_runs(self, words: Sequence[str]) -> Iterator[Overlap]:
        length = self.settings.long_ngram
        for item in self.questions.whole.find(_whole(words)):
            yield Overlap(0, int(item), "exact")
        for item in self.questions.long.find(runs(words, length)):
            yield Overlap(1, int(item), f"{length}-gram")
        for item, share in _shares(self.questions, words, self.settings):
            yield Overlap(2, item, f"{share:.0%} of its {self.settings.ngram}-grams")

    def _similar(self, texts: Sequence[Sequence[str]]) -> list[list[Overlap]]:
        least, similarity = self.settings.long_ngram, self.settings.similarity
        found: list[list[Overlap]] = [[] for _ in texts]
        able = [number for number, words in enumerate(texts) if _long_enough(words, least)]
        masked = [without_numbers(texts[number]) for number in able]
        # What is as similar to one item has as large a share of its shingles in all of them.
        shares = _Joined.of(masked).shares_in(_SHINGLE, self.questions.shingles)
        near = np.flatnonzero(shares >= similarity)
        able, masked = [able[place] for place in near], [masked[place] for place in near]
        for number, words, keys in zip(able, masked, _bands(masked), strict=True):
            own = runs(words, _SHINGLE)
            for item in np.unique(self.questions.bands.find(keys)):
                alike = _jaccard(own, self.questions.shingled[item])
                if alike >= similarity:
                    kind = f"similarity {alike:.2f}, numbers aside"
                    found[number].append(Overlap(3, int(item), kind))
        return found

    def _by_code(self, code: str) -> Iterator[Overlap]:
        if not len(self.codes.whole.keys):
            return
        tokens = source_of(code).tokens
        for item in self.codes.whole.find(_whole(tokens)):
            yield Overlap(4, int(item), "exact code")
        for item, share in _shares(self.codes, tokens, self.settings):
            yield Overlap(5, item, f"{share:.0%} of its code's {self.settings.ngram}-grams")


def _shares(
    index: _Texts, words: Sequence[str], settings: DecontaminateSettings
) -> Iterator[tuple[int, float]]:
    """Yields the items of whose short runs a text has enough, and the share of them."""
    found, counts = np.unique(index.short.find(runs(words, settings.ngram)), return_counts=True)
    shares = counts / index.shorts[found]
    for item, share in zip(found, shares, strict=True):
        if share >= settings.share:
            yield int(item), float(share)


def _questions(texts: Sequence[Sequence[str]], settings: DecontaminateSettings) -> _Texts:
    different = {tuple(words): number for number, words in reversed(list(enumerate(texts)))}
    first = set(different.values())  # a question that several benchmarks have is one phrase's user
    short = runs_of_each(texts, settings.ngram)
    long = runs_of_each(
        [words if number in first else [] for number, words in enumerate(texts)],
        settings.long_ngram,
    )
    masked = [
        without_numbers(words) if _long_enough(words, settings.long_ngram) else []
        for words in texts
    ]
    bands = iter(_bands([words for words in masked if words]))
    shingled = tuple(runs_of_each(masked, _SHINGLE))
    nothing = np.empty(0, dtype=np.uint64)
    return _Texts(
        whole=_Postings.of([_whole(words) for words in texts]),
        long=_Postings.of(long).without_common(_COMMON),
        short=_Postings.of(short),
        shorts=np.array([len(of_one) for of_one in short], dtype=np.int64),
        bands=_Postings.of([next(bands) if words else nothing for words in masked]),
        shingled=shingled,
        shingles=_Postings.of(shingled),
    )


def _codes(texts: Sequence[Sequence[str]], settings: DecontaminateSettings) -> _Texts:
    short = runs_of_each(
        [tokens if len(tokens) >= _LEAST_TOKENS else [] for tokens in texts], settings.ngram
    )
    none = _Postings.of([np.empty(0, dtype=np.uint64) for _ in texts])
    return _Texts(
        whole=_Postings.of([_whole(tokens) for tokens in texts]),
        long=none,
        short=_Postings.of(short),
        shorts=np.array([len(of_one) for of_one in short], dtype=np.int64),
        bands=none,
        shingled=(),
        shingles=none,
    )

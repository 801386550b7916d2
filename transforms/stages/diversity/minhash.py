"""MinHash sketches and their LSH bands, in blocks of numpy arrays rather than row by row.

MinHash: Broder 1997. Banding: Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, ch. 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

_SEED = 0
_LEADERS = 32
"""Of one band's bucket, so many texts at most are compared with all others of the bucket: a
bucket of m texts costs 32 m comparisons, not m squared. More than 32 texts that share a band and
are all unlike each other are rare, and only pairs among the rest of them are missed."""


Similarity = Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float64]]
"""Two arrays of digests -> how similar they are, row by row."""


@dataclass(frozen=True)
class Block:
    """Entries of the LSH index: n texts under one band each."""

    keys: NDArray[np.uint64]
    """Shape (n,): hash of the band; equal for texts whose minima in that band are equal."""
    nodes: NDArray[np.bytes_]
    """Shape (n,): what orders and names a text (see `node`)."""
    digests: NDArray[np.uint8]
    """Shape (n, bytes): what similarities are estimated from (see `low_bits`)."""


def node(order: int, record_id: str) -> bytes:
    """Names a record so that the smallest name is the one that stays: by order, then by id."""
    return f"{order:010d} {record_id}".encode()


def record_id(name: bytes) -> str:
    """The id in a node's name."""
    return name.decode().split(" ", 1)[1]


def collision_probability(similarity: float, num_perm: int, bands: int) -> float:
    """The probability that two texts of a Jaccard similarity share a band: 1 - (1 - s^r)^b."""
    return float(1 - (1 - similarity ** (num_perm // bands)) ** bands)


def minima(sets: Sequence[Sequence[str]], num_perm: int) -> NDArray[np.uint32]:
    """The MinHash of each set of shingles, shape (len(sets), num_perm)."""
    rows = RMinHash.digest_matrix_from_token_sets(sets, num_perm, _SEED).to_rows()
    return np.array(rows, dtype=np.uint32).reshape(len(sets), num_perm)


def index_block(nodes: Sequence[bytes], found: NDArray[np.uint32], bands: int) -> Block:
    """The entries of texts with minima `found`, one for each text and band."""
    return banded(nodes, found, bands, low_bits(found))


def banded(
    nodes: Sequence[bytes], rows: NDArray[Any], bands: int, digests: NDArray[np.uint8]
) -> Block:
    """The entries of texts by bands of their `rows`, shape (len(nodes), rows): one for each."""
    count, width = rows.shape
    # A hash of each band's rows: a polynomial with odd coefficients, then mixed (splitmix64).
    odd = np.random.default_rng(_SEED).integers(0, 2**63, width, dtype=np.uint64) * 2 + 1
    products = (rows.astype(np.uint64) + np.uint64(1)) * odd
    keys = products.reshape(count, bands, width // bands).sum(axis=2, dtype=np.uint64)
    keys += np.arange(bands, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    keys ^= keys >> np.uint64(31)
    return Block(
        keys.reshape(-1), np.repeat(np.array(nodes), bands), np.repeat(digests, bands, axis=0)
    )


def low_bits(found: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """The lowest 4 bits of each minimum, two to a byte, shape (n, num_perm / 2)."""
    low = (found & 0xF).astype(np.uint8)
    return low[:, 0::2] * np.uint8(16) + low[:, 1::2]


def parted(block: Block, partitions: int) -> Iterator[tuple[int, Block]]:
    """Yields (partition, its entries): all that share a key go to one partition."""
    part = (block.keys % np.uint64(partitions)).astype(np.int64)
    order = np.argsort(part, kind="stable")
    numbers, starts = np.unique(part[order], return_index=True)
    for number, rows in zip(numbers, np.split(order, starts[1:]), strict=True):
        yield int(number), Block(block.keys[rows], block.nodes[rows], block.digests[rows])


def jaccard(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Jaccard similarities estimated from `low_bits`, row by row, shape (n,).

    The estimate is that of b-bit MinHash (Li and König 2010) with b = 4, whose standard error with
    128 permutations is at most 0.047 (0.044 with all bits).
    """
    chance = 1 / 16
    unequal = one ^ other
    equal = np.count_nonzero(unequal & 0xF0 == 0, axis=1)
    equal += np.count_nonzero(unequal & 0x0F == 0, axis=1)
    return (equal / (2 * one.shape[1]) - chance) / (1 - chance)


def similar_pairs(
    blocks: Iterable[Block], threshold: float, similarity: Similarity | None = None
) -> tuple[NDArray[np.bytes_], NDArray[np.bytes_]]:
    """Returns (nodes, smaller nodes): pairs that share a band and are similar enough.

    The similarity is that of `jaccard`, unless another is given. In each bucket the smallest text
    leads: those like it are paired with it, the smallest of the rest leads next. What is found
    depends on the set of entries alone.
    """
    similarity = similarity or jaccard
    keys, nodes, digests = _shared(blocks)
    order = np.lexsort((nodes, keys))
    found_nodes, found_smaller = [nodes[:0]], [nodes[:0]]
    for _ in range(_LEADERS):
        order = order[_in_runs(keys[order])]
        if not len(order):
            break
        first = np.r_[True, keys[order][1:] != keys[order][:-1]]
        leaders = order[np.flatnonzero(first)[np.cumsum(first) - 1]]
        alike = similarity(digests[order], digests[leaders]) >= threshold
        linked = alike & ~first
        found_nodes.append(nodes[order[linked]])
        found_smaller.append(nodes[leaders[linked]])
        order = order[~alike & ~first]
    return np.concatenate(found_nodes), np.concatenate(found_smaller)


def _shared(
    blocks: Iterable[Block],
) -> tuple[NDArray[np.uint64], NDArray[np.bytes_], NDArray[np.uint8]]:
    """Keys, nodes and digests of the entries whose key others have too. Most have one of their own:
    of them the keys alone are sorted."""
    entries = list(blocks)
    keys = np.concatenate([block.keys for block in entries])
    order = np.argsort(keys)
    marked = np.zeros(len(keys), dtype=np.bool_)
    marked[order] = _in_runs(keys[order])
    ends = np.cumsum([len(block.keys) for block in entries])
    parts = list(zip(entries, np.split(marked, ends[:-1]), strict=True))
    return (
        keys[marked],
        np.concatenate([block.nodes[part] for block, part in parts]),
        np.concatenate([block.digests[part] for block, part in parts]),
    )


def _in_runs(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Marks sorted keys that occur more than once, shape (n,)."""
    marked = np.zeros(len(keys), dtype=np.bool_)
    same = keys[1:] == keys[:-1]
    marked[1:] |= same
    marked[:-1] |= same
    return marked

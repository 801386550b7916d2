"""What counts as a near-duplicate, and as repeating an evaluation set, as settings."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from transforms.engine.settings import Group
from transforms.sources.read import AnySource


class _SemanticSettings(Group):
    """Meaning is compared, too, where `semantic` is true."""

    semantic: bool = Field(
        False,
        description="also reject what means the same in other words (needs the extra `semantic`)",
    )
    semantic_model: str = Field(
        "embedded",
        description="sentence model, mean-pooled: a folder, a name on the Hub, or `embedded` "
        "(all-MiniLM-L6-v2 out of a package)",
    )
    semantic_threshold: float

    def without_effect(self) -> set[str]:
        """The settings that decide nothing while `semantic` is false."""
        return set() if self.semantic else {"semantic_model", "semantic_threshold"}


class DedupSettings(_SemanticSettings):
    """Near-duplicates among programs, and among accepted examples."""

    threshold: float = Field(
        gt=0,
        le=1,
        description="estimated Jaccard similarity of instructions from which two are one",
    )
    ngram: int = Field(ge=1, description="words per shingle of an instruction")
    code_threshold: float = Field(
        gt=0, le=1, description="estimated Jaccard similarity of programs from which two are one"
    )
    code_ngram: int = Field(ge=1, description="tokens per shingle of a program")
    max_per_fingerprint: int = Field(
        ge=1, description="programs kept per structure (AST without names and constants)"
    )
    num_perm: int = Field(ge=16, multiple_of=2, description="MinHash permutations, an even number")
    bands: int = Field(
        ge=1,
        description="LSH bands of r = num_perm / bands rows: a pair of similarity s is compared "
        "with probability 1 - (1 - s^r)^bands",
    )
    partitions: int = Field(
        256,
        ge=1,
        description="parts of the LSH index; one is in memory at a time, about rows x bands x 120 "
        "bytes / partitions",
    )
    semantic_threshold: float = Field(
        0.95, gt=0, le=1, description="estimated cosine of embeddings from which two are one"
    )

    def identity(self) -> Any:
        return self.model_dump(mode="json", exclude={"partitions", *self.without_effect()})

    @model_validator(mode="after")
    def _whole_bands(self) -> DedupSettings:
        if self.num_perm % self.bands:
            raise ValueError(f"num_perm={self.num_perm} is not divisible by bands={self.bands}")
        return self


class DecontaminateSettings(_SemanticSettings):
    """Benchmarks whose questions no row may repeat, and what counts as repeating one."""

    benchmarks: dict[str, AnySource] = Field(
        {},
        description="name -> source of its questions, as for source (jsonl, parquet, huggingface, "
        "mix ...); an item needs a problem or code, nothing else",
    )
    hashes: dict[str, str] = Field(
        {},
        description="name -> file of `cotmill hashes`: an evaluation set as hashes of its words, "
        "characters, lines and ids, held against rows",
    )
    ngram: int = Field(ge=1, description="words (or code tokens) of a run, see share")
    share: float = Field(
        gt=0, le=1, description="share of an item's runs of ngram words from which a row repeats it"
    )
    long_ngram: int = Field(
        ge=1,
        description="words of a run: one shared run of this length is enough; shorter questions "
        "are compared without similarity",
    )
    similarity: float = Field(
        gt=0,
        le=1,
        description="Jaccard similarity of the 3-grams of words, all numbers held equal, from "
        "which a row repeats an item",
    )
    semantic_threshold: float = Field(
        0.9, gt=0, le=1, description="cosine of embeddings from which a row repeats an item"
    )

    def identity(self) -> Any:
        """Lists of hashes count by their content."""
        off = set() if self.semantic else {"semantic", *self.without_effect()}
        given = self.model_dump(mode="json", exclude={"hashes", *off})
        if self.hashes:
            given["hashes"] = {name: _digest(path) for name, path in self.hashes.items()}
        return given

    @model_validator(mode="after")
    def _longer(self) -> DecontaminateSettings:
        if self.long_ngram < self.ngram:
            raise ValueError(
                f"long_ngram={self.long_ngram} is shorter than ngram={self.ngram}: one shared run "
                "must say more than one of many"
            )
        return self


def _digest(path: str) -> str:
    """The digest of a file; of none its path, and reading it will say so."""
    try:
        return hashlib.blake2b(Path(path).expanduser().read_bytes(), digest_size=16).hexdigest()
    except OSError:
        return path

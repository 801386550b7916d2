"""`cotmill bench minhash`: near-duplicates of the same rows, found by ours and by others."""

from __future__ import annotations

import importlib.util
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydantic import Field
from rensa import RMinHash, RMinHashDeduplicator

from transforms.engine.ids import content_id
from transforms.engine.losers import DropLosers
from transforms.engine.paths import child_environment
from transforms.engine.runner_settings import DirectSettings
from transforms.engine.runners import open_pipeline
from transforms.engine.settings import Group
from transforms.engine.tables import ReadRecords, WriteRecords, shard_path, write_table
from transforms.stages.diversity.minhash import collision_probability
from transforms.stages.diversity.near import NearDuplicates
from transforms.stages.diversity.settings import DedupSettings
from transforms.text.shingles import shingles, words

SIMILARITIES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
_IN_PAIRS = 0.2
"""Share of the rows that are one of a planted pair."""
_WORDS = 80
"""Words of a text: an instruction's length."""


class BenchMinhashSettings(Group):
    """Everything `cotmill bench minhash` can be told."""

    rows: int = Field(ge=100, description="texts, a fifth of them in pairs of known similarity")
    dedup: DedupSettings
    runner: DirectSettings


@dataclass(frozen=True)
class Text:
    """A row of the bench."""

    id: str
    text: str


@dataclass(frozen=True)
class Pair:
    """Two texts whose shingles have a known Jaccard similarity."""

    similarity: float
    one: str
    other: str


def planted(rows: int, ngram: int) -> tuple[list[Text], list[Pair]]:
    """Returns texts in a random order, and the pairs among them; no others are alike.

    A pair is two stretches of one long text, the second `gap` words further on: of S shingles
    each they share S - gap, so that gap = S (1 - j) / (1 + j) gives a similarity of j.
    """
    draw = random.Random(0)
    texts: list[Text] = []
    pairs: list[Pair] = []

    def stretch(length: int) -> list[str]:
        return [f"w{draw.randrange(50_000)}" for _ in range(length)]

    def add(text: list[str]) -> str:
        texts.append(Text(content_id("text", len(texts)), " ".join(text)))
        return texts[-1].id

    count = _WORDS - ngram + 1
    for number in range(int(rows * _IN_PAIRS / 2)):
        level = SIMILARITIES[number % len(SIMILARITIES)]
        gap = round(count * (1 - level) / (1 + level))
        long = stretch(_WORDS + gap)
        similarity = round((count - gap) / (count + gap), 3)
        pairs.append(Pair(similarity, add(long[:_WORDS]), add(long[gap:])))
    while len(texts) < rows:
        add(stretch(_WORDS))
    draw.shuffle(texts)
    return texts, pairs


def _cotmill(root: str, settings: BenchMinhashSettings, threshold: float) -> None:
    dedup = settings.dedup
    with open_pipeline(settings.runner) as pipeline:
        texts = pipeline | ReadRecords(Text, f"{root}/texts")
        losers = texts | NearDuplicates(
            shingles=lambda text: shingles(words(text.text), dedup.ngram),
            order=lambda text: 0,
            threshold=threshold,
            dedup=dedup,
        )
        kept = texts | DropLosers("bench", losers)
        kept.kept | WriteRecords(Text, f"{root}/kept", "part", settings.runner.stage_shards)


def cotmill(root: str, settings: BenchMinhashSettings) -> None:
    """Ours: NearDuplicates, as the pipeline runs it."""
    _cotmill(root, settings, settings.dedup.threshold)


def cotmill_bands(root: str, settings: BenchMinhashSettings) -> None:
    """Ours without a threshold: what shares a band is one, as datatrove has it."""
    _cotmill(root, settings, 1e-9)


def datatrove(root: str, settings: BenchMinhashSettings) -> None:
    """datatrove's four steps, of the same shingles, bands and rows, on as many workers.

    Its word tokenizers want downloads, so it is given our words.
    """
    import xxhash
    from datatrove.executor.local import LocalPipelineExecutor
    from datatrove.pipeline.dedup.minhash import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter
    from datatrove.utils.text import TextNormConfig
    from datatrove.utils.word_tokenizers import WordTokenizer

    class Words(WordTokenizer):
        def word_tokenize(self, text: str) -> list[str]:
            return words(text)

        def sent_tokenize(self, text: str) -> list[str]:
            raise NotImplementedError

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            raise NotImplementedError

    dedup, workers, shards = settings.dedup, settings.runner.workers, settings.runner.stage_shards
    config = MinhashConfig(
        n_grams=dedup.ngram,
        num_buckets=dedup.bands,
        hashes_per_bucket=dedup.num_perm // dedup.bands,
        norm_config=TextNormConfig(False, False, False, False, False),
    )

    signatures, buckets, removed = (f"{root}/{name}" for name in ("signatures", "buckets", "ids"))
    signature = MinhashDedupSignature(signatures, config, Words())
    # its own hands str to xxhash, which xxhash 4 refuses
    signature._hash_func = lambda text: xxhash.xxh64_intdigest(text.encode())

    def reader() -> Any:
        return ParquetReader(f"{root}/texts", glob_pattern="*.parquet")

    steps = (
        (shards, [reader(), signature]),
        (dedup.bands, [MinhashDedupBuckets(signatures, buckets, config=config)]),
        (1, [MinhashDedupCluster(buckets, removed, config=config)]),
        (shards, [reader(), MinhashDedupFilter(removed), ParquetWriter(f"{root}/kept")]),
    )
    for number, (tasks, pipeline) in enumerate(steps):
        LocalPipelineExecutor(
            pipeline, tasks, min(workers, tasks), logging_dir=f"{root}/logs/{number}"
        ).run()


def rensa(root: str, settings: BenchMinhashSettings) -> None:
    """rensa's deduplicator: everything in the memory of one process, the first of two stays."""
    dedup = settings.dedup
    rows = pq.read_table(f"{root}/texts").to_pylist()
    index = RMinHashDeduplicator(dedup.threshold, dedup.num_perm, True, dedup.bands, seed=0)
    sets = [shingles(words(row["text"]), dedup.ngram) for row in rows]
    hashes = RMinHash.from_token_sets(sets, dedup.num_perm, 0)
    kept = [row for row, found in zip(rows, hashes, strict=True) if index.add(row["id"], found)]
    write_table(f"{root}/kept/part.parquet", (Text(**row) for row in kept), Text, "zstd")


RUNS: dict[str, Callable[[str, BenchMinhashSettings], None]] = {
    "cotmill": cotmill,
    "bands alone": cotmill_bands,
    "datatrove": datatrove,
    "rensa": rensa,
}


def measure() -> None:
    """The child process: which run, where and how from stdin, seconds to the file it names."""
    request = json.load(sys.stdin)
    settings = BenchMinhashSettings(**request["settings"])
    run = RUNS[request["run"]]
    started = time.perf_counter()
    run(request["root"], settings)
    Path(request["figures"]).write_text(json.dumps(time.perf_counter() - started))


def available(run: str) -> bool:
    return run != "datatrove" or importlib.util.find_spec("datatrove") is not None


def bench_minhash(settings: BenchMinhashSettings) -> Iterator[dict[str, Any]]:
    """Runs each over the same rows, in a process of its own, from Parquet to Parquet.

    Yields:
        run, seconds, rows_per_second, dropped, strangers_dropped (rows of no planted pair), found
        ({similarity: share of its pairs of which a row was dropped}), pairs (numbers of the pairs
        found).
    """
    texts, pairs = planted(settings.rows, settings.dedup.ngram)
    shards = settings.runner.stage_shards
    with tempfile.TemporaryDirectory(prefix="cotmill-minhash-") as root:
        for shard in range(shards):
            path = shard_path(f"{root}/texts", "part", shard, shards)
            write_table(path, texts[shard::shards], Text, "zstd")
        for run in filter(available, RUNS):
            folder = Path(root) / content_id("run", run)
            folder.mkdir()
            (folder / "texts").symlink_to(f"{root}/texts")
            figures = _measured(run, folder, settings)
            kept = set(pq.read_table(folder / "kept", columns=["id"])["id"].to_pylist())
            yield {"run": run, **figures, **survivors(texts, pairs, kept)}


def _measured(run: str, folder: Path, settings: BenchMinhashSettings) -> dict[str, Any]:
    figures = folder / "figures.json"
    request = {
        "run": run,
        "root": str(folder),
        "figures": str(figures),
        "settings": settings.model_dump(mode="json"),
    }
    ran = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import measure; measure()"],
        env={**child_environment(), "TMPDIR": "/tmp"},  # datatrove's socket needs a short path
        input=json.dumps(request),
        capture_output=True,  # datatrove logs a page
        text=True,
    )
    if ran.returncode:
        raise RuntimeError(f"{run} failed:\n{ran.stderr[-2000:]}")
    seconds = json.loads(figures.read_text())
    return {"seconds": round(seconds, 2), "rows_per_second": round(settings.rows / seconds)}


def survivors(texts: list[Text], pairs: list[Pair], kept: set[str]) -> dict[str, Any]:
    """Which planted pairs lost a row, and how many rows went that are like no other."""
    numbers = [n for n, pair in enumerate(pairs) if not {pair.one, pair.other} <= kept]
    hit, found = set(numbers), defaultdict(list)
    for number, pair in enumerate(pairs):
        found[str(pair.similarity)].append(number in hit)
    paired = {side for pair in pairs for side in (pair.one, pair.other)}
    return {
        "dropped": len(texts) - len(kept),
        "strangers_dropped": sum(text.id not in kept and text.id not in paired for text in texts),
        "found": {name: round(sum(hits) / len(hits), 4) for name, hits in found.items()},
        "pairs": numbers,
    }


def disagreements(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Pairs that ours finds and another does not, or the other way round, by the other's name."""
    ours = set(rows[0]["pairs"])
    return {row["run"]: len(ours ^ set(row["pairs"])) for row in rows[1:]}


def promised(similarities: Iterable[str], settings: BenchMinhashSettings) -> dict[str, float]:
    """The share of pairs of each similarity that share a band."""
    dedup = settings.dedup
    return {
        name: round(collision_probability(float(name), dedup.num_perm, dedup.bands), 4)
        for name in similarities
    }

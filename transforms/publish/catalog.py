"""The records of a run folder as one table, scanned lazily: how each ended, where and why."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import polars as pl

from transforms.engine.errors import RunFolderError, one_line
from transforms.engine.files import FileSystems
from transforms.engine.ids import content_id
from transforms.engine.manifest import segments_of
from transforms.engine.run_folder import RunFolder, absolute, files_below, is_ours
from transforms.images.blobs import Blobs


class End(StrEnum):
    """How a record ended, or `kept`: what a segment handed on to the next."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNANSWERED = "unanswered"
    KEPT = "kept"


FINAL = (End.ACCEPTED, End.REJECTED, End.UNANSWERED)
"""Every record of a run that no later stage replaced has one of these."""
_FOLDERS = {End.REJECTED: "rejects", End.UNANSWERED: "unanswered"}


@dataclass(frozen=True)
class Query:
    """Which records are listed; a filter that is None lets all pass."""

    end: End | None = None
    """None: accepted, rejected and unanswered ones."""
    stage: str | None = None
    """The stage at which they ended; of kept ones, the last of their segment."""
    reason: str | None = None
    kind: str | None = None
    """The value of the records' field `kind`."""
    min_agreement: float | None = None
    """Records without a field `agreement` do not pass."""
    max_agreement: float | None = None
    search: str | None = None
    """Text in any value of the record, in its id or in the reject's detail; case is ignored."""
    seed: str | None = None
    """Id of a seed behind the records."""


@dataclass(frozen=True)
class State:
    """A record as it stands in one place of a run folder."""

    end: End
    stage: str
    reason: str
    """Empty unless rejected or unanswered."""
    detail: str
    id: str
    kind: str | None
    agreement: float | None
    seed_ids: tuple[str, ...]
    record: Any
    """The record's fields by name; its text where it is no JSON object."""


@dataclass(frozen=True)
class Listing:
    """One page of the records that pass a query."""

    total: int
    """Records that pass, on all pages."""
    states: list[State]


@dataclass(frozen=True)
class Segment:
    """A segment by its entry in the manifest."""

    name: str
    folder: str
    stages: tuple[dict[str, Any], ...]
    """The account of each stage: name, in, kept, rejected by reason, unanswered, draws."""

    @property
    def end(self) -> End:
        return End.ACCEPTED if self.folder == "data" else End.KEPT

    @property
    def draws(self) -> bool:
        """Whether its records are others than those that it read."""
        return any(stage.get("draws") for stage in self.stages)


class Catalog:
    """What a run wrote, read anew at each call: only the columns and rows that a call needs.

    Serves any recipe's records, and the folders of `cotmill execute`, `verify`, `dedup` and
    `decontaminate`. Rows without a text `id` are named by their file and their number in it.
    """

    def __init__(self, run: RunFolder, manifest: dict[str, Any]) -> None:
        self.run, self.manifest = run, manifest
        self.segments = [
            Segment(each["name"], each["folder"], tuple(each["stages"]))
            for each in segments_of(manifest)
        ]
        self.stages = [stage for segment in self.segments for stage in segment.stages]

    @classmethod
    def open(cls, output_dir: str) -> Catalog:
        """Returns the catalog of a folder; RunFolderError where no run wrote it."""
        run = RunFolder(absolute(output_dir))
        manifest = run.read_manifest()
        if manifest is None:
            raise RunFolderError(
                f"output_dir={run.root} holds no manifest.json: name the folder of a run"
            )
        if not is_ours(manifest):
            raise RunFolderError(f"{run.manifest_path} is not cotmill's: name the folder of a run")
        if "training_id" in manifest:
            raise RunFolderError(
                f"output_dir={run.root} holds a training: name the folder of a run"
            )
        return cls(run, manifest)

    @property
    def blobs(self) -> Blobs:
        """The pictures of the run: beside its ledger, in its own folder or elsewhere."""
        elsewhere = (self.manifest["config"].get("ledger") or {}).get("dir")
        beside = FileSystems.split(elsewhere)[0] if elsewhere else self.run.root
        return Blobs(FileSystems.join(beside, "blobs"))

    def segment_of(self, stage: str) -> int:
        """The number of the segment that has a stage; that of the last for an unknown one."""
        for number, segment in enumerate(self.segments):
            if any(each["name"] == stage for each in segment.stages):
                return number
        return len(self.segments) - 1

    def find(self, query: Query, offset: int = 0, rows: int = 50) -> Listing:
        """Returns `rows` of the records that pass `query`, from number `offset` on, in the order
        of the files: accepted, rejected, unanswered."""
        states: list[State] = []
        total = 0
        # Each file is cut by itself: of one that the page does not touch nothing is read.
        for frame in self._passing(query):
            count = _collected([frame.select(pl.len())]).item()
            first, last = max(offset, total) - total, offset + rows - total
            if first < min(last, count):
                states.extend(_states(_collected([frame.slice(first, last - first)])))
            total += count
        return Listing(total, states)

    def states_of(self, record_id: str) -> list[State]:
        """Returns all states of a record in the order of its life, by its whole id."""
        frames = self._everywhere(pl.col("id") == record_id)
        return sorted(_states(_collected(frames)), key=lambda state: self.segment_of(state.stage))

    def ids_with(self, prefix: str) -> list[str]:
        """Returns the first ids that begin with `prefix`, sorted, at most 10."""
        after = prefix + "\U0010ffff"
        frames = self._everywhere(pl.col("id") >= prefix, pl.col("id") < after)
        found = _collected(frame.select("id").head(10) for frame in frames)
        return found["id"].unique().sort().head(10).to_list()

    def _everywhere(self, *filters: pl.Expr) -> Iterator[pl.LazyFrame]:
        for end in (End.KEPT, *FINAL):
            yield from (frame.filter(*filters) for frame in self._frames(Query(end=end)))

    def ended(self, query: Query) -> list[tuple[End, str, str, int]]:
        """Counts the records that pass `query` by end, stage and reason, most first."""
        keys = ["end", "stage", "reason"]
        counts = _collected(frame.group_by(keys).len() for frame in self._passing(query))
        sums = counts.group_by(keys).agg(pl.col("len").sum()).sort(-pl.col("len").cast(int), *keys)
        return [(End(end), stage, reason, count) for end, stage, reason, count in sums.rows()]

    def drawn(self, query: Query, most: int) -> list[State]:
        """Returns some of the records that pass `query`: of each end, stage and reason the `most`
        whose ids have the smallest hashes, so always the same ones; sorted by these."""
        frames = list(self._passing(query))
        chosen: dict[tuple[str, str, str], list[str]] = {}
        for frame in frames:  # one after the other: the ids of one file are held at a time
            groups = {key: set(ids) for key, ids in chosen.items()}
            keys = _collected([frame.select("end", "stage", "reason", "id")])
            for end, stage, reason, record_id in keys.rows():
                groups.setdefault((end, stage, reason), set()).add(record_id)
            chosen = {key: heapq.nsmallest(most, ids, key=_hash) for key, ids in groups.items()}
        wanted = pl.col("id").is_in(sorted({name for ids in chosen.values() for name in ids}))
        rows = (row for frame in frames for row in _states(_collected([frame.filter(wanted)])))
        found = {(s.end.value, s.stage, s.reason, s.id): s for s in rows}
        return [found[*key, record_id] for key in sorted(chosen) for record_id in chosen[key]]

    def like(self, number: int, texts: dict[str, str]) -> State | None:
        """Returns a record that a segment handed on with the same `texts`; None where it has none.

        Args:
            number: of the segment.
            texts: column -> value; those that the segment's records lack are not compared.
        """
        segment = self.segments[number]
        files = self._files(segment.folder)
        shared = set(texts) & set(_scan(files[0])[1]) if files else set()
        if not shared:
            return None
        equal = [pl.col(name) == texts[name] for name in sorted(shared)]
        frames = _rows(files, segment.end, segment.stages[-1]["name"], equal)
        return next(_states(_collected(frame.head(1) for frame in frames)), None)

    def refused_like(self, number: int, texts: dict[str, str]) -> State | None:
        """Returns a record with all `texts` that a segment rejected or put off; None where there
        is none."""
        stages = [stage["name"] for stage in self.segments[number].stages]
        equal = [
            pl.col("record").str.contains(
                f'"{name}": {json.dumps(text, ensure_ascii=False)}', literal=True
            )
            for name, text in texts.items()
        ]
        frames = (
            frame.filter(pl.col("stage").is_in(stages), *equal).head(1)
            for end in _FOLDERS
            for frame in self._frames(Query(end=end))
        )
        return next(_states(_collected(frames)), None)

    def _passing(self, query: Query) -> Iterator[pl.LazyFrame]:
        filters = list(_filters(query))
        return (frame.filter(*filters) for frame in self._frames(query))

    def _frames(self, query: Query) -> Iterator[pl.LazyFrame]:
        """Yields the tables that may hold records that pass, in the order of ends and segments."""
        ends = FINAL if query.end is None else (query.end,)
        for segment in self.segments:
            last = segment.stages[-1]["name"] if segment.stages else ""
            if segment.end in ends and query.stage in (None, last) and query.reason is None:
                yield from _rows(self._files(segment.folder), segment.end, last)
        for end, folder in _FOLDERS.items():
            if end in ends:
                for path in self._files(folder):
                    frame = _refused(path, end)
                    if query.stage is not None:
                        frame = frame.filter(pl.col("stage") == query.stage)
                    if query.reason is not None:
                        frame = frame.filter(pl.col("reason") == query.reason)
                    yield frame

    def _files(self, folder: str) -> list[str]:
        return [
            path
            for path in files_below(self.run.path(*folder.split("/")))
            if path.endswith(".parquet") and not FileSystems.split(path)[1].startswith(".")
        ]


def _hash(record_id: str) -> str:
    return content_id("shown", record_id)


def _scan(path: str) -> tuple[pl.LazyFrame, pl.Schema]:
    """A file's rows and their columns; a file that is not on this machine is read whole, as Beam's
    filesystems do. RunFolderError for one that is no Parquet."""
    try:
        if "://" in path:
            rows = pl.scan_parquet(FileSystems.open(path, compression_type="uncompressed"))
        else:
            rows = pl.scan_parquet(path, glob=False)
        return rows, rows.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(path, error) from error


def _collected(frames: Iterable[pl.LazyFrame]) -> pl.DataFrame:
    """The rows of all tables, which have the same columns; RunFolderError for a damaged file."""
    tables = list(frames)
    try:
        return pl.concat(tables or [_NONE]).collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable("a Parquet file of the run", error) from error


def _unreadable(what: str, error: Exception) -> RunFolderError:
    reason = one_line(error)
    return RunFolderError(f"{what} cannot be read ({reason}): finish or repeat the run there")


_WHY = ("rejected_by", "reason", "detail")
"""Columns beside the record's own in rejects of the commands that take any Parquet."""


def _rows(
    files: Iterable[str], end: End, stage: str, where: Iterable[pl.Expr] = ()
) -> Iterator[pl.LazyFrame]:
    """Yields a table of states for each file of rows whose columns are a record's fields."""
    for path in files:
        scan, schema = _scan(path)
        yield _described(
            _identified(scan.filter(*where), schema, path),
            schema,
            end=pl.lit(end.value),
            stage=pl.lit(stage),
            reason=pl.lit(""),
            detail=pl.lit(""),
        )


def _refused(path: str, end: End) -> pl.LazyFrame:
    """The table of states of a file of rejects or unanswered records."""
    scan, schema = _scan(path)
    if "rejected_by" in schema:  # of a command that takes any Parquet
        own = pl.Schema({name: kind for name, kind in schema.items() if name not in _WHY})
        stage, reason, detail = (pl.col(name) for name in _WHY)
        ids = _identified(scan, own, path)
        return _described(
            ids, own, end=pl.lit(end.value), stage=stage, reason=reason, detail=detail
        )
    field = pl.col("record").str.json_path_match
    return scan.select(
        pl.lit(end.value).alias("end"),
        *("stage", "reason", "detail", "id"),
        field("$.kind").alias("kind"),
        field("$.agreement").cast(pl.Float64, strict=False).alias("agreement"),
        "seed_ids",
        "record",
    )


def _identified(scan: pl.LazyFrame, schema: pl.Schema, path: str) -> pl.LazyFrame:
    """Gives rows the name of their file and their number in it as id, unless they have a text."""
    if schema.get("id") == pl.String:
        return scan
    name = FileSystems.split(path)[1].removesuffix(".parquet")
    numbered = scan.with_row_index(_NUMBER)
    return numbered.with_columns(pl.concat_str(pl.lit(f"{name}:"), pl.col(_NUMBER)).alias("id"))


_NONE = pl.LazyFrame(
    schema={
        **dict.fromkeys(("end", "stage", "reason", "detail", "id", "kind"), pl.String),
        "agreement": pl.Float64,
        "seed_ids": pl.List(pl.String),
        "record": pl.String,
        "len": pl.UInt32,
    }
)
"""Stands for no table at all."""
_NUMBER = "number of the row"


def _described(scan: pl.LazyFrame, schema: pl.Schema, **ended: pl.Expr) -> pl.LazyFrame:
    """The table of states of rows whose columns (`schema`) are a record's fields."""
    is_list = schema.get("seed_ids") == pl.List(pl.String)
    number = schema.get("agreement")
    fields = pl.struct(_writable(name, kind) for name, kind in schema.items())
    return scan.select(
        *(value.alias(name) for name, value in ended.items()),
        "id",
        (
            pl.col("kind").cast(pl.String)
            if _is_plain(schema.get("kind"))
            else pl.lit(None, pl.String)
        ).alias("kind"),
        (
            pl.col("agreement").cast(pl.Float64)
            if number is not None and number.is_numeric()
            else pl.lit(None, pl.Float64)
        ).alias("agreement"),
        (pl.col("seed_ids") if is_list else pl.lit([], pl.List(pl.String))).alias("seed_ids"),
        fields.struct.json_encode().alias("record"),
    )


def _is_plain(kind: Any) -> bool:
    return kind is not None and not kind.is_nested() and kind != pl.Binary


def _writable(name: str, kind: pl.DataType) -> pl.Expr:
    """A column as JSON can hold it: bytes are left out."""
    return pl.lit("(bytes)").alias(name) if "Binary" in str(kind) else pl.col(name)


def _filters(query: Query) -> Iterator[pl.Expr]:
    yield pl.lit(True)
    if query.kind is not None:
        yield pl.col("kind") == query.kind
    if query.min_agreement is not None:
        yield pl.col("agreement") >= query.min_agreement
    if query.max_agreement is not None:
        yield pl.col("agreement") <= query.max_agreement
    if query.seed is not None:
        yield pl.col("seed_ids").list.contains(query.seed)
    if query.search:
        escaped = json.dumps(query.search, ensure_ascii=False)[1:-1]
        values = pl.col("record").str.replace_all(r'"\w+": ?', "")
        yield (
            values.str.contains(f"(?i){pl.escape_regex(escaped)}")
            | pl.col("detail").str.contains(f"(?i){pl.escape_regex(query.search)}")
            | pl.col("id").str.starts_with(query.search)
        )


def _states(frame: pl.DataFrame) -> Iterator[State]:
    for row in frame.iter_rows(named=True):
        yield State(
            **{
                **row,
                "end": End(row["end"]),
                "seed_ids": tuple(row["seed_ids"] or ()),
                "record": _fields(row["record"]),
            }
        )


def _fields(record: str) -> Any:
    try:
        return json.loads(record)
    except (ValueError, RecursionError):
        return record

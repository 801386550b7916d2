"""cotmill preview: a few records through all stages of a recipe, shown in the terminal."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
from pydantic import Field
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from pipelines.arguments import name_first_word
from pipelines.display import stage_line
from pipelines.hydra_app import run_command
from pipelines.stopping import stoppable
from pipelines.synthesize import answerable, metered
from transforms.engine.errors import Interrupted
from transforms.engine.recipe import Segment, build_segments
from transforms.engine.run_folder import RunFolder, absolute, files_below
from transforms.engine.runner_settings import DirectSettings
from transforms.engine.segments import run_segment
from transforms.engine.settings import Group, RecipeSettings, StageSettings
from transforms.models.engines import close_engines
from transforms.models.ledger.ledger import flush_writers
from transforms.recipes.settings import Settings
from transforms.sandbox.shared import shared_sandbox
from transforms.sources import check_source
from transforms.sources.read import AnySource, MixSource
from transforms.stages.diversity.decontaminate import check_benchmarks

_LINES, _CHARS = 8, 600
"""Of a field, shown at most."""
_SHORT = 40
"""Characters; a longer text is printed once."""


class PreviewGroup(Group):
    """How much is shown."""

    rows: int = Field(ge=1, description="records read, and programs sampled, at most")


class PreviewSettings(Settings):
    """Everything `cotmill preview` can be told: all that `cotmill synthesize` can, and how much."""

    preview: PreviewGroup


def preview(settings: PreviewSettings, console: Console) -> None:
    """Runs a few records through the recipe in this process, and prints what each stage does.

    Rows go to a temporary folder. Answers go to the ledger of `output_dir`, or to `ledger.dir`: a
    second preview, and a run, do not pay for them again.

    Raises CotmillError as `synthesize` does.
    """
    for line in check_source(settings.source):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    check_benchmarks(settings.decontaminate)
    ledger = absolute(settings.ledger.dir or f"{settings.output_dir}/ledger")
    small = few(answerable(settings, ledger), settings.preview.rows)
    with tempfile.TemporaryDirectory(prefix="cotmill-preview-") as folder:
        run = RunFolder(folder)
        segments = build_segments(small, run.root, ledger)
        with shared_sandbox(small.sandbox), metered(run, {}), stoppable() as stopping:
            try:
                before: dict[str, dict[str, Any]] = {}
                previous, page = None, _Page(console)
                for segment in segments:
                    entry = run_segment(segment, previous, run, small)
                    console.print()
                    console.print(Text(stage_line(entry["stages"][0]), style="bold"))
                    kept = {row["id"]: row for row in _rows(run, segment.folder)}
                    page.kept(kept, before)
                    for reject in _rejects(run, segment):
                        page.reject(reject)
                    previous, before = segment, kept
            except BaseException:
                if stopping.signum is None:
                    raise
                raise Interrupted(
                    f"{signal.Signals(stopping.signum).name}: all responses until then are in "
                    f"{ledger}; the same preview goes on from there",
                    128 + stopping.signum,
                ) from None
            finally:
                flush_writers()
                close_engines()
    kept_in = f"; answers are in {ledger}" if any(files_below(ledger)) else ""
    console.print(f"\nno row was written{kept_in}", highlight=False, soft_wrap=True)


def few(settings: Settings, rows: int) -> Settings:
    """The settings of a run of a few records, each stage a segment of its own in this process."""
    stages = {
        name: stage and StageSettings.model_validate({**_plain(stage), "begins_segment": True})
        for name, stage in settings.recipe.stages.items()
    }
    recipe: RecipeSettings = settings.recipe.model_copy(update={"stages": stages})
    programs = min(rows, settings.sampling.num_programs)
    return settings.model_copy(
        update={
            "recipe": recipe,
            "source": limited(settings.source, rows),
            "sampling": settings.sampling.model_copy(update={"num_programs": programs}),
            "runner": DirectSettings(stage_shards=1),
        }
    )


def _plain(stage: StageSettings) -> dict[str, Any]:
    return stage.model_dump(by_alias=True)


def limited(source: AnySource, rows: int) -> AnySource:
    """A source that gives at most so many records; of a mix, each part."""
    if isinstance(source, MixSource):
        parts = {name: limited(part, rows) for name, part in source.sources.items()}
        return source.model_copy(update={"sources": parts})
    return source.model_copy(update={"limit": min(rows, source.limit or rows)})


def _rows(run: RunFolder, folder: str, prefix: str = "") -> Iterator[dict[str, Any]]:
    for path in files_below(run.path(folder)):
        name = path.rpartition("/")[2]
        if name.endswith(".parquet") and name.startswith(prefix):
            yield from pl.read_parquet(path).iter_rows(named=True)


def _rejects(run: RunFolder, segment: Segment) -> Iterator[dict[str, Any]]:
    for folder in ("rejects", "unanswered"):
        yield from _rows(run, folder, f"{segment.label}-")


class _Page:
    """What is printed. A long text that was printed before is not printed again."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed: set[tuple[str, str]] = set()

    def kept(
        self, records: Mapping[str, dict[str, Any]], before: Mapping[str, dict[str, Any]]
    ) -> None:
        changed = {name: changes(row, before.get(name)) for name, row in records.items()}
        for name, fields in changed.items():
            if fields:
                self._record(f"kept {name[:8]}", fields, "green")
        if unchanged := [name[:8] for name, fields in changed.items() if not fields]:
            self._line(f"kept as they were: {', '.join(unchanged)}", 2)

    def reject(self, row: Mapping[str, Any]) -> None:
        title = f"{row['reason']} {row['id'][:8]}: {row['detail']}"
        self._record(title, changes(json.loads(row["record"]), None), "red")

    def _record(self, title: str, fields: Mapping[str, Any], style: str) -> None:
        self._line(title, 2, style)
        for name, value in fields.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            if len(text) < _SHORT or (name, text) not in self._printed:
                self._field(name, text, told(value))
            self._printed.add((name, text))

    def _field(self, name: str, text: str, turns: list[tuple[str, str]] | None) -> None:
        self._line(f"{name}:" if turns else f"{name}: {shortened(text)}", 4)
        for role, said in turns or ():
            self._line(f"{role}: {shortened(said)}", 6)

    def _line(self, text: str, indent: int, style: str = "") -> None:
        self._console.print(Padding(Text(text, style=style), (0, 0, 0, indent), expand=False))


def changes(record: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    """The fields that a stage has set or changed; of a new record, those that are not empty."""
    old = before or {}
    return {
        name: value
        for name, value in record.items()
        if name != "id" and value not in (None, "", [], {}, "{}") and old.get(name) != value
    }


def shortened(text: str) -> str:
    """A text of a few lines; of a longer one the beginning and the end.

    >>> shortened("a" * 700 + "b")[-3:]
    'aab'
    """
    lines = text.strip().splitlines()
    whole = "\n".join(lines)
    if len(lines) <= _LINES and len(whole) <= _CHARS:
        return whole
    end = "\n".join(lines[-_LINES // 3 :])[-_CHARS // 3 :]
    begin = "\n".join(lines[: _LINES - _LINES // 3])[: _CHARS - len(end)]
    return f"{begin}\n…\n{end}"


def told(value: Any) -> list[tuple[str, str]] | None:
    """Who says what in a conversation; None for any other value.

    >>> told([{"role": "user", "content": "Why?", "tool_calls": None}])
    [('user', 'Why?')]
    """
    if not (isinstance(value, list) and value):
        return None
    if not all(isinstance(turn, dict) and "role" in turn for turn in value):
        return None
    turns = []
    for turn in value:
        thought = f"({turn['reasoning']})" if turn.get("reasoning") else ""
        calls = [f"{call['name']} {call['arguments']}" for call in turn.get("tool_calls") or ()]
        seen = [
            f"shows a picture, {p['width']} x {p['height']}" for p in turn.get("pictures") or ()
        ]
        turns.append(
            (turn["role"], "\n".join(filter(None, [thought, turn["content"], *seen, *calls])))
        )
    return turns


def main() -> None:
    name_first_word("recipe")
    run_command(
        "preview",
        "a few records through all stages of a recipe, shown in the terminal",
        PreviewSettings,
        lambda settings: preview(settings, Console(file=sys.stdout)),
    )

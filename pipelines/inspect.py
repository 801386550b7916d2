"""cotmill inspect: a run's records, how each ended and why, and one record's whole life."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from pipelines.arguments import name_first_word, quote_values
from pipelines.display import print_funnel
from pipelines.hydra_app import run_command
from transforms.engine.errors import SettingsError
from transforms.engine.settings import Group
from transforms.publish.catalog import Catalog, End, Query
from transforms.publish.inspect.answers import Answer
from transforms.publish.inspect.lives import Life, life
from transforms.publish.inspect.words import gist, outcome

_COLOURS = {End.ACCEPTED: "green", End.KEPT: "green", End.REJECTED: "red", End.UNANSWERED: "yellow"}


class InspectSettings(Group):
    """Everything `cotmill inspect` can be told."""

    output_dir: str = Field(description="folder of a run; may stand first, without output_dir=")
    id: str | None = Field(
        None, description="show the whole life of this record: its id, or the beginning of it"
    )
    end: Literal["accepted", "rejected", "unanswered", "kept"] | None = Field(
        None, description="list records that ended so; kept: those that segments handed on"
    )
    stage: str | None = Field(None, description="list records that ended at this stage")
    reason: str | None = Field(None, description="list records rejected for this reason")
    kind: str | None = Field(None, description="list records of this kind")
    min_agreement: float | None = Field(
        None, ge=0, le=1, description="list records with this agreement or more"
    )
    max_agreement: float | None = Field(
        None, ge=0, le=1, description="list records with this agreement or less"
    )
    search: str | None = Field(
        None, min_length=1, description="list records with this text in a value, in any case"
    )
    seed: str | None = Field(None, description="list records made from the seed with this id")
    page: int = Field(1, ge=1, description="page of the list")
    rows: int = Field(20, ge=1, le=1000, description="records on a page of the list")
    web: bool = Field(
        False, description="serve pages to browse the run, to this machine alone (extra inspect)"
    )
    port: int = Field(8780, ge=0, le=65535, description="port of these pages (0: any free one)")

    def query(self) -> Query | None:
        """What is to be listed; None where no filter is set."""
        values = self.model_dump(include=set(Query.__dataclass_fields__))
        if all(value is None for value in values.values()):
            return None
        return Query(**{**values, "end": End(self.end) if self.end else None})


def inspect(settings: InspectSettings, console: Console) -> None:
    """Prints the funnel of a run, the records that pass the filters, or one record's life.

    Raises:
        RunFolderError: no run wrote the folder.
        SettingsError: no record, or more than one, has the id; or there is no such stage or reason.
    """
    catalog = Catalog.open(settings.output_dir)
    query = settings.query()
    if settings.web:
        _serve(catalog, settings.port, console)
    elif settings.id is not None:
        print_life(console, life(catalog, settings.id))
    elif query is not None:
        _check_names(catalog, query)
        print_list(console, catalog, query, settings.page, settings.rows)
    else:
        print_funnel(console, {**catalog.manifest, "segments": [{"stages": catalog.stages}]})
        _print(console, "")
        for option, meaning in _WAYS:
            _print(console, f"  cotmill inspect {settings.output_dir} {option:<14} {meaning}")


def _serve(catalog: Catalog, port: int, console: Console) -> None:
    try:
        from transforms.publish.inspect.web import serve
    except ImportError as error:
        raise SettingsError(
            f"web=true needs {error.name}: pip install 'cotmill[inspect]'"
        ) from None
    with contextlib.suppress(KeyboardInterrupt):
        serve(catalog, port, lambda line: _print(console, line))


def _check_names(catalog: Catalog, query: Query) -> None:
    """Raises SettingsError for a stage or reason that the run does not have."""
    stages = [stage["name"] for stage in catalog.stages]
    if query.stage is not None and query.stage not in stages:
        raise SettingsError(f"stage={query.stage}: the run's stages are {', '.join(stages)}")
    reasons = sorted({reason for stage in catalog.stages for reason in stage["rejected"]})
    if query.reason is not None and query.reason not in reasons:
        names = ", ".join(reasons) or "none: nothing was rejected"
        raise SettingsError(f"reason={query.reason}: the run's reasons are {names}")


_WAYS = (
    ("id=ID", "one record's whole life"),
    ("end=accepted", "the rows; also rejected, unanswered, kept"),
    ("stage=STAGE", "what ended at a stage"),
    ("reason=REASON", "what was rejected for a reason"),
    ("search=TEXT", "what has a text in it"),
    ("web=true", "all of it in the browser"),
)


def print_list(console: Console, catalog: Catalog, query: Query, page: int, rows: int) -> None:
    """Prints one page of the records that pass `query`, two lines each."""
    offset = (page - 1) * rows
    listing = catalog.find(query, offset, rows)
    for state in listing.states:
        agreement = None if state.agreement is None else f"agreement {state.agreement:.2f}"
        facts = "  ".join(filter(None, (state.kind, agreement)))
        line = Text(_visible(short_id(state.id)), style="bold")
        line.append(f"  {_visible(outcome(state))}", style=_COLOURS[state.end])
        console.print(line.append(f"  {_visible(facts)}", style="dim"), soft_wrap=True)
        text = Text(f"  {_visible(gist(state.record))}")
        console.print(text, no_wrap=True, overflow="ellipsis")
    last = offset + len(listing.states)
    if listing.states:
        more = f"; page={page + 1} for more" if last < listing.total else ""
        _print(console, f"{offset + 1:,} to {last:,} of {listing.total:,} records{more}")
        _print(console, "id=ID shows one whole")
    else:
        beyond = f"; page={page} is beyond the last of them" if listing.total else ""
        _print(console, f"{listing.total:,} records{beyond}")


def short_id(record_id: str) -> str:
    """The beginning of an id of hexadecimal digits; any other id whole."""
    return record_id[:12] if len(record_id) == 32 and record_id.isalnum() else record_id


def print_life(console: Console, found: Life) -> None:
    """Prints a record's seeds, then by segment what models were asked and what came of it."""
    last = found.last
    title = Text(f"{_visible(found.id)}  ", style="bold")
    console.print(title.append(_visible(outcome(last)), style=_COLOURS[last.end]), soft_wrap=True)
    for seed in found.seeds:
        _print(console, f"\nseed {seed.id}", "bold cyan")
        _fields(console, seed.record)
    for lost in found.lost_seeds:
        _print(console, f"\nseed {lost}: not in this folder", "bold cyan")
    for step in found.steps:
        _print(console, f"\n{step.segment or 'other stages'}", "bold cyan")
        for answers in step.asked:
            _answers(console, answers)
        for state, changed in step.states:
            other = "" if state.id == found.id else f" as {state.id}"
            detail = f": {state.detail}" if state.detail else ""
            _print(console, f"  {outcome(state)}{other}{detail}", _COLOURS[state.end])
            _fields(console, changed)
    shown = sum(len(answers) for step in found.steps for answers in step.asked)
    if found.answers > shown:
        _print(console, f"\n{found.answers - shown:,} further answers in the ledger concern it")
    for part in found.unreadable:
        _print(console, f"\nnot searched: {part}", "yellow")
    if found.descendants:
        _print(console, "\nmade from it", "bold cyan")
        for end, stage, reason, count in found.descendants:
            _print(console, f"  {count:,} {end} at {stage}{f': {reason}' if reason else ''}")
        _print(console, f"  seed={found.id} lists them")


def _answers(console: Console, answers: Sequence[Answer]) -> None:
    """Prints a prompt and all answers to it."""
    first = answers[0]
    _print(console, f"  {first.stage} asks {first.model}", "bold")
    for turn in first.messages:
        _turn(console, turn)
    for answer in answers:
        facts = f"{answer.generated_tokens} tokens, {answer.finish_reason}, request {answer.id}"
        _print(console, f"  answer, sample {answer.sample} ({facts})", "bold")
        said = {"role": "assistant", "content": answer.text, "reasoning": answer.reasoning}
        _turn(console, {**said, "tool_calls": answer.tool_calls})
        if answer.error:
            _print(console, f"      error: {answer.error}", "red")


def _turn(console: Console, turn: Mapping[str, Any]) -> None:
    for name in ("reasoning", "content"):
        if turn.get(name):
            label = turn["role"] if name == "content" else f"{turn['role']} thinks"
            _block(console, label, turn[name])
    for seen in turn.get("pictures") or ():
        what = f"{seen['width']} x {seen['height']} {seen['mime']}, {seen['sha256']}"
        _block(console, f"{turn['role']} shows", what)
    for call in turn.get("tool_calls") or ():
        _block(console, f"{turn['role']} calls {call['name']}", call["arguments"])


def _fields(console: Console, fields: Any) -> None:
    for name, value in (fields if isinstance(fields, dict) else {"record": fields}).items():
        items = value if isinstance(value, list) else []
        if not items or not all(isinstance(item, dict) for item in items):
            _block(console, name, value)
            continue
        for number, item in enumerate(items, start=1):
            if "role" in item:
                _turn(console, item)
            else:
                short = {key: one for key, one in item.items() if not _is_long(one)}
                _block(console, f"{name} {number}", short)
                for key in item.keys() - short.keys():
                    _block(console, key, item[key], indent=6)


def _is_long(value: Any) -> bool:
    return len(str(value)) > 60


def _block(console: Console, label: str, value: Any, indent: int = 4) -> None:
    """Prints a label and a value: on one line, or indented below the label where it has several."""
    text = _visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    line = Text(f"{_visible(label)}: ", style="dim")
    if "\n" in text.strip():
        console.print(Padding(line, (0, 0, 0, indent), expand=False))
        console.print(Padding(Text(text.strip("\n")), (0, 0, 0, indent + 2), expand=False))
    else:
        line.append(text.strip(), style="not dim")
        console.print(Padding(line, (0, 0, 0, indent), expand=False))


_CONTROLS = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for codes in ((0, 9), (11, 32), (127, 160), (0x202A, 0x202F), (0x2066, 0x206A))
    for code in range(*codes)
}
"""Control characters but newlines and tabs, and those that change the direction of text."""


def _visible(text: str) -> str:
    """A text with its control characters spelled out: a model's must not command the terminal, nor
    turn around what it shows."""
    return text.translate(_CONTROLS)


def _print(console: Console, line: str, style: str = "") -> None:
    console.print(Text(_visible(line), style=style), soft_wrap=True)


def main() -> None:
    name_first_word("output_dir")
    quote_values(("id", "seed", "search", "stage", "reason", "kind"))
    run_command(
        "inspect",
        "a run's records: how each ended, why, and one record's whole life",
        InspectSettings,
        lambda settings: inspect(settings, Console(file=sys.stdout)),
    )

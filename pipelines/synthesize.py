"""cotmill synthesize: runs a recipe from seeds to accepted rows, one segment after the other."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console

from pipelines.arguments import name_first_word
from pipelines.display import Display, print_funnel, print_rows
from pipelines.dry_run import show_job
from pipelines.hydra_app import is_caused_by, run_command, user_message
from pipelines.loading import EarlyLoad, asks, load_early
from pipelines.report import write_report
from pipelines.rounds import until_accepted
from pipelines.stopping import Stopping, stoppable
from transforms.engine.errors import (
    BudgetReached,
    CotmillError,
    Interrupted,
    NoRows,
    RunFolderError,
    Sent,
    Unexpected,
)
from transforms.engine.files import make_folder
from transforms.engine.gpus import check_shares, share_gpus, visible_gpus
from transforms.engine.manifest import finish_manifest, new_manifest, now, unanswered_in
from transforms.engine.one_job import run_as_one_job, whole
from transforms.engine.recipe import Segment, asked_backends, build_segments
from transforms.engine.run_folder import SPENT_FILE, TRACEBACK, RunFolder, absolute
from transforms.engine.run_settings import RunSettings, with_backends
from transforms.engine.segments import discard_stale, run_segment, undeclared
from transforms.engine.tables import write_text
from transforms.engine.worker_server import begin_server, prepare_workers
from transforms.models.backends.settings import Backend, OpenAIBackend, ReplayBackend, VllmBackend
from transforms.models.budget import SPENT, Price, Spent, begin_meter, open_meter
from transforms.models.embedded.smollm2 import EMBEDDED
from transforms.models.engines import close_engines, model_key
from transforms.models.identity import identified
from transforms.models.ledger.ledger import flush_writers
from transforms.models.replay import replayed, resolve_replay
from transforms.models.run_ahead import plan_ahead
from transforms.publish.card import dataset_card
from transforms.publish.catalog import Catalog
from transforms.publish.report.read import accepted
from transforms.recipes.settings import Settings
from transforms.sandbox.isolation import Layer
from transforms.sandbox.sandbox import missing
from transforms.sandbox.shared import shared_sandbox
from transforms.sources import check_source
from transforms.stages.diversity.decontaminate import check_benchmarks

_ROWS_SHOWN = 3
AHEAD = "stages/.ahead"
"""Folder of what is run ahead of its segment, below that of a run on this machine."""


def synthesize(settings: Settings, console: Console) -> dict[str, Any]:
    """Runs the recipe into `output_dir` and returns the run's manifest.

    Raises CotmillError, one line that names the thing and the fix, where the settings, the
    source, a benchmark, the folder or the model cannot be used; what was written until then
    stays, and `resume=true` goes on from there.
    """
    workers = settings.runner.workers if settings.runner.type == "direct" else 1
    if workers > 1:
        begin_server()
    settings, run, segments = assembled(settings, console)
    if workers > 1:
        prepare_workers()
        loaded = [b.cards for b in asked_backends(settings).values() if type(b) is VllmBackend]
        share_gpus(max(loaded, default=0), workers)
    return run_recipe(settings, segments, run, console, settings.prices)


def assembled(
    settings: Settings, console: Console
) -> tuple[Settings, RunFolder, tuple[Segment, ...]]:
    """Returns the settings with their backends identified, the run's folder and its segments.

    Raises CotmillError as `synthesize` does.
    """
    run = RunFolder(absolute(settings.output_dir))
    ledger_dir = absolute(settings.ledger.dir or run.path("ledger"))
    for line in check_source(settings.source):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    check_benchmarks(settings.decontaminate)
    settings = answerable(settings, ledger_dir)
    segments = build_segments(per_worker(settings), run.root, ledger_dir)
    if settings.runner.type == "direct" and not settings.runner.one_job and "://" not in run.root:
        # an interrupted run of the same id finds what it has run already
        folder = Path(run.path(AHEAD, segments[-1].fingerprint[:16]))
        plan_ahead([segment.stages for segment in segments], folder)
    return settings, run, segments


def answerable(settings: Settings, ledger_dir: str) -> Settings:
    """The settings with each backend that a stage asks identified, or as the ledger has it where
    it is replayed.

    With `backend=replay` all models are replayed: a replay asks no model.

    Raises:
        BackendError: a replay finds nothing, or several ways of asking; a model's file cannot be
            read.
        SettingsError: several models do not fit the GPUs that they are loaded onto.
    """
    replays = isinstance(settings.backend, ReplayBackend)
    asked = asked_backends(settings)
    if not replays and (settings.runner.type != "direct" or visible_gpus()):
        check_shares(gpu_shares(asked))

    def resolved(place: str, backend: Backend) -> Backend:
        if place not in asked:
            return backend
        backend = replayed(backend) if replays else backend
        if isinstance(backend, ReplayBackend):
            return resolve_replay(backend, ledger_dir, place)
        return identified(backend)

    return with_backends(settings, resolved)


def gpu_shares(asked: Mapping[str, Backend]) -> dict[str, float]:
    """The shares of a GPU's memory that models take which cotmill loads, by their settings; names
    of one model count once."""
    loaded: dict[str, tuple[str, float]] = {}
    for place, each in asked.items():
        if isinstance(each, VllmBackend) and each.cpu_kvcache_gib is None:
            loaded.setdefault(model_key(each), (place, each.gpu_memory_utilization))
    return dict(loaded.values())


def per_worker(settings: Settings) -> Settings:
    """The settings of each local worker: limits per minute hold for all of them together."""
    if settings.runner.type != "direct":
        return settings
    workers = settings.runner.workers
    return with_backends(
        settings,
        lambda _, each: each.shared_by(workers) if isinstance(each, OpenAIBackend) else each,
    )


def run_recipe(
    settings: RunSettings,
    segments: tuple[Segment, ...],
    run: RunFolder,
    console: Console,
    prices: Mapping[str, Price] = MappingProxyType({}),
) -> dict[str, Any]:
    """Runs a recipe's segments into its folder and returns the run's manifest.

    Args:
        prices: of the models that the recipe asks.
    """
    with (
        # refuses to start here, before anything is spent; segments in this process lease it too
        shared_sandbox(settings.sandbox) as box,
        run.claimed(resume=settings.resume, overwrite=settings.overwrite) as found,
        metered(run, found),
        stoppable() as stopping,
    ):
        console.print(sandbox_line(box.layers), highlight=False, soft_wrap=True)
        if settings.sandbox.mode == "none":
            lacking = "; ".join(missing(box.layers, "auto"))
            lacking = lacking or "file isolation stands here all the same"
            console.print(
                f"warning: sandbox=none runs programs without asking for isolation: {lacking}",
                highlight=False,
                soft_wrap=True,
            )
        manifest = new_manifest(settings, segments, box.layers)
        # From the start: a resumed run may be killed. And before what they replace is deleted.
        check_sent(segments, found, run, settings)
        done = manifest["segments"] = finished(segments, found, run)
        save(manifest, run)
        discard_stale(segments, done, run)
        early = EarlyLoad((), stopping.end)
        try:
            early = load_early(segments[len(done) :], settings.runner, stopping.end, console)
            run_segments(segments, manifest, run, settings, console, early)
            finish_manifest(manifest, run, segments, prices)
            render(manifest, run, console)
            save(manifest, run)
            shutil.rmtree(run.path(AHEAD), ignore_errors=True)
        except BaseException as error:
            early.hand_over()
            ended = why_it_ended(error, stopping, manifest) or unexpected(error, manifest, run)
            flush_writers()
            save(manifest, run)
            if ended is not None:
                raise ended from error
            raise
        finally:
            close_engines()
    return manifest


def run_segments(
    segments: tuple[Segment, ...],
    manifest: dict[str, Any],
    run: RunFolder,
    settings: RunSettings,
    console: Console,
    early: EarlyLoad,
) -> None:
    """Runs the segments that the manifest does not have yet, and adds each to it as it ends."""
    done: list[dict[str, Any]] = manifest["segments"]
    for segment in segments[: len(done)]:
        console.print(f"{segment.label}: done before", highlight=False)
    with Display(console, early.state) as display:
        while len(done) < len(segments):
            begun = len(done)
            job = segments[begun:] if settings.runner.one_job else segments[begun : begun + 1]
            label = " to ".join(dict.fromkeys((job[0].label, job[-1].label)))
            manifest["open_segment"] = label
            display.start(label, [stage.name for segment in job for stage in segment.stages])
            previous = segments[begun - 1] if begun else None
            if any(map(asks, job)):
                early.hand_over()
            if settings.runner.one_job:
                entries = run_as_one_job(job, previous, run, settings)
            else:
                entries = [run_segment(job[0], previous, run, settings)]
            for segment, entry in zip(job, entries, strict=True):
                display.finish(entry)
                for name, others in undeclared(segment.stages, entry).items():
                    console.print(
                        f"note: {name} rejects for {', '.join(others)}, which it does not declare "
                        "(docs/write_a_stage.md)",
                        highlight=False,
                        soft_wrap=True,
                    )
            done += entries
            manifest["open_segment"] = None
            save(manifest, run)


def render(manifest: dict[str, Any], run: RunFolder, console: Console) -> None:
    """Writes the card and the report of a finished run. What cannot be drawn is left out and said:
    the rows are paid for, and are there."""
    manifest["diversity"] = {}
    try:
        write_text(run.path("README.md"), dataset_card(manifest))
        manifest["diversity"] = write_report(run, manifest)
    except Exception as error:
        write_text(run.path(TRACEBACK), "".join(traceback.format_exception(error)))
        console.print(
            f"warning: the rows are whole, but their card or report could not be written: "
            f"{type(error).__name__}: {error}; {run.path(TRACEBACK)} has the traceback",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def save(manifest: dict[str, Any], run: RunFolder) -> None:
    """Writes the manifest, with what the run has paid for until now."""
    manifest["spent"] = asdict(open_meter().spent())
    run.write_manifest(manifest)


@contextlib.contextmanager
def metered(run: RunFolder, found: dict[str, Any]) -> Iterator[None]:
    """Gives this process and its local workers one meter, which knows what earlier attempts spent.

    Where the run folder is on this machine the meter's file is kept in it, and so counts to the
    last response before a crash; elsewhere it starts from the manifest. Workers on other machines
    have no part in it: there each process stops at the budget by what it spent itself.
    """
    with tempfile.TemporaryDirectory(prefix="cotmill-") as folder:
        local = "://" not in run.root
        make_folder(run.root)
        path = run.path(SPENT_FILE) if local else os.path.join(folder, "spent")
        begin_meter(path)
        os.environ[SPENT] = path
        try:
            if not local and "spent" in found:
                open_meter().add(Spent(**found["spent"]))
            yield
        finally:
            del os.environ[SPENT]


def why_it_ended(
    error: BaseException, stopping: Stopping, manifest: dict[str, Any]
) -> CotmillError | None:
    """Puts the end of an unfinished run in its manifest; returns what to tell the user of it.

    None stands for an error that speaks for itself.
    """
    status, ended = "failed", None
    if stopping.error is not None:
        ended = stopping.error
    elif stopping.signum is not None:
        status = "interrupted"
        where = manifest["open_segment"] or "the end"
        ended = Interrupted(
            f"{signal.Signals(stopping.signum).name} in {where}: all responses until then are in "
            "the ledger; go on with resume=true",
            128 + stopping.signum,
        )
    elif is_caused_by(error, BudgetReached):
        status = "budget"
    elif isinstance(error, Sent):
        status = "sent"
    manifest.update(status=status, finished=now())
    return ended


_IN_A_WORKER = "Traceback (most recent call last):"


def unexpected(
    error: BaseException, manifest: dict[str, Any], run: RunFolder
) -> CotmillError | None:
    """Writes the traceback of an error that is no user's to the run folder; returns one line on it.

    None where the error speaks for itself, and where COTMILL_DEBUG=1 asks for the traceback.
    """
    if not isinstance(error, Exception) or user_message(error) or os.environ.get("COTMILL_DEBUG"):
        return None
    write_text(run.path(TRACEBACK), "".join(traceback.format_exception(error)))
    lines = str(error).strip().splitlines()
    if _IN_A_WORKER in lines:  # all that is left of the error: its message follows the last frame
        lines = lines[max(i for i, line in enumerate(lines) if line.startswith("  ")) + 1 :]
        name = ""
    else:
        name = f"{type(error).__name__}: "
    what, _, step = " ".join(lines).partition(" [while running '")  # Beam's note on the step
    stage = re.split("[/']", re.sub(r"^\d+-\w+/", "", step))[0]  # a job of several segments
    where = (manifest["open_segment"] or "the end of the run") + (f", stage {stage}" * bool(stage))
    return Unexpected(
        f"unexpected error in {where}: {name}{what}; "
        f"{run.path(TRACEBACK)} has the traceback; once it is mended, go on with resume=true"
    )


def check_sent(
    segments: tuple[Segment, ...], found: dict[str, Any], run: RunFolder, settings: RunSettings
) -> None:
    """Raises RunFolderError where a job that was sent, and not waited for, may still write."""
    if found.get("status") != "sent" or settings.runner.resends:
        return
    before = len(found["segments"])
    if unwritten := segments[before + len(whole(segments[before:], run)) :]:
        raise RunFolderError(
            f"output_dir={run.root}: the job that was sent has not written segment "
            f"{unwritten[0].label} yet: wait for its end; if it has failed or was cancelled, add "
            "runner.resend=true"
        )


def finished(
    segments: tuple[Segment, ...], found: dict[str, Any], run: RunFolder
) -> list[dict[str, Any]]:
    """The entries of an earlier run's manifest that still hold: those of the same fingerprints.

    A segment's fingerprint covers all before it, so the first that differs ends the list. So does
    the first with unanswered records: it is run again, and asks for them. What a job that failed
    wrote whole is in no manifest; it holds too.
    """
    held = list(found.get("segments", []))
    if found:
        held += whole(segments[len(held) :], run)
    entries = []
    for segment, entry in zip(segments, held, strict=False):
        if entry["fingerprint"] != segment.fingerprint or unanswered_in(entry):
            break
        entries.append(entry)
    return entries


def sandbox_line(layers: tuple[Layer, ...]) -> str:
    """Which walls stand around programs, and which do not, in one line."""
    missing = ", ".join(layer.name for layer in layers if not layer.active) or "none"
    active = ", ".join(layer.name for layer in layers if layer.active) or "none"
    return f"sandbox: {active}; unavailable here: {missing} (see cotmill sandbox status)"


def check_rows(manifest: dict[str, Any], settings: RunSettings) -> None:
    """Raises NoRows, which names the stage that rejected the last records, where none is left."""
    if not manifest["accepted"]:
        raise NoRows(why_empty(manifest, absolute(settings.output_dir)), settings.empty_status)


def why_empty(manifest: dict[str, Any], folder: str) -> str:
    """Says in one line which stage of a finished run kept none of its records, and why."""
    stages = [stage for segment in manifest["segments"] for stage in segment["stages"]]
    ended = [stage for stage in stages if stage["in"] and not stage["kept"]]
    if not ended:
        return "no row was accepted: the source has no rows"
    stage = ended[-1]  # no record came further than this
    reasons = list(stage["rejected"].items())[:3]
    if waiting := stage.get("unanswered"):
        reasons.append(("unanswered (asked again by resume=true)", waiting))
    why = ", ".join(f"{count} {reason}" for reason, count in reasons)
    return (
        f"no row was accepted: stage {stage['name']} kept none of {stage['in']} records ({why}); "
        f"{folder}/rejects says why for each"
    )


def print_where(manifest: dict[str, Any], settings: RunSettings, console: Console) -> None:
    """Prints the funnel, a few accepted rows, and where the others are."""
    print_funnel(console, manifest)
    rows = accepted(Catalog(RunFolder(absolute(settings.output_dir)), manifest))
    print_rows(console, (row.record for row in rows[:_ROWS_SHOWN]))
    folder = absolute(settings.output_dir)
    console.print(
        f"\n{manifest['accepted']} accepted rows in {folder}/data, rejects with their reasons in "
        f"{folder}/rejects, the account in {folder}/manifest.json; all of it as a page: "
        f"{folder}/report.html",
        highlight=False,
        soft_wrap=True,
    )
    if unanswered := manifest["unanswered"]:
        console.print(
            f"{unanswered} records unanswered, since requests for them failed (see "
            f"{folder}/unanswered): go on with resume=true",
            highlight=False,
            soft_wrap=True,
        )
    if rows := manifest["diversity"].get("rows"):
        console.print(
            f"among them {rows['fingerprints']['distinct']} program structures and "
            f"{rows['kinds']['distinct']} kinds of problem",
            highlight=False,
        )


def print_end(manifest: dict[str, Any], settings: Settings, console: Console) -> None:
    """Prints what a run gave and cost, and why it gave nothing where it gave nothing."""
    print_where(manifest, settings, console)
    if cost := manifest.get("cost"):
        rows = cost["per_accepted"]
        console.print(
            f"cost: {cost['paid']:,.4f} paid, {cost['recorded']:,.4f} recorded before"
            + (f"; {rows:,.4f} per accepted row" if rows is not None else "")
            + (f"; no price for {', '.join(cost['unpriced'])}" if cost["unpriced"] else ""),
            highlight=False,
            soft_wrap=True,
        )
    if saved := manifest["tokens"]["saved_estimate"]:
        console.print(
            f"about {saved:,} tokens not spent on attempts that could change no verdict",
            highlight=False,
        )
    backend = asked_backends(settings).get("backend")
    if getattr(backend, "model", None) == EMBEDDED and not getattr(backend, "adapter", None):
        console.print(
            "The embedded model without an adapter writes programs that run, but words and solves "
            "problems too poorly for its answers to agree with them: few rows are accepted, or "
            "none. backend=embedded sampling=demo adds the adapter that ships; cotmill train makes "
            "others; or use a larger model: backend=vllm or backend=openai.",
            highlight=False,
            soft_wrap=True,
        )


def _main(settings: Settings) -> None:
    console = Console(file=sys.stdout)
    if getattr(settings.runner, "dry_run", False):
        settings, run, segments = assembled(settings, console)
        show_job(settings, segments, run, console)
        return
    manifest = until_accepted(settings, lambda each: synthesize(each, console), console)
    print_end(manifest, settings, console)
    check_rows(manifest, settings)


def main() -> None:
    name_first_word("recipe")
    run_command("synthesize", "seeds in, verified reasoning data out", Settings, _main)


if __name__ == "__main__":
    main()

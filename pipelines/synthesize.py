"""cotmill synthesize: runs a recipe from seeds to accepted rows, one segment after the other."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console

from pipelines.display import Display, print_funnel
from pipelines.hydra_app import run_command
from transforms.card import dataset_card
from transforms.execution.isolation import Layer
from transforms.execution.sandbox import Sandbox
from transforms.generation.engines import close_engines, hold_server
from transforms.generation.ledger import resolve_replay
from transforms.manifest import finish_manifest, new_manifest
from transforms.recipe import Segment, build_segments
from transforms.records import Seed
from transforms.run_folder import RunFolder, absolute
from transforms.segments import run_segment
from transforms.settings import ReplayBackend, Settings
from transforms.sources import check_source
from transforms.tables import write_text


def synthesize(settings: Settings, console: Console) -> dict[str, Any]:
    """Runs the recipe into `output_dir` and returns the run's manifest.

    Raises CotmillError, one line that names the thing and the fix, where the settings, the
    source, the folder or the model cannot be used; what was written until then stays, and
    `resume=true` goes on from there.
    """
    run = RunFolder(absolute(settings.output_dir))
    ledger_dir = absolute(settings.ledger.dir or run.path("ledger"))
    check_source(settings.source)
    if isinstance(settings.backend, ReplayBackend):
        backend = resolve_replay(settings.backend, ledger_dir)
        settings = settings.model_copy(update={"backend": backend})
    segments = build_segments(settings, run.root, ledger_dir)
    with Sandbox(settings.sandbox) as box:  # strict refuses to start here, before anything is spent
        layers = box.layers
    found = run.claim(resume=settings.resume, overwrite=settings.overwrite)
    console.print(sandbox_line(layers), highlight=False, soft_wrap=True)
    manifest = new_manifest(settings, segments[-1].fingerprint, layers)
    run.write_manifest(manifest)
    done = finished(segments, found)
    try:
        if settings.runner.type == "direct":
            hold_server(settings.backend)
        with Display(console) as display:
            for index, segment in enumerate(segments):
                if index < len(done):
                    entry = done[index]
                    console.print(f"{segment.label}: done before", highlight=False)
                else:
                    display.start(segment.label, [stage.stage for stage in segment.stages])
                    before = manifest["segments"][-1]["rows"] if index else 0
                    entry = run_segment(
                        segment, segments[index - 1] if index else None, before, run, settings
                    )
                    display.finish(entry)
                manifest["segments"].append(entry)
                run.write_manifest(manifest)
    finally:
        close_engines()
    finish_manifest(manifest, run, seeds_folder(segments))
    write_text(run.path("README.md"), dataset_card(manifest))
    run.write_manifest(manifest)
    return manifest


def finished(segments: tuple[Segment, ...], found: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of an earlier run's manifest that still hold: those of the same fingerprints.

    A segment's fingerprint covers all before it, so the first that differs ends the list.
    """
    entries = []
    for segment, entry in zip(segments, found.get("segments", []), strict=False):
        if entry["fingerprint"] != segment.fingerprint:
            break
        entries.append(entry)
    return entries


def sandbox_line(layers: tuple[Layer, ...]) -> str:
    """Which walls stand around programs, and which do not, in one line."""
    missing = ", ".join(layer.name for layer in layers if not layer.active) or "none"
    active = ", ".join(layer.name for layer in layers if layer.active) or "none"
    return f"sandbox: {active}; unavailable here: {missing} (see cotmill sandbox status)"


def seeds_folder(segments: tuple[Segment, ...]) -> str:
    """The folder of the verified seeds: of the last segment that writes seeds."""
    return [segment.folder for segment in segments if segment.writes is Seed][-1]


def print_end(manifest: dict[str, Any], settings: Settings, console: Console) -> None:
    """Prints the funnel, where the rows are, and why there are none where there are none."""
    print_funnel(console, manifest)
    folder = absolute(settings.output_dir)
    console.print(
        f"\n{manifest['accepted']} accepted rows in {folder}/data, rejects with their reasons in "
        f"{folder}/rejects, the account in {folder}/manifest.json",
        highlight=False,
        soft_wrap=True,
    )
    if saved := manifest["tokens"]["saved_estimate"]:
        console.print(
            f"about {saved:,} tokens not spent on attempts that could change no verdict",
            highlight=False,
        )
    if getattr(settings.backend, "model", None) == "embedded":
        console.print(
            "The embedded model has 135M parameters and is not trained for this: it writes programs"
            " that run, but words and solves problems too poorly for its answers to agree with"
            " them, so few rows or none are accepted. Training it on verified programs (the coming"
            " `cotmill train`) is the cure; until then, use a larger model: backend=vllm or"
            " backend=openai.",
            highlight=False,
            soft_wrap=True,
        )


def _main(settings: Settings) -> None:
    console = Console(file=sys.stdout)
    print_end(synthesize(settings, console), settings, console)


def main() -> None:
    run_command("synthesize", "seeds in, verified reasoning data out", Settings, _main)


if __name__ == "__main__":
    main()

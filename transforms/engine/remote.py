"""What workers on other machines cannot reach, found in the settings before anything is spent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from transforms.engine.machine import on_loopback
from transforms.engine.runner_settings import RunnerSettings
from transforms.engine.settings import Group
from transforms.sources.read import SOURCES, AnySource


def out_of_reach(settings: Any, runner: RunnerSettings) -> list[str]:
    """Returns one line for each setting that names a place of this machine alone.

    Args:
        settings: of a run, with the groups that it has, or of a command over any Parquet.
        runner: where it runs; one that is not remote reaches everything.
    """
    if not runner.is_remote:
        return []
    here = f"runner={runner.type} has workers on other machines"
    store = "name one on an object store, such as gs://BUCKET/FOLDER"
    folders = {"output_dir": settings.output_dir}
    if (ledger := getattr(settings, "ledger", None)) is not None and ledger.dir:
        folders["ledger.dir"] = ledger.dir
    lines = [
        f"{name}={path} is a folder of this machine, and {here}: {store}"
        for name, path in folders.items()
        if "://" not in path
    ]
    for name, path in _read(settings):
        lines.append(f"{name}={path} is on this machine, and {here}: {store}")
    for name, backend in _backends(settings):
        url = getattr(backend, "base_url", "")
        if url and on_loopback(url):
            lines.append(
                f"{name}.base_url={url} is this machine's own, and {here}: name an endpoint that "
                "they reach"
            )
        for field in ("model", "adapter"):
            folder = getattr(backend, field, None)
            if not url and folder and os.path.isdir(folder):
                lines.append(
                    f"{name}.{field}={folder} is a folder of this machine, and {here}: name a "
                    "model of the Hub, or put the folder into their image"
                )
    return lines


def _backends(settings: Any) -> Iterator[tuple[str, Any]]:
    if (backend := getattr(settings, "backend", None)) is not None:
        yield "backend", backend
        for name, each in settings.models.items():
            yield f"models.{name}", each


def _read(settings: Any) -> Iterator[tuple[str, str]]:
    """Setting and path of each local file that is read: by a source, as an evaluation set, or as
    the input of a command over any Parquet."""
    given = getattr(settings, "input", [])
    for path in [given] if isinstance(given, str) else given:
        if "://" not in path:
            yield "input", path
    named: dict[str, AnySource] = {"source": settings.source} if hasattr(settings, "source") else {}
    for name, group in settings:
        for field, value in group if isinstance(group, Group) else ():
            if isinstance(value, dict):
                found = {f"{name}.{field}.{key}": each for key, each in value.items()}
                named |= {key: each for key, each in found.items() if isinstance(each, SOURCES)}
    for name, source in named.items():
        for part, each in source.parts().items():
            paths = getattr(each, "path", [])
            for path in [paths] if isinstance(paths, str) else paths:
                hub = each.type == "huggingface" and not os.path.exists(path)
                if "://" not in path and not hub:
                    place = name if each is source else f"{name}.sources.{part}"
                    yield f"{place}.path", path

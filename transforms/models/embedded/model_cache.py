"""Models that are built here, once for all runs and processes: where they lie, how they come."""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock

from transforms.engine.errors import BackendError
from transforms.engine.paths import cache_folder


def built_once(name: str, build: Callable[[Path], None], *, what: str, room: str) -> Path:
    """Returns the folder `name` of the cache, which `build` fills if it is not there.

    The folder appears whole or not at all, and other users may read it. Processes that ask at once
    wait for the one that builds.

    Raises:
        BackendError: the cache cannot be written; `what` and `room` say what needs how much of it.
    """
    cache = cache_folder()
    folder = cache / name
    if folder.is_dir():
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{name}.lock"):
            if not folder.is_dir():
                _build(build, folder)
    except OSError as error:
        raise BackendError(
            f"{what} cannot be written to {cache}: {error}; "
            f"set COTMILL_CACHE to a folder with {room}"
        ) from error
    return folder


def _build(build: Callable[[Path], None], folder: Path) -> None:
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        build(building)
        share(building)
        building.rename(folder)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def share(folder: Path) -> None:
    """Lets other users read a folder of weights: mkdtemp and safetensors keep it to its owner."""
    folder.chmod(0o755)
    for file in folder.iterdir():
        file.chmod(0o644)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hides transformers' progress bars and loading notes; restores the caller's settings."""
    from transformers.utils import logging as notes

    verbosity, bars = notes.get_verbosity(), notes.is_progress_bar_enabled()
    notes.set_verbosity_error()
    notes.disable_progress_bar()
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # the GGUF reader's bar heeds no setting
            yield
    finally:
        notes.set_verbosity(verbosity)
        if bars:
            notes.enable_progress_bar()

"""The run folder and its manifest: claimed once, written atomically, resumable."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apache_beam.io.filesystem import BeamIOError
from filelock import FileLock, Timeout

from transforms.engine.errors import RunFolderError
from transforms.engine.files import FileSystems, make_folder
from transforms.engine.tables import write_text

_ROWS = ("data", "stages", "rejects", "unanswered")
"""Folders of rows. A user's own files in them are never deleted (`_SHARD`)."""
_TRAINED = ("checkpoints", "adapter", "model")
"""Folders that a training writes, and a run does not. The ledger is in neither: it is paid for.
Nor are its pictures, in blobs/."""
_SHARD = re.compile(
    r"\.?[\w-]+-\d{5}-of-\d{5}\.(parquet|jsonl)(\.[0-9a-f]{32})?|\.?[\w-]+\.counts\.json(\.[0-9a-f]{32})?"
)
"""Names of the files in `_ROWS`: shards and counts, and the hidden ones that a crash leaves."""
PAGES = ("README.md", "report.html")
"""What a run writes last, about all of its rows."""
TRACEBACK = "error.txt"
"""The traceback of an unexpected error that ended the run."""
_MANIFEST = "manifest.json"
_MADE_BY = {"made_by": "cotmill"}
"""The manifest's entry by which a folder is known as one that cotmill wrote."""
SPENT_FILE = ".spent"
"""What the run has paid for so far, over all of its attempts (`generation.budget`)."""
_LOCK = ".lock"


def absolute(path: str) -> str:
    """Returns a local path as an absolute one (workers have other folders), and a URL, both without
    a slash at the end. Raises RunFolderError for an object store's without a bucket, as of a
    variable that is not set."""
    if re.match("(s3|gs):/", path) and not re.match("(s3|gs)://[^/]", path):
        raise RunFolderError(f"{path} names no bucket: write {path[:2]}://BUCKET/FOLDER")
    return path.rstrip("/") if "://" in path else os.path.abspath(os.path.expanduser(path))


@dataclass(frozen=True)
class RunFolder:
    """Where one run writes; `root` is a folder on any Beam filesystem."""

    root: str

    def path(self, *parts: str) -> str:
        return FileSystems.join(self.root, *parts)

    @property
    def manifest_path(self) -> str:
        return self.path(_MANIFEST)

    @contextlib.contextmanager
    def claimed(
        self, *, resume: bool | None, overwrite: bool, identity: str = "run_id"
    ) -> Iterator[dict[str, Any]]:
        """Holds the folder for this process; yields the manifest found there, or an empty one.

        A lock keeps other processes out; the kernel frees it when this process ends, killed or
        not. Object stores have no locks: nothing keeps two runs apart there.

        Args:
            resume: whether to go on with what is there; None where the command cannot.
            identity: the manifest's entry that a resumed folder must have: `run_id` for a run,
                `training_id` for a training.

        Raises RunFolderError where the folder holds anything and neither `resume` nor
        `overwrite` is set, where cotmill did not write what it holds, where it holds a training
        instead of a run or a run instead of a training, and where another process holds it.
        """
        if not os.path.exists(self.path(_LOCK)):
            self._found(resume, overwrite, identity)  # refused folders get no lock file
        with self._locked():
            found = self._found(resume, overwrite, identity)
            if found and overwrite:
                self._delete_run(found)
                found = {}
            yield found

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if "://" in self.root:
            yield
            return
        try:
            make_folder(self.root)
        except OSError as error:
            raise RunFolderError(
                f"output_dir={self.root} cannot be made: {error}: name another folder"
            ) from error
        path = Path(self.path(_LOCK))
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            holder = path.read_text().strip() or "another process"
            raise RunFolderError(
                f"output_dir={self.root} is in use by {holder}: wait for it to end, stop it, or "
                "name another folder"
            ) from None
        try:
            since = time.strftime("%Y-%m-%d %H:%M:%S %Z")
            path.write_text(f"process {os.getpid()} on {socket.gethostname()} since {since}\n")
            yield
        finally:
            lock.release()

    def _found(self, resume: bool | None, overwrite: bool, identity: str) -> dict[str, Any]:
        """Returns the manifest of what may be resumed or overwritten; empty for a free folder."""
        # What a process leaves that is killed before it has a manifest makes no run; nor does the
        # ledger of a preview.
        early = tuple(map(self.path, (f".{_MANIFEST}.", SPENT_FILE, _LOCK, "ledger/", "blobs/")))
        if all(path.startswith(early) for path in files_below(self.root)):
            return {}
        if not resume and not overwrite:
            raise RunFolderError(
                f"output_dir={self.root} is not empty: add "
                f"{'' if resume is None else 'resume=true to finish the run there, '}"
                "overwrite=true to start it anew, or name another folder"
            )
        found = self.read_manifest()
        if found is None or not is_ours(found):
            lacks = "no manifest.json" if found is None else "its manifest.json is not cotmill's"
            refusal = "there is nothing to resume" if resume else "overwrite=true will not touch it"
            raise RunFolderError(
                f"output_dir={self.root} is not empty and not a run of cotmill ({lacks}), so "
                f"{refusal}: name another folder"
            )
        if resume and identity not in found:
            kinds = ("a training", "a run")
            holds, wanted = kinds if identity == "run_id" else kinds[::-1]
            raise RunFolderError(
                f"output_dir={self.root} holds {holds}, not {wanted} that resume=true could go on "
                "with: name another folder"
            )
        return found

    def _delete_run(self, manifest: dict[str, Any]) -> None:
        """Deletes what the run or training of `manifest` wrote, its manifest last."""
        self.clear(*_ROWS)
        if "training_id" in manifest:
            for name in _TRAINED:
                _delete(files_below(self.path(name)))
                self._prune(name)
        # The meters of single models stand beside that of the run.
        _delete([f for f in files_below(self.root) if f.startswith(self.path(f"{SPENT_FILE}."))])
        for name in (*PAGES, TRACEBACK, SPENT_FILE, _MANIFEST):
            _delete([path for path in [self.path(name)] if FileSystems.exists(path)])

    def discard_stale(self, labels: Collection[str], folders: Collection[str]) -> None:
        """Deletes the rows, rejects and counts of every segment but those that still hold.

        Args:
            labels: of the segments that hold, such as 03-sample.
            folders: their rows' folders, relative to the run folder.
        """
        stale = []
        for name in _ROWS:
            for path in self._shards(name):
                parent, file = FileSystems.split(path)
                ours = file.removeprefix(".")
                counted = any(ours.startswith((f"{label}-", f"{label}.")) for label in labels)
                if not counted and parent not in {self.path(*f.split("/")) for f in folders}:
                    stale.append(path)
        _delete(stale)
        for name in _ROWS:
            self._prune(name)
        if stale:
            _delete([path for path in map(self.path, PAGES) if FileSystems.exists(path)])

    def clear(self, *names: str, of: tuple[str, ...] = ("",), but: tuple[str, ...] = ()) -> None:
        """Deletes the shards and counts below folders of the run, and no other file.

        Args:
            of: what the names begin with of those that go.
            but: what the names begin with of those that stay.
        """
        for name in names:
            shards = [(path, _name(path).removeprefix(".")) for path in self._shards(name)]
            _delete([p for p, file in shards if file.startswith(of) and not file.startswith(but)])
            self._prune(name)

    def _shards(self, name: str) -> list[str]:
        """The files that cotmill wrote below a folder of rows."""
        return [path for path in files_below(self.path(name)) if _SHARD.fullmatch(_name(path))]

    def _prune(self, name: str) -> None:
        """Removes folders that have become empty; object stores have none."""
        if "://" not in self.root:
            for folder, _, _ in os.walk(self.path(name), topdown=False):
                with contextlib.suppress(OSError):  # it holds something
                    os.rmdir(folder)

    def read_manifest(self) -> dict[str, Any] | None:
        """Returns the manifest, or None where there is none; RunFolderError where it is broken."""
        if not FileSystems.exists(self.manifest_path):
            return None
        with FileSystems.open(self.manifest_path, "text/plain", "uncompressed") as source:
            try:
                manifest = json.loads(source.read())
            except ValueError as error:
                raise RunFolderError(
                    f"{self.manifest_path} is not JSON ({error}): delete it and the run's folder, "
                    "or name another output_dir"
                ) from None
        if not isinstance(manifest, dict):
            raise RunFolderError(f"{self.manifest_path} is not a manifest: name another output_dir")
        return manifest

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Writes the manifest atomically, with the entry by which `is_ours` knows it."""
        marked = {**_MADE_BY, **manifest}
        write_text(
            self.manifest_path, json.dumps(marked, indent=2, ensure_ascii=False, default=str)
        )


def is_ours(manifest: dict[str, Any]) -> bool:
    """Whether cotmill wrote a manifest. Those of the first edition lack the entry that says so."""
    if _MADE_BY.items() <= manifest.items():
        return True
    identity = str(manifest.get("run_id") or manifest.get("training_id"))
    return re.fullmatch("[0-9a-f]{32}", identity) is not None and all(
        isinstance(manifest.get(name), kind)
        for name, kind in (("config", dict), ("versions", dict), ("segments", list))
    )


def _delete(paths: list[str]) -> None:
    local = [path for path in paths if "://" not in path]
    for path in local:
        os.remove(path)
    if remote := [path for path in paths if "://" in path]:
        FileSystems.delete(remote)


def _name(path: str) -> str:
    return FileSystems.split(path)[1]


def files_below(folder: str) -> list[str]:
    """Returns every file below a folder, at any depth; none where the folder is not there."""
    if "://" not in folder:  # whatever its name: a pattern would take [1] for a range
        walk = os.walk(folder)
        return sorted(os.path.join(parent, name) for parent, _, names in walk for name in names)
    try:
        matches = FileSystems.match([FileSystems.join(folder, "**")])
    except BeamIOError:
        return []
    return [metadata.path for metadata in matches[0].metadata_list]

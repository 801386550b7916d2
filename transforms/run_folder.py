"""The run folder and its manifest: claimed once, written atomically, resumable."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from transforms.errors import RunFolderError
from transforms.tables import write_text

_OURS = ("data", "stages", "rejects", "unanswered", "checkpoints", "adapter", "model")
"""What runs and trainings write and `overwrite` deletes. The ledger is paid for, and stays."""
_PAGES = ("README.md", "report.html")
"""What a run writes last: `overwrite` deletes them too, or they would tell of the run before."""
_MANIFEST = "manifest.json"
SPENT_FILE = ".spent"
"""What the run has paid for so far, over all of its attempts (`generation.budget`)."""


def absolute(path: str) -> str:
    """Returns a local path as an absolute one (workers have other folders); URLs as they are."""
    return path if "://" in path else os.path.abspath(os.path.expanduser(path))


@dataclass(frozen=True)
class RunFolder:
    """Where one run writes; `root` is a folder on any Beam filesystem."""

    root: str

    def path(self, *parts: str) -> str:
        return FileSystems.join(self.root, *parts)

    @property
    def manifest_path(self) -> str:
        return self.path(_MANIFEST)

    def claim(self, *, resume: bool, overwrite: bool) -> dict[str, Any]:
        """Takes the folder for this run and returns the manifest found there, or an empty one.

        Raises RunFolderError where the folder holds anything and neither `resume` nor
        `overwrite` says what to do with it.
        """
        # What a process leaves that is killed before it has a manifest makes no run.
        early = (f".{_MANIFEST}.", SPENT_FILE)
        held = [path for path in files_below(self.root) if not _name(path).startswith(early)]
        found = self.read_manifest()
        if not held:
            return {}
        if resume:
            if found is None:
                raise RunFolderError(
                    f"output_dir={self.root} holds no manifest.json, so there is no run to resume: "
                    "name the folder of a run, or leave resume out and name an empty one"
                )
            return found
        if overwrite:
            if found is None:
                raise RunFolderError(
                    f"output_dir={self.root} is not empty and not a run of cotmill (no "
                    "manifest.json), so overwrite=true will not delete it: name another folder"
                )
            for name in _OURS:
                self.clear(name)
            pages = [*_PAGES, SPENT_FILE, _MANIFEST]
            FileSystems.delete([path for path in map(self.path, pages) if FileSystems.exists(path)])
            return {}
        raise RunFolderError(
            f"output_dir={self.root} is not empty: add resume=true to finish the run there, "
            "overwrite=true to start it anew, or name another folder"
        )

    def clear(self, *parts: str) -> None:
        """Deletes everything below a folder of the run."""
        paths = files_below(self.path(*parts))
        if paths:
            FileSystems.delete(paths)

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
        write_text(
            self.manifest_path, json.dumps(manifest, indent=2, ensure_ascii=False, default=str)
        )


def _name(path: str) -> str:
    return FileSystems.split(path)[1]


def files_below(folder: str) -> list[str]:
    """Returns every file below a folder, at any depth; none where the folder is not there."""
    try:
        matches = FileSystems.match([FileSystems.join(folder, "**")])
    except BeamIOError:
        return []
    return [metadata.path for metadata in matches[0].metadata_list]

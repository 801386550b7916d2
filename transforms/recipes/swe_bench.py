"""swe_bench: tasks of mending packages in the columns of SWE-bench (arXiv 2310.06770)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

from transforms.engine.ids import content_id
from transforms.engine.records import Derived, derived
from transforms.engine.stage import Map
from transforms.packages.tasks import RepairTask


@dataclass(frozen=True, kw_only=True)
class SweBenchRow(Derived):
    """A task with the columns of SWE-bench, and what it takes to run it without a repository."""

    repo: str
    """The package's name and version, as name/version."""
    instance_id: str
    """name__name-hash."""
    base_commit: str
    """Hash of the package with the bug: there is no repository."""
    patch: str
    """Unified diff that mends the bug."""
    test_patch: str
    """Empty: the tests are the package's own."""
    problem_statement: str
    """The issue."""
    hints_text: str
    """Empty: nobody commented."""
    created_at: str
    """Empty: nothing is dated."""
    version: str
    """Of the package."""
    FAIL_TO_PASS: str
    """Ids of the tests that the patch has to make pass, a JSON list."""
    PASS_TO_PASS: str
    """Ids of the tests that have to go on passing, a JSON list."""
    environment_setup_commit: str
    """SHA-256 over the published package's files."""
    bug_patch: str
    """Unified diff that makes the bug in the published package."""
    archive: str
    """The published package: a ZIP archive in base 64."""
    test_cmd: str
    """What a person types to run the tests."""


@dataclass(kw_only=True)
class AsSweBench(Map):
    """PCollection[RepairTask] -> Outcome of SweBenchRow."""

    name: str = "columns"

    reads: ClassVar[type] = RepairTask
    writes: ClassVar[type] = SweBenchRow

    def of(self, task: RepairTask) -> SweBenchRow:
        commit = content_id("commit", task.digest, task.bug)
        return SweBenchRow(
            repo=f"{task.package}/{task.version}",
            instance_id=f"{task.package}__{task.package}-{commit[:12]}",
            base_commit=commit,
            patch=task.patch,
            test_patch="",
            problem_statement=task.problem,
            hints_text="",
            created_at="",
            version=task.version,
            FAIL_TO_PASS=json.dumps(task.fail_to_pass),
            PASS_TO_PASS=json.dumps(task.pass_to_pass),
            environment_setup_commit=task.digest,
            bug_patch=task.bug,
            archive=task.archive,
            test_cmd=task.facts["test_command"],
            **derived(task, "swe_bench", calls=()),
        )

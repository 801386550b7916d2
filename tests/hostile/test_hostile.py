"""Every hostile program gets its exact status, and the healthy one after it its right result."""

from __future__ import annotations

import ast
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.programs import PROGRAMS

_HERE = Path(__file__).parent
_ROOT = str(_HERE.parent.parent)
_NAMESPACES = ",".join(
    f"{kind}_namespace" for kind in ("user", "mount", "pid", "network", "ipc", "uts")
)
_IS_ROOT = os.geteuid() == 0

_ROOT_USER, _ORDINARY_USER = "0", "65534"

# name -> (user to run as where root can choose, arguments of run.py)
VARIANTS: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "strict": (None, ("jobs", "strict", "2")),
    "auto": (None, ("jobs", "auto", "2")),
    "strict as a user": (_ORDINARY_USER, ("jobs", "strict", "2")),
    # a user's processes are counted together where no namespace counts apart: one slot at a time
    "strict as a user without namespaces": (_ORDINARY_USER, ("jobs", "strict", "1", _NAMESPACES)),
}
CELL_VARIANTS: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "cells": (None, ("cells", "strict", "2"))
}
if _IS_ROOT:  # as in most containers
    without = ("strict", "2", _NAMESPACES)
    VARIANTS["strict as root without namespaces"] = (_ROOT_USER, ("jobs", *without))
    CELL_VARIANTS["cells as root without namespaces"] = (_ROOT_USER, ("cells", *without))


@functools.cache
def outcome(variant: str) -> dict:
    user, arguments = {**VARIANTS, **CELL_VARIANTS}[variant]
    start = [str(_HERE / "as_user.py"), user] if user is not None and _IS_ROOT else []
    ran = subprocess.run(
        [sys.executable, *start, str(_HERE / "run.py"), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": _ROOT},
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("number", range(len(PROGRAMS)), ids=[p.name for p in PROGRAMS])
def test_a_hostile_program_is_contained(variant, number):
    hostile, got = PROGRAMS[number], outcome(variant)
    row = got["rows"][number]
    assert row["status"] in hostile.statuses("jobs", got["layers"]["mount_namespace"]), row
    if hostile.output is not None:
        assert row["output"] == hostile.output, row
    assert row["next"] == ["ok", '{"a": 2}', "42"]


@pytest.mark.parametrize("variant", CELL_VARIANTS)
@pytest.mark.parametrize("number", range(len(PROGRAMS)), ids=[p.name for p in PROGRAMS])
def test_a_hostile_cell_loses_nothing_but_itself(variant, number):
    hostile, got = PROGRAMS[number], outcome(variant)
    row = got["rows"][number]
    assert row["status"] in hostile.statuses("cells", got["layers"]["mount_namespace"]), row
    if hostile.output is not None:
        output = json.loads(hostile.as_cell_output or hostile.output)
        if isinstance(output, list):  # descriptors have no order
            assert sorted(ast.literal_eval(row["output"])) == output, row
        else:
            assert row["output"] == repr(output), row
    assert row["next"] == ["ok", "([4], '2')", 0]


def test_the_suite_is_as_large_as_promised():
    assert len(PROGRAMS) >= 60
    assert len({hostile.name for hostile in PROGRAMS}) == len(PROGRAMS)


@pytest.mark.skipif(not _IS_ROOT, reason="only root has privilege to give up")
def test_root_gives_up_its_privilege():
    layers = outcome("strict")["layers"]
    assert layers["dropped_uid"]
    assert layers["dropped_capabilities"]

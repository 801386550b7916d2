"""What a template does once changes nothing that a program can tell."""

from __future__ import annotations

import subprocess
import sys

import pytest

from transforms.engine.paths import PROJECT
from transforms.sandbox import harness, preload

LIGHTEN = """
import re, sys
from itertools import pairwise
from transforms.sandbox import preload
before = preload._regions()
preload.lighten_forks()
after = preload._regions()
import csv, json  # what is loaded afterwards, and what is not, works as before
print(json.dumps(json.loads("[1, 2.5]")))
for regions in before, after:
    kinds = [(a.permissions, b.permissions) for a, b in pairwise(regions) if a.goes_on_in(b)]
    print(len(preload._JOINED.keys() & kinds))
for region in open("/proc/self/smaps").read().split("VmFlags:"):
    if re.search(r"r-xp.*/(lib)?python", region):
        print(re.search(r"Anonymous: *(\\d+)", region)[1])
"""


def test_practice_is_one_program_that_ends_well_and_leaves_the_interpreter_as_it_was():
    main, stdout = sys.modules["__main__"], sys.stdout
    claims = []
    preload.practise(lambda code: claims.append(harness.execute(code, 1 << 16, None)))
    assert {claim["status"] for claim in claims} == {"ok"}
    assert len({claim["output"] for claim in claims}) == 1
    assert (sys.modules["__main__"], sys.stdout) == (main, stdout)


def test_lighter_forks_keep_the_interpreter_whole():
    ran = subprocess.run(
        [sys.executable, "-c", LIGHTEN], capture_output=True, text=True, cwd=PROJECT, check=True
    )
    parsed, before, after, *anonymous_kb = ran.stdout.splitlines()
    assert parsed == "[1, 2.5]"
    assert int(before) > 0
    assert int(after) == 0
    if set(anonymous_kb) == {"0"}:
        pytest.skip("this kernel lets no process write to its own code")
    assert "4" in anonymous_kb


def region(start: int, end: int, permissions: str, offset: int, path: str = "/lib/a.so"):
    return preload._Region(start, end, permissions, offset, path)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (region(0, 8, "r--p", 0), region(8, 16, "rw-p", 0)),  # another part of the file
        (region(0, 8, "r--p", 0), region(16, 24, "rw-p", 8)),  # not behind it
        (region(0, 8, "r--p", 0), region(8, 16, "rw-p", 8, "/lib/b.so")),
        (region(0, 8, "r--p", 0, ""), region(8, 16, "rw-p", 8, "")),  # of no file
    ],
)
def test_regions_that_do_not_go_on_in_the_next_are_not_joined(first, second):
    assert not first.goes_on_in(second)

"""Resident memory is that of a process and of all that it started."""

import os
import subprocess
import sys

import psutil

from transforms.engine.memory import Family, resident_bytes

HOLD = "import sys; held = bytearray(200_000_000); print('ready', flush=True); sys.stdin.read()"


def test_memory_counts_the_processes_below_and_none_that_has_ended():
    # a parent that does nothing: what other tests left to this process may grow or end meanwhile
    shell = ["sh", "-c", '"$0" -c "$1"; exit', sys.executable, HOLD]
    with subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        [child] = psutil.Process(parent.pid).children()
        assert resident_bytes(parent.pid) > resident_bytes(child.pid) > 150_000_000
    assert resident_bytes(parent.pid) == resident_bytes(child.pid) == 0


def test_a_familys_memory_is_its_peak_and_its_time_counts_when_it_has_ended():
    family = Family(os.getpid())
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        family.look()
        with_child, spent = family.peak, family.cpu_seconds
        child.kill()
    family.look()
    assert family.peak == with_child > 150_000_000
    assert family.cpu_seconds >= spent > 0

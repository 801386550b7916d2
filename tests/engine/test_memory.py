"""Resident memory is that of a process and of all that it started."""

import os
import subprocess
import sys

from transforms.engine.memory import Family, resident_bytes

HOLD = "import sys; held = bytearray(200_000_000); print('ready', flush=True); sys.stdin.read()"


def test_memory_counts_the_processes_below_and_none_that_has_ended():
    alone = resident_bytes(os.getpid())
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with_child = resident_bytes(os.getpid())
        child.kill()
    assert with_child - alone > 150_000_000
    assert resident_bytes(child.pid) == 0


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

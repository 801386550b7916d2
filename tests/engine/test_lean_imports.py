"""What a process of cotmill's own does without."""

import platform
import subprocess
import sys

import pytest

HEAPS = """
import ctypes, threading
from transforms.engine.lean_imports import lean_imports
with lean_imports():
    import pyarrow
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
together = threading.Barrier(8)
def allocate():
    libc.malloc(1000)
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(pyarrow.default_memory_pool().backend_name, flush=True)
file = libc.fopen(b"/dev/fd/1", b"a")
libc.malloc_info(0, ctypes.c_void_p(file))
libc.fclose(ctypes.c_void_p(file))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the heaps of glibc")
def test_what_threads_and_arrow_free_is_not_kept_in_heaps_of_their_own():
    done = subprocess.run([sys.executable, "-c", HEAPS], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("system\n")
    assert 1 <= done.stdout.count("<heap nr=") <= 2


def test_the_entry_module_loads_next_to_nothing_so_that_ctrl_c_finds_it_ready():
    code = "import sys, pipelines.cli; sys.exit('hydra' in sys.modules or 'yaml' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


FREED = """
import ctypes, re
from transforms.engine.lean_imports import lean_imports
with lean_imports():
    pass
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) >> 10
def allocated(size):
    block = libc.malloc(size)
    ctypes.memset(block, 1, size)
    return ctypes.c_void_p(block)
before = resident()
libc.free(allocated(30 << 20))
for block in [allocated(500 << 10) for _ in range(80)]:
    libc.free(block)
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the heaps of glibc")
def test_memory_that_is_freed_goes_back_to_the_system():
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 20


def test_clients_of_stores_that_nothing_uses_are_not_imported_until_they_are_asked_for():
    code = """
import sys
from transforms.engine.lean_imports import lean_imports
with lean_imports():
    import apache_beam
    import transforms.engine.files
print([name for name in ("boto3", "google.cloud.storage") if name in sys.modules])
import apache_beam.io.gcp.gcsfilesystem, boto3
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

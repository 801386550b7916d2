"""Prism, Beam's portable runner, and workers for it that are started from outside."""

from __future__ import annotations

import contextlib
import lzma
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from tests.processes import kill_all
from tests.stores import free_port, serving
from transforms.engine.paths import PROJECT

_SHIPPED = PROJECT.parent / "shared" / "prism"


@pytest.fixture(scope="session")
def prism_binary(pytestconfig: pytest.Config) -> Path:
    """Prism's binary: COTMILL_PRISM, `prism` on the PATH, or what lies packed beside the
    repository; the test is skipped where there is none."""
    if named := os.environ.get("COTMILL_PRISM") or shutil.which("prism"):
        return Path(named)
    packed = next(iter(sorted(_SHIPPED.glob("prism-*.xz"))), None)
    if packed is None:
        pytest.skip(f"no Prism: neither COTMILL_PRISM, nor prism on the PATH, nor {_SHIPPED}")
    assert pytestconfig.cache is not None
    binary = pytestconfig.cache.mkdir("prism") / packed.stem
    if not binary.exists():
        unpacked = binary.with_suffix(f".{os.getpid()}")
        with lzma.open(packed) as source, unpacked.open("wb") as target:
            shutil.copyfileobj(source, target)
        unpacked.chmod(0o755)
        unpacked.rename(binary)
    return binary


@pytest.fixture(scope="module")
def prism(prism_binary: Path) -> Iterator[str]:
    """The job endpoint of a running Prism."""
    port = free_port()
    command = [str(prism_binary), f"-job_port={port}", "-serve_http=false"]
    with serving(command, port):
        yield f"localhost:{port}"


class WorkerPool:
    """A worker pool that sees nothing of the driver's files.

    Its processes are in a mount namespace of their own, in which an empty file system lies over
    the driver's folder.
    """

    def __init__(self, address: str, process: subprocess.Popen[bytes]) -> None:
        self.address = address
        self._process = process

    def workers(self) -> list[psutil.Process]:
        """The worker processes that run."""
        found = []
        for process in psutil.Process(self._process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile
                if any("SdkHarness" in part for part in process.cmdline()):
                    found.append(process)
        return found

    def runs_programs(self) -> bool:
        """Whether a worker has a sandbox. It is at work then; for one that is killed before it has
        reported to the runner, Prism waits without end."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return any(worker.children() for worker in self.workers())
        return False


_NAMESPACE = ["unshare", "--mount", *(["--map-root-user"] if os.getuid() else [])]


@contextlib.contextmanager
def worker_pool(driver: Path, own: Path, environment: Mapping[str, str]) -> Iterator[WorkerPool]:
    """Starts a worker pool as from outside.

    Args:
        driver: the folder that is empty for the workers.
        own: the workers' folder for temporary files.
        environment: variables beside PATH, such as those of a store.
    """
    mount = ["mount", "-t", "tmpfs", "none", str(driver)]
    if subprocess.run([*_NAMESPACE, *mount], capture_output=True).returncode:
        pytest.skip("mount namespaces are not permitted here")
    port = free_port()
    python = Path(sys.executable).parent
    pool = (
        f"cd / && exec python -m apache_beam.runners.worker.worker_pool_main --service_port={port}"
    )
    variables = {"PATH": f"{python}:{os.environ['PATH']}", "PYTHONPATH": str(PROJECT)}
    with serving(
        [*_NAMESPACE, "sh", "-c", f"mount -t tmpfs none {driver} && {pool} --service_port={port}"],
        port,
        env={**variables, "TMPDIR": str(own), **environment},
    ) as process:
        started = WorkerPool(f"localhost:{port}", process)
        try:
            yield started
        finally:
            kill_all(started.workers())

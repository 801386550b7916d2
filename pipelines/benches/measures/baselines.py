"""What the sandbox is measured against: executors with little or no isolation, as a module to run.

Reads {executor, tiers: [[modules, programs], …], slots} as JSON from stdin and writes {seconds,
cpu_seconds, latencies, ok} as JSON: programs in all, end to end, with `slots` at once; CPU time of
all processes; each program's own seconds; how many ran without an error. Never to be used on
programs that are not trusted.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from transforms.sandbox.preload import preload

Run = Callable[[str], bool]
Drive = Callable[[Run, list[str], int], list[tuple[float, bool]]]
_SECONDS = 30.0


def run_in_subprocess(code: str) -> bool:
    """A fresh interpreter per program: the shortest way that anybody writes."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def _execute_for_manager(code: str, shared: Any) -> None:
    variables: dict[str, Any] = {"__name__": "__main__"}
    try:
        exec(code, variables)
        shared["output"] = variables.get("output")
    except Exception as error:
        shared["error"] = repr(error)


def run_under_manager(code: str) -> bool:
    """A manager process and a forked process per program, as Caco's executor is described.

    The output comes back as a pickle, which is code of the program's own choosing.
    """
    with multiprocessing.Manager() as manager:
        shared = manager.dict()
        process = multiprocessing.Process(target=_execute_for_manager, args=(code, shared))
        process.start()
        process.join(_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        return "output" in shared


def run_in_fork(code: str) -> bool:
    """A bare fork: no isolation, no limits, no result. What any forkserver is bounded by."""
    pid = os.fork()
    if pid == 0:
        try:
            exec(code, {"__name__": "__main__"})
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def _timed(run: Run, code: str) -> tuple[float, bool]:
    started = time.perf_counter()
    ok = run(code)
    return time.perf_counter() - started, ok


def _in_threads(run: Run, programs: list[str], slots: int) -> list[tuple[float, bool]]:
    with ThreadPoolExecutor(slots) as threads:
        return list(threads.map(lambda code: _timed(run, code), programs))


def _in_processes(run: Run, programs: list[str], slots: int) -> list[tuple[float, bool]]:
    """Forks `slots` workers that take a share each: forking from a process without threads."""
    workers = []
    for slot in range(slots):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            done = [_timed(run, code) for code in programs[slot::slots]]
            with open(write, "w") as out:
                json.dump(done, out)
            os._exit(0)
        os.close(write)
        workers.append((pid, read))
    results = []
    for pid, read in workers:
        with open(read) as answers:
            results += json.load(answers)
        os.waitpid(pid, 0)
    return results


def _cpu_seconds() -> float:
    """Returns the CPU time of this process and of those that it waited for."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    """Runs one executor over all tiers; importing a tier's modules is not timed."""
    request = json.load(sys.stdin)
    executors: dict[str, tuple[Run, Drive]] = {
        "subprocess": (run_in_subprocess, _in_threads),
        "manager": (run_under_manager, _in_processes),
        "fork": (run_in_fork, _in_processes),
    }
    run, drive = executors[request["executor"]]
    sys.stdout.flush()
    answer, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115  (until the process ends)
    os.dup2(1, 3)
    os.dup2(sys.stdout.fileno(), 1)
    seconds, cpu_seconds, results = 0.0, 0.0, []
    for modules, programs in request["tiers"]:
        preload(modules)
        started, cpu = time.perf_counter(), _cpu_seconds()
        results += drive(run, programs, request["slots"])
        seconds += time.perf_counter() - started
        cpu_seconds += _cpu_seconds() - cpu
    os.dup2(3, 1)
    latencies = [latency for latency, _ in results]
    ok = sum(ok for _, ok in results)
    figures = {"seconds": seconds, "cpu_seconds": cpu_seconds, "latencies": latencies, "ok": ok}
    json.dump(figures, answer)
    answer.flush()


if __name__ == "__main__":
    main()

"""The processes that programs are forked from: a template that preloads, and one zygote a slot.

Started as a script in a fresh interpreter; imports nothing of cotmill but its own neighbours. The
template imports the preloaded modules once and forks a zygote whenever the host sends the socket of
a new slot. A zygote walls itself in (see isolation.py), so that each program inherits walls that
stand already, and then serves programs one at a time until its socket closes.

Every socket here ends at the host: where the host dies, by whatever way, all of this ends with it.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import Any

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, _ROOT)
from transforms.sandbox import cells, harness, isolation, preload  # noqa: E402
from transforms.sandbox.snapshots import SessionZygote  # noqa: E402
from transforms.sandbox.supervisor import Zygote, fork, keep_open, write_all  # noqa: E402

del sys.path[0]


def report_line(descriptor: int, report: dict[str, Any]) -> None:
    write_all(descriptor, json.dumps(report).encode() + b"\n")


def template(host: socket.socket, config: dict[str, Any]) -> None:
    """Preloads, says so, and forks a zygote for each socket that the host sends."""
    preload.preload(config["preload"])
    preload.practise(lambda code: json.dumps(harness.execute(code, 1 << 16, None)))
    preload.practise(lambda code: json.dumps(cells.Session(0, 1 << 16, 0).run(code, 0, 0)))
    if config["shift_clock"]:
        harness.shift_clock()
    isolation.adopt_orphans()
    # what follows is shared with every program: the collector must not write to all of it
    gc.collect()
    gc.freeze()
    preload.fill_holes()
    preload.use_huge_pages()
    preload.lighten_forks()
    host.send(b"{}")
    while True:
        message, descriptors, _, _ = socket.recv_fds(host, 1 << 16, 1)
        if not message:
            shutil.rmtree(config["top"], ignore_errors=True)  # the host may have been killed
            os._exit(0)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        (slot,) = descriptors
        config = {**config, **json.loads(message)}
        report = start_zygote(config, slot)
        if "no_root" in report:  # an old kernel, or a container that forbids mounts: do without
            without = {**config["without"], "mount_namespace": report["no_root"]}
            config = {**config, "without": without}
            report = start_zygote(config, slot)
        os.close(slot)
        pidfds = [] if "error" in report else [os.pidfd_open(report["pid"])]
        socket.send_fds(host, [json.dumps(report).encode()], pidfds)
        for pidfd in pidfds:
            os.close(pidfd)


def start_zygote(config: dict[str, Any], slot: int) -> dict[str, Any]:
    """Forks a zygote that serves the socket `slot`, and reports its pid and layers.

    A middle process enters the namespaces and ends: only its child is in the new PID namespace.
    """
    report_read, report_write = os.pipe()
    middle = fork()
    if middle == 0:
        try:
            os.close(report_read)
            _become_zygote(config, slot, report_write)
        except isolation.NoRoot as error:
            report_line(report_write, {"no_root": str(error)})
        except BaseException as error:
            report_line(report_write, {"error": repr(error)})
        finally:
            os._exit(1)
    os.close(report_write)
    os.waitpid(middle, 0)
    report: dict[str, Any] = {}
    with open(report_read, "rb") as lines:  # one from each process, in whichever order
        for line in lines:
            report.update(json.loads(line))
    if "layers" not in report:
        report.setdefault("error", "it ended while it was walled in")
    return report


def _become_zygote(config: dict[str, Any], slot: int, report: int) -> None:
    number = os.getpid()  # as the host sees it: no other slot on this machine has it
    directory, limits, snapshots = config["directory"], config["limits"], config["snapshots"]
    enclosure = isolation.Enclosure(
        visible=tuple(config["visible"]),
        directory=directory,
        limits={
            **limits,
            # and one that each session begins from
            "processes": limits["processes"] + snapshots + (snapshots > 0),
            # a supervisor has a cell's pipes beside a socket to each state
            "open_files": limits["open_files"] + snapshots + cells.SPARE_FILES,
        },
        without=config["without"],
        sessions=snapshots > 0,
    )
    walls = isolation.Walls(enclosure)
    isolation.enter_namespaces(walls, enclosure)
    child = fork()
    if child:
        report_line(report, {"pid": child})
        os._exit(0)
    os.setsid()
    # of init's signals only those with a handler reach it: Python's own for SIGINT must not stay
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    keep_open({slot, report})
    scratch = isolation.SCRATCH if walls.has("mount_namespace") else directory
    zygote = (SessionZygote if snapshots else Zygote)(limits, slot, scratch)
    if not zygote.own_pids:
        isolation.adopt_orphans()
    os.chdir(zygote.scratch)
    os.environ.update(HOME=zygote.scratch, TMPDIR=zygote.scratch)
    isolation.give_up_privilege(walls, enclosure, zygote.scratch, number)
    zygote.filters = walls.has("seccomp")
    report_line(report, {"layers": [asdict(layer) for layer in walls.layers]})
    os.close(report)
    zygote.serve()


def visible_paths() -> list[str]:
    """Returns what programs may read: Python's libraries, its packages, the system's libraries."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, "/usr", "/"}
    libraries = [os.path.join(prefix, name) for prefix in prefixes for name in ("lib", "lib64")]
    packages = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    return sorted({*libraries, *packages, "/usr/share/zoneinfo", "/etc/ld.so.cache"})


if __name__ == "__main__":
    # a program that imports one of these names must not find ours
    for _name in [name for name in sys.modules if name.partition(".")[0] == "transforms"]:
        del sys.modules[_name]
    template(
        socket.socket(fileno=int(sys.argv[1])),
        {"visible": visible_paths(), **json.loads(sys.argv[2])},
    )

"""What the sandbox starts ends, is replaced where it dies, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.sandbox.test_sandbox import HEALTHY, SETTINGS, run
from transforms.sandbox import slots, supervisor
from transforms.sandbox.sandbox import Cell, Job, Sandbox, Status, describe

_ROOT = str(Path(__file__).parents[2])


def descendants(pid: int) -> set[int]:
    return {child.pid for child in psutil.Process(pid).children(recursive=True)}


def gone(pids: set[int]) -> bool:
    """Whether all of them end, sooner or later."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not any(os.path.exists(f"/proc/{pid}") for pid in pids):
            return True
        time.sleep(0.02)
    return False


def in_fresh_interpreter(body: Callable[[], None]) -> None:
    """Runs `body` where no other test's processes and descriptors are counted."""
    ran = subprocess.run(
        [sys.executable, "-c", f"import {__name__} as here; here.{body.__name__}()"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": _ROOT},
    )
    assert ran.returncode == 0, ran.stderr[-2000:]


def open_run_and_close() -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    mounts = Path("/proc/self/mounts").read_text()
    with Sandbox(SETTINGS) as box:
        results = list(box.run([HEALTHY, Job("import sympy; output = 1")]))
        box.run_cell(Cell("x = 1", ("y = 1",)))
        folder = box._directory
        started = descendants(os.getpid())
    assert [result.output for result in results] == ["42", "1"]
    assert len(started) == 7  # two templates, a zygote of each, and one with two states
    assert gone(started)
    assert not os.path.exists(folder)
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert Path("/proc/self/mounts").read_text() == mounts


def test_closing_leaves_no_process_folder_descriptor_or_mount():
    in_fresh_interpreter(open_run_and_close)


def test_everything_ends_when_the_host_is_killed():
    script = (
        "from tests.sandbox.test_sandbox import SETTINGS\n"
        "from transforms.sandbox.sandbox import Cell, Job, Sandbox\n"
        "with Sandbox(SETTINGS.model_copy(update={'wall_seconds': 60})) as box:\n"
        "    print(box._directory, flush=True)\n"
        "    box.run_cell(Cell('x = 1'))\n"
        "    list(box.run([Job('import os, time; os.fork(); time.sleep(60)')]))\n"
    )
    host = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": _ROOT},
    )
    deadline = time.monotonic() + 30
    while len(started := descendants(host.pid)) < 6 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(started) >= 6  # template, two zygotes, a state, a program and its child
    host.kill()
    folder = host.communicate()[0].strip()
    assert gone(started)
    assert folder
    assert not os.path.exists(folder)


def templates() -> set[int]:
    """The templates that this process started: another sandbox of it may be open."""
    return {
        pid
        for pid in descendants(os.getpid())
        if b"zygote.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
        and Path(f"/proc/{pid}/stat").read_text().split()[3] == str(os.getpid())
    }


def test_a_zygote_that_dies_is_replaced_and_its_program_run_again():
    others = templates()
    with Sandbox(SETTINGS.model_copy(update={"slots": 1})) as box:
        results = box.run([HEALTHY, Job("import time; time.sleep(0.5); output = 5"), HEALTHY])
        assert next(results).output == "42"
        (template,) = templates() - others
        for pid in descendants(template):
            os.kill(pid, signal.SIGKILL)
        assert [result.output for result in results] == ["5", "42"]


def test_a_program_whose_zygote_dies_twice_is_reported_crashed(monkeypatch):
    def dies(slot, request):
        raise slots.ZygoteDied

    with Sandbox(SETTINGS) as box:
        with monkeypatch.context() as patch:
            patch.setattr(slots.Slot, "exchange", dies)
            (result,) = box.run([HEALTHY])
        assert result.status is Status.CRASHED
        run(box, "output = 1")


@pytest.mark.parametrize(
    ("code", "limit"),
    [
        ("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass", "cpu"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", "wall"),
        ("import time; time.sleep(60)", "wall"),
    ],
)
def test_past_its_limit_a_program_is_gone_soon(code, limit):
    settings = SETTINGS.model_copy(update={"wall_seconds": 2.0 if limit == "wall" else 30.0})
    with Sandbox(settings) as box:
        result = run(box, code)
    assert result.status is Status.TIMEOUT
    if limit == "wall":
        assert 2 <= result.wall_seconds < 3  # another process of tests may hold the core
    else:
        assert result.cpu_seconds < 1.2


@pytest.mark.parametrize(
    "code",
    [
        "import asyncio\nasync def f(): return 3\noutput = asyncio.run(f())",
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(4) as pool: output = sum(pool.map(abs, [-1, -2]))",
        "import tempfile\nwith tempfile.TemporaryDirectory() as d:\n"
        " open(d + '/x', 'w').write('3'); output = int(open(d + '/x').read())",
        "import multiprocessing as m\nif __name__ == '__main__':\n"
        " q = m.get_context('fork').SimpleQueue()\n"
        " p = m.get_context('fork').Process(target=q.put, args=(3,)); p.start()\n"
        " output = q.get(); p.join()",
        "from dataclasses import dataclass\n@dataclass\nclass P:\n x: int\noutput = P(3).x",
        "import pickle\nclass A: x = 3\noutput = pickle.loads(pickle.dumps(A())).x",
        "import zoneinfo, datetime\noutput = len(str(zoneinfo.ZoneInfo('Asia/Tokyo'))) - 7",
        "import sqlite3\noutput = sqlite3.connect(':memory:').execute('select 3').fetchone()[0]",
    ],
    ids=["asyncio", "threads", "tempfile", "processes", "dataclass", "pickle", "zones", "sqlite"],
)
def test_honest_programs_that_use_the_system_run(code):
    with Sandbox(SETTINGS) as box:
        (result,) = box.run([Job(code)])
    assert (result.status, result.output) == (Status.OK, "3"), result


def run_a_thousand() -> None:
    codes = ["output = 1", "open('f', 'w').write('x')", "import os; os.fork()", "1 / 0", "exit()"]
    with Sandbox(SETTINGS) as box:
        list(box.run(Job(code) for code in codes * 4))
        before = len(descendants(os.getpid())), len(os.listdir("/proc/self/fd"))
        statuses = [result.status for result in box.run(Job(code) for code in codes * 200)]
        assert gone({pid for pid in descendants(os.getpid()) if _is_zombie(pid)})
        after = len(descendants(os.getpid())), len(os.listdir("/proc/self/fd"))
    assert after == before
    assert statuses == [Status.OK, Status.OK, Status.OK, Status.RUNTIME_ERROR, Status.OK] * 200


def test_a_thousand_programs_in_a_row_leave_as_many_processes_as_one():
    in_fresh_interpreter(run_a_thousand)


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_odd_seeds_run_under_another_clock():
    code = "import datetime, time\noutput = [datetime.date.today().year, time.gmtime().tm_year]"
    with Sandbox(SETTINGS) as box:
        even, odd = (json.loads(result.output) for result in box.run([Job(code), Job(code, 1)]))
    assert even[0] == even[1] != odd[0] == odd[1]


def test_describe_gives_a_row_for_each_layer():
    rows = {layer.name: layer for layer in describe(SETTINGS)}
    assert rows["seccomp"].active
    assert all(layer.why for layer in rows.values())


REFUSE = """
import ctypes, json, sys
from tests.sandbox.test_sandbox import HEALTHY, SETTINGS
from transforms.sandbox import seccomp
from transforms.sandbox.sandbox import Sandbox
refused = [seccomp._when(int(n), [(6, 0, 0, seccomp._EPERM)]) for n in sys.argv[1:]]
code = [(0x20, 0, 0, 0), *sum(refused, []), (6, 0, 0, seccomp._ALLOW)]
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
seccomp.install(libc, seccomp._assemble(code))
with Sandbox(SETTINGS) as box:
    (result,) = box.run([HEALTHY])
    print(json.dumps([result.output, {layer.name: layer.active for layer in box.layers}]))
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86-64")
@pytest.mark.parametrize(
    ("calls", "absent"),
    [
        (("442",), {"mount_namespace"}),
        (("272",), {"mount_namespace", "pid_namespace", "network_namespace"}),
        (("444",), {"landlock"}),
        (("317", "445"), {"landlock"}),
    ],
    ids=["no mount_setattr", "no unshare, as in a container", "no Landlock", "no Landlock rules"],
)
def test_auto_uses_what_a_lesser_kernel_has(calls, absent):
    ran = subprocess.run(
        [sys.executable, "-c", REFUSE, *calls],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": _ROOT},
    )
    assert ran.returncode == 0, ran.stderr[-1000:]
    output, layers = json.loads(ran.stdout)
    assert output == "42"
    assert not any(layers[name] for name in absent)
    assert layers["seccomp"]


def test_wiping_copes_with_depth_and_forbidding_folders(tmp_path):
    deep = tmp_path
    for _ in range(300):
        deep = deep / "d"
        deep.mkdir()
    (tmp_path / "locked" / "in").mkdir(parents=True)
    (tmp_path / "locked" / "in" / "file").write_text("x")
    (tmp_path / "link").symlink_to("/etc")
    (tmp_path / "locked").chmod(0)
    supervisor.wipe(str(tmp_path))
    assert list(tmp_path.iterdir()) == []

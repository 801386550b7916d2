"""What the sandbox starts ends, is replaced where it dies, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.processes import all_end, kill_all
from tests.sandbox.limits import HEALTHY, SETTINGS
from tests.waiting import eventually
from transforms.sandbox import slots, supervisor
from transforms.sandbox.sandbox import Cell, Job, Sandbox, Status, describe

_ROOT = str(Path(__file__).parents[2])


def descendants(pid: int | None = None) -> set[psutil.Process]:
    """The processes below one, below this one by default."""
    return set(psutil.Process(pid).children(recursive=True))


def of_templates(box: Sandbox) -> set[psutil.Process]:
    """The processes that a sandbox's templates started: zygotes and what they run."""
    return {p for each in box._templates.values() for p in descendants(each._process.pid)}


def kill_zygotes(box: Sandbox) -> None:
    """Kills a sandbox's zygotes, and no program: a zygote would tell of it before it is killed."""
    templates = [psutil.Process(each._process.pid) for each in box._templates.values()]
    kill_all(zygote for template in templates for zygote in template.children())


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
        started = descendants()
    assert [result.output for result in results] == ["42", "1"]
    # two templates, a zygote of each, and one with two states and that which sessions begin from
    assert len(started) == 8
    assert all_end(started)
    assert not os.path.exists(folder)
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert Path("/proc/self/mounts").read_text() == mounts


def test_closing_leaves_no_process_folder_descriptor_or_mount():
    in_fresh_interpreter(open_run_and_close)


def test_everything_ends_when_the_host_is_killed():
    script = (
        "from tests.sandbox.limits import SETTINGS\n"
        "from transforms.sandbox.sandbox import Cell, Job, Sandbox\n"
        "with Sandbox(SETTINGS.model_copy(update={'wall_seconds': 3600})) as box:\n"
        "    print(box._directory, flush=True)\n"
        "    box.run_cell(Cell('x = 1'))\n"
        "    list(box.run([Job('import os, time; os.fork(); time.sleep(3600)')]))\n"
    )
    host = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": _ROOT},
    )
    # template, two zygotes, a state and that which it began from, a program and its child
    started = eventually(lambda: len(found := descendants(host.pid)) >= 7 and found)
    host.kill()
    folder = host.communicate()[0].strip()
    assert all_end(started)
    assert folder
    assert not os.path.exists(folder)


def test_a_zygote_that_dies_is_replaced_and_its_program_run_again():
    with Sandbox(SETTINGS.model_copy(update={"slots": 1})) as box:
        results = box.run([HEALTHY, Job("import time; time.sleep(0.5); output = 5"), HEALTHY])
        assert next(results).output == "42"
        kill_zygotes(box)
        assert [result.output for result in results] == ["5", "42"]


def test_jobs_that_were_sent_ahead_are_run_again_where_their_zygote_dies():
    with Sandbox(SETTINGS.model_copy(update={"slots": 1})) as box:
        waits = [box.submit(Job(f"import time; time.sleep(0.5); output = {n}")) for n in range(4)]
        eventually(waits[0].running)
        kill_zygotes(box)
        assert [future.result().output for future in waits] == ["0", "1", "2", "3"]


def test_a_program_whose_zygote_dies_twice_is_reported_crashed(monkeypatch):
    def dies(slot):
        raise slots.ZygoteDied

    with Sandbox(SETTINGS) as box:
        with monkeypatch.context() as patch:
            patch.setattr(slots.Slot, "receive", dies)
            (result,) = box.run([HEALTHY])
        assert result.status is Status.CRASHED
        assert next(box.run([HEALTHY])).output == "42"


@pytest.mark.parametrize(
    ("code", "limit"),
    [
        (
            "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass",
            "1 s of CPU",
        ),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", "2 s of wall"),
        ("import time; time.sleep(3600)", "2 s of wall"),
        ("import os, time\nif os.fork() == 0:\n time.sleep(3600)\ntime.sleep(3600)", "2 s of wall"),
    ],
)
def test_past_its_limit_a_program_is_gone(code, limit):
    wall = 2.0 if "wall" in limit else 3600.0
    with Sandbox(SETTINGS.model_copy(update={"wall_seconds": wall})) as box:
        zygotes = of_templates(box)
        (result,) = box.run([Job(code)])
        assert of_templates(box) == zygotes
    assert (result.status, result.error) == (Status.TIMEOUT, f"over {limit} time")


def test_a_forked_child_is_gone_with_its_program():
    with Sandbox(SETTINGS) as box:
        zygotes = of_templates(box)
        code = "import os, time\nif os.fork() == 0:\n time.sleep(3600)\noutput = 1"
        assert next(box.run([Job(code)])).output == "1"
        assert of_templates(box) == zygotes


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


def test_programs_import_what_is_installed_whatever_the_umask_of_the_host():
    before = os.umask(0o077)
    try:
        with Sandbox(SETTINGS) as box:
            (result,) = box.run([Job("import sqlite3\noutput = 3")])
    finally:
        os.umask(before)
    assert (result.status, result.output) == (Status.OK, "3"), result


def run_a_thousand() -> None:
    codes = ["output = 1", "open('f', 'w').write('x')", "import os; os.fork()", "1 / 0", "exit()"]
    with Sandbox(SETTINGS) as box:
        eventually(lambda: list(box.run(map(Job, codes))) and len(of_templates(box)) == box.slots)
        before = descendants(), len(os.listdir("/proc/self/fd"))
        statuses = [result.status for result in box.run(Job(code) for code in codes * 200)]
        assert (descendants(), len(os.listdir("/proc/self/fd"))) == before
    assert statuses == [Status.OK, Status.OK, Status.OK, Status.RUNTIME_ERROR, Status.OK] * 200


def test_a_thousand_programs_in_a_row_leave_as_many_processes_as_one():
    in_fresh_interpreter(run_a_thousand)


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
from tests.sandbox.limits import HEALTHY, SETTINGS
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

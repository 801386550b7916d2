"""Work on all cores comes back in order, and nothing is left of a run that is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from transforms.engine.processes import map_on_cores


def test_results_come_in_the_order_of_the_items():
    assert list(map_on_cores(abs, [-3, 2, -1])) == [3, 2, 1]


def test_processes_end_with_the_one_that_started_them():
    code = (
        "import time\nfrom transforms.engine.processes import map_on_cores\n"
        "if __name__ == '__main__':\n    list(map_on_cores(time.sleep, [600, 600]))\n"
    )
    started = subprocess.Popen([sys.executable, "-c", code])
    try:
        workers = _eventually(lambda: _sleepers(started.pid))
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait()
    assert workers
    assert _eventually(lambda: not any(map(_alive, workers)))


def _sleepers(pid: int) -> list[int]:
    """Children that were begun: they have a second thread, which waits for their parent."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(c) for c in children if len(os.listdir(f"/proc/{c}/task")) > 1]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _eventually(condition):
    """What `condition` gives once it is true, or after a minute."""
    deadline = time.monotonic() + 60
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found

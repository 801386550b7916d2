"""Work on all cores comes back in order, and nothing is left of a run that is killed."""

import subprocess
import sys

import psutil

from tests.processes import all_end
from tests.waiting import eventually
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
        workers = eventually(lambda: _sleepers(started.pid))
    finally:
        started.kill()
        started.wait()
    assert all_end(workers)


def _sleepers(pid: int) -> list[psutil.Process]:
    """Children that were begun: they have a second thread, which waits for their parent."""
    children = psutil.Process(pid).children()
    try:
        return [child for child in children if child.num_threads() > 1]
    except psutil.NoSuchProcess:  # one ended meanwhile
        return []

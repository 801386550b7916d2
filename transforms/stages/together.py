"""Several programs in one job: the process of a job costs more CPU time than most programs take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from transforms.engine.accounting import Verdict, reject
from transforms.sandbox.jobs import Job, Result, Status

if TYPE_CHECKING:
    from transforms.models.episode import Steps


_START = 0.2
"""CPU seconds of a job with limits of its own, beside those of its programs."""


class Ran(NamedTuple):
    """What became of one of several programs."""

    output: Any
    """Its `output`, as JSON has it; None where it has none."""
    printed: str
    """What it printed; a program that prints 10,000 characters or more is ended there."""
    error: str | None
    """Class and message of the exception that ended it; None where none did."""
    lines: list[int] | None = None
    """Lines that ran and raised no exception; None where they were not noted, or not to the end."""


def run_together(
    codes: Sequence[str], seed: int = 0, cpu_seconds: float = 0, events: int = 0
) -> Steps[list[Ran] | Verdict]:
    """Runs programs one after another in one job, each as `__main__` with names of its own.

    They share a process, and with it the modules that they import and the limits of the job: take
    programs that are changes of one, or one on several inputs, known to end.

    Args:
        seed: as `Job` has it.
        cpu_seconds: after which a program is ended; 0 sets no limit but that of the job.
        events: of each run, calls and returns included, in which the lines that run are noted.

    Returns:
        What became of each; a rejection by the job's status where the job did not end well.
    """
    code = _TOGETHER.format(codes=list(codes), seconds=cpu_seconds, events=events)
    bound = cpu_seconds * len(codes) + _START if cpu_seconds else None
    result: Result = yield Job(code, seed=seed, cpu_seconds=bound)
    if result.status is not Status.OK or result.output is None:
        status = Status.RUNTIME_ERROR if result.status is Status.OK else result.status
        return reject(status, f"{result.error_type}: {result.error}")
    return [Ran(*each) for each in json.loads(result.output)]


_TOGETHER = """
import contextlib, io, signal, sys, types

class Text(io.StringIO):
    def write(self, text):
        if self.tell() >= 10_000:
            raise OverflowError("it prints too much")
        return super().write(text)

class Late(BaseException):
    pass

def stop(*_):
    raise Late("it takes too long")

class Lines:
    def __init__(self):
        self.left, self.ran, self.failed = {events}, set(), set()

    def __call__(self, frame, event, argument):
        if frame.f_code.co_filename != "<program>":
            return None
        if self.left == 0:
            sys.settrace(None)
            return None
        self.left -= 1
        if event == "line":
            self.ran.add(frame.f_lineno)
        elif event == "exception" and argument[0] is not StopIteration:
            self.failed.add(frame.f_lineno)
        return self

signal.signal(signal.SIGPROF, stop)
output = []
for code in {codes!r}:
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    text, error, lines = Text(), None, Lines()
    try:
        with contextlib.redirect_stdout(text):
            compiled = compile(code, "<program>", "exec")
            signal.setitimer(signal.ITIMER_PROF, {seconds})
            if lines.left:
                sys.settrace(lines)
            exec(compiled, main.__dict__)
            signal.setitimer(signal.ITIMER_PROF, 0)
    except (Exception, Late) as raised:
        signal.setitimer(signal.ITIMER_PROF, 0)
        error = f"{{type(raised).__name__}}: {{raised}}"
    sys.settrace(None)
    noted = sorted(lines.ran - lines.failed) if lines.left else None
    output.append([vars(main).get("output"), text.getvalue()[:10_000], error, noted])
"""

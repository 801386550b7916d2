"""What a template imports and does once, so that no program has to."""

from __future__ import annotations

import ctypes
import importlib
import linecache
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple

WARM_UPS = {
    "sympy": """
from sympy import *
x, y = symbols("x y")
n = symbols("n", integer=True, positive=True)
solve(x**2 - 5*x + 6, x); solve([x + y - 3, x - y - 1], [x, y]); solve(2*x + 3 > 7, x)
simplify(sin(x)**2 + cos(x)**2); expand((x + 1)**3); factor(x**3 - 1); limit(sin(x)/x, x, 0)
integrate(x*exp(x), x); diff(sin(x)*x**2, x); summation(n, (n, 1, 10)); series(exp(x), x, 0, 3)
Matrix([[1, 2], [3, 4]]).inv(); Matrix([[2, 1], [1, 2]]).eigenvals(); nsimplify(0.5)
Rational(1, 3) + sqrt(8); N(pi, 20); factorint(360); list(primerange(2, 50)); isprime(97)
str(x**2 / y); latex(x**2 / y); sympify("x**2 + 1"); lambdify(x, x**2)(2); gcd(12, 18)
""",
    "math_verify": r"""
from math_verify import parse, verify
for gold, answer in (("$\frac{1}{2}$", "$0.5$"), ("$x^2+1$", "$1 + x^2$"), ("3", "$3$"),
                     ("$(1, 2)$", "(1,2)"), (r"\boxed{\{1, 2\}}", "$1, 2$")):
    verify(parse(gold, parsing_timeout=None), parse(answer, parsing_timeout=None),
           timeout_seconds=None)
""",
    "pint": """
from pint import get_application_registry
get_application_registry().Quantity(1, "km/h").to("m/s")  # makes the registry
""",
    "pytest": """
import importlib
import _pytest.config
for name in _pytest.config.default_plugins:
    importlib.import_module(f"_pytest.{name}")
""",
}
"""What makes a first use slow, done before any fork: a sympy solve then takes a quarter."""
_WARM_UP_TIMES = 3
"""As with `practise`: a tenth less of CPU time in sympy programs."""


def preload(modules: Iterable[str]) -> None:
    """Imports what programs will, and does once what is slow the first time only."""
    for module in modules:
        with suppress(ImportError):  # an optional package: programs that want it will say so
            importlib.import_module(module)
    for module, warm_up in WARM_UPS.items():
        if module in modules and module in sys.modules:
            for _ in range(_WARM_UP_TIMES):
                exec(warm_up, {"__name__": "warm_up"})


_PRACTICE_TIMES = 30
_PRACTICE = """
from collections import Counter, defaultdict, deque
from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
import math

input = {"numbers": [3, 1, 2], "text": "a b", "share": 0.5}

@lru_cache(None)
def ways(n):
    return 1 if n < 2 else ways(n - 1) + ways(n - 2)

def solution(numbers, text, share):
    total = 0
    for i in range(20):
        if i % 3 == 0:
            total += i * i
    by_length = defaultdict(list)
    for word in text.split():
        by_length[len(word)].append(word)
    sums = Counter(sum(pair) % 5 for pair in combinations(sorted(numbers), 2))
    day = date(2024, 1, 1) + timedelta(days=max(numbers))
    queue = deque([total, ways(10), math.comb(9, 2), round(share * 100)])
    return {"queue": list(queue), "day": day.isoformat(), "share": str(Fraction(3, 7) + 1),
            "words": dict(by_length), "most": sums.most_common(1)[0][1]}

output = solution(**input)
print(f"{output['day']!r}")
output
"""


def practise(run: Callable[[str], object]) -> None:
    """Has `run` run a program many times.

    Until the interpreter has fitted code to what it meets, it writes into it: a program that is
    among the first to use some code copies the pages of that code.
    """
    main, stdout = sys.modules["__main__"], sys.stdout
    with open(os.devnull, "w") as sys.stdout:
        for _ in range(_PRACTICE_TIMES):
            run(_PRACTICE)
    sys.modules["__main__"], sys.stdout = main, stdout
    linecache.clearcache()


_POOL_BYTES, _POOL_HEAD_BYTES, _MOST_FILLERS = 16 << 10, 48, 10_000
_fillers: list[bytes] = []


def fill_holes() -> None:
    """Takes the room between the objects of this process, so that a child's new ones lie together.

    A child copies each page that it writes to: 40 of 430 were those on which it found room. Where a
    new object is the first of a pool of the interpreter's allocator, no older pool had any.
    """
    for size in range(48, 513, 16):
        for _ in range(_MOST_FILLERS):
            _fillers.append(bytes(size - sys.getsizeof(b"")))
            if id(_fillers[-1]) % _POOL_BYTES == _POOL_HEAD_BYTES:
                break


_HUGE_PAGE, _MADV_COLLAPSE = 2 << 20, 25


def use_huge_pages() -> None:
    """Moves what is in this process's memory to huge pages, where the kernel can (Linux 6.1).

    A fork then copies one entry of the page tables for 512 pages; what a child writes to is copied
    by the small page as before.
    """
    advise = ctypes.CDLL(None).madvise
    for region in _regions():
        if region.permissions == "rw-p" and not region.path.startswith("/"):
            for start in range(-(-region.start // _HUGE_PAGE) * _HUGE_PAGE, region.end, _HUGE_PAGE):
                if start + _HUGE_PAGE <= region.end:
                    advise(ctypes.c_void_p(start), ctypes.c_size_t(_HUGE_PAGE), _MADV_COLLAPSE)


_CODE_OF_ALL = ("libpython", "python", "libc.so", "ld-linux")
"""Beginnings of the names of the files whose code every program runs."""
_PROT_READ, _PROT_WRITE, _PROT_EXECUTE = 1, 2, 4
_JOINED = {
    ("r--p", "r-xp"): (0, _PROT_READ | _PROT_EXECUTE),
    ("r-xp", "r--p"): (1, _PROT_READ | _PROT_EXECUTE),
    ("r--p", "rw-p"): (0, _PROT_READ | _PROT_WRITE),
}
"""Permissions of two neighbours -> which of them is given which others, so that they are one."""


def lighten_forks() -> None:
    """Makes this process's memory quicker to fork and its code quicker to reach in a child.

    A fork costs by the region, and a library has four or five: its constants are joined with its
    code, and the tables of relocated addresses that the loader closed with the data behind them.
    And the page tables of code that every program runs are copied by a fork, not filled anew by
    faults in each child: the kernel copies those of a region that holds a page of this process's
    own.
    """
    protect = ctypes.CDLL(None).mprotect
    for pair in pairwise(_regions()):
        kinds = pair[0].permissions, pair[1].permissions
        if kinds in _JOINED and pair[0].goes_on_in(pair[1]):
            which, protection = _JOINED[kinds]
            start, end = pair[which].start, pair[which].end
            protect(ctypes.c_void_p(start), ctypes.c_size_t(end - start), protection)
    regions = _regions()
    with suppress(OSError), open("/proc/self/mem", "r+b", buffering=0) as memory:
        for region in regions:  # a kernel may forbid it
            if os.path.basename(region.path).startswith(_CODE_OF_ALL):
                memory.seek(region.start)
                first = memory.read(1)
                memory.seek(region.start)
                memory.write(first)


class _Region(NamedTuple):
    """A line of /proc/self/maps."""

    start: int
    end: int
    permissions: str
    offset: int
    path: str

    def goes_on_in(self, after: _Region) -> bool:
        """Whether `after` maps what comes next in the same file, and lies behind."""
        ends = self.path, self.end, self.offset + self.end - self.start
        return self.path.startswith("/") and ends == (after.path, after.start, after.offset)


def _regions() -> list[_Region]:
    regions = []
    with open("/proc/self/maps") as maps:
        for line in maps:
            span, permissions, offset, _, _, *path = line.split(maxsplit=5)
            start, end = (int(address, 16) for address in span.split("-"))
            regions.append(_Region(start, end, permissions, int(offset, 16), "".join(path).strip()))
    return regions

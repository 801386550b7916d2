"""What a template imports and does once, so that no program has to."""

from __future__ import annotations

import ctypes
import importlib
import sys
from collections.abc import Iterable
from contextlib import suppress

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
"""What makes a first use slow, done once before any fork: a sympy solve then takes a quarter."""


def preload(modules: Iterable[str]) -> None:
    """Imports what programs will, and does once what is slow the first time only."""
    for module in modules:
        with suppress(ImportError):  # an optional package: programs that want it will say so
            importlib.import_module(module)
    for module, warm_up in WARM_UPS.items():
        if module in modules and module in sys.modules:
            exec(warm_up, {"__name__": "warm_up"})


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
    with open("/proc/self/maps") as maps:
        regions = [line.split() for line in maps]
    for span, permissions, _, _, file, *_ in regions:
        if permissions == "rw-p" and file == "0":
            first, end = (int(address, 16) for address in span.split("-"))
            for start in range(-(-first // _HUGE_PAGE) * _HUGE_PAGE, end, _HUGE_PAGE):
                if start + _HUGE_PAGE <= end:
                    advise(ctypes.c_void_p(start), ctypes.c_size_t(_HUGE_PAGE), _MADV_COLLAPSE)

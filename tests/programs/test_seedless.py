"""Programs that no seed can touch are told by their text, and none that a seed touches is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.programs_for_tests import SANDBOX, SPAM
from transforms.engine.paths import PROJECT
from transforms.programs.seedless import is_seedless
from transforms.programs.source import Source
from transforms.sandbox.sandbox import Job, Sandbox

SEEDS = [
    json.loads(line)["code"]
    for path in sorted(Path(PROJECT, "data", "seeds").glob("*.jsonl"))
    for line in path.read_text().splitlines()[::6]
]


@pytest.mark.parametrize(
    "code",
    [
        SPAM,
        "import math\noutput = math.floor(math.pi * math.sqrt(2))",
        "import math as m\nfrom math import gcd as g, tau\noutput = [m.e, g(4, 6), tau]",
        "output = sorted([3, 1], key=lambda n: -n)",
        "words = 'b a'.split()\nwords.sort(key=len)\noutput = ', '.join(w.upper() for w in words)",
        "d = {'b': 1}\noutput = [f'{k}: {v:.2f}' for k, v in d.items()] + list(d.keys())",
        "d = {'b': 1}\noutput = max(d, key=d.get) if 'b' in d.keys() else str(d)",
        "output = [sum(row) for row in zip(*[[1, 2], [3, 4]])] + list(map(str, [1]))",
        "def f(n):\n    return 1 if n < 2 else n * f(n - 1)\noutput = list(map(f, range(5)))",
        "try:\n    output = int('x')\nexcept ValueError as error:\n    output = str(error)",
        "def f(n: list[int]) -> int:\n    assert n\n    return len(n)\noutput = f([1])",
        "if __name__ == '__main__':\n    output = 'x' * 3",
    ],
)
def test_what_calculates_with_plain_values_is_seedless(code):
    assert is_seedless(Source(code))


@pytest.mark.parametrize(
    "code",
    [
        # the hash seed
        "output = str({'a', 'b'})",
        "output = list({c for c in 'ab'})",
        "output = list(set('ab'))",
        "output = hash('a')",
        "d = {'a': 1, 'b': 2}\noutput = str(d.keys() & d)",
        "d = {'a': 1, 'b': 2}\nviews = list(map(dict.keys, [d]))\noutput = str(views[0] & d)",
        "d = {'a': 1, 'b': 2}\nkeys = d.keys\noutput = str(keys() | d)",
        "d = {'a': 1}\noutput = str(sum([], d.keys()) | d)",
        "d = {'a': 1}\noutput = str(max(d.keys(), d.keys()) | d)",
        # an address
        "def f():\n    pass\noutput = str(f)",
        "output = str(lambda: 1)",
        "output = f'{len}'",
        "output = str(zip([1]))",
        "output = str([n for n in map(zip, [[1]])])",
        "output = str(sum([], map(int, '1')))",
        "output = str(max([[1]], key=len).append)",
        "def f(key):\n    return str(key)\noutput = f(key=len)",
        "def map(f, x):\n    return str(f)\noutput = map(len, [1])",
        "def show(x):\n    return str(x)\noutput = show(i for i in [1])",
        "def f(g=len):\n    return str(g)\noutput = f()",
        "output = '{0.append}'.format([])",
        "import math\noutput = str(math.sqrt)",
        "import math\noutput = str(math)",
        "from math import sqrt\noutput = str(sqrt)",
        "output = id([])",
        "output = str(object())",
        "class A:\n    pass\noutput = str(A())",
        "def f():\n    yield 1\noutput = str(f())",
        "@str\ndef f():\n    pass\noutput = f",
        # builtins by names that are not theirs yet
        "if 0:\n    hash = 1\noutput = hash('a')",
        "if 0:\n    __builtins__ = 1\noutput = str(__builtins__)",
        "output = (lambda f: str(f))(len)",
        # the clock, the machine, generators
        "import random\noutput = random.random()",
        "import time\noutput = time.time()",
        "from datetime import date\noutput = str(date.today())",
        "import gcd\noutput = gcd.x",
        "from math import *\noutput = 1",
        "output = open('/proc/self/stat').read()",
        "try:\n    output = [0] * 10**12\nexcept:\n    output = 1",
        "try:\n    output = [0] * 10**12\nexcept MemoryError:\n    output = 1",
        # no program
        "output =",
    ],
)
def test_what_a_seed_may_touch_is_not_seedless(code):
    assert not is_seedless(Source(code))


def test_shipped_programs_that_are_seedless_give_the_same_under_another_seed():
    chosen = [code for code in SEEDS if is_seedless(Source(code))]
    assert len(chosen) > len(SEEDS) / 2
    with Sandbox(SANDBOX) as box:
        results = list(box.run(Job(code, seed) for code in chosen for seed in (0, 1)))
    seen = [(result.status, result.output) for result in results]
    assert seen[::2] == seen[1::2]

"""Programs of loops and branches, drawn at random."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from transforms.engine.ids import derived_seed


def programs(count: int = 1000, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yields `count` programs of loops and branches as seeds' columns, for `source=function`."""
    for number in range(count):
        rng = random.Random(derived_seed(seed, "compiler_ir", number))
        lines = [f"total = {rng.randint(0, 9)}", *_drawn(rng, 2), "return total"]
        body = "\n".join(f"    {line}" for line in lines)
        given = {"a": rng.randint(2, 12), "b": rng.randint(2, 12)}
        code = f"input = {given}\n\ndef solution(a, b):\n{body}\n\noutput = solution(**input)\n"
        problem = "Two numbers go through the loops and branches of a program. What comes out?"
        yield {"problem": problem, "code": code, "license": "Apache-2.0"}


def _drawn(rng: random.Random, depth: int, names: tuple[str, ...] = ("a", "b")) -> Iterator[str]:
    """Yields the lines of one or two statements, nested up to `depth` deep; all loops end."""
    for _ in range(rng.randint(1, 2)):
        one = rng.choice(names)
        other = rng.choice([name for name in (*names, "total") if name != one])
        inner, form = names, rng.choice(("if", "for", "while")) if depth else "sum"
        test = rng.choice((f"{one} > {other}", f"{other} % {rng.randint(2, 4)} == 0"))
        if form == "sum":
            times = rng.choice((f"{one} * {rng.randint(2, 9)}", f"{other} % 7", f"{one} - {other}"))
            yield f"total {rng.choice('+-')}= {times}"
            continue
        if form == "for":
            inner = (*names, f"i{depth}")
            yield f"for i{depth} in range({one} % {rng.randint(2, 5)} + 1):"
        elif form == "while":
            yield f"left{depth} = {one}"
            yield f"while left{depth} > {rng.randint(0, 2)}:"
        else:
            yield f"if {test}:"
        yield from (f"    {line}" for line in _drawn(rng, depth - 1, inner))
        if form == "while":
            yield f"    left{depth} {rng.choice(('//= 2', '-= 2', '-= 3'))}"
        elif form == "if" and rng.random() < 0.5:
            yield "else:"
            yield from (f"    {line}" for line in _drawn(rng, depth - 1, inner))

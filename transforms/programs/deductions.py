"""Deductions: facts, rules and a question drawn at random, with a program that answers it."""

from __future__ import annotations

import inspect
import itertools
import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from transforms.engine.ids import derived_seed
from transforms.programs.backtracking import solution

Term = list[str]
_SOLVER = inspect.getsource(solution)
_NAMES = ("ann", "bob", "cleo", "dan", "eva")
_LEVELS = (
    ("tall", "quick", "young", "rich"), ("brave", "calm", "proud"), ("happy", "kind"), ("lucky",),
)  # fmt: skip
"""Words of what holds of somebody; rules prove a word from words of earlier levels."""


def closure(facts: Iterable[Term], rules: Sequence[Sequence[Term]]) -> set[tuple[str, ...]]:
    """Returns all that follows from facts by rules, by forward chaining until nothing is new."""
    known = {tuple(fact) for fact in facts}
    while not (new := _next(known, rules)) <= known:
        known |= new
    return known


def _next(
    known: Collection[tuple[str, ...]], rules: Sequence[Sequence[Term]]
) -> set[tuple[str, ...]]:
    """Returns what follows from what is known by one rule."""
    names = sorted({name for fact in known for name in fact[1:]})
    return {
        _with(head, values)
        for head, *body in rules
        for pair in itertools.product(names, repeat=2)
        if all(_with(term, values := dict(zip("XY", pair, strict=True))) in known for term in body)
    }


def _with(term: Term, values: dict[str, str]) -> tuple[str, ...]:
    return (term[0], *(values.get(argument, argument) for argument in term[1:]))


def problems(count: int = 1000, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yields `count` problems as seeds' columns, for `source=function`; half of them are true."""
    for number in range(count):
        rng = random.Random(derived_seed(seed, "flare", number))
        given = _drawn(rng, follows=number % 2 == 0)
        while given is None:
            given = _drawn(rng, follows=number % 2 == 0)
        yield {
            "problem": _worded(**given),
            "code": f"input = {given!r}\n\n{_SOLVER}\noutput = solution(**input)\n",
            "answer": repr(number % 2 == 0),
            "license": "Apache-2.0",
        }


def _drawn(rng: random.Random, *, follows: bool) -> dict[str, Any] | None:
    """Draws facts and rules, and a question of the last levels that is true or not, as asked for,
    and takes more than a look: no rule proves it from the facts alone, or one begins to and fails.
    None where there is none."""
    names = rng.sample(_NAMES, 3)
    facts = [[word, rng.choice(names)] for word in _LEVELS[0] if rng.random() < 0.7]
    facts += [["knows", *pair] for pair in itertools.permutations(names, 2) if rng.random() < 0.5]
    facts += [[rng.choice(_LEVELS[1]), rng.choice(names)]]
    drawn = [rule for level in (1, 2, 3) for rule in _rules(level, rng)]
    rules = [rule for place, rule in enumerate(drawn) if rule not in drawn[:place]]
    known = closure(facts, rules)
    near = _next({tuple(fact) for fact in facts}, rules)
    begun = _next(known, [[head, first] for head, first, *_ in rules])
    asked = [[word, name] for word in (*_LEVELS[2], *_LEVELS[3]) for name in names]
    wanted = [
        query for query in asked if (tuple(query) in (known - near if follows else begun - known))
    ]
    return {"facts": facts, "rules": rules, "query": rng.choice(wanted)} if wanted else None


def _rules(level: int, rng: random.Random) -> Iterator[list[Term]]:
    earlier = [word for words in _LEVELS[:level] for word in words]
    for word in _LEVELS[level]:
        for _ in range(rng.randint(1, 2)):
            one, other = rng.sample(earlier, 2)
            through = [["knows", "X", "Y"], [one, "Y"]]
            yield [[word, "X"], *(through if rng.random() < 0.4 else [[one, "X"], [other, "X"]])]


def _worded(facts: list[Term], rules: list[list[Term]], query: Term) -> str:
    said = [f"{_clause(fact)}." for fact in facts]
    said += [f"{_clause(head)} if {' and '.join(map(_clause, body))}." for head, *body in rules]
    asked = f"Is {query[1].capitalize()} {query[0]}?"
    return "\n".join([*said, f"What does not follow from this is false. {asked}"])


def _clause(term: Term) -> str:
    verb = "knows" if term[0] == "knows" else f"is {term[0]}"
    return " ".join([term[1].capitalize(), verb, *(name.capitalize() for name in term[2:])])

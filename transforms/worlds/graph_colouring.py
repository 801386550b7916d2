"""Graph colouring: colour the nodes of a graph so that neighbours differ."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World
from transforms.worlds.search import filled

COLOURS = ("red", "green", "blue")


class State(NamedTuple):
    edges: tuple[tuple[str, str], ...]
    colours: tuple[str, ...]
    """Of nodes a, b, c, …; empty where a node has none yet."""


class GraphColouring(World[State]):
    name = "graph_colouring"
    harder = "solution"
    solvable = True
    rules = """\
A graph has nodes with letters, and edges between some of them. A move gives a node one of the
colours red, green and blue, and is written `b=red`. It is legal where the node has no colour yet,
and no neighbour has that colour. Colours stay. The game ends when all nodes are coloured, or no
move is legal. The score is the share of the nodes that are coloured. At first, every graph can be
coloured whole."""
    examples = (
        Example(
            State((("a", "b"), ("b", "c")), ("red", "", "")),
            ("b=green", "c=red"),
            """
edges: a-b, b-c
a: red
b: green
c: red""",
            ("b=red", "a=blue"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        count = 3 + 2 * level
        planted = [rng.choice(COLOURS) for _ in range(count)]
        pairs = [
            (chr(97 + one), chr(97 + other))
            for one, other in combinations(range(count), 2)
            if planted[one] != planted[other]
        ]
        edges = rng.sample(pairs, min(len(pairs), rng.randint(count, 2 * count)))
        return State(tuple(sorted(edges)), ("",) * count)

    def _open(self, state: State, node: int) -> list[str]:
        name = chr(97 + node)
        near = {ord(x) - 97 for edge in state.edges if name in edge for x in edge} - {node}
        return [c for c in COLOURS if all(state.colours[other] != c for other in near)]

    def moves(self, state: State) -> Iterator[str]:
        for node, colour in enumerate(state.colours):
            if not colour:
                for new in self._open(state, node):
                    yield f"{chr(97 + node)}={new}"

    def after(self, state: State, move: str) -> State:
        name, colour = move.split("=")
        at = ord(name) - 97
        return state._replace(colours=(*state.colours[:at], colour, *state.colours[at + 1 :]))

    def score(self, state: State) -> float:
        return sum(map(bool, state.colours)) / len(state.colours)

    def hint(self, state: State, move: str, rng: random.Random) -> float:
        """Colours a node that few colours are left for."""
        return -len(self._open(state, ord(move[0]) - 97))

    def render(self, state: State) -> str:
        edges = ", ".join("-".join(edge) for edge in state.edges) or "none"
        nodes = (f"{chr(97 + n)}: {colour or '-'}" for n, colour in enumerate(state.colours))
        return "\n".join([f"edges: {edges}", *nodes])

    def solve(self, state: State) -> tuple[str, ...] | None:
        def next_node(at: State) -> list[State] | None:
            blank = {n: self._open(at, n) for n, colour in enumerate(at.colours) if not colour}
            if not blank:
                return None
            node = min(blank, key=lambda n: len(blank[n]))
            return [self.after(at, f"{chr(97 + node)}={colour}") for colour in blank[node]]

        end = filled(state, next_node)
        return end and tuple(
            f"{chr(97 + n)}={colour}"
            for n, colour in enumerate(end.colours)
            if not state.colours[n]
        )

    def why(self, state: State, move: str) -> str:
        node, colour = move.split("=")
        own = state.colours[ord(node) - 97]
        if own:
            return f"{node} is {own} already"
        for edge in state.edges:
            if node in edge:
                other = edge[edge[0] == node]
                if state.colours[ord(other) - 97] == colour:
                    return f"its neighbour {other} is {colour}"
        return ""

    def facts(self, state: State) -> Mapping[str, Any]:
        nodes = [chr(97 + n) for n in range(len(state.colours))]
        return {
            f"the number of neighbours of node {node}": Fact.counted(
                one if other == node else other
                for one, other in state.edges
                if node in (one, other)
            )
            for node in nodes
        }


WORLD = GraphColouring()

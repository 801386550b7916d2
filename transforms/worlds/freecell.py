"""Freecell with two suits: bring all cards home in order."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World
from transforms.worlds.search import shortest

SUITS = "rb"
CELLS = 2


class State(NamedTuple):
    columns: tuple[tuple[str, ...], ...]
    """Cards such as 3r, from the bottom up: only the last one can be moved."""
    cells: tuple[str, ...]
    """In order."""
    home: tuple[int, int]
    """The highest card of each suit that is home; 0 for none."""
    ranks: int
    """Cards of a suit."""


class Freecell(World[State]):
    name = "freecell"
    harder = "solution"
    solvable = True
    rules = f"""\
Cards of two suits, r (red) and b (black), lie in columns, named from 1; `3r` is the red three.
Only the top card of a column, the last one shown, and the cards in the {CELLS} cells can be
moved. A move is `3r home`, `3r to cell` or `3r to column 2`. Home, cards of a suit are laid from
1 up, one by one. Into a column that has cards a card is laid only on one of the other suit that
is higher by one; into an empty column any card may. A cell holds one card, so `to cell` is legal
where one is free, for cards of columns. The game ends when all cards are home, or no move is
legal. The score is the share of the cards that are home. Every deal can be finished."""
    examples = (
        Example(
            State((("1r", "2b"), ("3r",), ()), (), (0, 0), 3),
            ("2b to column 2", "1r home"),
            """
column 1: -
column 2: 3r 2b
column 3: -
cells: -
home: r 1, b 0""",
            ("1r home", "3r home"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        ranks = 2 + level
        while True:
            cards = [f"{rank}{suit}" for rank in range(1, ranks + 1) for suit in SUITS]
            rng.shuffle(cards)
            columns = tuple(tuple(cards[n::3]) for n in range(3))
            state = State(columns, (), (0, 0), ranks)
            if self.solve(state):
                return state

    def _tops(self, state: State) -> list[tuple[str, int | None]]:
        """The cards that can be moved, each with its column; None for a cell."""
        tops: list[tuple[str, int | None]] = [(c[-1], n) for n, c in enumerate(state.columns) if c]
        return tops + [(card, None) for card in state.cells]

    def moves(self, state: State) -> Iterator[str]:
        for card, source in self._tops(state):
            rank, suit = int(card[:-1]), SUITS.index(card[-1])
            if state.home[suit] == rank - 1:
                yield f"{card} home"
            if source is not None and len(state.cells) < CELLS:
                yield f"{card} to cell"
            for number, column in enumerate(state.columns):
                fits = not column or column[-1] == f"{rank + 1}{SUITS[1 - suit]}"
                if fits and number != source:
                    yield f"{card} to column {number + 1}"

    def after(self, state: State, move: str) -> State:
        card, where = move.split(" ", 1)
        columns = [c[:-1] if c and c[-1] == card else c for c in state.columns]
        cells, home = [each for each in state.cells if each != card], list(state.home)
        if where == "home":
            home[SUITS.index(card[-1])] += 1
        elif where == "to cell":
            cells.append(card)
        else:
            columns[int(where.split()[-1]) - 1] += (card,)
        return state._replace(
            columns=tuple(columns), cells=tuple(sorted(cells)), home=(home[0], home[1])
        )

    def score(self, state: State) -> float:
        return sum(state.home) / (2 * state.ranks)

    def render(self, state: State) -> str:
        columns = [f"column {n}: {' '.join(c) or '-'}" for n, c in enumerate(state.columns, 1)]
        home = ", ".join(f"{s} {rank}" for s, rank in zip(SUITS, state.home, strict=True))
        return "\n".join([*columns, f"cells: {' '.join(state.cells) or '-'}", f"home: {home}"])

    def solve(self, state: State) -> tuple[str, ...] | None:
        return shortest(self, state, 20_000, lambda at: 2 * at.ranks - sum(at.home))

    def why(self, state: State, move: str) -> str:
        card, where = move.split(" ", 1)
        tops, suit = dict(self._tops(state)), SUITS.index(card[-1])
        if card not in tops:
            return f"{card} is neither the top card of a column nor in a cell"
        if where == "home":
            last = state.home[suit]
            return f"{last + 1}{card[-1]} has to come home first" * (int(card[:-1]) != last + 1)
        if where == "to cell":
            inside = tops[card] is None
            full = "no cell is free" if len(state.cells) == CELLS else ""
            return f"{card} is in a cell already" if inside else full
        number = int(where.split()[-1])
        column = state.columns[number - 1]
        if tops[card] == number - 1:
            return f"{card} is in column {number} already"
        fits = not column or column[-1] == f"{int(card[:-1]) + 1}{SUITS[1 - suit]}"
        return "" if fits else f"{card} does not go on {column[-1]}"

    def facts(self, state: State) -> Mapping[str, Any]:
        return {
            f"the number of cards in column {n}": Fact.counted(column)
            for n, column in enumerate(state.columns, 1)
        } | {"the number of cards that are home": Fact.added(state.home)}


WORLD = Freecell()

"""Referees: for each world, whether its rules, as their text has them, allow a move.

They see what players see, and share no code with the engines.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise, product
from typing import Any

Seen = dict[str, Any]


def _at(move: str) -> tuple[int, int] | None:
    found = re.fullmatch(r"([a-z])(\d+)", move)
    return (int(found[2]) - 1, "abcdefghijklmnop".index(found[1])) if found else None


def _cell(rows: Any, at: tuple[int, int] | None) -> Any:
    """What a square holds; None outside of the board."""
    if at is None or not (0 <= at[0] < len(rows) and 0 <= at[1] < len(rows[0])):
        return None
    return rows[at[0]][at[1]]


def _two(move: str) -> list[tuple[int, int]] | None:
    ends = [_at(each) for each in move.split(" to ")]
    return ends if len(ends) == 2 and None not in ends else None  # type: ignore[return-value]


def empty_square(field: str, empty: Any) -> Callable[[Seen, str], bool]:
    """Allows the squares of a board that are empty."""
    return lambda seen, move: _cell(seen[field], _at(move)) == empty


def step(walls: Callable[[Seen], Any], where: str) -> Callable[[Seen, str], bool]:
    def allows(seen: Seen, move: str) -> bool:
        row, column = seen[where]
        to = {"up": (row - 1, column), "down": (row + 1, column),
              "left": (row, column - 1), "right": (row, column + 1)}  # fmt: skip
        return move in to and _cell(walls(seen), to[move]) == "."

    return allows


def sliding_tiles(seen: Seen, move: str) -> bool:
    places = {cell: at for at, cell in enumerate(seen["cells"])}
    if not move.isdigit() or int(move) not in range(1, 9):
        return False
    (r, c), (gr, gc) = divmod(places[int(move)], 3), divmod(places[0], 3)
    return abs(r - gr) + abs(c - gc) == 1


def sokoban(seen: Seen, move: str) -> bool:
    by = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}.get(move)
    if by is None:
        return False

    def is_wall(at: tuple[int, int]) -> bool:
        return (
            at in seen["walls"] or at[0] not in range(seen["height"])
            or at[1] not in range(seen["width"])
        )  # fmt: skip

    one = (seen["player"][0] + by[0], seen["player"][1] + by[1])
    two = (one[0] + by[0], one[1] + by[1])
    if one in seen["boxes"]:
        return not is_wall(two) and two not in seen["boxes"]
    return not is_wall(one)


def sudoku(seen: Seen, move: str) -> bool:
    name, _, number = move.partition("=")
    side, at = seen["side"], _at(name)
    rows = [seen["cells"][n * side : n * side + side] for n in range(side)]
    if _cell(rows, at) != 0 or not number.isdigit() or not 1 <= int(number) <= side:
        return False
    width = {4: 2, 6: 3}[side]
    for r, c in product(range(side), repeat=2):
        same_block = (r // 2, c // width) == (at[0] // 2, at[1] // width)  # type: ignore[index]
        if rows[r][c] == int(number) and (r == at[0] or c == at[1] or same_block):  # type: ignore[index]
            return False
    return True


def nonogram(seen: Seen, move: str) -> bool:
    at = _at(move)
    if _cell(seen["painted"], at) is not False:
        return False
    row, column = at  # type: ignore[misc]
    in_column = sum(line[column] for line in seen["painted"])
    in_row = sum(seen["painted"][row])
    return in_row < sum(seen["rows"][row]) and in_column < sum(seen["columns"][column])


def hitori(seen: Seen, move: str) -> bool:
    numbers, shaded, at = seen["numbers"], set(seen["shaded"]), _at(move)
    number = _cell(numbers, at)
    if number is None or at in shaded:
        return False
    row, column = at  # type: ignore[misc]
    side = range(len(numbers))
    line = [(row, n) for n in side if n != column] + [(n, column) for n in side if n != row]
    if not any(each not in shaded and _cell(numbers, each) == number for each in line):
        return False
    if {(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)} & shaded:
        return False
    group = {square: square for square in product(side, repeat=2) if square not in shaded | {at}}
    for _ in group:  # every square takes the least name around it, until all of a part have one
        for r, c in group:
            near = [(r, c), (r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)]
            group[r, c] = min(group[each] for each in near if each in group)
    return len(set(group.values())) == 1


def knights_and_knaves(seen: Seen, move: str) -> bool:
    people = ["ada", "ben", "cid", "dora", "eli", "fay"][: len(seen["kinds"])]
    name, _, kind = move.partition("=")
    return name in people and kind in ("knight", "knave") and not seen["kinds"][people.index(name)]


def river_crossing(seen: Seen, move: str) -> bool:
    bank = list(seen[seen["boat"]])
    taken = [] if move == "go alone" else move.removeprefix("go with ").split(" and ")
    if taken != sorted(set(taken)) or not set(taken) <= set(bank) or len(taken) > seen["seats"]:
        return False
    left = [thing for thing in bank if thing not in taken]
    return all(one not in left or other not in left for one, other in seen["enemies"])


def graph_colouring(seen: Seen, move: str) -> bool:
    node, _, colour = move.partition("=")
    nodes = dict(zip("abcdefghijklmnopqrstuvwxyz", seen["colours"], strict=False))
    if colour not in ("red", "green", "blue") or nodes.get(node) != "":
        return False
    return not any(
        {node} < {*edge} and nodes[({*edge} - {node}).pop()] == colour for edge in seen["edges"]
    )


def packing(seen: Seen, move: str) -> bool:
    word, _, weight = move.partition(" ")
    fits = weight.isdigit() and int(weight) + sum(seen["packed"]) <= seen["room"]
    return word == "pack" and fits and int(weight) in seen["weights"]


def lights_out(seen: Seen, move: str) -> bool:
    return _cell(seen["lit"], _at(move)) is not None


def hanoi(seen: Seen, move: str) -> bool:
    found = re.fullmatch("([abc]) to ([abc])", move)
    if not found or found[1] == found[2]:
        return False
    one, other = (
        [d for d, p in enumerate(seen["pegs"]) if p == "abc".index(g)] for g in found.groups()
    )
    return bool(one) and (not other or one[0] < other[0])


def word_ladder(seen: Seen, move: str) -> bool:
    from transforms.worlds.word_ladder import WORDS

    if move not in WORDS:
        return False
    return [a == b for a, b in zip(move, seen["word"], strict=True)].count(False) == 1


def _crowd(seen: Seen) -> dict[str, list[tuple[int, int]]]:
    return {
        name: [(row, column + n) if across else (row + n, column) for n in range(length)]
        for name, (row, column, length, across) in zip("abcdefghijkl", seen["cars"], strict=False)
    }


def rush_hour(seen: Seen, move: str) -> bool:
    name, _, way = move.partition(" ")
    cars = _crowd(seen)
    if name not in cars:
        return False
    across = seen["cars"]["abcdefghijkl".index(name)][3]
    by = ({"left": (0, -1), "right": (0, 1)} if across else {"up": (-1, 0), "down": (1, 0)}).get(
        way
    )
    if by is None:
        return False
    others = [at for other, squares in cars.items() if other != name for at in squares]
    moved = [(row + by[0], column + by[1]) for row, column in cars[name]]
    return all(0 <= r < 5 and 0 <= c < 5 and (r, c) not in others for r, c in moved)


def peg_solitaire(seen: Seen, move: str) -> bool:
    ends, pegs = _two(move), seen["pegs"]
    if ends is None:
        return False
    (r, c), (tr, tc) = ends
    apart = sorted((abs(r - tr), abs(c - tc))) == [0, 2]
    on_board = 0 <= tr < 5 and 0 <= tc < 5
    between = ((r + tr) // 2, (c + tc) // 2)
    return apart and on_board and (r, c) in pegs and between in pegs and (tr, tc) not in pegs


def water_jugs(seen: Seen, move: str) -> bool:
    jugs = {
        name: (full, size)
        for name, full, size in zip("abc", seen["filled"], seen["sizes"], strict=False)
    }
    words = move.split()
    if len(words) == 2 and words[1] in jugs:
        full, size = jugs[words[1]]
        return (words[0] == "fill" and full < size) or (words[0] == "empty" and full > 0)
    if len(words) != 4 or words[::2] != ["pour", "into"] or not {words[1], words[3]} <= jugs.keys():
        return False
    return words[1] != words[3] and jugs[words[1]][0] > 0 and jugs[words[3]][0] < jugs[words[3]][1]


def freecell(seen: Seen, move: str) -> bool:
    card, _, where = move.partition(" ")
    tops = {column[-1]: n for n, column in enumerate(seen["columns"], 1) if column}
    if card not in tops and card not in seen["cells"]:
        return False
    rank, suit = int(card[:-1]), card[-1]
    if where == "home":
        return seen["home"]["rb".index(suit)] + 1 == rank
    if where == "to cell":
        return card in tops and len(seen["cells"]) < 2
    number = int(where.removeprefix("to column "))
    if number > len(seen["columns"]) or tops.get(card) == number:
        return False
    column = seen["columns"][number - 1]
    return not column or column[-1] == f"{rank + 1}{'b' if suit == 'r' else 'r'}"


def connect_four(seen: Seen, move: str) -> bool:
    return _cell(seen["rows"], _at(f"{move}1")) == "."


def nim(seen: Seen, move: str) -> bool:
    found = re.fullmatch(r"take (\d+) from (\d+)", move)
    if not found or not 1 <= int(found[2]) <= len(seen["heaps"]):
        return False
    return 1 <= int(found[1]) <= seen["heaps"][int(found[2]) - 1]


def _encloses(rows: Any, mover: int, at: tuple[int, int]) -> bool:
    """Whether a disc there turns any: reads each direction as a text."""
    own, others = "xo"[mover], "ox"[mover]
    for down, right in product((-1, 0, 1), repeat=2):
        line = ""
        for n in range(1, 9):
            line += _cell(rows, (at[0] + n * down, at[1] + n * right)) or " "
        if (down or right) and re.match(f"{others}+{own}", line):
            return True
    return False


def reversi(seen: Seen, move: str) -> bool:
    rows, mover = seen["rows"], seen["mover"]
    if move == "pass":
        squares = product(range(len(rows)), range(len(rows[0])))
        return not any(_cell(rows, at) == "." and _encloses(rows, mover, at) for at in squares)
    at = _at(move)
    return _cell(rows, at) == "." and _encloses(rows, mover, at)  # type: ignore[arg-type]


def _draughts_way(rows: Any, mover: int, one: Any, other: Any) -> str:
    """`move`, `jump` or nothing: what goes from one square to another."""
    piece, down = _cell(rows, one) or ".", other[0] - one[0]
    if (
        piece.lower() != "xo"[mover]
        or _cell(rows, other) != "."
        or abs(down) != abs(other[1] - one[1])
    ):
        return ""
    if piece.islower() and (down < 0) != (mover == 0):
        return ""
    if abs(down) == 2:
        between = _cell(rows, ((one[0] + other[0]) // 2, (one[1] + other[1]) // 2))
        return "jump" if between.lower() == "ox"[mover] else ""
    return "move" if abs(down) == 1 else ""


def draughts(seen: Seen, move: str) -> bool:
    rows, mover, ends = seen["rows"], seen["mover"], _two(move)
    if ends is None or (seen["jumping"] and ends[0] != seen["jumping"]):
        return False
    way = _draughts_way(rows, mover, *ends)
    squares = list(product(range(len(rows)), repeat=2))
    near = [(a, (a[0] + d, a[1] + r)) for a in squares for d in (-2, 2) for r in (-2, 2)]
    must_jump = any(_draughts_way(rows, mover, *pair) == "jump" for pair in near)
    return way == "jump" or (way == "move" and not must_jump)


def mancala(seen: Seen, move: str) -> bool:
    pits = dict(enumerate(seen["pits"][seen["mover"]], 1))
    return move.isdigit() and pits.get(int(move), 0) > 0


def dots_and_boxes(seen: Seen, move: str) -> bool:
    ends = [_at(name) for name in move.split("-")]
    if len(ends) != 2 or None in ends or move in seen["drawn"]:
        return False
    (r, c), (tr, tc) = ends  # type: ignore[misc]
    return tr <= seen["rows"] and tc <= seen["columns"] and (tr - r, tc - c) in ((0, 1), (1, 0))


def breakthrough(seen: Seen, move: str) -> bool:
    ends, mover = _two(move), seen["mover"]
    if ends is None or _cell(seen["rows"], ends[0]) != "xo"[mover]:
        return False
    (r, c), (tr, tc) = ends
    there = _cell(seen["rows"], (tr, tc))
    forward = tr - r == (1 if mover else -1) and abs(tc - c) <= 1
    return forward and (there == "." or (there == "ox"[mover] and tc != c))


def pig(seen: Seen, move: str) -> bool:
    return move == "roll" or (move == "hold" and seen["gained"] > 0)


def twenty_forty_eight(seen: Seen, move: str) -> bool:
    turned = {"left": seen["cells"], "right": [row[::-1] for row in seen["cells"]]}
    columns = list(zip(*seen["cells"], strict=True))
    turned |= {"up": columns, "down": [column[::-1] for column in columns]}
    pairs = [pair for line in turned.get(move, ()) for pair in pairwise(line)]
    return any(b and (not a or a == b) for a, b in pairs)


def snake(seen: Seen, move: str) -> bool:
    (r, c), neck = seen["body"][0], seen["body"][1]
    ways = {"up": (r - 1, c), "down": (r + 1, c), "left": (r, c - 1), "right": (r, c + 1)}
    return move in ways and ways[move] != neck


def blackjack(seen: Seen, move: str) -> bool:
    return move in ("hit", "stand")


def shut_the_box(seen: Seen, move: str) -> bool:
    if not re.fullmatch(r"shut \d+( \d+)*", move):
        return False
    tiles = [int(word) for word in move.split()[1:]]
    in_order = tiles == sorted(set(tiles))
    return in_order and sum(tiles) == seen["roll"] and set(tiles) <= set(seen["open"])


def minesweeper(seen: Seen, move: str) -> bool:
    side = seen["side"]
    rows = [seen["shown"][n * side : n * side + side] for n in range(side)]
    return _cell(rows, _at(move)) == "?"


def mastermind(seen: Seen, move: str) -> bool:
    made = [guess[0] for guess in seen["guesses"]]
    return len(move) == seen["length"] and set(move) <= set(seen["letters"]) and move not in made


def same_game(seen: Seen, move: str) -> bool:
    rows, at = seen["rows"], _at(move)
    colour = _cell(rows, at)
    if colour in (None, "."):
        return False
    group, before = {at}, set[Any]()
    while group != before:
        before = group
        near = {(r + d, c + e) for r, c in group for d, e in ((0, 1), (1, 0), (0, -1), (-1, 0))}  # type: ignore[misc]
        group = group | {each for each in near if _cell(rows, each) == colour}
    return len(group) > 1 and min(group) == at  # type: ignore[type-var]


REFEREES: dict[str, Callable[[Seen, str], bool]] = {
    "battleship": empty_square("shown", "."),
    "maze": step(lambda seen: seen["walls"], "at"),
    "tic_tac_toe": empty_square("rows", "."),
    **{
        each.__name__: each
        for each in (
            blackjack, breakthrough, connect_four, dots_and_boxes, draughts, freecell,
            graph_colouring, hanoi, hitori, knights_and_knaves, lights_out, mancala, mastermind,
            minesweeper, nim, nonogram, packing, peg_solitaire, pig, reversi, river_crossing,
            rush_hour, same_game, shut_the_box, sliding_tiles, snake, sokoban, sudoku,
            twenty_forty_eight, water_jugs, word_ladder,
        )
    },
}  # fmt: skip
"""World -> (what players see, a move) -> whether the rules allow it in a game that is not over."""

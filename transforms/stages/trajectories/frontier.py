"""Tree search within an episode: one loop that expands, evaluates, prunes, stops and chooses.

    found = yield from search(problem, expand=drafts, evaluate=tested, strategy=Beam(3, 20, 5))

`expand` and `evaluate` are steps of an episode: they yield requests and cells. Those of all nodes
of a round are worked on side by side. A strategy says what is expanded next. The loop keeps the
budget: it counts every effect that passes through it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from transforms.engine.ids import canonical_json, content_id
from transforms.models.episode import Effect, Steps, side_by_side
from transforms.models.requests import Request, Response
from transforms.models.tools import Invoke
from transforms.sandbox.jobs import Cell, Check, Job

S = TypeVar("S")
R = TypeVar("R")


@dataclass(frozen=True)
class Node(Generic[S]):
    """A state that a search has reached."""

    id: str
    """Hash of the parent's id and of the state that it was made with: equal for any order of
    siblings. The root's is empty."""
    parent: str | None
    """Id of the node that was expanded; None for the root."""
    depth: int
    """Expansions that lead to it; 0 for the root."""
    state: S
    score: tuple[float, ...] | None = None
    """What it is worth, more being better, the first number first; None before it is evaluated."""
    done: bool = False
    """Whether it is an end: it is never expanded."""
    replaced: S | None = None
    """Its state before it was thought over again; None where it never was."""
    round: int = 0
    """Rounds of the search before the one in which it was evaluated."""


@dataclass(frozen=True)
class Rated(Generic[S]):
    """What `evaluate` says of a node."""

    score: float | tuple[float, ...]
    done: bool = False
    """Whether it is an end, such as a program that ran; it is never expanded."""
    state: S | None = None
    """Its state with what was seen, such as a test's output; None leaves the state as it is."""


@dataclass(frozen=True)
class Budget:
    """What a search may use, or has used; None is no limit."""

    nodes: int | None = None
    """Nodes beside the root."""
    asks: int | None = None
    """Requests."""
    cells: int | None = None
    """Cells, jobs, checks and calls of tools."""
    tokens: int | None = None
    """Generated tokens, as the engine counts them."""


_UNLIMITED = Budget()


@dataclass(frozen=True)
class Found(Generic[S]):
    """A finished search."""

    best: Node[S] | None
    """The node that was chosen; None where there is none to choose."""
    nodes: tuple[Node[S], ...]
    """All nodes beside the root, as they came to be."""
    spent: Budget
    out_of_budget: bool
    """Whether something was left undone because a limit was reached."""

    def path(self, node: Node[S]) -> tuple[Node[S], ...]:
        """Returns the nodes that lead to a node, from the first below the root to itself."""
        by_id = {each.id: each for each in self.nodes}
        path = [node]
        while (parent := path[-1].parent) in by_id:
            path.append(by_id[str(parent)])
        return tuple(reversed(path))


def rank(node: Node[Any]) -> tuple[Any, ...]:
    """What nodes are sorted by, the best first: higher scores, then smaller ids; nodes that are
    not evaluated come last."""
    return node.score is None, [-number for number in node.score or ()], node.id


def best(nodes: Iterable[Node[S]]) -> Node[S] | None:
    """Returns the best evaluated node: of those that are an end where there are any."""
    rated = [node for node in nodes if node.score is not None]
    return min([node for node in rated if node.done] or rated, key=rank, default=None)


@dataclass(frozen=True)
class Grow:
    """Expand a node to `count` children, at most."""

    node: Node[Any]
    count: int
    evaluated: bool = True
    """Whether the children are evaluated at once."""


@dataclass(frozen=True)
class Evaluate:
    """Evaluate a node that was grown without."""

    node: Node[Any]


@dataclass(frozen=True)
class Rethink:
    """Have another state take a node's place, and evaluate it: once a node, at most."""

    node: Node[Any]


Move = Grow | Evaluate | Rethink
Moves = Generator[list[Move], list[Node[Any]], None]
"""The moves of a strategy: yields those of a round, and is sent the nodes that they made or
changed; ends where nothing is left to do."""


class Strategy(Protocol):
    """What is expanded next."""

    def moves(self, root: Node[Any]) -> Moves:
        """Yields the moves of a search from `root`."""


@dataclass(frozen=True)
class BreadthFirst:
    """Every node that is no end has `children`, down to `depth` (Tree-of-Code, arXiv 2412.15305,
    where a program that runs is an end). With a depth of 1 it is best of n, with one child each it
    is retries, each of which follows from the one that failed before it."""

    children: int = 3
    depth: int = 3

    def moves(self, root: Node[Any]) -> Moves:
        level = [root]
        for _ in range(self.depth):
            level = [node for node in level if not node.done]
            if not level:
                return
            level = yield [Grow(node, self.children) for node in level]


@dataclass(frozen=True)
class Beam:
    """The best `keep` of a level are expanded to the next one; ends keep their place among them.

    With `shared`, all nodes of a level have `draws` children together (OVM, arXiv 2311.09724: 20
    draws, 4 kept), else each has (ORPS, arXiv 2412.15118: 20, 3 kept).

    Thresholds of the first score spare draws (DREAM, arXiv 2509.25420): children are drawn one a
    node and round, until one is above `upper`; `extra` more a node are drawn where all stay below
    `lower`. Several thresholds hold for the levels in turn, as for plans and their execution.
    """

    keep: int
    draws: int
    depth: int
    shared: bool = False
    upper: tuple[float, ...] = ()
    lower: tuple[float, ...] = ()
    extra: int = 0

    def moves(self, root: Node[Any]) -> Moves:
        level = [root]
        for depth in range(self.depth):
            parents = [node for node in level if not node.done]
            if not parents:
                return
            drawn = yield from self._draw(parents, depth)
            ends = [node for node in level if node.done]
            level = sorted([*drawn, *ends], key=rank)[: self.keep]

    def _draw(
        self, parents: list[Node[Any]], depth: int
    ) -> Generator[list[Move], list[Node[Any]], list[Node[Any]]]:
        each, rest = divmod(self.draws, len(parents)) if self.shared else (self.draws, 0)
        counts = [each + (place < rest) for place in range(len(parents))]
        if not self.upper:
            drawn = yield [Grow(node, n) for node, n in zip(parents, counts, strict=True) if n]
        else:
            drawn = []
            upper = self.upper[depth % len(self.upper)]
            for number in range(max(counts)):
                drawn += yield [
                    Grow(node, 1)
                    for node, count in zip(parents, counts, strict=True)
                    if number < count
                ]
                if any(node.score and node.score[0] > upper for node in drawn):
                    break
        if self.lower and self.extra:
            lower = self.lower[depth % len(self.lower)]
            if all(node.score and node.score[0] < lower for node in drawn):
                drawn += yield [Grow(node, self.extra) for node in parents]
        return drawn


@dataclass(frozen=True)
class BestFirst:
    """The best node that is no end is expanded next (MutaGReP, arXiv 2502.15872); a node budget
    ends it.

    Args:
        children: of each node that is expanded.
        depth: of the deepest nodes.
        width: nodes that may wait to be expanded; the worst of more are forgotten.
    """

    children: int
    depth: int
    width: int | None = None

    def moves(self, root: Node[Any]) -> Moves:
        queue = [root]
        while queue:
            grown = yield [Grow(queue.pop(0), self.children)]
            queue += [node for node in grown if not node.done and node.depth < self.depth]
            queue = sorted(queue, key=rank)[: self.width]


@dataclass(frozen=True)
class MonteCarlo:
    """Monte Carlo tree search with thoughts replaced in place (RethinkMCTS, arXiv 2409.09584).

    A rollout goes down by P-UCB with a uniform prior to a node that is not evaluated yet, evaluates
    it, and, where it is no end, has it thought over again and then expanded. A node's value is the
    best first score below it, discounted by `gamma` a level.

    Args:
        width: children of each node.
        rollouts: nodes that are evaluated, at most.
        constant, base: weight of exploration at n visits: log((n + base + 1) / base) + constant.
        rethink: whether a failing node is thought over again, once.
    """

    width: int = 3
    rollouts: int = 16
    gamma: float = 0.9
    constant: float = 4.0
    base: float = 10.0
    rethink: bool = True

    def moves(self, root: Node[Any]) -> Moves:
        below: dict[str, list[str]] = {}
        nodes: dict[str, Node[Any]] = {root.id: root}
        visits: dict[str, int] = {}
        values: dict[str, float] = {}
        leaf = root
        for _ in range(self.rollouts):
            if not leaf.done:
                grown = yield [Grow(leaf, self.width, evaluated=False)]
                below[leaf.id] = [node.id for node in grown]
                nodes |= {node.id: node for node in grown}
            path = self._down(root.id, below, visits, values, nodes)
            if path is None:
                return
            leaf = nodes[path[-1]]
            for move in (Evaluate, Rethink) if self.rethink else (Evaluate,):
                if not leaf.done and (changed := (yield [move(leaf)])):
                    (leaf,) = changed
            nodes[leaf.id] = leaf
            value = leaf.score[0] if leaf.score else 0.0
            for distance, name in enumerate(reversed(path)):
                visits[name] = visits.get(name, 0) + 1
                discounted = value * self.gamma**distance
                values[name] = max(values.get(name, discounted), discounted)

    def _down(
        self,
        root: str,
        below: Mapping[str, Sequence[str]],
        visits: Mapping[str, int],
        values: Mapping[str, float],
        nodes: Mapping[str, Node[Any]],
    ) -> list[str] | None:
        """Returns the path to the node to evaluate next; None where all are ends."""

        def is_open(name: str) -> bool:
            if name not in below:
                return not nodes[name].done
            return any(map(is_open, below[name]))

        if not is_open(root):
            return None
        path = [root]
        while path[-1] in below:
            children = [name for name in below[path[-1]] if is_open(name)]
            above = visits.get(path[-1], 0) + 1
            weight = math.log((above + self.base + 1) / self.base) + self.constant
            weight *= math.sqrt(math.log(above)) / len(below[path[-1]])
            path.append(
                min(
                    children,
                    key=lambda name: (
                        -values.get(name, 0.0) - weight / (1 + visits.get(name, 0)),
                        name,
                    ),
                )
            )
        return path


class _Tree(Generic[S]):
    """The nodes of a search, and what it has used of its budget."""

    def __init__(self, root: Node[S], budget: Budget, key: Callable[[S], Any]) -> None:
        self.root, self._budget, self._key = root, budget, key
        self.nodes: dict[str, Node[S]] = {}
        self._asks = self._cells = self._tokens = self.rounds = 0
        self._wanted = 0  # tokens that the requests under way may generate
        self._drawn: dict[str, int] = {}  # samples of each state
        self.is_over = False
        """Whether a limit kept something from being done."""

    @property
    def spent(self) -> Budget:
        return Budget(len(self.nodes), self._asks, self._cells, self._tokens)

    def together(self, several: Iterable[Steps[R]]) -> Steps[list[R | None]]:
        """Goes through steps side by side within the budget; None for those that it ended."""
        steps = side_by_side(several, self._take)
        answers: Any = None
        while True:
            try:
                effects = steps.send(answers)
            except StopIteration as end:
                results: list[R | None] = end.value
                return results
            answers = yield effects
            self._wanted = 0
            self._tokens += sum(
                each.generated_tokens for each in answers if isinstance(each, Response)
            )

    def _take(self, effects: list[Effect]) -> bool:
        """Counts effects, where the budget has room for all of them; returns whether it has. Until
        it is answered, a request counts all tokens that it may generate."""
        requests = [each for each in effects if isinstance(each, Request)]
        asks = self._asks + len(requests)
        cells = self._cells + sum(isinstance(each, Cell | Job | Check | Invoke) for each in effects)
        wanted = self._wanted + sum(each.sampler.max_tokens for each in requests)
        limits = self._budget
        if (
            _over(asks, limits.asks)
            or _over(cells, limits.cells)
            or _over(self._tokens + wanted, limits.tokens)
        ):
            self.is_over = True
            return False
        self._asks, self._cells, self._wanted = asks, cells, wanted
        return True

    def draws(self, grows: Iterable[Grow]) -> list[tuple[Grow, range]]:
        """Returns the expansions that the budget has room for, each with its samples."""
        nodes, asks = self._budget.nodes, self._budget.asks
        left = math.inf if nodes is None else nodes - len(self.nodes)
        asks_left = math.inf if asks is None else asks - self._asks
        draws = []
        for grow in sorted(grows, key=lambda grow: grow.node.id):
            room = int(min(grow.count, left, asks_left))
            self.is_over |= room < grow.count
            left -= room
            asks_left -= room
            state = canonical_json(self._key(grow.node.state))
            first = self._drawn.get(state, 0)
            self._drawn[state] = first + room
            if room:
                draws.append((grow, range(first, first + room)))
        return draws

    def add(self, parent: Node[S], states: Sequence[S]) -> list[Node[S]]:
        """Makes states the children of a node."""
        made = []
        for state in states:
            number, name = 0, ""
            while not name or name in self.nodes:  # equal siblings are told apart by their number
                name = content_id("node", parent.id, self._key(state), number)
                number += 1
            self.nodes[name] = Node(name, parent.id, parent.depth + 1, state)
            made.append(self.nodes[name])
        return made

    def rate(self, node: Node[S], rated: Rated[S]) -> Node[S]:
        score = rated.score if isinstance(rated.score, tuple) else (rated.score,)
        if any(map(math.isnan, score)):
            raise ValueError(f"a node of a search has the score {rated.score}: use a number")
        state = node.state if rated.state is None else rated.state
        made = replace(node, score=score, done=rated.done, state=state, round=self.rounds)
        return self._put(made)

    def put_in_place(self, node: Node[S], state: S) -> Node[S]:
        """Has a node take another state."""
        return self._put(Node(node.id, node.parent, node.depth, state, replaced=node.state))

    def _put(self, node: Node[S]) -> Node[S]:
        self.nodes[node.id] = node
        return node


def _over(count: int, limit: int | None) -> bool:
    return limit is not None and count > limit


def search(
    root: S,
    *,
    expand: Callable[[Node[S], range], Steps[Sequence[S]]],
    evaluate: Callable[[Node[S]], Steps[Rated[S]]],
    strategy: Strategy,
    budget: Budget = _UNLIMITED,
    rethink: Callable[[Node[S]], Steps[S | None]] | None = None,
    choose: Callable[[Sequence[Node[S]]], Node[S] | None] = best,
    key: Callable[[S], Any] = lambda state: getattr(state, "id", state),
) -> Steps[Found[S]]:
    """Searches from `root` for the state to choose, within an episode (`yield from`).

    Steps whose next effects would go over the budget end there: their children, or their rating, do
    not come to be, and the search ends with that round.

    Args:
        expand: (node, samples) -> the states of up to as many children as there are samples. These
            are numbers of draws (`Request.sample`) that no other expansion of an equal state has.
        evaluate: what a node is worth.
        strategy: what is done next.
        rethink: the state to take a node's place; it may return None, which leaves the node. None
            leaves all nodes.
        choose: all nodes -> the one to return.
        key: a state as JSON values, for the ids of nodes; by default its `id`, or itself.

    Raises:
        ValueError: a score is not a number, or a strategy has a node thought over twice.
    """
    tree = _Tree(Node("", None, 0, root), budget, key)
    moves = strategy.moves(tree.root)
    try:
        wanted = next(moves)
        while True:
            made = yield from _grown(tree, wanted, expand)
            rethought = yield from _rethought(tree, wanted, rethink)
            unrated = [move.node for move in wanted if isinstance(move, Evaluate)]
            unrated += [*rethought, *(node for node, evaluated in made if evaluated)]
            ratings = yield from tree.together(map(evaluate, unrated))
            rated = [
                tree.rate(node, one) for node, one in zip(unrated, ratings, strict=True) if one
            ]
            if tree.is_over:
                break
            tree.rounds += 1
            wanted = moves.send([*rated, *(node for node, evaluated in made if not evaluated)])
    except StopIteration:
        pass
    nodes = tuple(tree.nodes.values())
    return Found(choose(nodes), nodes, tree.spent, tree.is_over)


def _grown(
    tree: _Tree[S], moves: Iterable[Move], expand: Callable[[Node[S], range], Steps[Sequence[S]]]
) -> Steps[list[tuple[Node[S], bool]]]:
    """Expands nodes; returns the new ones, each with whether it is to be evaluated at once."""
    draws = tree.draws(move for move in moves if isinstance(move, Grow))
    steps = (expand(grow.node, samples) for grow, samples in draws)
    grown = yield from tree.together(steps)
    return [
        (node, grow.evaluated)
        for (grow, samples), states in zip(draws, grown, strict=True)
        for node in tree.add(grow.node, (states or ())[: len(samples)])
    ]


def _rethought(
    tree: _Tree[S], moves: Iterable[Move], rethink: Callable[[Node[S]], Steps[S | None]] | None
) -> Steps[list[Node[S]]]:
    """Has other states take the places of nodes; returns the nodes that have changed."""
    nodes = [move.node for move in moves if isinstance(move, Rethink)]
    if rethink is None:
        return []
    if any(node.replaced is not None for node in nodes):
        raise ValueError("a node is thought over once, at most")
    states = yield from tree.together(map(rethink, nodes))
    return [
        tree.put_in_place(node, state)
        for node, state in zip(nodes, states, strict=True)
        if state is not None
    ]

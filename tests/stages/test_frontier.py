"""Tree search: budgets hold, equal answers in another order change nothing, and each strategy does
what its paper says. Models and cells are scripted."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.examples import request, response
from transforms.models.effects import Played
from transforms.models.episode import Steps, play
from transforms.models.requests import Request
from transforms.sandbox.jobs import Cell, CellResult, Status
from transforms.stages.trajectories.frontier import (
    Beam,
    BestFirst,
    BreadthFirst,
    Budget,
    Found,
    MonteCarlo,
    Node,
    Rated,
    best,
    rank,
    search,
)

State = tuple[int, ...]
"""The numbers that the model gave on the way."""


def drawn(node: Node[State], samples: range) -> Steps[Sequence[State]]:
    answers = yield [request(repr(node.state), sample=sample) for sample in samples]
    return [(*node.state, int(answer.text)) for answer in answers]


def run(node: Node[State]) -> Steps[Rated[State]]:
    """A cell prints the score; 9 is an end."""
    seen = yield Cell(repr(node.state))
    return Rated(int(seen.value) / 10, done=seen.value == "9")


def luck(state: State | str) -> int:
    """A score of 0 to 4, or 9."""
    number = hashlib.sha256(repr(state).encode()).digest()[0] % 6
    return 9 if number == 5 else number


def world(
    answer: Callable[[State, int], int] = lambda state, sample: sample,
    score: Callable[[State], int] = luck,
) -> Callable[[Any], Any]:
    def give(effect: Any) -> Any:
        if isinstance(effect, Request):
            text = str(answer(eval(effect.prompt), effect.sample))
            return response(effect, text, generated_tokens=1 + luck(effect.id))
        value = str(score(eval(effect.code)))
        return CellResult(Status.OK, value, "", None, None, (), 0.0, 0.0)

    return give


def found(strategy: Any, answers: Callable[[Any], Any], **more: Any) -> Found[State]:
    return played(strategy, answers, **more).result


def played(strategy: Any, answers: Callable[[Any], Any], **more: Any) -> Played[Found[State]]:
    return play(
        search((), strategy=strategy, **{"expand": drawn, "evaluate": run, **more}), answers
    )


def flat(seen: Played[Any]) -> list[Any]:
    return [effect for turn in seen.turns for effect in turn]


def effects(seen: Played[Any]) -> Counter[type]:
    return Counter(map(type, flat(seen)))


STRATEGIES = [
    BreadthFirst(5, 1),
    BreadthFirst(1, 4),
    BreadthFirst(2, 3),
    Beam(2, 3, 3),
    Beam(2, 5, 3, shared=True),
    Beam(2, 4, 3, upper=(0.3,), lower=(0.2,), extra=2),
    BestFirst(3, 3, 4),
    MonteCarlo(2, 6),
]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=repr)
@settings(max_examples=25)
@given(*[st.none() | st.integers(0, 20)] * 3, st.none() | st.integers(0, 100), st.booleans())
def test_a_budget_is_never_exceeded(
    strategy: Any,
    nodes: int | None,
    asks: int | None,
    cells: int | None,
    tokens: int | None,
    costly: bool,
) -> None:
    def costs_more(node: Node[State]) -> Steps[Rated[State]]:
        yield [request(f"{node.state}"), Cell("0"), Cell("1")]
        return (yield from run(node))

    budget = Budget(nodes, asks, cells, tokens)
    evaluate = costs_more if costly else run
    score = lambda state: luck(state) if isinstance(state, tuple) else 0  # noqa: E731
    seen = played(strategy, world(score=score), budget=budget, evaluate=evaluate)
    used, result = effects(seen), seen.result
    written = sum(1 + luck(each.id) for each in flat(seen) if isinstance(each, Request))
    spent = len(result.nodes), used[Request], used[Cell], written
    for limit, amount in zip((nodes, asks, cells, tokens), spent, strict=True):
        assert limit is None or amount <= limit
    assert result.spent == Budget(*spent)
    free = found(strategy, world(score=score), evaluate=evaluate)
    assert not free.out_of_budget
    if not result.out_of_budget:
        assert result == free


@pytest.mark.parametrize("strategy", STRATEGIES, ids=repr)
@settings(max_examples=25)
@given(st.lists(st.integers(0, 3), min_size=1), st.randoms(use_true_random=False))
def test_the_order_of_a_node_s_answers_changes_nothing(
    strategy: Any, answers: list[int], random: Any
) -> None:
    def shuffled(node: Node[State], samples: range) -> Steps[Sequence[State]]:
        states = list((yield from drawn(node, samples)))
        random.shuffle(states)
        return states

    given = world(lambda state, sample: answers[sample % len(answers)])
    one, two = found(strategy, given), found(strategy, given, expand=shuffled)
    assert (set(one.nodes), one.best) == (set(two.nodes), two.best)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=repr)
def test_a_node_knows_its_parent_and_its_depth(strategy: Any) -> None:
    result = found(strategy, world())
    assert len({node.id for node in result.nodes}) == len(result.nodes) > 0
    for node in result.nodes:
        path = result.path(node)
        assert [each.depth for each in path] == list(range(1, node.depth + 1))
        assert [each.state for each in path] == [node.state[: each.depth] for each in path]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=repr)
def test_no_draw_of_a_node_is_made_twice_and_no_end_is_expanded(strategy: Any) -> None:
    seen = played(strategy, world(lambda state, sample: 0))
    asked = [each.id for turn in seen.turns for each in turn if isinstance(each, Request)]
    assert len(set(asked)) == len(asked)
    ends = {node.id for node in seen.result.nodes if node.done}
    assert not any(node.parent in ends for node in seen.result.nodes)


def test_the_best_of_n_is_the_best_by_score_then_by_id() -> None:
    result = found(BreadthFirst(4, 1), world(score=lambda state: [1, 3, 3, 2][state[0]]))
    tied = [node for node in result.nodes if node.score == (0.3,)]
    assert result.best == min(tied, key=lambda node: node.id)
    assert (result.spent.nodes, result.spent.asks, result.spent.cells) == (4, 4, 4)


@pytest.mark.parametrize(("limit", "asks"), [(7, 0), (12, 1), (13, 2)])
def test_a_request_counts_all_tokens_that_it_may_generate_until_it_is_answered(
    limit: int, asks: int
) -> None:
    """Each may generate 8 tokens, and generates 5."""

    def answers(effect: Any) -> Any:
        given = world(score=lambda state: 0)(effect)
        return replace(given, generated_tokens=5) if isinstance(effect, Request) else given

    result = found(BreadthFirst(1, 9), answers, budget=Budget(tokens=limit))
    assert (result.spent.asks, result.spent.tokens) == (asks, 5 * asks) and result.out_of_budget


def test_an_end_is_chosen_before_a_better_node_that_is_none() -> None:
    nodes = [Node("a", "", 1, (), (0.9,)), Node("b", "", 1, (), (0.1,), done=True)]
    assert best(nodes) == nodes[1]
    assert best([Node("c", "", 1, ())]) is None


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=6))
def test_a_second_score_decides_where_the_first_is_equal(scores: list[tuple[int, int]]) -> None:
    nodes = [Node(str(n), "", 1, n, (float(a), float(b))) for n, (a, b) in enumerate(scores)]
    assert min(nodes, key=rank).score == max(node.score for node in nodes if node.score)


def test_retries_end_with_the_first_that_is_an_end() -> None:
    result = found(BreadthFirst(1, 5), world(score=lambda state: 9 if len(state) == 3 else 1))
    assert [node.depth for node in result.nodes] == [1, 2, 3]
    assert result.best == result.nodes[-1] and not result.out_of_budget


def test_breadth_first_grows_failing_nodes_alone_down_to_its_depth() -> None:
    result = found(BreadthFirst(3, 3), world(score=lambda state: 9 if state[-1] == 0 else 1))
    assert Counter(node.depth for node in result.nodes) == {1: 3, 2: 6, 3: 12}


def test_a_vote_may_choose_among_the_ends() -> None:
    def most_frequent(nodes: Sequence[Node[State]]) -> Node[State] | None:
        ends = [node for node in nodes if node.done]
        votes = Counter(node.state[-1] for node in ends)
        return max(ends, key=lambda node: (votes[node.state[-1]], node.id), default=None)

    answers = world(lambda state, sample: sample % 2, lambda state: 9)
    result = found(BreadthFirst(5, 1), answers, choose=most_frequent)
    assert result.best is not None and result.best.state == (0,)


def test_a_beam_has_so_many_draws_a_level_and_keeps_the_best() -> None:
    shared = found(Beam(4, 20, 3, shared=True), world(score=lambda state: state[-1] % 5))
    assert Counter(node.depth for node in shared.nodes) == {1: 20, 2: 20, 3: 20}
    assert len({node.parent for node in shared.nodes if node.depth == 2}) == 4
    each = found(Beam(3, 20, 2), world(score=lambda state: state[-1] % 5))
    assert Counter(node.depth for node in each.nodes) == {1: 20, 2: 60}
    kept = {node.parent for node in each.nodes if node.depth == 2}
    assert {node.score for node in each.nodes if node.id in kept} == {(0.4,)}


def test_an_end_keeps_its_place_in_a_beam() -> None:
    result = found(Beam(1, 2, 5), world(score=lambda state: 9 if state == (1,) else 0))
    assert len(result.nodes) == 2 and result.best is not None and result.best.state == (1,)


def test_a_draw_above_the_upper_threshold_spares_the_others() -> None:
    beam = Beam(1, 8, 1, upper=(0.35,))
    seen = played(beam, world(score=lambda state: state[-1]))
    assert [len(turn) for turn in seen.turns] == [1] * 10  # 0 to 4, each drawn, then run
    assert seen.result.best is not None and seen.result.best.score == (0.4,)


def test_draws_below_the_lower_threshold_alone_have_others_follow() -> None:
    beam = Beam(1, 3, 2, lower=(0.25, 0.0), extra=2)
    result = found(beam, world(score=lambda state: state[-1] if len(state) == 1 else 0))
    assert Counter(node.depth for node in result.nodes) == {1: 5, 2: 3}


def test_best_first_goes_on_from_the_best_plan_until_its_nodes_are_spent() -> None:
    answers = world(score=lambda state: {(1,): 3, (1, 0): 1, (0,): 2}.get(state, 0))
    result = found(BestFirst(2, 9), answers, budget=Budget(nodes=6))
    parents = {node.id: node.state for node in result.nodes}
    grown = [parents.get(str(node.parent), ()) for node in result.nodes]
    assert grown == [(), (), (1,), (1,), (0,), (0,)]
    assert result.out_of_budget


def thought_over(node: Node[State]) -> Steps[State | None]:
    answer = yield request(f"{node.state}", sample=100)
    return (*node.state[:-1], int(answer.text))


def test_a_node_is_replaced_in_place_once_and_keeps_its_place_in_the_tree() -> None:
    tree = MonteCarlo(width=3, rollouts=4)
    seen = played(tree, world(score=lambda state: int(100 in state)), rethink=thought_over)
    replaced = [node for node in seen.result.nodes if node.replaced is not None]
    assert len(replaced) == 4 and len(seen.result.nodes) == 3 * 4
    assert all(node.state[-1] == 100 for node in replaced)
    assert all(node.score == (0.1,) for node in replaced)
    asked = Counter(
        each.prompt
        for turn in seen.turns
        for each in turn
        if isinstance(each, Request) and each.sample == 100
    )
    assert set(asked.values()) == {1}


def test_monte_carlo_rates_one_node_a_rollout_and_goes_where_scores_are() -> None:
    tree = MonteCarlo(width=3, rollouts=16, constant=0.1, rethink=False)
    result = found(tree, world(score=lambda state: 4 if state[0] == 2 else 0))
    rated = [node for node in result.nodes if node.score is not None]
    assert len(rated) == 16
    assert sum(node.state[0] == 2 for node in rated) > 8


def test_nodes_know_the_round_in_which_they_were_rated() -> None:
    levels = found(BreadthFirst(2, 3), world(score=lambda state: 0))
    assert {(node.depth, node.round) for node in levels.nodes} == {(1, 0), (2, 1), (3, 2)}
    tree = found(MonteCarlo(width=3, rollouts=5, rethink=False), world(score=lambda state: 0))
    rated = [node.round for node in tree.nodes if node.score is not None]
    assert len(set(rated)) == len(rated) == 5


def test_monte_carlo_ends_where_all_that_is_left_are_ends() -> None:
    result = found(MonteCarlo(width=2, rollouts=9), world(score=lambda state: 9))
    assert (len(result.nodes), result.spent.cells) == (2, 2)


def test_a_score_that_is_no_number_is_an_error() -> None:
    def rate(node: Node[State]) -> Steps[Rated[State]]:
        yield []
        return Rated(float("nan"))

    with pytest.raises(ValueError, match="has the score nan: use a number"):
        found(BreadthFirst(1, 1), world(), evaluate=rate)


def test_an_evaluation_may_add_what_it_saw_to_the_state() -> None:
    def rate(node: Node[State]) -> Steps[Rated[State]]:
        seen = yield Cell(repr(node.state))
        return Rated(0.0, state=(*node.state, int(seen.value)))

    result = found(BreadthFirst(1, 2), world(score=len), evaluate=rate)
    assert [node.state for node in result.nodes] == [(0, 1), (0, 1, 0, 3)]

"""The bench of many episodes: its figures come from the driver's own account and the endpoint's."""

from __future__ import annotations

import json

import pytest
from hydra import compose, initialize_config_dir

from pipelines.benches import episodes
from pipelines.benches.episodes import BenchEpisodesSettings, fullness, measure
from pipelines.benches.synthetic.conversing import answer
from pipelines.hydra_app import to_settings
from tests.programs_for_tests import SANDBOX
from transforms.engine.ids import derived_seed
from transforms.engine.paths import CONF

ONE_SLOT = SANDBOX.model_copy(update={"slots": 1})  # no other slot rebuilds a state


@pytest.fixture(scope="module")
def figures():
    """Of an endpoint that one request fills, however slowly others come."""
    return measure(
        BenchEpisodesSettings(
            episodes=12, turns=3, limit=1, seconds=0.05, searches=3, sessions=2, sandbox=ONE_SLOT
        )
    )


def test_every_turn_of_every_conversation_is_a_cell_that_is_run_once(figures):
    linear = figures["rows"][0]
    turns = [1 + derived_seed(0, f"Problem {number}") % 3 for number in range(12)]
    assert (linear["cells"], linear["failed"]) == (sum(turns), 0)


def test_a_node_of_a_search_is_a_cell_that_goes_on_in_a_fork(figures):
    search = figures["rows"][1]
    depths = [1 + derived_seed(0, f"Search {number}") % 3 for number in range(3)]
    assert search["cells"] == sum(2 + 4 * (depth - 1) for depth in depths)
    assert (search["rebuilt"], search["failed"]) == (0, 0)


def test_without_forks_the_cells_that_lead_to_each_node_are_run_again(figures):
    forked, again = figures["rows"][2:]
    nodes = [2, 4, 4, 4, 4]  # by depth
    assert (forked["cells"], forked["rebuilt"]) == (2 * sum(nodes), 0)
    assert again["cells"] == 2 * sum(depth * count for depth, count in enumerate(nodes, 1))
    assert figures["forked_over_again"] > 0


def test_the_endpoint_is_found_full_while_episodes_are_begun(figures):
    linear = figures["rows"][0]
    assert 0 < linear["at_limit"] <= linear["filled"] <= 1


def test_an_endpoint_that_was_never_full_was_so_for_no_time():
    assert fullness([(0.0, 1), (1.0, 0)], 2, 5.0) == (0.0, 0.0)


def test_the_endpoint_asks_for_cells_and_then_gives_what_the_last_one_showed():
    talk = [{"role": "user", "content": "Problem 4"}]
    for _ in range(9):
        text = answer(talk, 3)
        talk += [{"role": "assistant", "content": text}, {"role": "tool", "content": "17"}]
        if text.startswith("The answer"):
            break
    assert text == "The answer is 17." and 2 <= (len(talk) - 1) // 2 <= 4


def test_the_bench_ends_in_one_line_of_json(figures, monkeypatch, capsys):
    monkeypatch.setattr(episodes, "measure", lambda settings: figures)
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        episodes.bench(to_settings(compose("bench_episodes"), BenchEpisodesSettings))
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said == {"bench": "episodes", **figures}

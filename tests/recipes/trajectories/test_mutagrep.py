"""mutagrep: plans name symbols that exist, and nothing is run."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from tests.recipes.playing import stage
from tests.stages.trajectories.talking import asked, played
from transforms.engine.errors import SettingsError
from transforms.engine.records import Seed
from transforms.models.requests import Request
from transforms.models.tools import Invoke
from transforms.stages.trajectories.symbols import SymbolSearch, symbols

SEED = Seed.make(problem="Validate a list of users from JSON.", source="mine", license="MIT")
INTENTS = ["create a model at runtime", "validate JSON data", "serialize to JSON", "an alias path"]


def plan(*intents: str) -> str:
    return "I plan.\n" + "\n".join(f"<step>{intent}</step>" for intent in intents)


def growing(request: Request) -> str:
    """A plan with one step more than the last one, and as many as the sample says."""
    return plan(*INTENTS[: 1 + request.sample + len(request.messages) // 2])


def planned(model: Callable[[Request], Any], *overrides: str) -> Any:
    made = stage("mutagrep", "plan", "recipe.stages.plan.keeps_tree=true", *overrides)
    return played(made.episode(SEED), model)


def test_every_symbol_of_a_plan_exists() -> None:
    row, verdict = planned(growing).result
    names = [s["symbol"] for step in json.loads(row.data)["steps"] for s in step["symbols"]]
    assert verdict.kept and len(names) > 5
    for name in names:
        parts = name.split(".")
        module = next(n for n in range(len(parts), 0, -1) if is_module(".".join(parts[:n])))
        found: Any = import_module(".".join(parts[:module]))
        for part in parts[module:]:
            found = getattr(found, part)


def is_module(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True


@pytest.mark.parametrize("nodes", [1, 4, 7])
def test_a_search_has_no_more_plans_than_it_may_and_runs_nothing(nodes: int) -> None:
    play = planned(growing, f"recipe.stages.plan.nodes={nodes}")
    row, _ = play.result
    assert len(json.loads(row.data)["tree"]) == len(asked(play)) == nodes
    assert {type(each) for turn in play.turns for each in turn} == {Request, Invoke}


def test_the_depth_of_a_plan_is_the_number_of_changes_that_led_to_it() -> None:
    row, _ = planned(growing).result
    depth = json.loads(row.data)["depth"]
    assert depth == len(json.loads(row.data)["path"]) > 1
    assert sum(turn.sampled for turn in row.messages) == depth


def test_the_plan_with_most_different_symbols_is_chosen_and_gone_on_from() -> None:
    row, _ = planned(growing).result
    tree = json.loads(row.data)["tree"]
    best = max(score[0] for *_, score in tree)
    names = {s["symbol"] for step in json.loads(row.data)["steps"] for s in step["symbols"]}
    assert json.loads(row.data)["path"][-1] == [best] == [len(names)]
    first = {name: score[0] for name, _, depth, score in tree if depth == 1}
    assert first[tree[3][1]] == max(first.values())


def test_a_change_sees_what_the_package_has_for_each_step() -> None:
    change = asked(planned(growing))[3].messages[-1].content
    assert "1. create a model at runtime" in change
    assert "- pydantic.v1.main.create_model: create_model(" in change


def test_a_judge_scores_a_plan_by_its_steps_and_the_whole() -> None:
    def model(request: Request) -> str:
        is_judge = "A plan, with what the package has" in request.messages[0].content
        return "1. It fits.\nScore: 5\nScore: 2" if is_judge else growing(request)

    row, _ = planned(model, "recipe.stages.plan.ranker=judge", "recipe.stages.plan.nodes=3").result
    assert json.loads(row.data)["path"] == [[3.5]]


def test_a_response_without_a_step_leaves_no_plan() -> None:
    play = planned(lambda request: "I cannot.", "recipe.stages.plan.nodes=3")
    assert play.result.reason == "no_plan"


def test_a_stage_without_an_index_says_what_to_bind() -> None:
    with pytest.raises(SettingsError, match="tools has no `symbols`: bind"):
        stage("mutagrep", "plan", "~recipe.stages.plan.tools.symbols")


def test_a_package_s_symbols_are_found_by_words_of_their_docstrings_and_names() -> None:
    tool = SymbolSearch("pydantic", 5)
    names = [each["symbol"] for each in tool("dynamically creates a new Pydantic model")]
    assert "pydantic.main.create_model" in names
    assert not any("._" in name for name in symbols("pydantic"))


@pytest.mark.parametrize(
    ("package", "k", "message"),
    [
        ("no-such-package", 1, "package=no-such-package is not installed"),
        ("pydantic", 0, "k is 1 or more"),
        ("typing_extensions", 1, None),
        ("pydantic_core", 1, None),
    ],
)
def test_a_package_that_cannot_be_searched_is_named(
    package: str, k: int, message: str | None
) -> None:
    if message is None:
        assert SymbolSearch(package, k)("type")
        return
    with pytest.raises(ValueError, match=message):
        SymbolSearch(package, k)

"""What a run pays for adds up over processes and attempts, and ends it at its budget."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.examples import request, response
from transforms.engine.errors import BudgetReached
from transforms.models.backends.settings import OpenAIBackend
from transforms.models.budget import (
    SPENT,
    Account,
    Meter,
    Price,
    Spent,
    begin_meter,
    cost_of,
    over_budget,
)
from transforms.models.settings import BudgetSettings

PRICE = Price(prompt=1.0, cached=0.1, generated=3.0)


def test_a_response_costs_its_tokens_and_cached_ones_cost_less() -> None:
    answer = response(request(model="m"), prompt_tokens=100, cached_tokens=60, generated_tokens=10)
    spent = cost_of(answer, {"m": PRICE})
    assert spent.tokens == 110
    assert spent.cost == pytest.approx((40 * 1.0 + 60 * 0.1 + 10 * 3.0) / 1e6)


def test_a_model_without_a_price_costs_tokens_alone() -> None:
    assert cost_of(response(request(model="n")), {"m": PRICE}) == Spent(6, 0.0)


@pytest.mark.parametrize(
    ("budget", "reached"),
    [
        ({}, False),
        ({"max_tokens": 101}, False),
        ({"max_tokens": 100}, True),
        ({"max_cost": 2.5}, False),
        ({"max_cost": 2.0}, True),
        ({"max_tokens": 101, "max_cost": 2.0}, True),
    ],
)
def test_a_budget_is_reached_once_it_is_spent(budget: dict[str, float], reached: bool) -> None:
    said = over_budget(BudgetSettings.model_validate(budget), Spent(100, 2.0))
    assert (said is not None) == reached
    if said is not None:
        assert isinstance(said, BudgetReached) and "resume=true" in str(said)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 10**12), max_size=20), st.integers(1, 4))
def test_meters_that_share_a_file_all_show_the_sum(
    tmp_path_factory: pytest.TempPathFactory, amounts: list[int], meters: int
) -> None:
    path = str(tmp_path_factory.mktemp("spent") / "spent")
    sharing = [Meter(path) for _ in range(meters)]
    for number, amount in enumerate(amounts):
        sharing[number % meters].add(Spent(amount, 1.0))
    assert {meter.spent() for meter in sharing} == {Spent(sum(amounts), float(len(amounts)))}


def test_a_meter_goes_on_where_a_killed_process_stopped(tmp_path: Path) -> None:
    path = str(tmp_path / "spent")
    Meter(path).add(Spent(7, 0.5))
    with open(path, "ab") as file:
        file.write(b"half")  # the disk was full
    begin_meter(path)
    Meter(path).add(Spent(1, 0.25))
    assert Meter(path).spent() == Spent(8, 0.75)


def test_a_meter_without_a_file_counts_for_itself() -> None:
    meter = Meter(None)
    meter.add(Spent(3, 0.1))
    assert meter.spent() == Spent(3, 0.1)
    assert os.environ.get("COTMILL_SPENT") is None


def _account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, own: int) -> Account:
    monkeypatch.setenv(SPENT, str(tmp_path / "spent"))
    backend = OpenAIBackend.model_validate(
        {"engine": "openai", "model": model, "base_url": "http://127.0.0.1:9/v1", "api": "chat"}
        | {"budget": {"max_tokens": own}}
    )
    return Account(BudgetSettings(max_tokens=20), backend, {})


def test_a_model_with_a_budget_of_its_own_is_stopped_by_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = _account(tmp_path, monkeypatch, "judge", 6)
    writer = _account(tmp_path, monkeypatch, "writer", 100)
    judge.pay([response(request(model="judge"))])
    assert "max_tokens=6 of the model judge is reached" in str(judge.reached())
    assert writer.reached() is None


def test_the_budget_of_the_run_stops_every_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = _account(tmp_path, monkeypatch, "judge", 100)
    for _ in range(4):
        judge.pay([response(request(model="judge"))])
    writer = _account(tmp_path, monkeypatch, "writer", 100)
    assert "budget.max_tokens=20 is reached" in str(writer.reached())

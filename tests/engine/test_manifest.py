"""The manifest's sums."""

import pytest

from transforms.engine.manifest import add_cost, tokens_saved
from transforms.models.budget import Price


def test_requests_not_made_count_as_the_mean_of_those_made():
    spent = {
        "requests": 3,
        "requests.recorded": 1,
        "requests.saved": 6,
        "tokens.generated": 300,
        "tokens.recorded": 100,
    }
    assert tokens_saved(spent) == 600
    assert tokens_saved({"requests.saved": 6}) == 0


def test_cost_is_summed_by_stage_and_per_accepted_row_and_names_what_has_no_price():
    spent = {"tokens.prompt": 100, "tokens.cached": 40, "tokens.generated": 10}
    spent |= {"tokens.recorded.prompt": 50, "tokens.recorded": 5}
    stage = {"name": "solve", "models": {"m": spent, "other": spent}}
    manifest = {"segments": [{"stages": [{"name": "verify"}, stage]}], "accepted": 2}
    add_cost(manifest, {"m": Price(prompt=10_000, cached=1_000, generated=100_000)})
    assert stage["cost"] == {"paid": pytest.approx(0.6 + 0.04 + 1.0), "recorded": 1.0}
    assert manifest["cost"] == {
        "paid": stage["cost"]["paid"],
        "recorded": stage["cost"]["recorded"],
        "per_accepted": pytest.approx((1.64 + 1.0) / 2),
        "unpriced": ["other"],
    }

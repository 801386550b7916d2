"""The manifest's sums."""

from transforms.manifest import tokens_saved


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

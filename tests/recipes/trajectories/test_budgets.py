"""No search goes over its budget where requests have to be sent again."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from tests.models.examples import response
from tests.models.fault_server import fault_server
from tests.programs_for_tests import SPAM
from tests.recipes.playing import stage
from tests.stages.trajectories.talking import asked, played
from transforms.engine.records import Seed
from transforms.models.backends import openai_engine
from transforms.models.backends.settings import OpenAIBackend
from transforms.models.engines import close_engines, open_engine
from transforms.models.requests import Request, Response
from transforms.models.scores import scores_text

SEED = Seed.make(problem="How many?", answer="560", code=SPAM, source="s", license="MIT")
FAILS_TESTS = f"```python\n{SPAM.replace('answered * days', 'answered + days')}\n```"


def of_thoughts(prompt: str) -> str:
    is_code = "follows these thoughts" in prompt
    return FAILS_TESTS if is_code else "<idea>Add.</idea><idea>Guess.</idea>"


def of_programs(prompt: str) -> str:
    return "Score: 3" if prompt.startswith("A programmer works") else FAILS_TESTS


SEARCHES: dict[str, tuple[str, Callable[[str], str]]] = {
    "tree_of_code": ("grow", lambda prompt: "<execute>\n1 / 0\n</execute>"),
    "rethink_mcts": ("rethink", of_thoughts),
    "orps": ("refine", of_programs),
    "mutagrep": ("plan", lambda prompt: "<step>validate JSON data</step>"),
    "dream": ("search", lambda prompt: "I add."),
    "ovm": ("search", lambda prompt: "I add."),
}
"""Recipe -> the stage that searches, and a model after whose answers its search would go on."""


@pytest.mark.parametrize(("limit", "most"), [("asks", 7), ("tokens", 14)])
@pytest.mark.parametrize("recipe", SEARCHES)
def test_a_budget_holds_where_requests_have_to_be_sent_again(
    recipe: str, limit: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an answer comes to the first request of each prompt; an answer has 2 tokens."""
    monkeypatch.setattr(openai_engine, "backoff", lambda tries: 0.0)
    name, answer = SEARCHES[recipe]
    settings = {limit: most, "keeps_wrong": "true", "sampler.max_tokens": 2}
    settings |= {"orps": {"drafts": 3}, "ovm": {"candidates": 3}}.get(recipe, {})
    overrides = [f"recipe.stages.{name}.{each}={value}" for each, value in settings.items()]
    searching = stage(recipe, name, "backend.continue_prefix=true", *overrides)
    with fault_server(answer, lambda prompt: "unlucky") as server:
        endpoint = {"base_url": server.base_url, "model": "m", "api": "chat"}
        engine = open_engine(OpenAIBackend(engine="openai", continue_prefix=True, **endpoint))

        def model(request: Request) -> Response:
            if request.score is not None:
                even = [("+", math.log(0.5)), ("-", math.log(0.5))]
                return response(request, scores_text(even), generated_tokens=1)
            engine.submit(request)
            [answered] = engine.finished(wait=True)
            return answered

        play = played(searching.episode(SEED), model)
        close_engines()
    written = [request for request in asked(play) if request.score is None]
    scored = len(asked(play)) - len(written)
    used = {"asks": len(asked(play)), "tokens": 2 * len(written) + scored}
    assert most - 2 <= used[limit] <= most
    assert server.answered.total() == len(written) < server.total()

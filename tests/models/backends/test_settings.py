"""What models are asked, by which names, and what a backend cannot be told."""

import re

import pytest

from tests.settings_for_tests import OPENAI, composed
from transforms.engine.errors import SettingsError
from transforms.engine.paths import PROJECT
from transforms.engine.run_settings import backend_for


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["sampling.solve.regex=a+", "sampling.solve.fire_temperature=30"],
            "fire_temperature and regex exclude each other",
        ),
        (
            ["sampling.solve.regex=a+", "sampling.solve.json_schema={type: object}"],
            "json_schema and regex exclude each other",
        ),
    ],
)
def test_samplers_that_cannot_be_had_are_named(overrides, message):
    with pytest.raises(SettingsError, match=message):
        composed(*overrides)


def test_a_budget_in_money_needs_a_price_of_the_model():
    money = ["backend.model=m", "++budget.max_cost=2"]
    with pytest.raises(SettingsError, match="budget.max_cost needs the price of m"):
        composed(*money)
    price = "{prompt: 1, cached: 0.1, generated: 3}"
    assert composed(*money, f"++prices={{m: {price}}}").prices["m"].generated == 3


JUDGE = ["models.judge.engine=openai", "models.judge.model=j", "models.judge.api=chat"]
JUDGE += ["models.judge.base_url=http://127.0.0.1:2/v1"]


def test_a_model_is_bound_by_its_name_and_every_other_name_is_the_backends():
    settings = composed(*OPENAI, *JUDGE)
    assert backend_for(settings, "judge") == settings.models["judge"] != settings.backend
    assert backend_for(settings, "writer") == backend_for(settings, None) == settings.backend


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["models.judge.engine=openai"], "models.judge.model is missing"),
        ([*JUDGE, "models.judge.temperature=1"], "models.judge.temperature is not a setting"),
        ([*JUDGE, "models.judge.budget.max_cost=1"], "models.judge.budget.max_cost needs the pri"),
        ([*OPENAI, *JUDGE, "budget.max_cost=1", "prices.m={prompt: 1, cached: 1, generated: 1}"],
         "budget.max_cost needs the price of j"),
        ([*OPENAI, "backend.request.temperature=1"], "temperature cannot be set here"),
        ([*OPENAI, "backend.request.stream=true"], "stream cannot be set"),
        ([*OPENAI, "backend.continue_prefix=true", "backend.reasoning=keep"],
         "continue_prefix and reasoning exclude each other"),
        (["backend.engine_args.max_model_len=9"], "max_model_len cannot be set here"),
        (["backend.think_tags=[a, '']"], "think_tags needs a closing tag"),
    ],
)  # fmt: skip
def test_what_a_backend_cannot_be_told_is_named(overrides, message):
    with pytest.raises(SettingsError, match=message):
        composed(*overrides)


def test_the_values_of_headers_are_in_no_manifest():
    settings = composed(*OPENAI, "backend.headers={X-Token: secret}", *JUDGE)
    assert settings.backend.headers["X-Token"].get_secret_value() == "secret"
    assert "secret" not in settings.model_dump_json()


def test_the_commands_in_the_page_on_models_are_valid_settings():
    page = (PROJECT / "docs" / "models.md").read_text().replace("\\\n", "")
    commands = re.findall(r"^cotmill synthesize (.*)$", page, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        composed(*command.split())


def test_the_settings_in_the_page_on_models_are_valid():
    page = (PROJECT / "docs" / "models.md").read_text()
    rows = re.findall(r"^\| `(backend\.[^`]+)` \|", page, re.MULTILINE)
    assert len(rows) == 5
    for row in rows:
        composed(*(["backend=vllm"] if "engine_args" in row else OPENAI), row)


@pytest.mark.parametrize(
    "url",
    [
        *("127.0.0.1:8000/v1", "localhost", "", "http://", "http:///v1", "ftp://a/v1", "/v1"),
        *("http://[::1/v1", "http://a:99999/v1", "http://a:port/v1", "http://a..b/v1"),
        *(f"http://{'a' * 80}.com/v1", "http://a b/v1", "https://a/v1/chat/completions"),
        "https://a/v1/models/",
    ],
)
def test_a_base_url_that_is_none_is_one_line(url):
    with pytest.raises(SettingsError, match=r"backend\.base_url") as error:
        composed(*OPENAI, f"backend.base_url='{url}'")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("url", ["http://[::1]:8/v1/", "HTTPS://a.b/c?d=e", " http://u:p@a/v1 "])
def test_a_base_url_may_have_a_query_a_user_and_space_around_it(url):
    assert composed(*OPENAI, f"backend.base_url='{url}'").backend.base_url == url.strip()

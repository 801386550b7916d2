"""A wrong setting is one clear line that names the key and, where it can, the fix."""

import re

import pytest
import yaml
from hydra import compose, initialize_config_dir

from pipelines.hydra_app import choices, settable, to_settings
from transforms.engine.errors import SettingsError
from transforms.engine.paths import CONF, PROJECT
from transforms.engine.run_settings import backend_for
from transforms.recipes.settings import Settings

OPENAI = ["backend=openai", "++backend.model=m", "++backend.base_url=http://127.0.0.1:1/v1"]


def composed(*overrides: str) -> Settings:
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        config = compose("synthesize", [settable(item) for item in overrides])
        return to_settings(config, Settings)


@pytest.mark.parametrize(
    "group", ["sandbox", "sampling", "source", "backend", "runner", "decontaminate"]
)
def test_every_choice_of_a_group_makes_valid_settings(group):
    required = {
        ("source", "jsonl"): ["source.path=x"],
        ("source", "parquet"): ["source.path=x"],
        ("source", "huggingface"): ["source.path=x"],
        ("source", "reasoning_gym"): ["source.tasks=[gsm_symbolic]"],
        ("source", "run"): ["source.path=x"],
        ("source", "function"): ["source.function=a.b"],
        ("backend", "openai"): OPENAI[1:],
        ("runner", "beam"): ["runner.options.runner=FlinkRunner"],
    }
    for choice in choices(group):
        settings = composed(f"{group}={choice}", *required.get((group, choice), []))
        assert isinstance(settings, Settings)


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
        (
            [*OPENAI, "sampling.solve.fire_temperature=30"],
            "sampling.solve.fire_temperature needs backend vllm or vllm_server",
        ),
    ],
)
def test_samplers_that_cannot_be_had_are_named(overrides, message):
    with pytest.raises(SettingsError, match=message):
        composed(*overrides)


def test_a_key_that_no_yaml_lists_can_be_set_without_a_plus():
    settings = composed("backend=vllm", "backend.enforce_eager=true", "sandbox.slots=3")
    assert settings.backend.enforce_eager is True
    assert settings.sandbox.slots == 3


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sampling.num_program=3", "did you mean sampling.num_programs?"),
        ("samplin.num_programs=3", "samplin is not a setting: did you mean sampling?"),
        ("sampling.program.temprature=3", "did you mean sampling.program.temperature?"),
        ("backend.base_url=x", "backend.base_url is not a setting"),
        ("sampling.num_programs=many", "sampling.num_programs='many': input should be a valid int"),
        ("sampling.num_programs=0", "sampling.num_programs=0: input should be greater than"),
        ("verify.min_agreement=1.5", "verify.min_agreement=1.5: input should be less than"),
        ("sampling.conditioning=few", "sampling.conditioning='few': should be one of few_shot"),
        (
            "sampling.conditioning={kind: 1, few: 2}",
            "sampling.conditioning={'kind': 1, 'few': 2}: should be one of few_shot, kind",
        ),
        ("sampling.conditioning={kind: 0}", "gives no weight to anything"),
        ("sampling.conditioning={kind: -1}", "sampling.conditioning.kind=-1: input should be"),
        ("sampling.conditioning=[kind]", "sampling.conditioning=['kind']: should be one of"),
        ("sampling.kinds=[]", "sampling.kinds=[]: list should have at least 1 item"),
        ("sampling.solve.temperature=2.5", "sampling.solve.temperature=2.5: input should be less"),
        ("dedup.bands=7", "num_perm=128 is not divisible by bands=7"),
        ("decontaminate.ngram=20", "long_ngram=13 is shorter than ngram=20"),
        ("decontaminate.benchmarks.b={type: jsonl}", "decontaminate.benchmarks.b.path is missing"),
        ("decontaminate.share=2", "decontaminate.share=2: input should be less than"),
        ("decontaminate.benchmarks=3", "decontaminate.benchmarks=3: should be a map"),
        ("decontaminate.benchmarks={b: 3}", "decontaminate.benchmarks.b=3: should be a map"),
        (
            "decontaminate.benchmarks={b: {type: mix, sources: 3}}",
            "decontaminate.benchmarks.b.sources=3: should be a map",
        ),
        ("prices={m: 3}", "prices.m=3: should be a map"),
        (
            "backend.model=7",
            "backend.model=7: input should be a valid string: to give it as a text, quote it "
            """twice: 'backend.model="TEXT"'""",
        ),
        ("source=jsonl", "source.path is missing: set source.path=VALUE"),
        ("source=reasoning_gym", "source.tasks is missing"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(override, message):
    with pytest.raises(SettingsError) as error:
        composed(override)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_benchmark_can_be_left_out_or_read_from_a_local_copy():
    local = composed(
        "decontaminate=benchmarks",
        "~decontaminate.benchmarks.math",
        "decontaminate.benchmarks.gsm8k.path=copy",
        "decontaminate.benchmarks.gsm8k.config=null",
    ).decontaminate.benchmarks
    assert "math" not in local and "math_500" in local
    assert (local["gsm8k"].path, local["gsm8k"].config) == ("copy", None)


def test_resume_and_overwrite_exclude_each_other():
    with pytest.raises(SettingsError, match="exclude each other"):
        composed("resume=true", "overwrite=true")


def test_every_setting_says_what_it_means():
    def descriptions(model):
        for name, field in model["properties"].items():
            if "$ref" not in field and "const" not in field and "oneOf" not in field:
                yield name, field.get("description")

    schema = Settings.model_json_schema(by_alias=True)
    silent = [
        (group, name)
        for group, model in {**schema["$defs"], "Settings": schema}.items()
        for name, meaning in descriptions(model)
        if not meaning
    ]
    assert not silent


def test_what_only_decides_speed_or_place_is_no_part_of_a_groups_identity():
    here = composed(*OPENAI, "sandbox.slots=1", "ledger.flush_seconds=1")
    there = composed(
        "backend=openai",
        "backend.model=m",
        "backend.base_url=http://127.0.0.1:2/v1",
        "backend.max_in_flight=1",
        "sandbox=strict",
        "ledger.flush_seconds=9",
    )
    for group in ("backend", "sandbox", "ledger"):
        assert getattr(here, group).identity() == getattr(there, group).identity()
    other = composed("backend=openai", "backend.model=n", "backend.base_url=x")
    assert here.backend.identity() != other.backend.identity()


def test_every_yaml_of_a_group_opens_with_what_it_is():
    for path in CONF.glob("*/*.yaml"):
        text = path.read_text()
        assert yaml.safe_load(text), path
        assert text.startswith("#") or len(choices(path.parent.name)) == 1, path


def test_a_budget_in_money_needs_a_price_of_the_model():
    money = ["backend.model=m", "++budget.max_cost=2"]
    with pytest.raises(SettingsError, match="budget.max_cost needs the price of m"):
        composed(*money)
    price = "{prompt: 1, cached: 0.1, generated: 3}"
    assert composed(*money, f"++prices={{m: {price}}}").prices["m"].generated == 3


@pytest.mark.parametrize(
    ("override", "mix"),
    [
        ("sampling.conditioning=kind", {"kind": 1}),
        ("sampling.conditioning={unconditional: 1, kind: 2}", {"unconditional": 1, "kind": 2}),
        ("sampling.num_programs=7", {"few_shot": 1}),
    ],
)
def test_what_prompts_name_is_given_by_one_name_or_by_weights(override, mix):
    assert composed(override).sampling.conditioning == mix


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
    assert len(rows) == 4
    for row in rows:
        composed(*(["backend=vllm"] if "engine_args" in row else OPENAI), row)

"""A wrong setting is one clear line that names the key and, where it can, the fix."""

import pytest
import yaml

from pipelines.hydra_app import choices
from tests.settings_for_tests import DATAFLOW, OPENAI, composed
from transforms.engine.errors import SettingsError
from transforms.engine.paths import CONF
from transforms.recipes.settings import Settings


@pytest.mark.parametrize(
    "group", ["sandbox", "sampling", "source", "backend", "runner", "decontaminate"]
)
def test_every_choice_of_a_group_makes_valid_settings(group):
    reached = ["output_dir=gs://bucket/run", "source.path=gs://bucket/seeds.jsonl"]
    required = {
        ("source", "jsonl"): ["source.path=x"],
        ("source", "parquet"): ["source.path=x"],
        ("source", "huggingface"): ["source.path=x"],
        ("source", "reasoning_gym"): ["source.tasks=[gsm_symbolic]"],
        ("source", "run"): ["source.path=x"],
        ("source", "function"): ["source.function=a.b"],
        ("backend", "openai"): OPENAI[1:],
        ("runner", "beam"): ["runner.options.runner=PortableRunner"],
        ("runner", "flink"): ["runner.master=jobs:8081", *reached],
        ("runner", "dataflow"): [*DATAFLOW[1:], *reached],
    }
    for choice in choices(group):
        settings = composed(f"{group}={choice}", *required.get((group, choice), []))
        assert isinstance(settings, Settings)


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
        ("output_dir=", "output_dir='': string should have at least 1 character"),
        ("output_dir=null", "output_dir=null: input should be a valid string"),
        ("source=jsonl", "source.path is missing: set source.path=VALUE"),
        ("source=reasoning_gym", "source.tasks is missing"),
        ("recipe.stages.slove.samples=2", "is missing: did you mean recipe.stages.solve?"),
        ("decontaminate.benchmarks={b: {type: jsonl, path: 7}}", "benchmarks.b.path=7: input"),
        ("runner.options={regoin: x}", "runner.options.regoin is not an option of Beam: did you "),
        ("runner.options={streaming: 1}", "runner.options.streaming takes true or false"),
        ("runner.options={dry_run: true}", "runner.options.dry_run takes a value, not true or"),
        ("runner.options={parallelism: many}", "runner.options.parallelism: invalid int value"),
        ("runner.options={region: [a, b]}", "runner.options.region takes one value"),
        ("runner.options={runner: FlinkRunner}", "runner.options.runner: set runner.type instead"),
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
    other = composed("backend=openai", "backend.model=n", "backend.base_url=http://x/v1")
    assert here.backend.identity() != other.backend.identity()


def test_every_yaml_of_a_group_opens_with_what_it_is():
    for path in CONF.glob("*/*.yaml"):
        text = path.read_text()
        assert yaml.safe_load(text), path
        assert text.startswith("#") or len(choices(path.parent.name)) == 1, path


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

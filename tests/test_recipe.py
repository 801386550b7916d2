"""A recipe is data, and its fingerprints say which segments a change of settings reaches."""

import os

import pytest
import yaml

from tests.test_settings import composed
from transforms.errors import SettingsError
from transforms.generation.prompts import PromptTemplate
from transforms.paths import CONF
from transforms.recipe import build_segments
from transforms.records import Example, Seed


def segments(*overrides):
    return build_segments(composed(*overrides), "/run", "/run/ledger")


def fingerprints(*overrides):
    return [segment.fingerprint for segment in segments(*overrides)]


def first_difference(*overrides):
    """The label of the first segment whose rows an override may change; None if none."""
    pairs = zip(segments(), segments(*overrides), strict=True)
    return next((one.label for one, two in pairs if one.fingerprint != two.fingerprint), None)


def test_caco_goes_from_seeds_to_examples_in_matching_steps():
    built = segments()
    assert built[0].reads is None and built[-1].writes is Example
    assert [segment.folder for segment in built][-2:] == ["stages/08-verification", "data"]
    for before, after in zip(built, built[1:], strict=False):
        assert issubclass(before.writes, after.reads)
        for one, two in zip(before.stages, before.stages[1:], strict=False):
            assert one.writes is two.reads


def test_every_stage_has_a_name_of_its_own():
    names = [stage.stage for segment in segments() for stage in segment.stages]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("override", "label"),
    [
        ("source.limit=3", "01-seeds"),
        ("backend.model=other", "02-unify"),
        ("sampling.seed=1", "02-unify"),
        ("sampling.kinds=[rates]", "02-unify"),
        ("sampling.conditioning={few_shot: 1, kind: 1}", "02-unify"),
        ("dedup.max_per_fingerprint=1", "05-filtering"),
        ("verify.min_agreement=0.9", "07-solving"),
        ("dedup.ngram=2", "05-filtering"),
        ("decontaminate.similarity=0.9", "09-diversity"),
        ("decontaminate.benchmarks={b: {type: jsonl, path: b.jsonl}}", "09-diversity"),
        ("dedup.partitions=7", None),
        ("runner.workers=3", None),
        ("output_dir=elsewhere", None),
        ("backend.max_in_flight=7", None),
        ("sandbox.slots=7", None),
        ("sink.rows_per_shard=7", None),
    ],
)
def test_a_setting_reaches_the_segments_it_can_change_and_no_earlier_one(override, label):
    assert first_difference(override) == label


def test_how_many_rows_of_a_run_become_seeds_decides_every_segment():
    run = ["source=run", "source.path=outputs/demo"]
    one, two = fingerprints(*run), fingerprints(*run, "source.max_per_fingerprint=2")
    assert not set(one) & set(two)


def test_all_segments_after_a_change_are_changed():
    one, two = fingerprints(), fingerprints("sampling.seed=1")
    assert [a == b for a, b in zip(one, two, strict=True)] == [True] + [False] * 8


def test_the_words_of_a_prompt_are_part_of_the_fingerprint(tmp_path):
    one = fingerprints()
    for path in (CONF.parent / "data" / "prompts" / "caco").glob("*.yaml"):
        text = path.read_text()
        if path.stem == "solve":
            text = text.replace("step by step", "slowly")
        (tmp_path / path.name).write_text(text)
    two = fingerprints(f"recipe.prompts={tmp_path}")
    assert [a == b for a, b in zip(one, two, strict=True)] == [True] * 6 + [False] * 3


def test_a_changed_source_is_read_again_and_one_copied_is_not(tmp_path):
    path = tmp_path / "seeds.jsonl"
    path.write_text('{"problem": "a"}\n')
    one = fingerprints("source=jsonl", f"source.path={tmp_path}/*.jsonl")
    os.utime(path, (1, 1))
    assert fingerprints("source=jsonl", f"source.path={tmp_path}/*.jsonl") == one
    path.write_text('{"problem": "b"}\n')
    assert fingerprints("source=jsonl", f"source.path={tmp_path}/*.jsonl")[0] != one[0]


def test_a_changed_benchmark_changes_the_segment_that_compares_with_it_alone(tmp_path):
    path = tmp_path / "exam.jsonl"
    setting = f"decontaminate.benchmarks={{exam: {{type: jsonl, path: {path}}}}}"
    path.write_text('{"problem": "a"}\n')
    one = fingerprints(setting)
    path.write_text('{"problem": "b"}\n')
    two = fingerprints(setting)
    assert [a == b for a, b in zip(one, two, strict=True)] == [True] * 8 + [False]


def test_prompts_may_be_on_another_filesystem_than_the_project(monkeypatch):
    monkeypatch.setattr(PromptTemplate, "load", lambda path: pytest.fail(path))
    with pytest.raises(pytest.fail.Exception, match="^gs://bucket/prompts/unify.yaml$"):
        segments("recipe.prompts=gs://bucket/prompts")


def test_stages_are_given_the_folder_of_the_seeds_they_show():
    reversal = segments()[5]
    assert reversal.stages[0].seeds == "/run/stages/02-unify"
    assert segments()[1].reads is Seed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"_target_": "transforms.nothing.Here"}, "there is no transform transforms.nothing.Here"),
        ({"_target_": "transforms.records.Seed"}, "is not a stage"),
        ({"_target_": "transforms.solving.Solve", "prompt": "nope", "seeds": "a"}, "nope.yaml"),
        ({"_target_": "transforms.solving.Solve", "prompt": "solve", "seeds": "b"}, "segment 'b'"),
        ({"_target_": "transforms.solving.Solve", "seeds": "a"}, "cannot be built"),
        ({"_target_": "transforms.solving.Solve", "promt": "solve"}, "cannot be built"),
    ],
)
def test_a_mistake_in_a_recipe_is_one_line_that_names_it(change, message):
    text = yaml.safe_dump([{"name": "a", "stages": [change]}], default_flow_style=True, width=999)
    with pytest.raises(SettingsError, match=message.replace("(", "\\(")) as error:
        segments(f"recipe.segments={text.strip()}")
    assert "\n" not in str(error.value)

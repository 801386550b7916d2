"""A recipe is data, and its fingerprints say which segments a change of settings reaches."""

import itertools
import os

import pytest

from tests.settings_for_tests import OPENAI, composed
from transforms.engine import recipe
from transforms.engine.errors import SettingsError
from transforms.engine.paths import CONF
from transforms.engine.recipe import asked_backends, build_segments, in_order
from transforms.engine.records import Example, Seed
from transforms.engine.settings import RecipeSettings
from transforms.models.prompts import PromptTemplate


def segments(*overrides):
    return build_segments(composed(*overrides), "/run", "/run/ledger")


def fingerprints(*overrides):
    return [segment.fingerprint for segment in segments(*overrides)]


def first_difference(*overrides):
    """The label of the first segment whose rows an override may change; None if none."""
    pairs = zip(segments(), segments(*overrides), strict=True)
    return next((one.label for one, two in pairs if one.fingerprint != two.fingerprint), None)


def test_caco_goes_from_seeds_to_examples_in_segments_that_begin_where_a_model_is_asked():
    built = segments()
    assert built[0].reads is None and built[-1].writes is Example
    assert [segment.folder for segment in built] == [
        "stages/01-seeds", "stages/02-unify", "stages/03-sample", "stages/04-execute",
        "stages/05-reverse", "stages/06-solve", "data",
    ]  # fmt: skip
    for before, after in itertools.pairwise(built):
        assert before.writes is after.reads


def test_every_stage_has_a_name_of_its_own():
    names = [stage.name for segment in segments() for stage in segment.stages]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("override", "label"),
    [
        ("source.limit=3", "01-seeds"),
        ("backend.model=other", "02-unify"),
        ("seed=1", "02-unify"),
        ("sampling.kinds=[rates]", "02-unify"),
        ("sampling.conditioning={few_shot: 1, kind: 1}", "02-unify"),
        ("dedup.max_per_fingerprint=1", "04-execute"),
        ("verify.min_agreement=0.9", "06-solve"),
        ("dedup.ngram=2", "04-execute"),
        ("decontaminate.similarity=0.9", "07-verify"),
        ("decontaminate.benchmarks={b: {type: jsonl, path: b.jsonl}}", "07-verify"),
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
    one, two = fingerprints(), fingerprints("seed=1")
    assert [a == b for a, b in zip(one, two, strict=True)] == [True] + [False] * 6


def test_the_words_of_a_prompt_are_part_of_the_fingerprint(tmp_path):
    one = fingerprints()
    for path in (CONF.parent / "data" / "prompts" / "caco").glob("*.yaml"):
        text = path.read_text()
        if path.stem == "solve":
            text = text.replace("step by step", "slowly")
        (tmp_path / path.name).write_text(text)
    two = fingerprints(f"recipe.prompts={tmp_path}")
    assert [a == b for a, b in zip(one, two, strict=True)] == [True] * 5 + [False] * 2


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
    assert [a == b for a, b in zip(one, two, strict=True)] == [True] * 6 + [False]


def test_prompts_may_be_on_another_filesystem_than_the_project(monkeypatch):
    monkeypatch.setattr(PromptTemplate, "load", lambda path: pytest.fail(path))
    with pytest.raises(pytest.fail.Exception, match="^gs://bucket/prompts/unify.yaml$"):
        segments("recipe.prompts=gs://bucket/prompts")


def test_stages_are_given_the_folder_of_the_seeds_they_show():
    reversal = segments()[4]
    assert reversal.stages[0].seeds == "/run/stages/02-unify"
    assert segments()[1].reads is Seed


SOLVE = {"_target_": "transforms.recipes.caco.solving.Solve"}
FILTER = {"_target_": "transforms.Filter"}
VERIFY = {"_target_": "transforms.recipes.caco.verify.Verify"}
LIMIT = {"_target_": "transforms.engine.losers.Limit", "reason": "r"}


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ({"a": {"_target_": "transforms.nothing.Here"}}, "there is no transform"),
        ({"a": {"_target_": "transforms.Seed"}}, "recipe.stages.a: .* is not a stage"),
        ({"a": {"_target_": "transforms.Map"}}, "recipe.stages.a: .* is not a stage"),
        ({"a": SOLVE | {"prompt": "nope", "code_prompt": "unify"}}, "nope.yaml"),
        ({"a": SOLVE | {"seeds": "b"}}, "recipe.stages.a takes its seeds from stage 'b'"),
        ({"a": SOLVE | {"prompt": "solve"}}, "recipe.stages.a: .* cannot be built"),
        ({"a": SOLVE | {"promt": "solve"}}, r"stages.a.promt is not .*did you mean prompt\?"),
        ({"a": VERIFY}, "a .Verify. reads Attempts, but nothing comes before it"),
        ({"a": FILTER | {"after": "b"}}, "a stands after b, which is"),
        ({"a": FILTER | {"checks": 3}}, r"recipe.stages.a.checks: "),
        ({"seeds": {"_target_": "transforms.sources.ReadSeeds"},
          "a": LIMIT | {"key": "no.such"}}, "no.such"),
        ({"seeds": {"_target_": "transforms.sources.ReadSeeds"},
          "a": {"_target_": "transforms.stages.diversity.instructions.Deduplicate", "text": "txt"}},
         "recipe.stages.a.text=txt: Seed, which comes in, has no such field"),
        ({"seeds": {"_target_": "transforms.sources.ReadSeeds"},
          "a": LIMIT | {"key": "builtins.len", "reason": "Too many"}},
         "a .Limit. gives a reason 'Too many'"),
        ({}, "recipe.stages is empty"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_recipe_is_one_line_that_names_it(stages, message):
    with pytest.raises(SettingsError, match=message) as error:
        build_segments(with_stages(stages), "/run")
    assert "\n" not in str(error.value)


def with_stages(stages):
    settings = composed()
    recipe = RecipeSettings.model_validate({**settings.recipe.model_dump(), "stages": stages})
    return settings.model_copy(update={"recipe": recipe})


def test_a_recipe_that_extends_another_puts_stages_in_their_place_and_leaves_others_out():
    given = composed().recipe.model_dump(by_alias=True)["stages"]
    given |= {"structure": None, "hard": {"_target_": "transforms.Filter", "after": "solve"}}
    given |= {"early": {"_target_": "transforms.Filter", "before": "unify"}}
    names = list(in_order(with_stages(given).recipe))
    assert names[names.index("solve") + 1] == "hard"
    assert names[names.index("unify") - 1] == "early"
    assert "structure" not in names and len(names) == len(given) - 1


def test_a_stage_may_begin_a_segment_or_not_as_the_recipe_says():
    whole = segments("+recipe.stages.execute.begins_segment=false")
    assert [segment.name for segment in whole][2:4] == ["sample", "reverse"]


@pytest.mark.parametrize(
    ("recipe", "message"),
    [("judge", r"models\.jugde: .* did you mean models\.judge\?"), ("caco", "it names none")],
)
def test_a_model_that_no_stage_asks_is_one_line(recipe, message):
    backend = "{engine: openai, model: m, base_url: 'http://127.0.0.1:9/v1', api: chat}"
    with pytest.raises(SettingsError, match=message):
        segments(f"recipe={recipe}", f"models.jugde={backend}")


@pytest.mark.parametrize(
    ("recipe", "place"), [("caco", "sampling.solve"), ("tool_math", "recipe.stages.solve.sampler")]
)
def test_a_first_token_of_its_own_is_refused_where_the_endpoint_cannot_give_it(recipe, place):
    with pytest.raises(SettingsError, match=rf"{place}\.fire_temperature needs backend vllm"):
        segments(*OPENAI, f"recipe={recipe}", f"++{place}.fire_temperature=30")


def test_a_text_to_score_is_refused_where_the_endpoint_chats():
    with pytest.raises(SettingsError, match=r"stages\.confidence asks how likely.*models\.writer"):
        segments(*OPENAI, "recipe=drm", "backend.api=chat")


def test_a_stage_that_shows_pictures_is_refused_before_the_run_where_the_model_takes_text_alone(
    monkeypatch,
):
    monkeypatch.setattr("transforms.stages.attempt.AttemptTasks.shows_pictures", True)
    with pytest.raises(SettingsError, match=r"stages\.\w+ shows pictures.*api=chat of"):
        segments(*OPENAI, "recipe=codeio", "backend.api=completions")


def test_so_is_one_where_a_further_model_takes_text_alone():
    where = "base_url: 'http://127.0.0.1:1/v1', api: completions"
    big = f"models.big={{engine: openai, model: big, {where}}}"
    with pytest.raises(SettingsError, match=r"stages\.try shows pictures.*of models\.big"):
        segments(*OPENAI, "recipe=prompt_grid", big, "recipe.stages.try.grid_models=[big]")


@pytest.mark.parametrize(
    ("recipe", "asked"),
    [
        (["recipe=augment"], []),
        (["recipe=caco"], ["backend"]),
        (["recipe=judge", "models.judge=${backend}"], ["backend", "models.judge"]),
        (["recipe=judge", "models.judge=${backend}", "~recipe.stages.answer"], ["models.judge"]),
    ],
)
def test_only_the_models_that_stages_ask_have_to_be_there(recipe, asked):
    assert list(asked_backends(composed(*OPENAI, *recipe))) == asked


def test_a_model_that_a_stage_may_ask_beside_its_own_has_to_be_there_too():
    settings = composed(*OPENAI, "recipe=codesteer", "models.solver=${backend}")
    assert list(asked_backends(settings)) == ["backend", "models.solver"]
    assert settings.models["solver"].place == "models.solver"


def test_a_further_model_of_a_stage_is_part_of_its_fingerprint():
    where = "base_url: 'http://127.0.0.1:1/v1', api: chat"
    bound = f"models.solver={{engine: openai, model: big, {where}}}"
    one, other = (segments(*OPENAI, "recipe=codesteer", *more)[-1] for more in ([], [bound]))
    assert one.fingerprint != other.fingerprint


def test_a_misspelt_name_of_a_further_model_is_one_line():
    with pytest.raises(SettingsError, match=r"did you mean models\.solver\?"):
        segments(*OPENAI, "recipe=codesteer", "models.solvr=${backend}")


def test_the_code_of_the_sources_that_are_read_is_part_of_a_fingerprint(monkeypatch):
    asked = []
    monkeypatch.setattr(recipe, "code_digest", lambda module: asked.append(module) or module)
    build_segments(composed("source=jsonl", "source.path=x"), "/run")
    readers = {name for name in asked if name.startswith("transforms.sources.")}
    assert readers == {"transforms.sources.read", "transforms.sources.jsonl"}

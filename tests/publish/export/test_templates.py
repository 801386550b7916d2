"""Every row renders with the model's chat template, and rows with tool calls with one for tools."""

from pathlib import Path

import pytest

from tests.publish.export import runs
from tests.publish.export.test_formats import exported
from transforms.engine.errors import SettingsError
from transforms.publish.export.chats import conversation, for_templates
from transforms.publish.export.templates import TemplateCheck
from transforms.training.trainer import load_tokenizer


@pytest.fixture(scope="module")
def embedded() -> TemplateCheck:
    return TemplateCheck("embedded")


def with_template(folder: Path, template: str | None) -> str:
    tokenizer = load_tokenizer("embedded")
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("recipe", sorted(runs.RUNS))
def test_rows_of_each_recipe_render(embedded: TemplateCheck, tmp_path: Path, recipe: str) -> None:
    rows, _ = exported(runs.RUNS[recipe](tmp_path), "sft", solutions="all")
    for row in rows:
        embedded(row["id"], row["messages"], row["tools"])


def test_rows_with_calls_render_with_each_template_for_tools_that_trl_ships(tmp_path: Path) -> None:
    from trl import chat_template_utils as shipped

    rows, _ = exported(runs.tool_math(tmp_path), "sft")
    [row] = [row for row in rows if any("tool_calls" in message for message in row["messages"])]
    for family in ("qwen3", "qwen2_5", "llama3_1", "glm4moe", "nemotron_3_nano", "gemma4"):
        check = TemplateCheck("embedded")
        check._with_tools = getattr(shipped, f"{family}_chat_template")
        check(row["id"], row["messages"], row["tools"])


def test_the_embedded_models_template_shows_no_tools(embedded: TemplateCheck) -> None:
    assert not embedded.tools_shown


def test_a_row_that_does_not_render_is_named_with_what_the_template_says(tmp_path: Path) -> None:
    strict = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
    )
    check = TemplateCheck(with_template(tmp_path, strict))
    said = conversation({"messages": [{"role": "system", "content": "s"}]})
    assert said is not None
    with pytest.raises(SettingsError, match="row r7 does not render .*: no system turn"):
        check("r7", for_templates(said.prompt, "drop"), None)


def test_a_model_without_a_template_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has no chat template: .* template=null"):
        TemplateCheck(with_template(tmp_path, None))

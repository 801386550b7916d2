"""What docs/ says is what the code has."""

import re

from pipelines.recipes import found
from pipelines.reference import PAGE, settings_page
from transforms.engine.paths import PROJECT
from transforms.engine.recipe import in_order, stage_class


def test_every_reason_of_the_shipped_stages_is_in_the_page_on_operations():
    page = (PROJECT / "docs" / "operations.md").read_text()
    named = set(re.findall(r"`([a-z_]+)`", "\n".join(re.findall(r"^\| `.*", page, re.M))))
    stages = [(name, stage) for _, recipe in found() for name, stage in in_order(recipe).items()]
    reasons = {str(reason) for name, stage in stages for reason in stage_class(name, stage).reasons}
    assert {"truncated", "other_unit", "no_preference"} < reasons
    assert reasons - named == set()


def test_the_page_of_settings_is_what_the_settings_are():
    """Where it is not: python -m pipelines.reference."""
    assert PAGE.read_text() == settings_page()


def test_the_code_of_the_page_on_data_runs():
    page = (PROJECT / "docs" / "data_model.md").read_text()
    for code in re.findall(r"```python\n(.*?)```", page, re.S):
        block = compile(code, "data_model.md", "exec", dont_inherit=True)
        exec(block, {"__name__": "docs"})

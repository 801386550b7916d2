"""What docs/ says is what the code has."""

import re

from pipelines.reference import PAGE, settings_page
from transforms.engine.accounting import Reason
from transforms.engine.paths import PROJECT


def test_every_reason_of_the_shipped_stages_is_in_the_page_on_operations():
    page = (PROJECT / "docs" / "operations.md").read_text()
    named = set(re.findall(r"`([a-z_]+)`", "\n".join(re.findall(r"^\| `.*", page, re.M))))
    assert {reason.value for reason in Reason} - named == set()


def test_the_page_of_settings_is_what_the_settings_are():
    """Where it is not: python -m pipelines.reference."""
    assert PAGE.read_text() == settings_page()


def test_the_code_of_the_page_on_data_runs():
    page = (PROJECT / "docs" / "data_model.md").read_text()
    for code in re.findall(r"```python\n(.*?)```", page, re.S):
        exec(compile(code, "data_model.md", "exec"), {"__name__": "docs"})

"""The example of docs/facts.md gives what it shows."""

from __future__ import annotations

import doctest
import re

from transforms.engine.paths import PROJECT


def test_the_example_of_the_page_holds():
    page = (PROJECT / "docs/facts.md").read_text()
    example = "".join(re.findall(r"^```python\n(.*?)^```", page, re.S | re.M))
    parsed = doctest.DocTestParser().get_doctest(example, {}, "facts.md", None, None)
    assert doctest.DocTestRunner().run(parsed).failed == 0

"""The names of units, months and the like are those of CLDR."""

import json

from pipelines.cldr import FILE, gathered


def test_the_names_that_ship_are_those_that_babel_has():
    assert json.loads(FILE.read_text("utf-8")) == json.loads(json.dumps(gathered()))

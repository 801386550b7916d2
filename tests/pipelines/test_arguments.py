"""Flags may stand anywhere, and a value reaches its setting whatever characters it has."""

import sys

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from pipelines.arguments import check_single, flags_and_settings, quote_values, readable
from transforms.engine.errors import SettingsError


def value_of(setting):
    """What Hydra reads in a setting."""
    return OverridesParser.create().parse_override(readable(setting)).value()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("source.path=/data/a=b.jsonl", "/data/a=b.jsonl"),
        ("source.path=my file.jsonl", "my file.jsonl"),
        ("source.path=seeds[1].jsonl", "seeds[1].jsonl"),
        ("source.path=~/seeds.jsonl", "~/seeds.jsonl"),
        ("source.license=CC BY", "CC BY"),
        ("source.name=größe", "größe"),
        ("source.name=it's", "it's"),
        ('source.name=a "b" c', 'a "b" c'),
        ("++source.name=a;b", "a;b"),
        ("backend.base_url=https://h/v1?version=1&x=2", "https://h/v1?version=1&x=2"),
        ("sampling.num_programs=3", 3),
        ("source.columns={problem: my question}", {"problem": "my question"}),
        ("source.columns={problem: größe=1, answer: x}", {"problem": "größe=1", "answer": "x"}),
        ("sampling.kinds=[geometría, rates]", ["geometría", "rates"]),
        ("budget={max_tokens: null, x: ä}", {"max_tokens": None, "x": "ä"}),
        ('source.name="größe"', "größe"),
    ],
)
def test_a_value_is_read_as_it_is_meant(setting, value):
    assert value_of(setting) == value


@pytest.mark.parametrize("setting", ["seed=1,2", "output_dir=runs/a,b", "seed=range(1,3)"])
def test_several_values_are_one_line_with_each_way_to_write_them(setting):
    key, _, value = setting.partition("=")
    with pytest.raises(SettingsError, match="is several values.*--multirun") as error:
        check_single(setting)
    text = f'{key}="{value}"'
    assert f"'{text}'" in str(error.value) and value_of(text) == value
    check_single(f"{key}=[{value}]")


odd = st.sampled_from("=;~!?&#<>()|äß'\"\\ ab1/.-")


@given(st.text(odd, min_size=1, max_size=12).filter(lambda text: text[0] not in "'\""))
def test_a_value_that_hydra_does_not_know_is_that_text(text):
    quoted = readable(f"a={text}")
    if quoted != f"a={text}":
        assert value_of(f"a={text}") == text


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("größe=3", "größe=3: 'größe' is not a setting"),
        ("source.path=[draft] a.jsonl", """'source.path="[draft] a.jsonl"'"""),
        ("source.path='a", "source.path='a: the value begins as"),
        ("sampling.kinds=[a, b", "sampling.kinds=[a, b: the value begins as"),
    ],
)
def test_what_cannot_be_read_is_one_line_that_names_the_argument_and_the_fix(setting, message):
    with pytest.raises(SettingsError) as error:
        readable(setting)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--cfg", "job", "-m", "backend=replay", "~source.limit"],
        ["backend=replay", "--cfg", "job", "~source.limit", "-m"],
        ["backend=replay", "~source.limit", "--cfg", "job", "-m"],
    ],
)
def test_flags_may_stand_before_between_and_after_settings(arguments):
    assert flags_and_settings(arguments) == (
        ["--cfg", "job", "-m"],
        ["backend=replay", "~source.limit"],
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["source.license=CC", "BY"], "'BY' is not a setting.*'source.license=CC BY'"),
        (["größe"], "'größe' is not a setting"),
        (["--output_dir=x"], "--output_dir is not a flag: did you mean output_dir=x"),
        (["--output-dir", "x"], "--output-dir is not a flag: did you mean output_dir=VALUE"),
        (["--hepl"], "did you mean --help"),
        (["--cfg"], "--cfg needs a value"),
        (["--cfg", "--multirun"], "--cfg needs a value"),
    ],
)
def test_a_word_that_is_neither_is_named(arguments, message):
    with pytest.raises(SettingsError, match=message):
        flags_and_settings(arguments)


@pytest.mark.parametrize(
    ("argument", "quoted"),
    [
        ("id=12e45678", 'id="12e45678"'),
        ("search=a,b", 'search="a,b"'),
        ("id='1 2'", "id='1 2'"),
        ("id=null", "id=null"),
        ("rows=5", "rows=5"),
    ],
)
def test_values_that_are_any_text_are_quoted_for_hydra(monkeypatch, argument, quoted):
    monkeypatch.setattr(sys, "argv", ["cotmill inspect", "runs/first", argument])
    quote_values(("id", "search"))
    assert sys.argv[1:] == ["runs/first", quoted]

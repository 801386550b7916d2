"""A user's functions as tools: bound by import path, called once, and never a crash."""

from __future__ import annotations

import json
import pickle
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from tests.beam import on_workers
from tests.models.test_observations import REPLAY, asking
from tests.settings_for_tests import composed
from tests.waiting import eventually
from transforms.engine.errors import LedgerMiss, SettingsError, SourceError
from transforms.engine.recipe import build_segments
from transforms.engine.records import Seed
from transforms.engine.settings import RecipeSettings
from transforms.engine.stage import Same
from transforms.models.asking import Asking
from transforms.models.driver import Drive, Driver, drive
from transforms.models.episode import Episode, Steps
from transforms.models.ledger.ledger import LedgerSettings
from transforms.models.tools import Invoke, Invoked, Tool, Tools, bind, invoke

HERE = "tests.models.test_tools"
CALLED: Counter[str] = Counter()


def times(word: str, count: Annotated[int, Field(ge=0)] = 2) -> str:
    """Repeats a word.

    Args:
        word: what is repeated,
            as it is
        count: how often
    """
    CALLED[word] += 1
    return word * count


def parts(text: str, mark: str = " ") -> dict[str, Any]:
    """Splits a text."""
    return {"parts": text.split(mark)}


def broken(how: str) -> str:
    if how == "file":
        return Path("/a/folder/of/mine").read_text()
    if how == "exit":
        sys.exit(3)
    if how == "set":
        return {1}  # type: ignore[return-value]
    if how == "source":
        raise SourceError("the service is not there")
    raise ValueError("not that way")


def slow(seconds: float) -> str:
    CALLED[f"slow {seconds}"] += 1
    time.sleep(seconds)
    return "late"


def raw(**given: Any) -> Any:
    """As it is told."""
    return given


raw.parameters = {"type": "object", "properties": {"x": {"enum": [1, 2]}}}  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Adder:
    """An object that adds."""

    to: int

    def __post_init__(self) -> None:
        if self.to < 0:
            raise ValueError("to is negative: give 0 or more")

    @property
    def version(self) -> str:
        return f"adds to {self.to}"

    def __call__(self, number: int) -> int:
        """Adds to a number."""
        return self.to + number


def tool(function: str, **settings: Any) -> Tool:
    return bind({"it": {"function": f"{HERE}.{function}", **settings}})["it"]  # type: ignore[dict-item]


def function_of(one: Tool) -> Any:
    return json.loads(one.json)["function"]


def test_a_schema_is_that_of_the_signature_with_the_words_of_the_docstring() -> None:
    assert function_of(tool("times")) == {
        "name": "it",
        "description": "Repeats a word.",
        "parameters": {
            "type": "object",
            "properties": {
                "word": {"type": "string", "description": "what is repeated, as it is"},
                "count": {
                    "type": "integer",
                    "minimum": 0,
                    "default": 2,
                    "description": "how often",
                },
            },
            "required": ["word"],
            "additionalProperties": False,
        },
    }


def test_a_schema_of_its_own_is_used_and_not_checked() -> None:
    assert function_of(tool("raw"))["parameters"] == raw.parameters  # type: ignore[attr-defined]
    assert tool("raw")('{"y": 3}') == Invoked('{"y": 3}')


def test_bound_arguments_are_hidden_from_the_model() -> None:
    bound = tool("parts", arguments={"mark": ","})
    assert list(function_of(bound)["parameters"]["properties"]) == ["text"]
    assert bound('{"text": "a,b"}') == Invoked('{"parts": ["a", "b"]}')
    assert bound('{"text": "a,b", "mark": "b"}').error == "TypeError: there is no argument mark"


def test_an_object_of_a_class_is_a_tool_with_its_own_version() -> None:
    one, two = tool("Adder", arguments={"to": 1}), tool("Adder", arguments={"to": 2})
    assert (one('{"number": 2}').text, two('{"number": 2}').text) == ("3", "4")
    assert function_of(one)["description"] == "Adds to a number."
    assert one.identity[1] == "adds to 1" and Invoke(one, "{}").key != Invoke(two, "{}").key


@pytest.mark.parametrize(
    ("function", "arguments", "error"),
    [
        ("broken", '{"how": "x"}', "ValueError: not that way"),
        ("broken", '{"how": "file"}', "FileNotFoundError: No such file or directory"),
        ("broken", '{"how": "exit"}', "SystemExit: 3"),
        ("broken", '{"how": "set"}', "TypeError: Object of type set is not JSON serializable"),
        ("times", '{"count": -1, "word": "a"}', "ValidationError: count: Input should be greater "),
        ("times", '{"word": "a", "to": 1}', "ValidationError: to: Unexpected keyword argument"),
        ("times", "[]", "TypeError: the arguments are no JSON object"),
        ("times", "word", "JSONDecodeError: "),
        ("times", "[" * 100_000, "RecursionError: "),
    ],
)
def test_an_error_is_what_the_model_sees_by_type_and_message(
    function: str, arguments: str, error: str
) -> None:
    [seen] = drive([tool(function)], lambda each: invoke({"it": each}, "it", arguments))
    assert seen.text == "" and seen.error.startswith(error)


def test_a_name_without_a_tool_is_an_error_that_names_those_there_are() -> None:
    [seen] = drive([1], lambda _: invoke(bind({"a": f"{HERE}.raw"}), "b", "{}"))
    assert seen.error == "there is no tool b: there are a"


def test_an_error_that_only_the_user_can_mend_ends_the_run() -> None:
    with pytest.raises(SourceError, match="not there"):
        drive([1], lambda _: invoke({"it": tool("broken")}, "it", '{"how": "source"}'))


def test_an_answer_over_the_limit_is_cut() -> None:
    assert tool("times", characters=3)('{"word": "ab"}').text == "aba\n[cut: 3 of 4 characters]"


def test_a_call_that_takes_too_long_is_a_recorded_observation(tmp_path: Path) -> None:
    CALLED.clear()
    call = Invoke(tool("slow", seconds=0.05), '{"seconds": 7200}')

    def episode(_: int) -> Steps[Invoked]:
        return (yield call)

    for _ in range(2):
        [seen] = drive([1], episode, asking(tmp_path))
        assert seen == Invoked("", "TimeoutError: no answer within 0.05 seconds")
    eventually(lambda: CALLED["slow 7200.0"])  # its thread may be late
    assert CALLED["slow 7200.0"] == 1


def test_calls_that_hang_do_not_keep_others_from_being_made() -> None:
    hanging = tool("slow", seconds=0.05)

    def episode(number: int) -> Steps[Invoked]:
        if number < 40:
            return (yield Invoke(hanging, f'{{"seconds": 3600.{number}}}'))
        return (yield Invoke(tool("times"), '{"word": "a"}'))

    assert drive(range(41), episode)[40] == Invoked("aa")


_JSON = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=4)
_TIMES = tool("times")


@given(_JSON, st.randoms(use_true_random=False))
def test_the_order_and_spacing_of_arguments_make_no_other_call(
    arguments: dict[str, Any], random: Any
) -> None:
    items = list(arguments.items())
    random.shuffle(items)
    one, two = json.dumps(arguments), json.dumps(dict(items), indent=1, ensure_ascii=False)
    assert Invoke(_TIMES, one).key == Invoke(_TIMES, two).key


@given(_JSON, _JSON)
def test_other_arguments_make_another_call(one: dict[str, Any], two: dict[str, Any]) -> None:
    keys = [Invoke(_TIMES, json.dumps(each)).key for each in (one, two)]
    assert (keys[0] == keys[1]) == (one == two)


def test_limits_are_part_of_what_is_recorded() -> None:
    tools = [tool("times"), tool("times", seconds=1), tool("times", characters=9)]
    assert len({Invoke(each, "{}").key for each in tools}) == 3


def repeating(word: str) -> Steps[list[str]]:
    """Two equal calls, and one of the word's own."""
    tools = bind({"times": f"{HERE}.times"})
    found = yield [Invoke(tools["times"], json.dumps({"word": each})) for each in ("a", "a", word)]
    return [each.text for each in found]


def test_equal_calls_are_made_once_and_a_retry_or_replay_makes_none(tmp_path: Path) -> None:
    CALLED.clear()
    words = ["b", "c", "d"]
    options = on_workers(1) | {"options": PipelineOptions(["--direct_runner_bundle_repeat=1"])}
    with TestPipeline(**options) as pipeline:
        created = pipeline | beam.Create(words, reshuffle=False)
        driven = created | Drive("repeat", repeating, asking(tmp_path))
        assert_that(driven.results, equal_to([["aa", "aa", word * 2] for word in words]))
    replay = Asking(REPLAY, str(tmp_path), LedgerSettings())
    assert drive(words, repeating, replay) == [["aa", "aa", word * 2] for word in words]
    assert [CALLED[word] for word in "abcd"] == [1] * 4  # calls that hang may begin meanwhile
    with pytest.raises(LedgerMiss, match='a call of times is not in the ledger .*"e"'):
        drive(["e"], repeating, replay)


def test_calls_are_counted_by_tool(tmp_path: Path) -> None:
    tools = {"times": tool("times"), "broken": tool("broken")}
    calls = [("times", '{"word": "a"}'), ("times", '{"word": "a"}'), ("broken", '{"how": "x"}')]
    counts = []
    for _ in range(2):
        driver = Driver("count", asking(tmp_path), None)
        driver.start()
        for name, arguments in calls:
            driver.begin(name, invoke(tools, name, arguments))
        while driver.open:
            driver.step(wait=True)
        counts.append({(tally.what, tally.key): tally.amount for tally in driver.tallies()})
        driver.close()
    failed = ("tools.failed", "it")
    assert counts[0] == {("tools", "it"): 2, failed: 1}
    assert counts[1] == {("tools.recorded", "it"): 2, failed: 1}


def test_a_tool_is_pickled_as_its_name_and_settings() -> None:
    again = pickle.loads(pickle.dumps(tool("Adder", arguments={"to": 1})))
    assert again('{"number": 2}').text == "3"


@dataclass(kw_only=True)
class Looks(Episode):
    """PCollection[Seed] -> Outcome of the same: looks each up."""

    name: str = "looks"
    tools: Tools = field(default_factory=dict)
    """Name -> function."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Same

    def episode(self, seed: Seed) -> Steps[Seed]:
        yield from invoke(self.tools, "it", "{}")
        return seed


def stages(tools: Any) -> Any:
    recipe = RecipeSettings.model_validate(
        {
            "name": "looking",
            "stages": {
                "seeds": {"_target_": "transforms.sources.ReadSeeds"},
                "looks": {"_target_": f"{HERE}.Looks", "tools": tools},
            },
        }
    )
    settings = composed().model_copy(update={"recipe": recipe})
    return build_segments(settings, "x")[-1]


def test_a_recipe_binds_a_tool_in_one_line() -> None:
    looks = stages({"it": f"{HERE}.times"}).stages[-1]
    assert looks.tools["it"]('{"word": "a"}') == Invoked("aa")


@pytest.mark.parametrize(
    ("tools", "message"),
    [
        ({"it": f"{HERE}.no_such"}, r"^recipe\.stages\.looks\.tools\.it\S*: there is no function "),
        (
            {"it": {"function": f"{HERE}.raw", "seconds": 0}},
            r"it\.seconds: .*greater than 0",
        ),
        ({"an it": f"{HERE}.raw"}, r"tools\.an it"),
        (
            {"it": {"function": f"{HERE}.Adder", "arguments": {"to": -1}}},
            r"looks\.tools: tests.models.test_tools.Adder: to is negative: give 0 or more",
        ),
        ({"it": "math.sqrt"}, r"looks\.tools: math\.sqrt has no schema: Unable "),
    ],
)
def test_a_tool_that_cannot_be_bound_is_one_line_before_the_run(tools: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        stages(tools)
    assert "\n" not in str(caught.value)


def test_another_version_of_a_tool_is_another_run() -> None:
    prints = [
        stages({"it": {"function": f"{HERE}.Adder", "arguments": {"to": to}}}).fingerprint
        for to in (1, 2, 1)
    ]
    assert prints[0] == prints[2] != prints[1]

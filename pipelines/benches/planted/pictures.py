"""Questions about pictures, answered rightly and wrongly in several ways: the scenes say which.

A model that looks answers in words (`looks`); what one writes that computes is a script (`CODED`).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pipelines.benches.planted.attempts import response, scripted
from transforms.engine.records import Seed
from transforms.models.episode import play
from transforms.models.requests import Request
from transforms.recipes.cad_rl import part_of, parts
from transforms.sandbox.jobs import Check
from transforms.sandbox.sandbox import Sandbox
from transforms.scenes.base import SceneQuestion
from transforms.scenes.part import Part
from transforms.scenes.seeds import Asked, as_text, asked

RIGHT = ("right", "after a thought", "after another block", "in another form")
WRONG = (
    *("wrong", "of another picture", "edited", "of the wrong type", "without a block", "refuses"),
)  # fmt: skip
"""How a scripted model that looks answers."""


def looks(answer: Any, others: Sequence[Any]) -> dict[str, str]:
    """Returns the response to a question in each way, `RIGHT` and then `WRONG`; a way that it has
    no answer for is left out.

    Args:
        answer: what its picture shows.
        others: answers to questions of the same kind about other pictures.
    """
    right, wrong = json.dumps(answer), json.dumps(_edited(answer, ends=False))
    ways = ("right", "after a thought", "after another block", "wrong", "of the wrong type")
    found = {way: scripted(way, right, wrong)[0] for way in (*ways, "without a block", "refuses")}
    found["in another form"] = scripted("right", _reworded(answer), wrong)[0]
    found["edited"] = scripted("right", json.dumps(_edited(answer, ends=True)), wrong)[0]
    if other := next((each for each in others if each != answer), None):
        found["of another picture"] = scripted("right", json.dumps(other), wrong)[0]
    return {way: found[way] for way in (*RIGHT, *WRONG) if way in found}


def _edited(answer: Any, ends: bool) -> Any:
    """An answer with one character changed: the last, or one that is added before the first."""
    if isinstance(answer, bool):
        return not answer
    if isinstance(answer, list):
        return [*answer[:-1], _edited(answer[-1], ends)]
    text, swapped = as_text(answer), {"7": "3", "n": "m"}
    if isinstance(answer, str):
        return text[:-1] + swapped.get(text[-1], "n") if ends else f"n{text}"
    if ends:
        return json.loads(text[:-1] + swapped.get(text[-1], "7"))
    return json.loads(f"-1{text[1:]}" if text[0] == "-" else f"1{text}")


def _reworded(answer: Any) -> str:
    """A right answer in another form: a whole number as a float, all else with a name."""
    return f"{answer}.0" if type(answer) is int else f"answer = {answer!r}"


class Script(NamedTuple):
    """What a scripted model writes in an attempt, turn by turn."""

    way: str
    is_right: bool
    texts: tuple[str, ...]


FUNCTIONS: dict[str, str] = {
    "count": "return len(picture.find({0!r}))",
    "exists": "return yes_no(picture.exists({0!r}))",
    "colour": "return picture.find({0!r})[0].ask('What colour is it?')",
    "leftmost": "return picture.find({0!r})[0].ask('What colour is it?')",
    "largest": "return max(picture.find({0!r}), key=lambda p: p.width).ask('What colour is it?')",
    "left_of": "return yes_no(picture.find({0!r})[0].x < picture.find({1!r})[0].x)",
    "above": "return yes_no(picture.find({0!r})[0].y < picture.find({1!r})[0].y)",
    "larger": "return yes_no(picture.find({0!r})[0].width > picture.find({1!r})[0].width)",
    "nearer": "return yes_no(picture.find({0!r})[0].depth() < picture.find({1!r})[0].depth())",
    "nearest": (
        "one = picture.find({0!r})[0]\n"
        "    others = [p for p in picture.find('shape') if (p.x, p.y, p.width) != "
        "(one.x, one.y, one.width)]\n"
        "    return min(others, key=lambda p: math.hypot(p.x - one.x, p.y - one.y))"
        ".ask('What is it?')"
    ),
    "within": (
        "host = picture.find({0!r})[0]\n"
        "    return min(host.find('shape'), key=lambda p: p.width).ask('What is it?')"
    ),
    "alike": (
        "colour = picture.find({0!r})[0].ask('What colour is it?')\n"
        "    return len(picture.find(colour)) - 1"
    ),
    "where": "return picture.find({0!r})[0]",
}  # fmt: skip
"""Kind of question about shapes -> a right function of its names, for `vipergpt`."""


def function(question: SceneQuestion) -> str:
    """Returns the function that answers a question about shapes."""
    return f"def answer(picture):\n    {FUNCTIONS[question.kind].format(*question.names)}"


def functions(seed: Seed) -> Iterator[Script]:
    """Yields scripts for `vipergpt`: functions that are right, that know the one answer, that
    answer another question or another type, that raise, or that are none."""
    about = Asked.of(seed)
    assert about is not None
    right, gold = function(about.question), about.question.answer
    others = (each for each in about.scene.questions() if each.kind == about.question.kind)
    yield Script("right", True, (_fenced(right),))
    yield Script("right, in two steps", True, (_fenced(
        right.replace("answer", "look", 1) + "\n\ndef answer(picture):\n    return look(picture)"
    ),))  # fmt: skip
    yield Script(
        "knows one answer", False, (_fenced(f"def answer(picture):\n    return {gold!r}"),)
    )
    if other := next((each for each in others if each.names != about.question.names), None):
        yield Script("answers another question", False, (_fenced(function(other)),))
    listed = "def answer(picture):\n    return [look(picture)]"
    look = right.replace("answer", "look", 1)
    yield Script("of the wrong type", False, (_fenced(f"{look}\n\n{listed}"),))
    yield Script("raises", False, (_fenced(right.replace("return", "return 1 // 0,")),))
    yield Script("no function", False, (_fenced(right.replace("answer", "reply", 1)),))
    yield Script("without a block", False, (right,))


_TABLE = {
    "cell": (r"number of (.+) at (.+)\?", "df.loc[df['Place'] == {1!r}, {0!r}].iloc[0]"),
    "row_sum": (r"numbers at (.+)\?", "df.loc[df['Place'] == {0!r}].iloc[0, 1:].sum()"),
    "column_sum": (r"sum of (.+) over", "df[{0!r}].sum()"),
    "most": (r"the most (.+)\?", "df.loc[df[{0!r}].idxmax(), 'Place']"),
    "more_than": (r"more than (\d+) (.+)\?", "(df[{1!r}] > {0}).sum()"),
    "range": (r"numbers of (.+) minus", "df[{0!r}].max() - df[{0!r}].min()"),
}
"""Kind of question about tables -> its words, and pandas that answers it, for `explicit_qa`."""


def tables(seed: Seed) -> Iterator[Script]:
    """Yields scripts for `explicit_qa`: plan, code and explanation that are right, code that
    computes something else or fails, and explanations that do not state the result."""
    about = Asked.of(seed)
    assert about is not None
    pattern, code = _TABLE[about.question.kind]
    words = re.search(pattern, about.question.text)
    assert words is not None
    right, gold = f"result = {code.format(*words.groups())}", as_text(about.question.answer)
    plan, said = "1. Find the numbers.\n2. Compute.", f"The table gives {gold}."
    fails = (_fenced("result = df['?']"),)
    yield Script("right", True, (plan, _fenced(right), said))
    yield Script("right at the third try", True, (plan, *fails, *fails, _fenced(right), said))
    other = f"{right} + {'1' if isinstance(about.question.answer, int) else repr('n')}"
    yield Script("computes another", False, (plan, _fenced(other), said))
    listed = f"{right}\nresult = [result]"
    yield Script("of the wrong type", False, (plan, _fenced(listed), said))
    yield Script("explains another", False, (plan, _fenced(right), f"It gives {gold}1."))
    yield Script("explains nothing", False, (plan, _fenced(right), "So it is."))
    yield Script("fails", False, (plan, *fails, *fails, *fails))
    yield Script("without a block", False, (plan, right, right, right))


def parts_by_script(seed: Seed) -> Iterator[Script]:
    """Yields scripts for `cad_rl`: the part, the part built by moves there and back, and parts with
    one thing changed."""
    part = part_of(seed)
    assert part is not None
    moved = "\npart = part.translate(({}, 0, 0))"
    yield Script("right", True, (_fenced(part.script()),))
    there_and_back = part.script() + moved.format(3) + moved.format(-3)
    yield Script("right, by a detour", True, (_fenced(there_and_back),))
    yield Script("shifted", False, (_fenced(part.script() + moved.format(1)),))
    for way, other in _other_parts(part).items():
        yield Script(way, False, (_fenced(other.script()),))
    yield Script("fails", False, (_fenced("import cadquery as cq\npart = cq.Workplane().box(1)"),))
    yield Script("without a block", False, (part.script(),))


def _other_parts(part: Part) -> dict[str, Part]:
    higher = {**part.sizes, "height": part.sizes["height"] + 1}
    return {
        "higher": part.model_copy(update={"sizes": higher}),
        "wider holes": part.model_copy(update={"hole": part.hole + 1}),
        "a hole less": part.model_copy(update={"holes": part.holes[1:]}),
    }


class Coded(NamedTuple):
    """A recipe of pictures whose model writes code."""

    stage: str
    """The stage that asks it."""
    scripts: Callable[[Seed], Iterator[Script]]
    seeds: Callable[[int], Iterator[dict[str, Any]]]
    """A number -> the columns of that many seeds, or more."""
    overrides: tuple[str, ...] = ()
    needs: str = ""
    """A module that has to be installed."""


CODED = {
    "vipergpt": Coded("write", functions, lambda n: asked(["shapes"], count=n, questions=1)),
    "explicit_qa": Coded(
        "explain", tables, lambda n: asked(["table"], count=n, questions=1),
        ("recipe.stages.explain.read=scene",),
    ),
    "cad_rl": Coded("write", parts_by_script, lambda n: parts(count=n), needs="cadquery"),
}  # fmt: skip


def as_seed(row: dict[str, Any]) -> Seed:
    """Returns the seed that a source makes of columns from `asked` or `parts`."""
    words = {name: row.get(name) for name in ("problem", "answer", "kind", "license")}
    more = {name: value for name, value in row.items() if name not in words}
    return Seed.make(**words, source="bench", metadata=json.dumps(more))  # type: ignore[arg-type]


def judge_scripts(coded: Coded, stage: Any, seeds: Sequence[Seed], box: Sandbox) -> dict[str, Any]:
    """Plays a stage on seeds, once for each script.

    Args:
        stage: asks for one sample.

    Returns:
        tasks, right (attempts), right_kept, wrong, wrong_kept, misjudged (in words).
    """
    counts: Counter[tuple[bool, bool]] = Counter()
    misjudged = []
    for seed in seeds:
        for script in coded.scripts(seed):
            texts = iter(script.texts)

            def answer(effect: Any, texts: Iterator[str] = texts) -> Any:
                if isinstance(effect, Request):
                    return replace(response(next(texts, ""), "stop"), id=effect.id)
                if isinstance(effect, Check):
                    return box.submit_check(effect).result()
                return box.submit(effect).result()

            [(_, verdict)] = play(stage.episode(seed), answer).result
            counts[script.is_right, verdict.kept] += 1
            if verdict.kept != script.is_right:
                misjudged.append(f"{script.way}: {seed.problem} {verdict.reason or 'kept'}"[:300])
    return {"tasks": len(seeds), **judged_counts(counts), "misjudged": misjudged}


def judged_counts(counts: Mapping[tuple[bool, bool], int]) -> dict[str, int]:
    """Returns right, right_kept, wrong and wrong_kept of (is right, is kept) -> attempts."""
    found: dict[str, int] = {}
    for name, is_right in (("right", True), ("wrong", False)):
        kept = counts.get((is_right, True), 0)
        found |= {name: kept + counts.get((is_right, False), 0), f"{name}_kept": kept}
    return found


def _fenced(code: str) -> str:
    return f"So:\n```python\n{code}\n```"

"""Questions about pictures, answered rightly and wrongly in several ways: the scenes say which.

A model that looks answers in words (`looks`); what one writes that computes is a script (`CODED`).
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pipelines.benches.planted.attempts import response, scripted
from transforms.engine.accounting import Check, Verdict, first_rejection
from transforms.engine.records import Seed
from transforms.engine.stage import Filter
from transforms.models.backends.openai_engine import cut_at
from transforms.models.episode import Steps, play
from transforms.models.requests import Request
from transforms.recipes.cad_rl import part_of, parts
from transforms.sandbox import jobs
from transforms.sandbox.sandbox import Sandbox
from transforms.scenes import Scene, scene_type
from transforms.scenes.answers import agrees
from transforms.scenes.base import SceneQuestion
from transforms.scenes.operations import (
    Crop,
    Denoise,
    Mirror,
    Operation,
    Rotate,
    Stretch,
    Transpose,
)
from transforms.scenes.part import Part
from transforms.scenes.seeds import Asked, as_text, asked
from transforms.stages.trajectories.look import PictureSeed, repairs

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
    if other := next((each for each in others if not agrees(each, answer, 0.7)), None):
        found["of another picture"] = scripted("right", json.dumps(other), wrong)[0]
    return {way: found[way] for way in (*RIGHT, *WRONG) if way in found}


def _edited(answer: Any, ends: bool) -> Any:
    """An answer with one character changed: the last, or one that is added before the first. A
    box is another one."""
    if isinstance(answer, bool):
        return not answer
    if isinstance(answer, list):  # a box: another as large, beside it
        left, top, right, bottom = answer
        return [right, top, 2 * right - left, bottom]
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
    rights: tuple[bool, ...]
    """Whether each of the rows that it makes is right."""
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
    yield Script("right", (True,), (_fenced(right),))
    yield Script("right, in two steps", (True,), (_fenced(
        right.replace("answer", "look", 1) + "\n\ndef answer(picture):\n    return look(picture)"
    ),))  # fmt: skip
    yield Script(
        "knows one answer", (False,), (_fenced(f"def answer(picture):\n    return {gold!r}"),)
    )
    if other := next((each for each in others if each.names != about.question.names), None):
        yield Script("answers another question", (False,), (_fenced(function(other)),))
    listed = "def answer(picture):\n    return [look(picture)]"
    look = right.replace("answer", "look", 1)
    yield Script("of the wrong type", (False,), (_fenced(f"{look}\n\n{listed}"),))
    yield Script("raises", (False,), (_fenced(right.replace("return", "return 1 // 0,")),))
    yield Script("no function", (False,), (_fenced(right.replace("answer", "reply", 1)),))
    yield Script("without a block", (False,), (right,))


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
    yield Script("right", (True,), (plan, _fenced(right), said))
    yield Script("right at the third try", (True,), (plan, *fails, *fails, _fenced(right), said))
    other = f"{right} + {'1' if isinstance(about.question.answer, int) else repr('n')}"
    yield Script("computes another", (False,), (plan, _fenced(other), said))
    listed = f"{right}\nresult = [result]"
    yield Script("of the wrong type", (False,), (plan, _fenced(listed), said))
    yield Script("explains another", (False,), (plan, _fenced(right), f"It gives {gold}1."))
    yield Script("explains nothing", (False,), (plan, _fenced(right), "So it is."))
    yield Script("fails", (False,), (plan, *fails, *fails, *fails))
    yield Script("without a block", (False,), (plan, right, right, right))


def parts_by_script(seed: Seed) -> Iterator[Script]:
    """Yields scripts for `cad_rl`: the part, the part built by moves there and back, and parts with
    one thing changed."""
    part = part_of(seed)
    assert part is not None
    moved = "\npart = part.translate(({}, 0, 0))"
    yield Script("right", (True,), (_fenced(part.script()),))
    there_and_back = part.script() + moved.format(3) + moved.format(-3)
    yield Script("right, by a detour", (True,), (_fenced(there_and_back),))
    yield Script("shifted", (False,), (_fenced(part.script() + moved.format(1)),))
    for way, other in _other_parts(part).items():
        yield Script(way, (False,), (_fenced(other.script()),))
    yield Script(
        "fails", (False,), (_fenced("import cadquery as cq\npart = cq.Workplane().box(1)"),)
    )
    yield Script("without a block", (False,), (part.script(),))


def _other_parts(part: Part) -> dict[str, Part]:
    higher = {**part.sizes, "height": part.sizes["height"] + 1}
    return {
        "higher": part.model_copy(update={"sizes": higher}),
        "wider holes": part.model_copy(update={"hole": part.hole + 1}),
        "a hole less": part.model_copy(update={"holes": part.holes[1:]}),
    }


_OPENING = (
    "from PIL import Image, ImageFilter, ImageOps",
    'im = Image.open("image_1").convert("RGB")',
)


def line(step: Operation) -> str:
    """Returns an operation as a line of Python on the picture `im`.

    Raises:
        ValueError: it is none that undoes a fault or shows a place.
    """
    match step:
        case Crop(box=box):
            return f"im = im.crop({box})"
        case Transpose(quarters=quarters):
            return f"im = im.rotate({-90 * quarters}, expand=True)"
        case Mirror():
            return "im = ImageOps.mirror(im)"
        case Rotate(degrees=degrees):
            return f'im = im.rotate({-degrees}, Image.BICUBIC, expand=True, fillcolor="white")'
        case Stretch():
            return "im = ImageOps.autocontrast(im, preserve_tone=True)"
        case Denoise(side=side):
            return f"im = im.filter(ImageFilter.MedianFilter({side}))"
    raise ValueError(f"{step.name} is not written as a line")


class Edits(NamedTuple):
    """Lines of Python about a picture `im` that is to be shown, rightly and wrongly."""

    right: tuple[str, ...]
    missed: tuple[str, ...]
    """What shows another place, or leaves a fault."""
    mismatched: tuple[str, ...]
    """What shows another picture of the same kind."""

    @classmethod
    def of(cls, seed: PictureSeed) -> Edits:
        """Returns the edits of a picture; right ones are none where nothing has to be done."""
        has_faults = seed.changes != "[]"
        steps = repairs(seed, crops=not has_faults or seed.wants_crop) or []
        missed = [*map(line, steps[:-1]), "im = ImageOps.flip(im)"]
        if seed.box and not has_faults:
            missed = ["im = im.crop((0, 0, 40, 20))"]
        png = base64.b64encode(_elsewhere(seed).draw()).decode()
        other = ("import base64, io", f'data = base64.b64decode("{png}")',
                 "im = Image.open(io.BytesIO(data))")  # fmt: skip
        return cls(tuple(map(line, steps)), tuple(missed), other)


def _elsewhere(seed: Seed) -> Scene:
    """Another scene of a question's kind and level."""
    said = json.loads(seed.metadata)
    return scene_type(seed.kind or "").generate(said["seed"] + 1000, said["level"])


def _answers(seed: Seed) -> dict[str, str]:
    """Wrong answers to a question about a picture: way -> answer."""
    text, kind = seed.answer or "", json.loads(seed.metadata)["asked"]
    value = json.loads(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else text
    found = {
        "wrong": as_text(_edited(value, ends=False)), "edited": as_text(_edited(value, ends=True)),
    }  # fmt: skip
    others = (as_text(q.answer) for q in _elsewhere(seed).questions() if q.kind == kind)
    if other := next((each for each in others if each != text), None):
        found["of another picture"] = other
    return found


def _said(answer: str | None) -> str:
    return f"<think>It is clear.</think>\n<answer>{answer}</answer>"


def _cell(*lines: str) -> str:
    code = "\n".join((*_OPENING, *lines))
    return f"<think>I look.</think>\n<code>\n```python\n{code}\n```\n</code>"


def edits(seed: PictureSeed) -> Iterator[Script]:
    """Yields scripts for `thyme`: edits that are right at once or at last, or none; wrong answers
    after a right edit, and right ones after edits that show something else or fail."""
    made = Edits.of(seed)
    right, missed, mismatched = (_cell(*each, 'im.save("a.png")') for each in made)
    gold, fails = _said(seed.answer), _cell("1 / 0")
    yield Script("by looking alone", (True,), (gold,))
    if made.right:
        yield Script("right", (True,), (right, gold))
        yield Script("right after code that fails", (True,), (fails, right, gold))
        yield Script("shows another place", (False,), (missed, gold))
    if made.right and seed.changes == "[]":  # two large pictures are more than are shown
        second = _cell(*made.right, 'im.save("b.png")')
        yield Script("right at the second try", (True,), (missed, second, gold))
    for way, answer in _answers(seed).items():
        yield Script(way, (False,), (right if made.right else fails, _said(answer)))
    yield Script("shows another picture", (False,), (mismatched, gold))
    yield Script("changes nothing", (False,), (_cell('im.save("a.png")'), gold))
    yield Script("fails", (False,), (fails, gold))
    yield Script("without an answer", (False,), (f"<think>It is {seed.answer}.</think>",))


def notebooks(seed: PictureSeed) -> Iterator[Script]:
    """Yields scripts for `deepeyes_v2`: of one attempt by looking alone, and then cells that show
    what is needed, something else or nothing, with right and wrong answers."""

    def call(*lines: str) -> str:
        code = "\n".join((*_OPENING, *lines))
        body = json.dumps({"name": "python", "arguments": {"code": code}})
        return f"<think>I look.</think>\n<tool_call>\n{body}\n</tool_call>"

    made = Edits.of(seed)
    right, missed, mismatched = (call(*each, "show(im)") for each in made)
    gold, fails = _said(seed.answer), call("1 / 0")
    blind, answers = _said("I cannot see it"), _answers(seed)
    if made.right:
        yield Script("right", (True,), (blind, right, gold))
        yield Script("right at the second try", (True,), (blind, missed, right, gold))
        yield Script("shows another place", (False,), (blind, missed, gold))
    yield Script("right without a picture", (True,), (blind, call("print(im.size)"), gold))
    for way, answer in answers.items():
        yield Script(way, (False,), (blind, call("print(im.size)"), _said(answer)))
    yield Script("right by looking alone", (False,), (gold,))
    yield Script("shows another picture", (False,), (blind, mismatched, gold))
    yield Script("fails", (False,), (blind, fails, gold))
    yield Script("fails at first", (False,), (blind, fails, call("print(im.size)"), gold))
    yield Script("without an answer", (False,), (blind, f"<think>It is {seed.answer}.</think>"))


def single_steps(seed: PictureSeed) -> Iterator[Script]:
    """Yields scripts for `visual_arft`, whose rows are the answer, the faults that are named and,
    where there are some, the code: all right, or one of them wrong."""
    code, missed, mismatched = (_cell(*each, 'im.save("output.png")') for each in Edits.of(seed))
    has_code = bool(seed.faults)

    def script(way: str, wrong: str = "", **steps: str) -> Script:
        made = {"problem": named(*(seed.faults or ("none",))), "code": code,
                "answer": _said(seed.answer), **steps}  # fmt: skip
        rights = tuple(name != wrong for name in ("answer", "problem", "code")[: 2 + has_code])
        texts = (made["problem"], *([made["code"]] if has_code else []), made["answer"])
        return Script(way, rights, texts)

    def named(*faults: str) -> str:
        return f"<think>I see.</think>\n<problem>{{{', '.join(faults)}}}</problem>"

    yield script("right")
    for way, answer in _answers(seed).items():
        yield script(way, "answer", answer=_said(answer))
    yield script("without an answer", "answer", answer=f"<think>It is {seed.answer}.</think>")
    yield script("names another fault", "problem", problem=named("blur"))
    if seed.faults:
        yield script("names one too many", "problem", problem=named(*seed.faults, "blur"))
    if len(seed.faults) == 2:
        yield script("named in another order", problem=named(*reversed(seed.faults)))
        yield script("names half", "problem", problem=named(seed.faults[0]))
    if has_code:
        yield script("shows another place", "code", code=missed)
        yield script("shows another picture", "code", code=mismatched)
        yield script("changes nothing", "code", code=_cell('im.save("output.png")'))
        yield script("fails", "code", code=_cell("1 / 0"))
        yield script("without a block", "code", code="im.rotate(90)")


class Coded(NamedTuple):
    """A recipe of pictures whose model writes code."""

    stage: str
    """The stage that asks it."""
    scripts: Callable[[Any], Iterator[Script]]
    """What the stage reads -> scripts."""
    seeds: Callable[[int], Iterator[dict[str, Any]]]
    """A number -> the columns of that many seeds, or more."""
    overrides: tuple[str, ...] = ()
    needs: str = ""
    """A module that has to be installed."""


def _edited_pictures(count: int) -> Iterator[dict[str, Any]]:
    kinds = ("cell", "column_sum", "reference", "amount")
    return asked(["table", "page"], [1, 2], count, questions=1, kinds=kinds)


CODED = {
    "vipergpt": Coded("write", functions, lambda n: asked(["shapes"], count=n, questions=1)),
    "explicit_qa": Coded(
        "explain", tables, lambda n: asked(["table"], count=n, questions=1),
        ("recipe.stages.explain.read=scene",),
    ),
    "cad_rl": Coded("write", parts_by_script, lambda n: parts(count=n), needs="cadquery"),
    "thyme": Coded("look", edits, _edited_pictures),
    "deepeyes_v2": Coded(
        "think", notebooks, _edited_pictures,
        ("~recipe.stages.think.tools.search", "recipe.stages.think.reader=none",
         "recipe.stages.think.base=1"),
    ),
    "visual_arft": Coded("step", single_steps, _edited_pictures),
}  # fmt: skip


def as_seed(row: dict[str, Any]) -> Seed:
    """Returns the seed that a source makes of columns from `asked` or `parts`."""
    words = {name: row.get(name) for name in ("problem", "answer", "kind", "license")}
    more = {name: value for name, value in row.items() if name not in words}
    return Seed.make(**words, source="bench", metadata=json.dumps(more))  # type: ignore[arg-type]


def judge_scripts(
    coded: Coded, stages: Mapping[str, Any], seeds: Sequence[Seed], box: Sandbox
) -> dict[str, Any]:
    """Plays a recipe on seeds, once for each script: its stage `draw`, where it has one, the stage
    that asks, and the checks behind it.

    Args:
        stages: of the recipe, by name; the one that asks makes one attempt.

    Returns:
        tasks, right (rows), right_kept, wrong, wrong_kept, misjudged (in words).
    """
    counts: Counter[tuple[bool, bool]] = Counter()
    misjudged = []
    filters = [each for each in stages.values() if isinstance(each, Filter)]
    checks = [check for each in filters for check in each.checked_by()]
    for seed in seeds:
        task = stages["draw"].of(seed) if "draw" in stages else seed
        for script in coded.scripts(task):
            verdicts = _played(stages[coded.stage].episode(task), script, checks, box)
            for is_right, verdict in zip(script.rights, verdicts, strict=True):
                counts[is_right, verdict.kept] += 1
                if verdict.kept != is_right:
                    end = verdict.reason or "kept"
                    misjudged.append(f"{script.way}: {seed.problem} {end} {verdict.detail}"[:300])
    return {"tasks": len(seeds), **judged_counts(counts), "misjudged": misjudged}


def _played(
    steps: Steps[Any], script: Script, checks: Sequence[Check], box: Sandbox
) -> list[Verdict]:
    """Returns what becomes of each row of an episode whose model writes a script."""
    texts = iter(script.texts)

    def answer(effect: Any) -> Any:
        if isinstance(effect, Request):
            text, _ = cut_at(next(texts, ""), effect.sampler.stop)
            return replace(response(text, "stop"), id=effect.id)
        if isinstance(effect, jobs.Check):
            return box.submit_check(effect).result()
        if isinstance(effect, jobs.Cell):
            return box.submit_cell(effect).result()
        return box.submit(effect).result()

    found = play(steps, answer).result
    if isinstance(found, Verdict):
        return [found]
    return [first_rejection(checks, row) if each.kept else each for row, each in found]


def judged_counts(counts: Mapping[tuple[bool, bool], int]) -> dict[str, int]:
    """Returns right, right_kept, wrong and wrong_kept of (is right, is kept) -> attempts."""
    found: dict[str, int] = {}
    for name, is_right in (("right", True), ("wrong", False)):
        kept = counts.get((is_right, True), 0)
        found |= {name: kept + counts.get((is_right, False), 0), f"{name}_kept": kept}
    return found


def _fenced(code: str) -> str:
    return f"So:\n```python\n{code}\n```"

"""Synthetic problems for benches, in any number: as long, varied and alike as a model's.

Row i depends on (seed, i) alone, so a thousand rows are the first thousand of a million.
"""

from __future__ import annotations

import io
import json
import random
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from transforms import programs
from transforms.engine.ids import content_id, derived_seed
from transforms.engine.paths import DATA
from transforms.engine.records import Call, Problem, with_calls

KINDS = {
    "own": 0.59,
    "same_program": 0.06,  # another row's, in another layout
    "near_program": 0.08,  # another row's, with one name changed
    "same_shape": 0.06,  # another row's, with other names and numbers throughout
    "first_program": 0.01,  # the first row's: a key that many share
    "first_shape": 0.01,
    "same_text": 0.03,  # another row's instruction, in capitals
    "near_text": 0.05,  # another row's instruction, with a word more
    "not_unified": 0.02,
    "constant": 0.02,  # depends on no input
    "yes_no": 0.07,
}
"""What rows are, and how often: about as often as a model repeats and fails itself."""

WORDS = (  # noqa: SIM905 (as a list it takes a line a word)
    "amber anchor apple arrow autumn badge baker bamboo barrel basket beacon berry blanket boat "
    "bottle branch brick bridge bucket butter button cabin camel candle canvas carpet castle chalk "
    "cheese cherry circle clock cloud coast coffee copper corner cotton crane cream crown crystal "
    "curtain desert dinner dragon drawer eagle engine falcon farmer feather fence ferry field "
    "finger flame flour forest fountain garden garlic ginger glass glove grain granite guitar "
    "hammer harbor harvest helmet honey horse island jacket jungle kettle ladder lantern leather "
    "lemon letter linen lizard magnet maple marble market meadow melon mirror mitten morning "
    "mountain museum needle nickel orange orchard oyster paddle palace parcel pebble pencil pepper "
    "pigeon pillow planet pocket pottery prairie puzzle quarry rabbit ribbon river rocket saddle "
    "salmon school shadow silver sparrow spider spring square station stone summer sunset table "
    "temple thread ticket timber tower tractor tunnel turtle valley velvet village violin walnut "
    "weaver whistle willow window winter yellow zebra"
).split()

_STEPS = (
    "{new} = {old} + {n}",
    "{new} = {old} * {n} - {n}",
    "{new} = {old} % {n}",
    "{new} = max({old}, {n})",
    "{new} = abs({old} - {n})",
    "{new} = {old} ** 2 // {n}",
    "{new} = sum(range({old} % {n}))",
    "{new} = [{old} - step for step in range({n})][-1]",
    "{new} = {old} if {old} > {n} else {n} - {old}",
    "{new} = int(str({old})[::-1]) + {n}",
    "{new} = divmod({old}, {n})[1]",
    "{new} = len(str({old})) * {n}",
    "{new} = ({old} + {n}) << 1",
    "{new} = round({old} / {n}, 2)",
    "{new} = -{old} // {n}",
    "{new} = {old} ^ {n}",
)
"""Lines put at the head of a solution, two to six: a structure is a seed and a choice of these."""


@dataclass(frozen=True)
class _Template:
    """A seed in parts: what is renamed stands apart from what stays."""

    inputs: dict[Any, Any]
    before: tuple[str, ...]
    after: tuple[str, ...]
    """The program's text on either side of its input; every second part is a name of its own."""
    problem: tuple[str, ...]
    solution: str


@cache
def _templates() -> tuple[_Template, ...]:
    found = []
    for path in sorted((DATA / "seeds").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            template = _template(json.loads(line))
            if template is not None:
                found.append(template)
    return tuple(found)


def _template(seed: dict[str, Any]) -> _Template | None:
    code = seed["code"]
    inputs = programs.literal_input(programs.parse(code))
    start = re.search(r"^input = ", code, re.MULTILINE)
    end = code.find("\n\ndef solution(")
    if inputs is None or start is None or end < start.end():
        return None
    own = {*re.findall(r"^ +(\w+) = ", code, re.MULTILINE), *map(str, inputs)}
    return _Template(
        inputs,
        _parts(code[: start.end()], own),
        _parts(code[end:], own),
        tuple(seed["problem"].split()),
        seed["solution"],
    )


def _parts(code: str, own: set[str]) -> tuple[str, ...]:
    """Splits code at the names in `own`; attributes and strings are left as they are."""
    parts, last = [""], (1, 0)
    lines = code.splitlines(keepends=True)

    def between(start: tuple[int, int], end: tuple[int, int]) -> str:
        if start[0] == end[0]:
            return lines[start[0] - 1][start[1] : end[1]] if start[0] <= len(lines) else ""
        middle = "".join(lines[start[0] : end[0] - 1])
        tail = lines[end[0] - 1][: end[1]] if end[0] <= len(lines) else ""
        return lines[start[0] - 1][start[1] :] + middle + tail

    dotted = False
    for token in _tokens(code):
        if token.type == tokenize.NAME and token.string in own and not dotted:
            parts[-1] += between(last, token.start)
            parts += [token.string, ""]
            last = token.end
        dotted = token.string == "."
    parts[-1] += between(last, (len(lines) + 1, 0))
    return tuple(parts)


def _tokens(code: str) -> Iterator[tokenize.TokenInfo]:
    try:
        yield from tokenize.generate_tokens(io.StringIO(code).readline)
    except tokenize.TokenError:  # code cut before its end
        return


def _numbers_changed(value: Any, draw: random.Random) -> Any:
    """The same value with other numbers of about the same size."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value + draw.randint(0, max(9, abs(value)))
    if isinstance(value, float):
        return round(value * draw.uniform(0.5, 2), 2)
    if isinstance(value, (list, tuple)):
        return type(value)(_numbers_changed(item, draw) for item in value)
    if isinstance(value, dict):
        return {key: _numbers_changed(item, draw) for key, item in value.items()}
    return value


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
    else:
        yield value


@dataclass(frozen=True)
class _Row:
    inputs: dict[Any, Any]
    code: str
    instruction: str


def _fresh(index: int, seed: int, shape: int | None = None) -> _Row:
    """A seed's program and problem with other names, numbers, steps and words.

    `shape` is the row whose seed and steps are taken; None for the row's own.
    """
    form = random.Random(derived_seed(seed, "shape", index if shape is None else shape))
    draw = random.Random(derived_seed(seed, "row", index))
    template = form.choice(_templates())
    own = sorted({name for part in (template.before, template.after) for name in part[1::2]})
    names = {name: _name(draw) for name in own}
    inputs = {
        names.get(key, key): _numbers_changed(value, draw) for key, value in template.inputs.items()
    }
    steps = _steps(next(iter(inputs), "1"), form.choices(_STEPS, k=form.randint(2, 6)), draw)
    after = _renamed(template.after, names).replace("):\n", "):\n" + steps, 1)
    return _Row(
        inputs,
        f"{_renamed(template.before, names)}{inputs!r}{after}",
        " ".join(
            draw.choice(WORDS) if word.isalpha() and draw.random() < 0.3 else word
            for word in template.problem
        )
        + f" Use {', '.join(str(value) for value in _leaves(inputs))}.",
    )


def _name(draw: random.Random) -> str:
    return f"{draw.choice(WORDS)}_{draw.choice(WORDS)}"


def _renamed(parts: tuple[str, ...], names: dict[str, str]) -> str:
    return "".join(names[part] if place % 2 else part for place, part in enumerate(parts))


def _steps(first: Any, kinds: list[str], draw: random.Random) -> str:
    old, lines = first, []
    for kind in kinds:
        new = _name(draw)
        lines.append(f"    # {draw.choice(WORDS)} of the {draw.choice(WORDS)}\n")
        lines.append(f"    {kind.format(new=new, old=old, n=draw.randint(2, 99))}\n")
        old = new
    return "".join(lines)


def _one_name_changed(code: str, draw: random.Random) -> str:
    place = draw.choice(list(re.finditer(r"\b[a-z]+_[a-z]+\b", code)))
    return code[: place.start()] + _name(draw) + code[place.end() :]


def problem(index: int, seed: int = 0) -> Problem:
    """Returns row `index`: an executed program with its instruction, never run by anyone."""
    draw = random.Random(derived_seed(seed, "kind", index))
    other = draw.randrange(index + 1)
    kind = draw.choices(tuple(KINDS), tuple(KINDS.values()))[0]
    row = _fresh(index, seed)
    code, instruction, inputs, output = row.code, row.instruction, row.inputs, index * 7.5
    if kind in ("same_program", "near_program", "first_program"):
        twin = _fresh(0 if kind == "first_program" else other, seed)
        inputs = twin.inputs
        code = (
            _one_name_changed(twin.code, draw)
            if kind == "near_program"
            else twin.code.replace("    # ", "    #  ") + f"# {index}\n"
        )
    elif kind in ("same_shape", "first_shape"):
        twin = _fresh(index, seed, shape=0 if kind == "first_shape" else other)
        inputs, code, instruction = twin.inputs, twin.code, twin.instruction
    elif kind in ("same_text", "near_text"):
        twin = _fresh(other, seed)
        inputs = twin.inputs
        instruction = (
            twin.instruction.upper()
            if kind == "same_text"
            else f"{draw.choice(WORDS)} {twin.instruction}"
        )
    elif kind == "not_unified":
        code = code.replace("output = ", "result = ", 1)
    answer = json.dumps(index % 2 == 0 if kind == "yes_no" else output)
    return Problem(
        id=content_id("synthetic", seed, index),
        code=code,
        seed_ids=(),
        source="synthetic",
        license="Apache-2.0",
        **with_calls((), Call("sample", "none", len(code) // 3)),
        status="ok",
        input=json.dumps(inputs),
        output=answer,
        error=None,
        wall_seconds=0.0,
        cpu_seconds=0.0,
        peak_mb=0.0,
        sensitive_keys=() if kind == "constant" else tuple(sorted(map(str, inputs))),
        instruction=instruction,
    )

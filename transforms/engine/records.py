"""The records that travel between stages: frozen dataclasses, each adding to the one before."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from transforms.engine.ids import content_id


@dataclass(frozen=True)
class Seed:
    """A problem from a source; verified once it carries code that gives its answer."""

    id: str
    """Hash of problem, answer, code and source."""
    problem: str
    """The problem in natural language."""
    answer: str | None
    """The reference answer as the source states it; None where the source has none."""
    code: str | None
    """A unified program (`input`, `solution`, `output`); None until Unify writes one."""
    solution: str | None
    """A worked solution in natural language."""
    kind: str | None
    """The kind of problem, as the source names it."""
    source: str
    """Where it comes from."""
    license: str
    """SPDX identifier of its licence."""
    metadata: str
    """Whatever else the source says, as a JSON object."""
    output: str | None = None
    """What the code gave when the seed was verified (JSON); None before."""

    @classmethod
    def make(
        cls,
        *,
        problem: str,
        source: str,
        license: str,
        answer: str | None = None,
        code: str | None = None,
        solution: str | None = None,
        kind: str | None = None,
        metadata: str = "{}",
    ) -> Seed:
        """Builds a seed whose id is the hash of its problem, answer, code and source."""
        return cls(
            id=content_id("seed", problem, answer, code, source),
            problem=problem,
            answer=answer,
            code=code,
            solution=solution,
            kind=kind,
            source=source,
            license=license,
            metadata=metadata,
        )


@dataclass(frozen=True)
class Call:
    """What a stage had a model write for a record."""

    stage: str
    """The stage's name in the recipe."""
    model: str
    """The model's name, as it answered."""
    tokens: int
    """Tokens generated."""


def with_calls(before: Iterable[Call], *calls: Call) -> dict[str, Any]:
    """Returns a record's fields `calls` and `tokens`: those of before and new ones, summed for each
    stage and model.

    >>> with_calls([Call("solve", "m", 5)], Call("solve", "m", 2), Call("judge", "n", 1))["tokens"]
    8
    """
    sums: dict[tuple[str, str], int] = {}
    for call in (*before, *calls):
        sums[call.stage, call.model] = sums.get((call.stage, call.model), 0) + call.tokens
    summed = tuple(Call(stage, model, tokens) for (stage, model), tokens in sums.items())
    return {"calls": summed, "tokens": sum(sums.values())}


@dataclass(frozen=True, kw_only=True)
class Derived:
    """What a record says of the seed that it was made from, whatever else it holds."""

    id: str
    """Hash of what it was made from and what was made."""
    calls: tuple[Call, ...]
    """The models that wrote it, stage by stage."""
    tokens: int
    """Tokens generated for it, over all of its stages."""
    seed_ids: tuple[str, ...]
    """The seed that it was made from."""
    source: str
    """Where the seed comes from."""
    license: str
    """SPDX identifier of the seed's licence."""


def derived(
    parent: Seed | Derived | Program, what: str, *parts: object, calls: Iterable[Call]
) -> dict[str, Any]:
    """Returns the fields of `Derived` of a record made from `parent`.

    Args:
        what: kind of the record; with `parts`, which tell it from others, it makes the id.
        calls: what models wrote for this record, beside those for its parent.
    """
    return {
        "id": content_id(what, parent.id, *parts),
        **with_calls(getattr(parent, "calls", ()), *calls),
        "seed_ids": getattr(parent, "seed_ids", (parent.id,)),
        "source": parent.source,
        "license": parent.license,
    }


@dataclass(frozen=True)
class Variant(Seed):
    """A verified seed with other numbers: a row of `cotmill augment`, and a seed again."""

    input: str = "{}"
    """The program's input, as JSON."""
    seed_ids: tuple[str, ...] = ()
    """The seed that it was made from."""


@dataclass(frozen=True)
class Redraw:
    """New values for a seed's input."""

    id: str
    seed_ids: tuple[str, ...]
    """The seed whose input it is."""
    input: str
    """As JSON."""


@dataclass(frozen=True)
class Program:
    """A program as the model wrote it, not yet run."""

    id: str
    code: str
    seed_ids: tuple[str, ...]
    """The seeds shown in its prompt, or behind the prompt; empty when unconditional."""
    source: str
    """Where those seeds come from, comma-separated."""
    license: str
    """SPDX expression over the licences of those seeds."""
    kind: str | None = field(default=None, kw_only=True)
    """The kind of problem asked for, or that all of those seeds have; None where there is none."""
    calls: tuple[Call, ...]
    """What models wrote for this record so far."""
    tokens: int
    """Tokens generated for it."""


@dataclass(frozen=True)
class Execution(Program):
    """A program and what the sandbox saw when it ran."""

    status: str
    """A `Status` of the sandbox."""
    input: str | None
    """The program's `input`, as JSON."""
    output: str | None
    """The program's `output`, as JSON."""
    error: str | None
    wall_seconds: float
    cpu_seconds: float
    peak_mb: float
    """Peak resident memory, MiB."""
    sensitive_keys: tuple[str, ...] | None = None
    """Input keys whose perturbation changed the output; None before any was perturbed."""


@dataclass(frozen=True)
class Problem(Execution):
    """An executed program and the instruction written back from it."""

    instruction: str = ""


@dataclass(frozen=True)
class Attempt:
    """One independent solution of an instruction."""

    text: str
    finish_reason: str
    """That of the response: `error` where the request failed by its own fault (a refusal)."""
    kind: str = "cot"
    """`cot`, told in natural language; `code`, a program written from the instruction alone."""
    answer: str | None = None
    """Its final answer, or its output; None where it has none."""
    agrees: bool | None = None
    """Whether its answer agrees with the program's output; None before it was compared."""
    value: str | None = None
    """Its answer as the first attempt of its kind with an equal one words it; None where it agrees
    or has no answer."""
    reasoning: str | None = None
    """What the model thought before it; None where it did not, or `backend.reasoning=drop`."""
    holds: bool | None = None
    """Whether its steps lead to its answer; None where nothing hangs on that."""


@dataclass(frozen=True)
class Attempts(Problem):
    """A problem and the attempts at it."""

    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool, as the model asks for it."""

    id: str
    name: str
    arguments: str
    """As JSON text; it is the model's, and may be no valid JSON."""


@dataclass(frozen=True)
class Message:
    """One turn of a conversation, in the form of chat APIs, chat templates and trainers."""

    role: str
    """system, user, assistant or tool."""
    content: str
    """Empty where an assistant only calls tools."""
    reasoning: str | None = None
    """What an assistant thought before the content, without tags; None where it did not."""
    tool_calls: tuple[ToolCall, ...] | None = None
    """None where an assistant calls none: chat templates take an empty list for calls."""
    tool_call_id: str | None = None
    """The call that a tool's message answers."""
    name: str | None = None
    """Who speaks, or the tool that answers, where the API wants a name."""

    def later(self) -> dict[str, Any]:
        """The fields beside role and content that are used, as JSON values."""
        calls = self.tool_calls
        if self.reasoning is calls is self.tool_call_id is self.name is None:
            return {}
        values = {
            "reasoning": self.reasoning,
            "tool_calls": calls and [dataclasses.asdict(call) for call in calls],
            "tool_call_id": self.tool_call_id,
            "name": self.name,
        }
        return {name: value for name, value in values.items() if value is not None}

    @property
    def shown(self) -> tuple[Shown, ...]:
        """The pictures in the content, in their order."""
        return ()


@dataclass(frozen=True)
class Picture:
    """A picture by its content. Its bytes are in the run's blob folder (`transforms.images`)."""

    sha256: str
    """Hash of the file's bytes, as they are sent."""
    mime: str
    """Its format, such as image/png."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    size: int
    """Bytes of the file."""


@dataclass(frozen=True)
class Shown(Picture):
    """A picture in a message."""

    detail: str = "auto"
    """How closely the model is to look: auto, low, high or original, as the API has it."""
    at: int = 0
    """Characters of the message's content that come before it."""


@dataclass(frozen=True)
class PictureMessage(Message):
    """A turn that shows pictures. Its content is the text alone: no mark stands in it for one.

    Raises ValueError where the pictures are not in the order of the text, and where those of a tool
    do not follow its text: APIs take them in a turn of the user's behind it.
    """

    pictures: tuple[Shown, ...] = ()
    """The pictures, in order."""

    def __post_init__(self) -> None:
        places = [picture.at for picture in self.pictures]
        if places != sorted(places) or any(not 0 <= at <= len(self.content) for at in places):
            raise ValueError(f"pictures at {places} of a text of {len(self.content)} characters")
        if self.role == "tool" and any(at < len(self.content) for at in places):
            raise ValueError("the pictures of a tool follow its text")

    @property
    def shown(self) -> tuple[Shown, ...]:
        return self.pictures

    def later(self) -> dict[str, Any]:
        pictures = [dataclasses.asdict(picture) for picture in self.pictures]
        return {**super().later(), **({"pictures": pictures} if pictures else {})}


@dataclass(frozen=True)
class Example:
    """An accepted row, as it is published."""

    id: str
    """Hash of instruction and program."""
    recipe: str
    """The recipe that made the row."""
    kind: str | None
    """The kind of problem that was asked for, or that all seeds in the prompt have."""
    instruction: str
    """The problem in natural language, written back from the program."""
    solution: str
    """The language solution (chain of thought) that agreed with the program."""
    reasoning: str | None = field(default=None, kw_only=True)
    """What the model thought before that solution; None where it did not, or
    `backend.reasoning=drop`."""
    code: str
    """The program: the anchor of the row."""
    input: str
    """The program's input, as a JSON string."""
    answer: str
    """The program's output, as a JSON string."""
    answer_type: str
    """integer, float, string, boolean, list or object."""
    messages: tuple[Message, ...]
    """Instruction and solution as a conversation."""
    agreement: float
    """Share of the attempts whose answer agrees with the program."""
    attempts: int
    """Attempts made; of those planned, requests that nobody answered are no attempts."""
    difficulty: float
    """1 - agreement."""
    seed_ids: tuple[str, ...]
    """The seeds shown to the model for the program."""
    source: str
    """Where those seeds come from."""
    license: str
    """SPDX expression over their licences."""
    calls: tuple[Call, ...]
    """The models that wrote program, instruction and attempts, stage by stage."""
    tokens: int
    """Tokens generated for this row, over all of its stages."""
    run_id: str
    """Hash of everything that decides the rows: settings, code, sources."""


R = TypeVar("R")


def grow(cls: type[R], record: Any, **fields: Any) -> R:
    """Returns `record` as the later record `cls`, with `fields` added or replaced."""
    known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    old = {
        field.name: getattr(record, field.name)
        for field in dataclasses.fields(record)
        if field.name in known
    }
    return cls(**{**old, **fields})

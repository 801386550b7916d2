"""Tools: a user's functions that a model may call, bound by their import paths.

    tools: {search: my_package.tools.search}

An episode calls one by the effect `Invoke`. A call runs in a thread of the worker; what it showed
is in the ledger under the tool, its version and the arguments, so that no call is made twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import (
    AfterValidator,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
    validate_call,
)

from transforms.engine.errors import CotmillError, first_line
from transforms.engine.ids import canonical_json, content_id
from transforms.engine.settings import Group
from transforms.engine.stage import named
from transforms.models.requests import tool_json

if TYPE_CHECKING:
    from docstring_parser import Docstring

THREADS = 16
"""Calls of a worker at once: most tools wait for a disk or a service."""


class ToolSettings(Group):
    """A function as a tool. Its import path alone stands for it with all else as by default."""

    function: str = Field(
        description="import path of a function, or of a class whose instances are called"
    )
    arguments: dict[str, Any] = Field(
        {}, description="arguments that the model does not give; of a class, those of its making"
    )
    seconds: float = Field(30.0, gt=0, description="longest time of a call")
    characters: int = Field(10_000, ge=1, description="longest answer; what is over is cut off")

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, values: Any) -> Any:
        return {"function": values} if isinstance(values, str) else values

    @field_validator("function")
    @classmethod
    def _exists(cls, path: str) -> str:
        named(path)
        return path


@dataclass(frozen=True)
class Tool:
    """A tool as a recipe binds it.

    Its schema is `function.parameters` where the function has that attribute, and else that of its
    signature, with the docstring's words on each argument.

    Raises:
        ValueError: a class cannot be made with its arguments, or a function does not take its
            arguments by name.
    """

    name: str
    """What the model calls it by."""
    settings: ToolSettings

    def __post_init__(self) -> None:
        _ = self.json, self.identity  # what is wrong with the tool shows here

    def __reduce__(self) -> Any:
        return Tool, (self.name, self.settings)

    @cached_property
    def _named(self) -> Any:
        return named(self.settings.function)

    @cached_property
    def function(self) -> Any:
        """What is called: the function, or an object of the class."""
        if not isinstance(self._named, type):
            return self._named
        try:
            return self._named(**self.settings.arguments)
        except (TypeError, ValueError, OSError) as error:
            raise ValueError(f"{self.settings.function}: {error}") from None

    @cached_property
    def json(self) -> str:
        """As `Request.tools` has it."""
        import docstring_parser  # not by workers that have no tool

        words = docstring_parser.parse(self._called.__doc__ or "")
        return tool_json(self.name, (words.description or "").strip(), self._parameters(words))

    @cached_property
    def identity(self) -> Any:
        """What decides its answers beside a call's arguments, as JSON values: `function.version`
        where it has one, such as a digest of what it reads, else the arguments bound here."""
        version = getattr(self.function, "version", None) or self.settings.arguments
        return [self.settings.function, version, self.settings.seconds, self.settings.characters]

    @property
    def _called(self) -> Any:
        """The function itself, or the method that makes an object callable."""
        function: Any = self.function
        return function if hasattr(function, "__name__") else function.__call__

    @property
    def _bound(self) -> Mapping[str, Any]:
        """The arguments of each call that the model does not give."""
        return {} if isinstance(self._named, type) else self.settings.arguments

    @cached_property
    def _checked(self) -> Callable[..., Any]:
        """The function, behind a check of its arguments where it has no schema of its own."""
        called: Callable[..., Any] = self._called
        return called if hasattr(self.function, "parameters") else validate_call(called)

    def _parameters(self, words: Docstring) -> dict[str, Any]:
        if hasattr(self.function, "parameters"):
            return dict(self.function.parameters)
        try:
            schema = TypeAdapter(self._called).json_schema()
        except Exception as error:  # pydantic's own, or a name in an annotation that is not there
            what = first_line(error)
            raise ValueError(f"{self.settings.function} has no schema: {what}") from None
        if schema.get("type") != "object":
            raise ValueError(f"{self.settings.function} does not take its arguments by name")
        properties = schema.setdefault("properties", {})
        for name in self._bound:
            properties.pop(name, None)
        required = [name for name in schema.pop("required", []) if name in properties]
        about = {param.arg_name: param.description or "" for param in words.params}
        for name, each in properties.items():
            each.pop("title", None)
            if about.get(name):
                each.setdefault("description", " ".join(about[name].split()))
        return {**schema, **({"required": required} if required else {})}

    def __call__(self, arguments: str) -> Invoked:
        """Calls the function in this thread, without a time limit.

        Raises:
            CotmillError: the function raises it: the tool cannot be used, and the run ends.
        """
        try:
            given = json.loads(arguments)
            if not isinstance(given, dict):
                raise TypeError("the arguments are no JSON object")
            if taken := sorted(given.keys() & self._bound.keys()):
                raise TypeError(f"there is no argument {taken[0]}")
            answer = self._checked(**given, **self._bound)
            files = {}
            if isinstance(answer, Pictured):
                files = {f"picture {n}": data for n, data in enumerate(answer.pictures, start=1)}
                answer = answer.text
            text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
            return Invoked(_cut(text, self.settings.characters), files=files)
        except CotmillError:
            raise
        except BaseException as error:
            return Invoked("", _cut(_worded(error), self.settings.characters))


class Pictured(NamedTuple):
    """What a tool's function returns to show pictures."""

    text: str
    """What the model reads beside them."""
    pictures: tuple[bytes, ...]
    """PNG, JPEG or WebP, in order."""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}\n[cut: {most} of {len(text)} characters]"


def _worded(error: BaseException) -> str:
    """An error as the model sees it: its type and message, without paths of this machine."""
    what = str(error)
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        what = ": ".join([".".join(map(str, first["loc"])), first["msg"]])
    elif isinstance(error, OSError) and error.strerror:
        what = error.strerror
    return f"{type(error).__name__}: {what}"


@dataclass(frozen=True)
class Invoke:
    """The effect that calls a tool and gives `Invoked`."""

    tool: Tool
    arguments: str
    """As JSON text; it is the model's, and may be no valid JSON."""

    @cached_property
    def key(self) -> str:
        """The hash of what decides the answer."""
        try:
            arguments = canonical_json(json.loads(self.arguments))
        except (ValueError, RecursionError):
            arguments = self.arguments
        return content_id("tool", self.tool.identity, arguments)


@dataclass(frozen=True)
class Invoked:
    """What a tool gave."""

    text: str
    """What the function returned: a text as it is, other values as JSON; empty after an error."""
    error: str | None = None
    """The type and message of what it raised, or that it took too long; None where it answered."""
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """The pictures that it shows (`Pictured`), by what they are called."""


def invoke(
    tools: Mapping[str, Tool], name: str, arguments: str
) -> Generator[Invoke, Invoked, Invoked]:
    """Calls a tool by its name, within an episode (`yield from`): a name that there is none of is
    an error for the model to see."""
    if name not in tools:
        return Invoked("", f"there is no tool {name}: there are {', '.join(sorted(tools))}")
    return (yield Invoke(tools[name], arguments))


class ToolThreads:
    """Runs calls of tools, `THREADS` at a time, each within its time limit.

    A call that takes longer is left to its thread, which nothing can end.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="tool")

    def submit(self, call: Invoke) -> Future[Invoked]:
        return self._threads.submit(_within_time, call)

    def close(self) -> None:
        """Drops the calls that wait; those under way end with their time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _within_time(call: Invoke) -> Invoked:
    answer: Future[Invoked] = Future()

    def work() -> None:
        try:
            answer.set_result(call.tool(call.arguments))
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=work, name=f"tool {call.tool.name}", daemon=True).start()
    try:
        return answer.result(call.tool.settings.seconds)
    except TimeoutError:
        limit = f"{call.tool.settings.seconds:g}"
        return Invoked("", f"TimeoutError: no answer within {limit} seconds")


def bind(tools: Mapping[str, ToolSettings | str]) -> dict[str, Tool]:
    """Returns tools by name; an import path alone stands for its settings.

    >>> bind({"upper": "textwrap.dedent"})["upper"]('{"text": "  a"}')
    Invoked(text='a', error=None)

    Raises:
        ValueError: there is no such function, or it cannot be a tool (see `Tool`).
    """
    return {
        name: Tool(name, ToolSettings.model_validate(settings)) for name, settings in tools.items()
    }


ToolName = Annotated[str, Field(pattern="^[a-zA-Z0-9_-]{1,64}$")]
if TYPE_CHECKING:
    Tools = Mapping[str, Tool]
else:
    Tools = Annotated[dict[ToolName, ToolSettings], AfterValidator(bind)]
"""The type of a stage's field that holds tools: name -> import path, or `ToolSettings`."""

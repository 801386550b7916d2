"""Prompt files: YAML with the words of a stage, for chat models and for models that continue."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, NamedTuple

import yaml
from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from transforms.engine.errors import SettingsError, one_line
from transforms.engine.files import FileSystems
from transforms.engine.ids import canonical_json
from transforms.engine.records import Message, Picture, PictureMessage, Shown
from transforms.models.backends.settings import Backend, refuses_pictures
from transforms.models.requests import Request, Sampler
from transforms.models.settings import SamplerSettings


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    prefix: str = Field("", description="text that the answer is forced to begin with")
    stop: list[str] = Field([], description="texts at which the answer ends")


class _Chat(_Section):
    system: str | None = Field(None, description="what the model is told of its part")
    user: str = Field(description="what it is asked")


class _Completion(_Section):
    text: str = Field(description="what it continues")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    license: str = Field(description="SPDX licence of the prompt")
    chat: _Chat
    completion: _Completion | None = None


@dataclass(frozen=True)
class Words:
    """A rendered prompt: messages for a chat, or a text to continue."""

    messages: tuple[Message, ...]
    prompt: str | None
    prefix: str
    """What the answer is forced to begin with."""
    stop: tuple[str, ...]


@dataclass(frozen=True)
class PromptTemplate:
    """One stage's prompt: Jinja templates over the variables that the stage gives.

    Every text but `stop` is a template. A variable that is missing is an error; a variable's
    value is kept verbatim, braces and all. A variable that is a picture is shown in its place.
    """

    path: str
    words: _File

    @classmethod
    def load(cls, path: str) -> PromptTemplate:
        """Reads a prompt file (on any Beam filesystem).

        Raises:
            SettingsError: the file is missing or is not a prompt file.
        """
        try:
            with FileSystems.open(path) as file:
                content = yaml.safe_load(file.read().decode("utf-8"))
            words = _File.model_validate(content)
            for section in filter(None, (words.chat, words.completion)):
                for text in section.model_dump().values():
                    if isinstance(text, str):
                        _compiled(text)
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"the prompt file {path} cannot be read: {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise SettingsError(f"the prompt file {path}: {where}: {first['msg']}") from error
        except (yaml.YAMLError, TemplateError) as error:
            text = one_line(error)
            raise SettingsError(f"the prompt file {path} does not parse: {text}") from error
        return cls(path, words)

    def identity(self) -> Any:
        """What decides the requests, as JSON: the words, wherever the file is."""
        return self.words.model_dump(mode="json")

    def requests(
        self,
        *,
        stage: str,
        backend: Backend,
        sampler: SamplerSettings,
        run_seed: int,
        first_sample: int = 0,
        samples: int | None = None,
        named: str | None = None,
        blobs: str = "",
        **variables: Any,
    ) -> tuple[Request, ...]:
        """Renders once and returns `samples` requests (None: `sampler.samples`), samples
        `first_sample` onwards.

        The backend decides between the chat and the completion form, and whether the prefix is
        part of the request: a chat whose server does not continue an answer is asked without it.
        So is the role of the system message, and which sampling parameters are left out.

        Raises:
            SettingsError: a template asks for a variable that the stage does not give, or the
                backend continues a text and the file has no form for that.
        """
        if backend.api != "chat" and self.words.completion is None:
            raise SettingsError(
                f"the prompt file {self.path} is for chat models alone: set {backend.place}.api="
                "chat, or give it a section `completion`"
            )
        words = self.rendered(backend.api, sends_prefix=backend.sends_prefix, **variables)
        return requests_of(
            words,
            stage=stage,
            backend=backend,
            sampler=sampler,
            run_seed=run_seed,
            first_sample=first_sample,
            samples=samples,
            named=named,
            blobs=blobs,
        )

    def rendered(self, api: str | None, *, sends_prefix: bool = True, **variables: Any) -> Words:
        """Renders the chat form for `api` chat, the completion form for any other.

        Raises:
            SettingsError: a template asks for a variable that is not given, or the file has no
                completion form.
        """
        section = self.words.chat if api == "chat" else self.words.completion
        if section is None:
            raise SettingsError(
                f"the prompt file {self.path} is for chat models alone: set backend.api=chat, or "
                "give it a section `completion`"
            )
        pictures = {n: value for n, value in variables.items() if isinstance(value, Picture)}
        variables |= {name: mark(picture) for name, picture in pictures.items()}
        prefix = self._render(section.prefix, variables) if sends_prefix else ""
        if isinstance(section, _Completion):
            if pictures:
                raise SettingsError(f"{self.path} shows pictures: set backend.api=chat")
            return Words((), self._render(section.text, variables), prefix, tuple(section.stop))
        turns = [("system", section.system), ("user", section.user)]
        messages = tuple(
            message_of(role, self._render(text, variables).strip(), pictures.values())
            for role, text in turns
            if text
        )
        return Words(messages, None, prefix, tuple(section.stop))

    def message(self, **variables: Any) -> Message:
        """Renders the chat form, and returns its last message: what is said within a conversation.

        Raises:
            SettingsError: as `rendered` does.
        """
        return self.rendered("chat", **variables).messages[-1]

    def _render(self, text: str, variables: dict[str, Any]) -> str:
        try:
            template = _compiled(text)
            return text if template is None else template.render(**variables)
        except TemplateError as error:
            raise SettingsError(f"the prompt file {self.path}: {error}") from error


def requests_of(
    words: Words,
    *,
    stage: str,
    backend: Backend,
    sampler: SamplerSettings,
    run_seed: int,
    first_sample: int = 0,
    samples: int | None = None,
    named: str | None = None,
    blobs: str = "",
) -> tuple[Request, ...]:
    """Returns requests with these words, samples `first_sample` onwards.

    Args:
        samples: how many; None is `sampler.samples`.
        named: what the recipe calls the model (`Request.named`).
        blobs: folder of the pictures in the words.

    Raises:
        SettingsError: the words show pictures, and the backend takes text alone.
    """
    if any(message.shown for message in words.messages) and (no := refuses_pictures(backend)):
        raise SettingsError(f"stage {stage} shows pictures, {no} of its backend")
    asked = _how_asked(sampler, backend, words.prefix, words.stop, words.prompt is None)
    first = Request(
        stage=stage,
        model=backend.answering or "",
        messages=with_system_role(words.messages, backend.parameters.get("system")),
        prompt=words.prompt,
        sampler=asked.sampler,
        run_seed=run_seed,
        sample=first_sample,
        model_id=backend.model_id or "",
        template=asked.template,
        body=asked.body,
        think_tags=backend.think_tags,
        reasons=backend.reasoning is not None,
        named=named,
        blobs=blobs,
    )
    others = range(first_sample + 1, first_sample + (samples or sampler.samples))
    return (first, *(replace(first, sample=sample) for sample in others))


class _HowAsked(NamedTuple):
    """What the settings of a stage and of its backend make of every request."""

    sampler: Sampler
    template: str
    body: str


_how: dict[tuple[Any, ...], tuple[_HowAsked, Any]] = {}
"""By the identity of the settings, which are frozen, and kept beside it so that it stays theirs."""


def _how_asked(
    sampler: SamplerSettings, backend: Backend, prefix: str, stop: tuple[str, ...], chat: bool
) -> _HowAsked:
    """Makes what is the same for the many requests of a stage, once."""
    key = (id(sampler), id(backend), prefix, stop, chat)
    if key in _how:
        return _how[key][0]
    if len(_how) >= 1000:
        _how.clear()
    schema = sampler.json_schema
    settings = Sampler(
        temperature=sampler.temperature,
        top_p=sampler.top_p,
        top_k=sampler.top_k,
        min_p=sampler.min_p,
        max_tokens=sampler.max_tokens,
        stop=(*stop, *sampler.stop),
        prefix=prefix,
        json_schema=None if schema is None else canonical_json(schema),
        regex=sampler.regex,
        logprobs=sampler.logprobs,
        fire_temperature=sampler.fire_temperature,
        fire_top_k=sampler.fire_top_k if sampler.fire_temperature else None,
        left_out=backend.left_out(sampler.model_dump()),
    )
    template = canonical_json(backend.chat_template_kwargs if chat else {})
    asked = _HowAsked(settings, template, canonical_json(backend.request))
    _how[key] = asked, (sampler, backend)
    return asked


def with_system_role(messages: tuple[Message, ...], role: str | None) -> tuple[Message, ...]:
    """Returns `messages` with the system message under another role; None leaves them as they are.

    Under `user` it becomes the beginning of the user's message: many models take two of these
    in a row no better than a system message.
    """
    if role is None or not messages or messages[0].role != "system":
        return messages
    system, *rest = messages
    if role == "user" and rest and rest[0].role == "user":
        first = after_text(f"{system.content}\n\n", rest[0])
        return (first, *rest[1:])
    return (Message(role, system.content), *rest)


def mark(picture: Picture) -> str:
    """What stands for a picture while a prompt is rendered."""
    return f"\ue000{picture.sha256}\ue001"


def message_of(role: str, text: str, pictures: Iterable[Picture]) -> Message:
    """Returns a message whose text has marks of pictures in it: each is shown in its place."""
    by_mark = {mark(picture): picture for picture in pictures}
    if not by_mark:
        return Message(role, text)
    content, shown = "", []
    for part in re.split("(\ue000[0-9a-f]{64}\ue001)", text):
        if part in by_mark:
            shown.append(Shown(**asdict(by_mark[part]), at=len(content)))
        else:
            content += part
    return PictureMessage(role, content, pictures=tuple(shown)) if shown else Message(role, content)


def after_text(text: str, message: Message) -> Message:
    """Returns a message with a text before its own."""
    shown = tuple(replace(picture, at=picture.at + len(text)) for picture in message.shown)
    if not shown:
        return Message(message.role, text + message.content)
    return PictureMessage(message.role, text + message.content, pictures=shown)


_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,
)


@cache
def _compiled(text: str) -> Template | None:
    """Returns the template in a text; None where it has no variables, and renders as it is."""
    if not {"{", "\r"} & set(text):
        return None
    template = _ENVIRONMENT.from_string(text)
    # A ChainMap, which each rendering would walk: half of what a short prompt costs.
    template.globals = dict(template.globals)
    return template

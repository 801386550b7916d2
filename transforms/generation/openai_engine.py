"""Any OpenAI-compatible endpoint, asked by the official client on an event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import json
import os
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import openai

from transforms.errors import BackendError
from transforms.generation import draining
from transforms.generation.circuit import Circuit, backoff
from transforms.generation.models import Reply, failed, kind_of
from transforms.generation.requests import ErrorKind, Request, Response
from transforms.settings import Endpoint, OpenAIBackend

_CONNECT_SECONDS = 30.0
_ENDS_ALL = {401: "refuses the key", 402: "asks to be paid", 404: "knows no such path or model"}
"""Statuses that every other request would get as well, and no waiting mends."""


@dataclass(frozen=True)
class Place:
    """Where an endpoint is, and as whom it is asked."""

    base_url: str
    api_key: str


@dataclass(frozen=True)
class _Trouble:
    """One failed try: what it says of the request, and what of the endpoint."""

    kind: ErrorKind
    what: str
    again: bool
    """Whether the same request may fare better when it is asked again."""
    down: bool = False
    """Nobody listened: this says nothing of the request."""
    retry_after: float = 0.0
    ends_all: bool = False


class _NoAnswer(ValueError):
    """The endpoint answered with something that is not an answer."""


class _Refusal(ValueError):
    """The endpoint declined to answer."""


class OpenAIModel:
    """A model behind `base_url`, asked by as many tasks on one thread as may be in flight.

    A request that fails as endpoints in trouble let requests fail (a timeout, 408, 409, 429, 5xx,
    a lost connection, half an answer) is asked again up to `max_retries` times, after a jittered
    exponential backoff, or when the server's Retry-After says; then it is an error of that
    request alone. Where requests fail in a row, the circuit holds them all back until the endpoint
    answers again, and none of them is spent on it. The client's own retries are off: it would
    sleep on an endpoint that is down in every request at once, and gives up, rather than waits,
    on a Retry-After of more than two minutes. Its aiohttp transport takes 0.8 ms of CPU a request,
    at 64 in flight and at 512; its own took 1.3 and 3.6, and a thread a request 1.2 and 1.7.

    Raises:
        BackendError: nothing answers at `base_url`, or it refuses the key.
    """

    def __init__(self, backend: OpenAIBackend) -> None:
        key = os.environ.get(backend.api_key_env) or "none"
        self._open(
            backend,
            Place(backend.base_url, key),
            engine=f"openai {openai.__version__} {backend.base_url}",
            max_in_flight=backend.max_in_flight,
            sends_prefix=backend.sends_prefix,
        )
        try:
            self._wait(self._check_endpoint(backend))
        except BaseException:
            self.close()
            raise

    def _open(
        self,
        endpoint: Endpoint,
        place: Place,
        *,
        engine: str,
        max_in_flight: int,
        sends_prefix: bool,
        proxies: bool = True,
    ) -> None:
        self._endpoint, self._place, self._engine = endpoint, place, engine
        self._sends_prefix = sends_prefix
        self._slots = asyncio.Semaphore(max_in_flight)
        self._client = openai.AsyncOpenAI(
            base_url=place.base_url,
            api_key=place.api_key,
            max_retries=0,
            timeout=openai.Timeout(
                endpoint.timeout_seconds, connect=min(_CONNECT_SECONDS, endpoint.timeout_seconds)
            ),
            http_client=openai.DefaultAioHttpClient(
                limits=_limits(max_in_flight), trust_env=proxies
            ),
        )
        self._circuit = Circuit(
            place.base_url,
            after=endpoint.pause_after,
            pause_seconds=endpoint.pause_seconds,
            revive=self._revive,
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._owed: set[asyncio.Task[Any] | None] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="openai", daemon=True)
        self._thread.start()

    @property
    def owed(self) -> int:
        return len(self._owed)

    def start(self, request: Request, reply: Callable[[Reply], None]) -> None:
        self._loop.call_soon_threadsafe(self._begin, request, reply)

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._wait(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    # Everything below runs on the event loop.

    def _begin(self, request: Request, reply: Callable[[Reply], None]) -> None:
        task = self._loop.create_task(self._serve(request, reply))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(self._owed.discard)

    async def _finish(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    async def _revive(self) -> None:
        """Does what can be done for an endpoint that is down, before it is tried again."""

    async def _check_endpoint(self, backend: OpenAIBackend) -> None:
        url, key = backend.base_url, backend.api_key_env
        try:
            await self._client.with_options(
                timeout=min(_CONNECT_SECONDS, backend.timeout_seconds)
            ).models.list()
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise BackendError(
                f"{url} refuses the key in {key} ({error.status_code}): set {key} to a valid key"
            ) from error
        except openai.APIConnectionError as error:
            *_, cause = _causes(error)
            raise BackendError(
                f"nothing answers at backend.base_url={url} ({type(cause).__name__}: {cause}): "
                "start the server, or mend the address"
            ) from error
        except openai.APIError:
            pass  # it answers, if not to this: not every server has /models

    async def _serve(self, request: Request, reply: Callable[[Reply], None]) -> None:
        async with self._slots:
            since = time.monotonic()
            try:
                answer: Reply = await self._answer(request, since)
            except BackendError as error:
                answer = error
            except Exception as error:  # a fault of ours: no user may wait forever
                what = f"{type(error).__name__}: {error}"
                seconds = time.monotonic() - since
                answer = failed(request, self._engine, ErrorKind.INVALID, what, seconds)
            reply(answer)

    async def _answer(self, request: Request, since: float) -> Response:
        """Asks until there is an answer, or until the request has failed for good."""
        tries = lost = 0
        while True:
            await self._circuit.enter(request.id)
            try:
                async with asyncio.timeout(self._endpoint.timeout_seconds):
                    response = await self._send(request, since)
            except Exception as error:
                trouble = self._trouble(error)
            else:
                await self._circuit.answered()
                return response
            if trouble.ends_all:
                await self._circuit.end(BackendError(trouble.what))
                continue
            if not trouble.again:
                await self._circuit.answered()
            elif await self._circuit.failed(
                request.id, trouble.what, down=trouble.down, retry_after=trouble.retry_after
            ):
                # The endpoint's failure, not the request's; unless it is what fells the endpoint.
                lost += not trouble.down
                if lost <= self._endpoint.max_retries + 1:
                    continue
            elif (tries := tries + 1) <= self._endpoint.max_retries:
                await asyncio.sleep(max(trouble.retry_after, backoff(tries)))
                continue
            seconds = time.monotonic() - since
            return failed(request, self._engine, trouble.kind, trouble.what, seconds)

    def _trouble(self, error: Exception) -> _Trouble:
        if isinstance(error, openai.APIStatusError):
            return self._status(error)
        causes = list(_causes(error))
        what = f"{type(causes[-1]).__name__}: {causes[-1]}"
        # Which of the two it was, the client's own exceptions do not tell.
        if any(isinstance(cause, aiohttp.ClientConnectorError) for cause in causes):
            return _Trouble(ErrorKind.SERVER_ERROR, what, again=True, down=True)
        if any(isinstance(cause, TimeoutError) for cause in causes):
            limit = f"no answer within {self._endpoint.timeout_seconds:g} seconds"
            return _Trouble(ErrorKind.TIMEOUT, limit, again=True)
        if isinstance(error, openai.APIConnectionError):
            return _Trouble(ErrorKind.SERVER_ERROR, what, again=True)
        if isinstance(error, _Refusal):
            return _Trouble(ErrorKind.REFUSED, str(error), again=False)
        # half an answer, or one of another shape than the API's
        what = f"{type(error).__name__.lstrip('_')}: {error}"
        return _Trouble(ErrorKind.SERVER_ERROR, what, again=True)

    def _status(self, error: openai.APIStatusError) -> _Trouble:
        status, what = error.status_code, f"HTTP {error.status_code}: {error.message}"
        if status in _ENDS_ALL:
            url = self._place.base_url
            what = f"{url} {_ENDS_ALL[status]} ({what}): mend it, then go on with resume=true"
            return _Trouble(ErrorKind.INVALID, " ".join(what.split()), again=False, ends_all=True)
        if status in (408, 409, 429) or status >= 500:
            kind = ErrorKind.TIMEOUT if status in (408, 504) else ErrorKind.SERVER_ERROR
            wait = retry_after(error.response.headers.get("retry-after"))
            return _Trouble(kind, what, again=True, retry_after=wait)
        return _Trouble(kind_of(f"{error.code or ''} {error.message}"), what, again=False)

    async def _send(self, request: Request, since: float) -> Response:
        """Asks once; the answer is owed until the task has replied. Asks nothing when draining."""
        task = asyncio.current_task()
        self._owed.add(task)  # before the look: who sees nothing owed can rely on it
        try:
            if draining.has_begun():
                raise asyncio.CancelledError
            return await self._ask(request, since)
        except BaseException:
            self._owed.discard(task)
            raise

    async def _ask(self, request: Request, since: float, **changes: Any) -> Response:
        """Asks once, with `changes` of the arguments.

        Raises:
            Exception: of the client's, or ValueError where the answer is none.
        """
        if request.prompt is None:
            return await self._ask_chat(request, since, **changes)
        prompt = request.prompt + request.sampler.prefix
        return await self._complete(request, since, prompt, **changes)

    async def _complete(
        self, request: Request, since: float, prompt: str | list[int], **changes: Any
    ) -> Response:
        sampler = request.sampler
        body: dict[str, Any] = {}
        if sampler.json_schema is not None:
            body["response_format"] = _response_format(sampler.json_schema)
        arguments = {
            **_sampling(request, body),
            "logprobs": 0 if sampler.logprobs else openai.omit,
            **changes,
        }
        answer = await self._client.completions.create(
            model=request.model, prompt=prompt, **arguments
        )
        choice = _only_choice(answer)
        logprobs = choice.logprobs.token_logprobs if choice.logprobs else None
        return self._response(request, since, answer, choice.text, sampler.prefix, logprobs)

    async def _ask_chat(self, request: Request, since: float, **changes: Any) -> Response:
        sampler = request.sampler
        messages = [{"role": m.role, "content": m.content} for m in request.messages]
        prefix = sampler.prefix if self._sends_prefix else ""
        body: dict[str, Any] = {}
        if prefix:
            messages.append({"role": "assistant", "content": prefix})
            body = {"continue_final_message": True, "add_generation_prompt": False}
        arguments = {
            **_sampling(request, body),
            "logprobs": True if sampler.logprobs else openai.omit,
            **changes,
        }
        if sampler.json_schema is not None:
            arguments["response_format"] = _response_format(sampler.json_schema)
        answer = await self._client.chat.completions.create(
            model=request.model,
            messages=messages,  # type: ignore[arg-type]
            **arguments,
        )
        choice = _only_choice(answer)
        if refusal := getattr(choice.message, "refusal", None):
            raise _Refusal(f"the model refused: {refusal}")
        text = choice.message.content
        if text is None and choice.finish_reason == "length":
            text = ""  # all its tokens went into reasoning that the server does not show
        content = choice.logprobs.content if choice.logprobs else None
        logprobs = content and [each.logprob for each in content]
        return self._response(request, since, answer, text, prefix, logprobs)

    def _response(
        self, request: Request, since: float, answer: Any, text: Any, prefix: str, logprobs: Any
    ) -> Response:
        if not isinstance(text, str):
            raise _NoAnswer("the answer holds no text")
        usage = answer.usage
        details = getattr(usage, "prompt_tokens_details", None)
        given = [each for each in logprobs or () if each is not None]
        return Response(
            id=request.id,
            stage=request.stage,
            model=request.model,
            engine=self._engine,
            text=prefix + text,
            finish_reason="length" if answer.choices[0].finish_reason == "length" else "stop",
            error=None,
            prompt_tokens=usage.prompt_tokens if usage else 0,
            generated_tokens=usage.completion_tokens if usage else 0,
            seconds=time.monotonic() - since,
            cached_tokens=(details.cached_tokens if details else None) or 0,
            mean_logprob=sum(given) / len(given) if given else None,
        )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yields `error` and what caused it, down to the first cause."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _limits(connections: int) -> Any:
    """The client's own defaults, but as many connections as there may be requests."""
    limits = openai.DEFAULT_CONNECTION_LIMITS
    return type(limits)(
        max_connections=connections,
        max_keepalive_connections=connections,
        keepalive_expiry=limits.keepalive_expiry,
    )


def retry_after(value: str | None, now: float | None = None) -> float:
    """The seconds that a Retry-After header (seconds, or an HTTP date) asks to wait; else 0."""
    if value is None:
        return 0.0
    try:
        return max(0.0, float(value))
    except ValueError:
        with contextlib.suppress(ValueError):
            when = email.utils.parsedate_to_datetime(value).timestamp()
            return max(0.0, when - (time.time() if now is None else now))
    return 0.0


def _only_choice(answer: Any) -> Any:
    if not getattr(answer, "choices", None):
        raise _NoAnswer("the answer holds no choices")
    if answer.choices[0].finish_reason == "content_filter":
        raise _Refusal("the server filtered the answer")
    return answer.choices[0]


def _response_format(schema: str) -> dict[str, Any]:
    content = {"name": "answer", "schema": json.loads(schema), "strict": True}
    return {"type": "json_schema", "json_schema": content}


def _sampling(request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Returns the sampling arguments of both endpoints; what is not OpenAI's goes in the body."""
    sampler = request.sampler
    if sampler.top_k:
        body["top_k"] = sampler.top_k
    if sampler.min_p:
        body["min_p"] = sampler.min_p
    if sampler.ignore_eos:
        body["ignore_eos"] = True
    if sampler.regex is not None:
        body["structured_outputs"] = {"regex": sampler.regex}
    return {
        "temperature": sampler.temperature,
        "top_p": sampler.top_p,
        "max_tokens": sampler.max_tokens,
        "stop": list(sampler.stop) or openai.omit,
        "seed": request.seed,
        "extra_body": body or None,
    }

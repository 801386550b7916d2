"""Any OpenAI-compatible endpoint, asked on an event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import re
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import aiohttp

from transforms.engine.errors import BackendError, typed_line
from transforms.images.wire import picture_tokens, sent
from transforms.models.backends import draining
from transforms.models.backends.base import Reply, failed
from transforms.models.backends.circuit import Circuit, backoff
from transforms.models.backends.endpoint_replies import (
    PAGE,
    Answer,
    Complaint,
    NoAnswer,
    model_names,
    read_answer,
    read_echo,
    read_likeliest,
)
from transforms.models.backends.endpoint_requests import body_of
from transforms.models.backends.endpoint_troubles import Trouble, first_cause, group_of, trouble_of
from transforms.models.backends.history import History
from transforms.models.backends.pace import Pace, Ticket
from transforms.models.backends.places import Place, place_of
from transforms.models.backends.settings import Endpoint, OpenAIBackend
from transforms.models.backends.transport import Transport
from transforms.models.requests import ErrorKind, Request, Response
from transforms.models.scores import LIKELIEST, NoScores, continued, of_labels, with_scores

_CONNECT_SECONDS = 30.0
_TRYING_SECONDS = 300.0
"""From its first failure on, a request is asked again for at most this long; waiting for an
endpoint that is down or limits its rate is not counted."""
_LONGEST_BACKOFF = 60.0
_TIMEOUTS = 2
"""Tries of one request that may get no reply in time."""
_REFUSALS, _FEW_REFUSALS = 20, 6
"""A request that was refused so often by 429 may be one that is always refused: the second number
where others that were asked meanwhile were mostly taken at once."""
_ALIKE, _ALIKE_TOO_LONG, _ALIKE_UNANSWERED = 3, 8, 100
"""Failures alike that end a stage of which nothing was answered. Prompts differ in length; and a
resumed run asks for nothing but what stayed unanswered, which is no reason to end it again."""
_LONG_WAIT = 10.0
"""Seconds of a wait for the rate limit from which it is announced."""
_log = logging.getLogger(__name__)


@dataclass
class _Tried:
    """What one request has met so far."""

    tries: int = 0
    timeouts: int = 0
    refusals: int = 0
    """By 429."""
    outages: int = 0
    """Failures that were charged to an outage."""
    opening: int = 0
    """The last opening of the circuit that one of them was charged to."""
    first_failed: float = math.inf
    """Monotonic seconds."""
    waited: float = 0.0
    """Seconds since then that it waited for an outage or the rate limit to pass."""
    answers: int = 0
    overcome: int = 0
    """The engine's counts of answers, and of the 429s before them, when it first failed."""


@contextlib.asynccontextmanager
async def within(limit: Callable[[], float]) -> AsyncIterator[None]:
    """Ends what takes longer than `limit()` seconds, a limit that may grow while they pass.

    Raises:
        TimeoutError: it took longer.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    timer: asyncio.TimerHandle

    def look() -> None:
        nonlocal timer
        ends = began + limit()
        if loop.time() < ends:
            timer = loop.call_at(ends, look)
        else:
            timeout.reschedule(ends)

    async with asyncio.timeout(None) as timeout:
        timer = loop.call_later(limit(), look)
        try:
            yield
        finally:
            timer.cancel()


class OpenAIModel:
    """A model behind `base_url`, asked by as many tasks on one thread as may be in flight.

    A request that fails as endpoints in trouble let requests fail (a timeout, 408, 409, 5xx, a
    lost connection, half an answer) is asked again up to `max_retries` times, after a jittered
    exponential backoff, or when the server's Retry-After says; then it is an error of that
    request alone. A 429 is no failure: the request waits for its turn at the rate that the
    endpoint allows (`Pace`). Where all requests fail, the circuit holds them back until the
    endpoint answers again, and none of them is spent on it. Where the first requests of a stage
    are all refused alike, the engine ends with what the endpoint says and the setting to change.

    Raises:
        BackendError: nothing answers at `base_url`, it refuses the key, or the key cannot be sent.
    """

    def __init__(self, backend: OpenAIBackend) -> None:
        self._open(
            backend,
            place_of(backend),
            engine=f"openai {backend.base_url}",
            pace=Pace(
                backend.max_in_flight, backend.requests_per_minute, backend.tokens_per_minute
            ),
            connections=backend.max_in_flight,
            sends_prefix=backend.sends_prefix,
            parameters=backend.parameters,
            picture_tokens=backend.picture_tokens,
            picture_mb=backend.picture_mb,
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
        pace: Pace,
        connections: int,
        sends_prefix: bool,
        parameters: dict[str, str | None],
        picture_tokens: float = math.inf,
        picture_mb: float = math.inf,
    ) -> None:
        self._picture_tokens, self._picture_mb = picture_tokens, picture_mb
        self._endpoint, self._place, self._engine = endpoint, place, engine
        self._sends_prefix, self._parameters = sends_prefix, parameters
        self._pace, self._most_open = pace, connections
        self._arrived: deque[tuple[Request, Callable[[Reply], None]]] = deque()
        self._is_woken = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._circuit = Circuit(
            place.base_url,
            after=endpoint.pause_after,
            pause_seconds=endpoint.pause_seconds,
            revive=self._revive,
            waiting=lambda: len(self._tasks),
            setting=place.setting,
        )
        self._served: list[str] = []
        self._owed: set[asyncio.Task[Any] | None] = set()
        self._histories: dict[str, History] = {}
        self._answered_at = -math.inf
        self._limited_since: float | None = None
        self._answers = self._overcome = 0  # answers, and the 429s that came before them
        self._announced_until = 0.0
        self._counts_tokens = True
        self._gives_scores, self._first_score = False, asyncio.Lock()
        self._no_scores: NoScores | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="openai", daemon=True)
        self._thread.start()
        self._wait(self._connect(connections))

    @property
    def owed(self) -> int:
        return len(self._owed)

    @property
    def open_requests(self) -> int:
        return self._most_open

    def start(self, request: Request, reply: Callable[[Reply], None]) -> None:
        self._arrived.append((request, reply))
        if not self._is_woken:  # else it takes this one out, too: to wake a loop costs a write
            self._is_woken = True
            self._loop.call_soon_threadsafe(self._begin_all)

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._wait(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _connect(self, connections: int) -> None:
        self._transport = Transport(
            self._place, timeout=self._endpoint.timeout_seconds, connections=connections
        )

    def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    # Everything below runs on the event loop.

    def _begin_all(self) -> None:
        self._is_woken = False  # before the look: what arrives after it wakes the loop again
        while self._arrived:
            self._begin(*self._arrived.popleft())

    def _begin(self, request: Request, reply: Callable[[Reply], None]) -> None:
        task = self._loop.create_task(self._serve(request, reply))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(self._owed.discard)

    async def _finish(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._transport.close()

    async def _revive(self) -> None:
        """Does what can be done for an endpoint that is down, before it is tried again."""

    async def _check_endpoint(self, backend: OpenAIBackend) -> None:
        url, key = backend.base_url, backend.api_key_env
        try:
            async with asyncio.timeout(min(_CONNECT_SECONDS, backend.timeout_seconds)):
                self._served = model_names(await self._transport.get("/models"))
        except Complaint as said:
            if said.status == 401:  # 403: the key may ask the model, and not for the list of them
                raise BackendError(
                    f"{url} refuses the key in {key} ({said.status}): set {key} to a valid key"
                ) from said
        except NoAnswer:
            pass  # it answers, if not to this: not every server has /models
        except (aiohttp.ClientError, OSError) as error:
            what = typed_line(first_cause(error))
            if isinstance(error, TimeoutError):
                what = "no answer in time"
            raise BackendError(
                f"nothing answers at {backend.place}.base_url={url} ({what}): "
                "start the server, or mend the address"
            ) from error

    async def _serve(self, request: Request, reply: Callable[[Reply], None]) -> None:
        since = time.monotonic()
        try:
            answer: Reply = await self._answer(request, since)
        except BackendError as error:
            answer = error
        except Exception as error:  # a fault of ours: no user may wait forever
            what = typed_line(error)
            seconds = time.monotonic() - since
            answer = failed(request, self._engine, ErrorKind.INVALID, what, seconds)
        reply(answer)

    async def _answer(self, request: Request, since: float) -> Response:
        """Asks until there is an answer, or until the request has failed for good."""
        history = self._histories.setdefault(request.stage, History())
        history.begin(request.id)
        tried = _Tried()
        while True:
            queued = time.monotonic()
            await self._circuit.enter(request.id)
            ticket = await self._pace.enter(self._expected_tokens(request, history))
            sent = time.monotonic()
            tried.waited += sent - queued
            limit = partial(history.longest, self._endpoint.timeout_seconds, tried.timeouts)
            try:
                async with within(limit):
                    response = await self._send(request, since)
            except Exception as error:
                trouble = trouble_of(
                    error,
                    request,
                    self._place,
                    limit=limit(),
                    parameters=self._parameters,
                    served=self._served,
                )
            else:
                await self._take_in(response, history, ticket, sent)
                self._overcome += tried.refusals
                return response
            finally:
                self._pace.leave(ticket)
            if not await self._is_asked_again(request, trouble, ticket, history, sent, tried):
                seconds = time.monotonic() - since
                return failed(request, self._engine, trouble.kind, trouble.what, seconds)

    async def _is_asked_again(
        self,
        request: Request,
        trouble: Trouble,
        ticket: Ticket,
        history: History,
        sent: float,
        tried: _Tried,
    ) -> bool:
        """Takes in a failed try, and waits before the next; returns whether there is one.

        Where the engine has ended, there is: `enter` then raises.
        """
        now = time.monotonic()
        if math.isinf(tried.first_failed):
            tried.first_failed, tried.waited = now, 0.0
            tried.answers, tried.overcome = self._answers, self._overcome
        if trouble.wait > self._endpoint.pause_seconds and self._answered_at < sent:
            await self._circuit.end(self._asks_to_wait(trouble))
            return True
        if trouble.ends_all:
            if trouble.again and (self._answers or trouble.belied):
                if await self._retries(trouble, tried):
                    return True
                if self._circuit.answers_others(tried.first_failed):
                    return False
            await self._circuit.end(BackendError(trouble.what))
            return True
        if trouble.limited:
            tried.refusals += 1
            await self._slow_down(trouble, ticket, now)
            if not self._refuses_only_this(tried):
                return True
        else:
            self._pace.admitted(ticket, 0)
            if not trouble.again:
                await self._circuit.answered(sent)
            elif await self._is_outage(request, trouble, history, tried):
                if tried.outages <= self._endpoint.max_retries + 1:
                    return True
            elif await self._retries(trouble, tried):
                return True
        if self._ends_stage(request, trouble, history):
            await self._circuit.end(self._end_of_stage(request, trouble))
            return True
        return False

    async def _take_in(
        self, response: Response, history: History, ticket: Ticket, sent: float
    ) -> None:
        self._answers += 1
        self._answered_at = time.monotonic()
        self._limited_since = None
        history.answered(self._answered_at - sent, response.generated_tokens)
        self._pace.admitted(ticket, response.prompt_tokens + response.generated_tokens)
        await self._circuit.answered(sent)

    async def _slow_down(self, trouble: Trouble, ticket: Ticket, now: float) -> None:
        """Takes in a 429; ends the engine where nobody is answered for `pause_seconds`."""
        if self._circuit.is_open:
            await self._circuit.answered(-math.inf)  # it is no longer down
        longest, url = self._endpoint.pause_seconds, self._place.base_url
        if self._limited_since is None:
            self._limited_since = now
        elif now - self._limited_since >= longest:
            await self._circuit.end(
                BackendError(
                    f"{url} has refused all requests for {now - self._limited_since:.0f} seconds "
                    f"({trouble.what}): go on later with resume=true"
                )
            )
            return
        if not self._pace.is_limited:
            _log.warning(
                "%s limits the rate of requests (%s): asked as fast as it allows from now on",
                url,
                trouble.what,
            )
        wait = min(trouble.wait, longest)
        if wait >= _LONG_WAIT and now >= self._announced_until:
            self._announced_until = now + wait
            _log.warning("%s asks to wait %.0f s: %d requests wait", url, wait, len(self._tasks))
        self._pace.refused(ticket, now, wait)

    def _refuses_only_this(self, tried: _Tried) -> bool:
        """Whether 429 is what the endpoint has for this request alone, or for the last few."""
        answers, overcome = self._answers - tried.answers, self._overcome - tried.overcome
        if tried.refusals >= _FEW_REFUSALS and answers >= 3 * (overcome + 1):
            return True
        long = time.monotonic() - tried.first_failed >= _TRYING_SECONDS
        few = self._circuit.answers_others(tried.first_failed) or self._is_tail
        return tried.refusals >= _REFUSALS and long and few

    @property
    def _is_tail(self) -> bool:
        """Whether fewer requests are left than may be open."""
        return len(self._tasks) < self._most_open

    async def _is_outage(
        self, request: Request, trouble: Trouble, history: History, tried: _Tried
    ) -> bool:
        """Tells the circuit of a failure; returns whether the endpoint is down.

        An outage is charged to a request once, as the request may have felled the endpoint; and
        each time where few are left, as these few may be all that fails.
        """
        # Before the stage has its first answer, such replies may be all that it can get.
        if trouble.useless and not history.answers and not self._circuit.is_open:
            return False
        if not await self._circuit.failed(
            request.id,
            trouble.what,
            first_failed=tried.first_failed,
            down=trouble.down,
            retry_after=min(trouble.wait, self._endpoint.pause_seconds),
        ):
            return False
        if self._is_tail or tried.opening < self._circuit.openings:
            tried.outages += not trouble.down
        tried.opening = self._circuit.openings
        return True

    async def _retries(self, trouble: Trouble, tried: _Tried) -> bool:
        """Waits before another try of a request that failed; returns whether it has one left."""
        tried.tries += 1
        tried.timeouts += trouble.lost
        seconds = time.monotonic() - tried.first_failed - tried.waited
        if (
            tried.tries > self._endpoint.max_retries
            or tried.timeouts >= _TIMEOUTS
            or seconds >= _TRYING_SECONDS
        ):
            return False
        await asyncio.sleep(min(max(trouble.wait, backoff(tried.tries)), _LONGEST_BACKOFF))
        return True

    def _asks_to_wait(self, trouble: Trouble) -> BackendError:
        return BackendError(
            f"{self._place.base_url} asks to wait {trouble.wait:.0f} seconds ({trouble.what}), "
            f"longer than {self._place.setting}.pause_seconds={self._endpoint.pause_seconds:g}: "
            "go on later with resume=true"
        )

    def _ends_stage(self, request: Request, trouble: Trouble, history: History) -> bool:
        """Whether what failed for good will fail for every request of the stage."""
        enough = {ErrorKind.INVALID: _ALIKE, ErrorKind.TOO_LONG: _ALIKE_TOO_LONG}.get(trouble.kind)
        if trouble.useless:
            enough = _ALIKE if PAGE in trouble.what else _ALIKE_UNANSWERED
        what = None if enough is None else trouble.what
        return history.failed(request.id, what, 1 if trouble.fix else enough or 1)

    def _end_of_stage(self, request: Request, trouble: Trouble) -> BackendError:
        remedy = trouble.fix or (
            f"lower sampling.{group_of(request.stage)}.max_tokens or shots, or set a model with a "
            "larger context"
            if trouble.kind is ErrorKind.TOO_LONG
            else "ask it one thing at a time with cotmill backend check"
        )
        return BackendError(
            f"{self._place.base_url} answers none of the requests of stage {request.stage} "
            f"({trouble.what}): {remedy}, then go on with resume=true"
        )

    def _expected_tokens(self, request: Request, history: History) -> float:
        """Tokens that a request may take: a guess, corrected once it is answered."""
        texts = [message.content for message in request.messages]
        characters = sum(map(len, [*texts, request.prompt or ""]))
        seen = sum(map(picture_tokens, request.shown))
        return characters / 4 + seen + history.expected_tokens(request.sampler.max_tokens)

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
        """Asks once, with `changes` of the arguments (None leaves one out).

        Raises:
            Exception: of the client's, or of `read_answer`.
        """
        if request.score is not None:
            return await self._score(request, since)
        if request.prompt is None:
            return await self._ask_chat(request, since, **changes)
        prompt = request.prompt + request.sampler.prefix
        return await self._complete(request, since, prompt, **changes)

    async def _complete(
        self, request: Request, since: float, prompt: str | list[int], **changes: Any
    ) -> Response:
        body = body_of(request, self._parameters, prompt=prompt, **changes)
        answer = read_answer(await self._transport.post("/completions", body))
        return self._response(request, since, answer, request.sampler.prefix)

    async def _ask_chat(self, request: Request, since: float, **changes: Any) -> Response:
        messages = await self._messages(request)
        prefix = request.sampler.prefix if self._sends_prefix else ""
        if prefix:
            messages.append({"role": "assistant", "content": prefix})
            changes = {"continue_final_message": True, "add_generation_prompt": False, **changes}
        body = body_of(request, self._parameters, messages=messages, **changes)
        answer = read_answer(
            await self._transport.post("/chat/completions", body), bool(request.tools)
        )
        return self._response(request, since, answer, prefix)

    async def _messages(self, request: Request) -> list[dict[str, Any]]:
        """The messages of a chat; pictures are read in a thread, as their folder may be far."""
        if not request.shown:
            return sent(request, self._picture_tokens, self._picture_mb)
        return await asyncio.to_thread(sent, request, self._picture_tokens, self._picture_mb)

    async def _score(self, request: Request, since: float) -> Response:
        """Asks for log probabilities in place of an answer.

        The first request for any goes alone, so that an endpoint that gives none is asked once.
        """
        if self._gives_scores:
            return await self._ask_score(request, since)
        async with self._first_score:
            if self._no_scores is not None:
                raise self._no_scores
            try:
                response = await self._ask_score(request, since)
            except NoScores as error:
                self._no_scores = error
                raise
            self._gives_scores = True
            return response

    async def _ask_score(self, request: Request, since: float) -> Response:
        assert request.score is not None
        continuation, prefix = request.score.continuation, request.sampler.prefix
        chat = request.prompt is None
        if chat and continuation is not None:
            raise NoScores("/chat/completions scores no given text, /completions may")
        body: dict[str, Any]
        if chat:
            body = {"messages": await self._messages(request)}
            body |= {"logprobs": True, "top_logprobs": LIKELIEST}
        else:
            before = f"{request.prompt}{prefix}"
            body = {"prompt": before + (continuation or "")}
            body |= {"logprobs": 5 if continuation is None else 1, "echo": continuation and True}
        path = "/chat/completions" if chat else "/completions"
        try:
            reply = await self._transport.post(path, body_of(request, self._parameters, **body))
        except Complaint as said:
            if re.search("logprobs|echo", f"{said.param} {said.message}"):
                raise NoScores(str(said)) from said
            raise
        answer = replace(read_answer(reply), mean_logprob=None)
        pairs: Callable[[], list[tuple[str, float]]]
        if continuation is None:
            pairs = partial(of_labels, request.score.labels, read_likeliest(reply))
        else:
            pairs = partial(continued, *read_echo(reply), len(before), len(continuation))
        return with_scores(self._response(request, since, answer, ""), pairs)

    def _response(self, request: Request, since: float, answer: Answer, prefix: str) -> Response:
        text, cut_off = answer.text, answer.cut_off
        if self._parameters.get("stop", "") is None:
            text, stopped = cut_at(text, request.sampler.stop)
            cut_off = cut_off and not stopped
        if answer.generated_tokens is None and self._counts_tokens:
            self._counts_tokens = False
            _log.warning(
                "%s does not count tokens: they are 0 in budgets, costs and reports",
                self._place.base_url,
            )
        return Response(
            id=request.id,
            stage=request.stage,
            model=request.model,
            engine=self._engine,
            text=prefix + text,
            finish_reason="length" if cut_off else "stop",
            error=None,
            prompt_tokens=answer.prompt_tokens or 0,
            generated_tokens=answer.generated_tokens or 0,
            seconds=time.monotonic() - since,
            cached_tokens=answer.cached_tokens or 0,
            mean_logprob=answer.mean_logprob,
            reasoning=answer.reasoning,
            tool_calls=answer.tool_calls,
        )


def cut_at(text: str, stops: tuple[str, ...]) -> tuple[str, bool]:
    """Returns `text` before the first of `stops` in it, and whether there is one.

    >>> cut_at("one two three", ("three", "two"))
    ('one ', True)
    """
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return (text[: min(places)], True) if places else (text, False)

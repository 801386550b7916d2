"""Any OpenAI-compatible endpoint, asked by the official client from a pool of threads."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai

from transforms.errors import BackendError
from transforms.generation.models import Reply, failed
from transforms.generation.requests import Request, Response
from transforms.settings import OpenAIBackend


class OpenAIModel:
    """A model behind `base_url`. The client retries 408, 409, 429, 5xx and lost connections,
    with exponential backoff and as the server's Retry-After asks; a request that still fails,
    or takes longer than `timeout_seconds` a try, is an error of that request alone.

    Raises:
        BackendError: nothing answers at `base_url`, or it refuses the key.
    """

    def __init__(self, backend: OpenAIBackend) -> None:
        self._backend = backend
        self._client = openai.OpenAI(
            base_url=backend.base_url,
            api_key=os.environ.get(backend.api_key_env) or "none",
            timeout=backend.timeout_seconds,
            max_retries=backend.max_retries,
        )
        self._engine = f"openai {openai.__version__} {backend.base_url}"
        self._check_endpoint()
        self._pool = ThreadPoolExecutor(backend.max_in_flight, thread_name_prefix="openai")

    def start(self, request: Request, reply: Callable[[Reply], None]) -> None:
        self._pool.submit(lambda: reply(self._answer(request)))

    def close(self) -> None:
        self._client.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _check_endpoint(self) -> None:
        url, key = self._backend.base_url, self._backend.api_key_env
        try:
            self._client.with_options(
                timeout=min(30.0, self._backend.timeout_seconds)
            ).models.list()
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise BackendError(
                f"{url} refuses the key in {key} ({error.status_code}): set {key} to a valid key"
            ) from error
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise BackendError(
                f"nothing answers at backend.base_url={url} ({type(cause).__name__}: {cause}): "
                "start the server, or mend the address"
            ) from error
        except openai.APIError:
            pass  # it answers, if not to this: not every server has /models

    def _answer(self, request: Request) -> Response:
        since = time.monotonic()
        try:
            if request.prompt is not None:
                return self._complete(request, since)
            return self._chat(request, since)
        except openai.APIStatusError as error:
            what = f"HTTP {error.status_code}: {error.message}"
        except openai.APITimeoutError:
            what = f"no answer within {self._backend.timeout_seconds:g} seconds"
        except Exception as error:  # half an answer, or one of another shape than the API's
            what = f"{type(error).__name__}: {error}"
        return failed(request, self._engine, what, time.monotonic() - since)

    def _complete(self, request: Request, since: float) -> Response:
        answer = self._client.completions.create(
            model=request.model,
            prompt=(request.prompt or "") + request.sampler.prefix,
            **_sampling(request, {}),
        )
        choice = _only_choice(answer)
        return self._response(request, since, answer, choice, choice.text, request.sampler.prefix)

    def _chat(self, request: Request, since: float) -> Response:
        messages = [{"role": m.role, "content": m.content} for m in request.messages]
        prefix = request.sampler.prefix if self._backend.continue_prefix else ""
        body: dict[str, Any] = {}
        if prefix:
            messages.append({"role": "assistant", "content": prefix})
            body = {"continue_final_message": True, "add_generation_prompt": False}
        answer = self._client.chat.completions.create(
            model=request.model,
            messages=messages,  # type: ignore[arg-type]
            **_sampling(request, body),
        )
        choice = _only_choice(answer)
        return self._response(request, since, answer, choice, choice.message.content, prefix)

    def _response(
        self, request: Request, since: float, answer: Any, choice: Any, text: Any, prefix: str
    ) -> Response:
        if not isinstance(text, str):
            raise ValueError("the answer holds no text")
        usage = answer.usage
        return Response(
            id=request.id,
            stage=request.stage,
            model=request.model,
            engine=self._engine,
            text=prefix + text,
            finish_reason="length" if choice.finish_reason == "length" else "stop",
            error=None,
            prompt_tokens=usage.prompt_tokens if usage else 0,
            generated_tokens=usage.completion_tokens if usage else 0,
            seconds=time.monotonic() - since,
        )


def _only_choice(answer: Any) -> Any:
    if not answer.choices:
        raise ValueError("the answer holds no choices")
    if answer.choices[0].finish_reason == "content_filter":
        raise ValueError("the server filtered the answer")
    return answer.choices[0]


def _sampling(request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Returns the sampling arguments of both endpoints; what is not OpenAI's goes in the body."""
    sampler = request.sampler
    if sampler.top_k:
        body["top_k"] = sampler.top_k
    if sampler.min_p:
        body["min_p"] = sampler.min_p
    return {
        "temperature": sampler.temperature,
        "top_p": sampler.top_p,
        "max_tokens": sampler.max_tokens,
        "stop": list(sampler.stop) or openai.omit,
        "seed": request.seed,
        "extra_body": body or None,
    }

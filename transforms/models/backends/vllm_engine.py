"""vLLM in this worker: one engine, fed continuously, on a GPU or with the CPU build."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from queue import Empty, SimpleQueue
from typing import Any

from transforms.engine.errors import BackendError, typed_line
from transforms.engine.records import ToolCall
from transforms.images.blobs import Blobs
from transforms.images.wire import data_url, wired
from transforms.models.backends.base import Reply, failed, kind_of, with_some_waiting
from transforms.models.backends.fire import FirstToken, first_token, whole
from transforms.models.backends.settings import VllmBackend
from transforms.models.backends.vllm_setup import (
    check_arguments,
    engine_arguments,
    prepare_environment,
    tool_parser,
)
from transforms.models.embedded.adapters import adapter_path
from transforms.models.requests import ErrorKind, Request, Response, Sampler
from transforms.models.scores import LIKELIEST, by_token, of_labels, with_scores
from transforms.models.tokens import prompt_ids, scored_ids, text_of
from transforms.text.thoughts import THINK_TAGS, split_thought

_SHUTDOWN_SECONDS = 10.0


@dataclass(frozen=True)
class _Open:
    request: Request
    reply: Callable[[Reply], None]
    since: float
    first: FirstToken | None = None

    @property
    def draws_first(self) -> bool:
        """Whether what the engine is asked now is FIRE's first step."""
        return self.request.sampler.fire_temperature is not None and self.first is None


class VllmModel:
    """A model in vLLM's V1 engine.

    A thread of its own loads the model and then alternates between taking in new requests and
    stepping the engine, so requests join and leave the running batch at every token and callers
    on any thread never wait for one another.

    The engine's core stays in the subprocess that vLLM gives it. vLLM binds the CPU build's
    threads to cores only there; 64 sequences on 2 cores gave 428 tokens/s there, and 197, 237
    and 270 in three runs in process. Cores bound in process would also be inherited by
    everything else that the worker starts. A watcher ends the subprocess should this process
    be killed outright.

    Raises:
        BackendError: vLLM is not installed, or the model cannot be loaded.
    """

    def __init__(
        self, backend: VllmBackend, load: Callable[[VllmBackend], Any] | None = None
    ) -> None:
        """`load` returns vLLM's `LLMEngine`; for measuring one that others use as well."""
        self._backend = backend
        self._load = load or load_engine
        self._inbox: SimpleQueue[_Open | None] = SimpleQueue()
        self._loaded: SimpleQueue[BackendError | None] = SimpleQueue()
        self._ended = BackendError(f"the vLLM engine of {backend.model} was closed")
        self._closing = False
        self._open_requests = 0
        self._thread = threading.Thread(target=self._run, name="vllm", daemon=True)
        self._thread.start()
        if error := self._loaded.get():
            raise error

    @property
    def owed(self) -> int:
        return 0

    @property
    def open_requests(self) -> int:
        return self._open_requests

    def start(self, request: Request, reply: Callable[[Reply], None]) -> None:
        self._inbox.put(_Open(request, reply, time.monotonic()))
        if not self._thread.is_alive():  # nobody else is left to take it out again
            self._refuse(self._take(wait=False))

    def close(self) -> None:
        self._inbox.put(None)
        self._thread.join()

    # Everything below runs on the model's own thread.

    def _run(self) -> None:
        engine: Any = None
        watcher: subprocess.Popen[bytes] | None = None
        cores: list[BaseProcess] = []
        opened: dict[str, _Open] = {}
        try:
            try:
                others = multiprocessing.active_children()
                engine = self._load(self._backend)
                in_flight = engine.vllm_config.scheduler_config.max_num_seqs
                self._open_requests = with_some_waiting(in_flight)
                cores = [
                    child
                    for child in multiprocessing.active_children()
                    if child not in others and child.name.startswith("EngineCore")
                ]
                watcher = _watch(cores)
            except Exception as error:
                self._loaded.put(_cannot_load(self._backend, error))
                return
            self._loaded.put(None)
            self._serve(engine, opened)
        except Exception as error:
            self._ended = BackendError(
                f"the vLLM engine of {self._backend.model} stopped: {typed_line(error)}"
            )
        finally:
            if engine is not None:
                engine.engine_core.shutdown(timeout=_SHUTDOWN_SECONDS)
            for core in cores:  # a busy machine may need longer than that
                core.kill()
                core.join()
            if watcher is not None:
                watcher.kill()
                watcher.wait()
            self._refuse(opened.values())
            self._refuse(self._take(wait=False))

    def _serve(self, engine: Any, opened: dict[str, _Open]) -> None:
        import vllm
        from vllm.v1.engine.exceptions import EngineDeadError

        name = f"vllm {vllm.__version__}"
        adapter, parser = _adapter(self._backend), tool_parser(self._backend)
        count = 0

        def add(item: _Open) -> None:
            nonlocal count
            if item.request.shown and not engine.model_config.is_multimodal_model:
                item.reply(_takes_text(self._backend))
                return
            count += 1
            key = str(count)  # the same request may be open twice, for two users
            opened[key] = item
            try:
                prompt, params = _prompt(engine, item), _params(item)
                engine.add_request(key, prompt, params, lora_request=adapter)
            except EngineDeadError:
                raise
            except Exception as error:  # this request is refused; its neighbours go on
                del opened[key]
                what, seconds = typed_line(error), time.monotonic() - item.since
                item.reply(failed(item.request, name, kind_of(what), what, seconds))

        while not self._closing:
            for item in self._take(wait=not opened):
                add(item)
            if opened:
                for output in engine.step():
                    if output.finished:
                        item = opened.pop(output.request_id)
                        if item.draws_first:
                            first = _first(engine, item, output)
                            item = replace(item, first=first)
                            if not first.ends:
                                add(item)
                                continue
                        if item.request.score is not None:
                            item.reply(_score_response(item, name, output, engine.get_tokenizer()))
                            continue
                        response = _response(item, name, output)
                        if parser and item.request.tools and response.error is None:
                            tokenizer = engine.get_tokenizer()
                            response = with_calls(response, item.request, parser, tokenizer)
                        item.reply(response)

    def _take(self, wait: bool) -> Iterator[_Open]:
        """Yields all that the inbox holds; with `wait`, waits for something first."""
        try:
            while True:
                item = self._inbox.get(block=wait)
                wait = False
                if item is None:
                    self._closing = True
                    return
                yield item
        except Empty:
            return

    def _refuse(self, items: Iterable[_Open]) -> None:
        for item in items:
            item.reply(self._ended)


def load_engine(backend: VllmBackend) -> Any:
    """Returns vLLM's `LLMEngine` for `backend`."""
    prepare_environment(backend)
    check_arguments(backend)
    from vllm import EngineArgs
    from vllm.usage.usage_lib import UsageContext
    from vllm.v1.engine.llm_engine import LLMEngine

    arguments = EngineArgs(**engine_arguments(backend), disable_log_stats=True)
    # The context of vLLM's own offline class, whose defaults are for throughput, not for latency.
    return LLMEngine.from_engine_args(arguments, usage_context=UsageContext.LLM_CLASS)


def with_calls(response: Response, request: Request, parser: Any, tokenizer: Any) -> Response:
    """Returns `response` with the calls of tools in its text as `tool_calls`, and a thought before
    them as `reasoning`, as vLLM's server has them; calls are numbered, as their ids are random
    there."""
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest

    thought, answer = split_thought(response.text, request.think_tags or THINK_TAGS)
    tools = [json.loads(tool) for tool in request.tools]
    asked = ChatCompletionRequest(model=request.model, messages=[], tools=tools)
    found = parser(tokenizer, asked.tools).extract_tool_calls(answer, asked)
    calls = tuple(
        ToolCall(f"call_{request.id[:8]}_{place}", call.function.name, call.function.arguments)
        for place, call in enumerate(found.tool_calls)
    )
    return replace(response, text=found.content or "", reasoning=thought, tool_calls=calls)


def _adapter(backend: VllmBackend) -> Any:
    """Returns vLLM's `LoRARequest` for the adapter of `backend`, if it has one."""
    path = adapter_path(backend)
    if path is None:
        return None
    from vllm.lora.request import LoRARequest

    return LoRARequest(backend.answering, 1, path)


def _prompt(engine: Any, item: _Open) -> Any:
    score = item.request.score
    if item.request.shown and not (item.draws_first or score):
        return _prompt_with_pictures(engine.renderer, item.request)
    if item.first is not None:
        ids = [*item.first.prompt, item.first.token]
    elif score is not None and score.continuation is not None:
        ids, _ = scored_ids(engine.get_tokenizer(), item.request)
    else:
        ids = prompt_ids(engine.get_tokenizer(), item.request)
    (rendered,) = engine.renderer.render_cmpl([{"prompt_token_ids": ids}])
    return rendered


def _prompt_with_pictures(renderer: Any, request: Request) -> Any:
    """Returns what vLLM's engine takes for a chat that shows pictures, made by its own renderer as
    in its server: pictures beside the tokens, among them those that the chat template has for each.
    """
    from vllm.renderers import ChatParams

    blobs = Blobs(request.blobs)
    turns = wired(request.messages, lambda each: data_url(each.mime, blobs.get(each)))
    words = {
        "add_generation_prompt": True,
        "tokenize": False,
        "tools": [json.loads(tool) for tool in request.tools] or None,
        **json.loads(request.template),
    }
    _, prompt = renderer.render_messages(turns, ChatParams(chat_template_kwargs=words))
    if request.sampler.prefix:
        prompt["prompt"] += request.sampler.prefix
    # the chat template has written the special tokens
    (rendered,) = renderer.render_cmpl([prompt], renderer.default_chat_tok_params)
    return rendered


def _params(item: _Open) -> Any:
    score = item.request.score
    if score is not None and score.continuation is not None:
        return _one_token(prompt_logprobs=1)
    if score is not None:
        return _one_token(logprobs=LIKELIEST)
    if item.draws_first:
        return _one_token(logprobs=item.request.sampler.fire_top_k)
    return vllm_params(item.request, already=int(item.first is not None))


def _one_token(**logprobs: Any) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    kind = RequestOutputKind.FINAL_ONLY
    return SamplingParams(temperature=0.0, max_tokens=1, output_kind=kind, **logprobs)


def vllm_params(request: Request, already: int = 0) -> Any:
    """vLLM's `SamplingParams` for `request`, of whose answer `already` tokens are made."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampler = request.sampler
    return SamplingParams(
        temperature=sampler.temperature,
        top_p=sampler.top_p,
        top_k=sampler.top_k,
        min_p=sampler.min_p,
        max_tokens=sampler.max_tokens - already,
        stop=list(sampler.stop),
        seed=request.seed,
        logprobs=0 if sampler.logprobs else None,
        ignore_eos=sampler.ignore_eos,
        structured_outputs=_structure(sampler),
        skip_special_tokens=not request.tools,  # many models mark calls by such tokens
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _structure(sampler: Sampler) -> Any:
    from vllm.sampling_params import StructuredOutputsParams

    if sampler.json_schema is not None:
        return StructuredOutputsParams(json=sampler.json_schema)
    return sampler.regex and StructuredOutputsParams(regex=sampler.regex)


def _first(engine: Any, item: _Open, output: Any) -> FirstToken:
    (likely,) = output.outputs[0].logprobs
    return first_token(
        item.request,
        engine.get_tokenizer(),
        list(output.prompt_token_ids),
        {token: each.logprob for token, each in likely.items()},
        output.num_cached_tokens or 0,
        engine.model_config.max_model_len,
    )


def _response(item: _Open, engine: str, output: Any) -> Response:
    request, completion = item.request, output.outputs[0]
    seconds = time.monotonic() - item.since
    if completion.finish_reason not in ("stop", "length"):
        what = f"vLLM gave up: {completion.finish_reason}"
        return failed(request, engine, ErrorKind.SERVER_ERROR, what, seconds)
    generated = len(completion.token_ids)
    logprob = completion.cumulative_logprob
    response = Response(
        id=request.id,
        stage=request.stage,
        model=request.model,
        engine=engine,
        text=request.sampler.prefix + completion.text,
        finish_reason=completion.finish_reason,
        error=None,
        prompt_tokens=len(output.prompt_token_ids),
        generated_tokens=generated,
        seconds=seconds,
        cached_tokens=output.num_cached_tokens or 0,
        mean_logprob=logprob / generated if request.sampler.logprobs and generated else None,
    )
    return whole(request, item.first, response) if item.first else response


def _score_response(item: _Open, engine: str, output: Any, tokenizer: Any) -> Response:
    request, ids = item.request, list(output.prompt_token_ids)
    assert request.score is not None
    response = _response(item, engine, output)
    if response.error is not None:
        return response
    if request.score.continuation is None:
        (likely,) = output.outputs[0].logprobs
        return with_scores(response, lambda: labels_of(request, tokenizer, ids, _plain(likely)))
    prompt = list(map(_plain, output.prompt_logprobs))
    return with_scores(response, lambda: continuation_of(request, tokenizer, prompt))


def _plain(likely: Mapping[int, Any] | None) -> dict[int, float]:
    """Token id -> log probability, of vLLM's own objects; empty for the first token of a prompt."""
    return {token: each.logprob for token, each in (likely or {}).items()}


def labels_of(
    request: Request, tokenizer: Any, ids: list[int], likeliest: Mapping[int, float]
) -> list[tuple[str, float]]:
    """Returns the labels that `request` scores, out of the likeliest tokens after `ids`.

    Raises: as `of_labels` does.
    """
    assert request.score is not None
    texts = [(text_of(tokenizer, ids, token), logprob) for token, logprob in likeliest.items()]
    return of_labels(request.score.labels, texts)


def continuation_of(
    request: Request, tokenizer: Any, prompt_logprobs: Sequence[Mapping[int, float]]
) -> list[tuple[str, float]]:
    """Returns the tokens of the continuation that `request` scores; see `by_token`."""
    ids, start = scored_ids(tokenizer, request)
    texts = [tokenizer.decode([token]) for token in ids[start:]]
    return list(zip(texts, by_token(ids, start, prompt_logprobs), strict=True))


def _watch(cores: list[BaseProcess]) -> subprocess.Popen[bytes]:
    """Starts a shell that kills vLLM's core once this process is gone, however it went.

    vLLM's workers watch for the end of the core, but nothing was found in vLLM 0.32 that has
    the core watch for the end of the process that started it.
    """
    pids = " ".join(str(core.pid) for core in cores)
    return subprocess.Popen(
        ["/bin/sh", "-c", f"read _; kill -9 {pids}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # out of reach of the terminal's Ctrl-C
    )


def _takes_text(backend: VllmBackend) -> BackendError:
    return BackendError(
        f"{backend.place}.model={backend.model} takes text alone, and the recipe shows pictures: "
        "name a vision model"
    )


def _cannot_load(backend: VllmBackend, error: Exception) -> BackendError:
    if isinstance(error, BackendError):
        return error
    return BackendError(
        f"vLLM cannot load {backend.model}: {typed_line(error)} "
        "(VLLM_LOGGING_LEVEL=INFO shows all that it says)"
    )

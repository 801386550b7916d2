"""vLLM in this worker: one engine, fed continuously, on a GPU or with the CPU build."""

from __future__ import annotations

import logging
import multiprocessing
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from queue import Empty, SimpleQueue
from typing import Any

from transforms.errors import BackendError
from transforms.generation.embedded import EMBEDDED, embedded_model
from transforms.generation.models import Reply, failed
from transforms.generation.requests import Request, Response
from transforms.settings import VllmBackend

_SHUTDOWN_SECONDS = 10.0


@dataclass(frozen=True)
class _Open:
    request: Request
    reply: Callable[[Reply], None]
    since: float


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

    def __init__(self, backend: VllmBackend) -> None:
        self._backend = backend
        self._inbox: SimpleQueue[_Open | None] = SimpleQueue()
        self._loaded: SimpleQueue[BackendError | None] = SimpleQueue()
        self._ended = BackendError(f"the vLLM engine of {backend.model} was closed")
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="vllm", daemon=True)
        self._thread.start()
        if error := self._loaded.get():
            raise error

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
                engine = _load(self._backend)
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
                f"the vLLM engine of {self._backend.model} stopped: {_one_line(error)}"
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
        count = 0
        while not self._closing:
            for item in self._take(wait=not opened):
                count += 1
                key = str(count)  # the same request may be open twice, for two users
                opened[key] = item
                try:
                    engine.add_request(key, _prompt(engine, item.request), _params(item.request))
                except EngineDeadError:
                    raise
                except Exception as error:  # this request is refused; its neighbours go on
                    del opened[key]
                    seconds = time.monotonic() - item.since
                    item.reply(failed(item.request, name, _one_line(error), seconds))
            if opened:
                for output in engine.step():
                    if output.finished:
                        item = opened.pop(output.request_id)
                        item.reply(_response(item, name, output))

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


def _load(backend: VllmBackend) -> Any:
    """Returns vLLM's `LLMEngine` for `backend`."""
    os.environ.update({"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"})
    if backend.cpu_kvcache_gib is not None:
        os.environ["VLLM_CPU_KVCACHE_SPACE"] = str(backend.cpu_kvcache_gib)
        os.environ["VLLM_CPU_OMP_THREADS_BIND"] = _cores(backend)
    # A worker has threads by now, and a forked copy of them can hang.
    os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
    # vLLM's processes inherit these; a user who wants to hear more sets them.
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    if os.environ["VLLM_LOGGING_LEVEL"] == "ERROR":  # it speaks up before it reads that
        logging.getLogger("vllm").setLevel(logging.ERROR)
    try:
        from vllm import EngineArgs
        from vllm.v1.engine.llm_engine import LLMEngine
    except ImportError as error:
        extra = "gpu" if backend.cpu_kvcache_gib is None else "cpu"
        raise BackendError(
            f"the vllm backend needs vLLM ({error}): pip install 'cotmill[{extra}]'"
        ) from error
    model = str(embedded_model()) if backend.model == EMBEDDED else backend.model
    arguments = EngineArgs(
        model=model,
        max_model_len=backend.max_model_len,  # type: ignore[arg-type]
        max_num_seqs=backend.max_in_flight,
        dtype=backend.dtype,  # type: ignore[arg-type]
        enforce_eager=backend.enforce_eager,
        gpu_memory_utilization=backend.gpu_memory_utilization,
        tensor_parallel_size=backend.tensor_parallel_size,
        # The CPU build dies on a seeded request whose prompt is prefilled in chunks: it rewinds
        # the request's generator, and a CPU generator cannot be rewound.
        enable_chunked_prefill=None if backend.cpu_kvcache_gib is None else False,
        disable_log_stats=True,
        use_tqdm_on_load=False,
    )
    return LLMEngine.from_engine_args(arguments)


def _cores(backend: VllmBackend) -> str:
    """Returns the cores to bind. vLLM's `auto` keeps one free for its scheduler, which on a
    small machine is a large part of it: there, all cores compute."""
    cores = sorted(os.sched_getaffinity(0))
    if backend.cpu_threads == "auto" and backend.tensor_parallel_size == 1 and len(cores) <= 4:
        return ",".join(str(core) for core in cores)
    return backend.cpu_threads


def _prompt(engine: Any, request: Request) -> Any:
    """Renders and tokenizes `request`, with its forced prefix at the end."""
    tokenizer = engine.get_tokenizer()
    if request.prompt is not None:
        text, special = request.prompt, True
    else:
        messages = [{"role": m.role, "content": m.content} for m in request.messages]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        special = False  # the chat template has written them
    ids = tokenizer.encode(text + request.sampler.prefix, add_special_tokens=special)
    (rendered,) = engine.renderer.render_cmpl([{"prompt_token_ids": ids}])
    return rendered


def _params(request: Request) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampler = request.sampler
    return SamplingParams(
        temperature=sampler.temperature,
        top_p=sampler.top_p,
        top_k=sampler.top_k,
        min_p=sampler.min_p,
        max_tokens=sampler.max_tokens,
        stop=list(sampler.stop),
        seed=request.seed,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _response(item: _Open, engine: str, output: Any) -> Response:
    completion = output.outputs[0]
    seconds = time.monotonic() - item.since
    if completion.finish_reason not in ("stop", "length"):
        return failed(item.request, engine, f"vLLM gave up: {completion.finish_reason}", seconds)
    return Response(
        id=item.request.id,
        stage=item.request.stage,
        model=item.request.model,
        engine=engine,
        text=item.request.sampler.prefix + completion.text,
        finish_reason=completion.finish_reason,
        error=None,
        prompt_tokens=len(output.prompt_token_ids),
        generated_tokens=len(completion.token_ids),
        seconds=seconds,
    )


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


def _cannot_load(backend: VllmBackend, error: Exception) -> BackendError:
    if isinstance(error, BackendError):
        return error
    return BackendError(
        f"vLLM cannot load {backend.model}: {_one_line(error)} "
        "(VLLM_LOGGING_LEVEL=INFO shows all that it says)"
    )


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]

"""vLLM's OpenAI server on the loopback: one on this machine, shared by every worker process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock

from transforms.engine.errors import BackendError
from transforms.engine.ids import content_id
from transforms.engine.progress import LONGEST_PATH
from transforms.models.backends.base import kind_of, with_some_waiting
from transforms.models.backends.endpoint_replies import Complaint, read_answer
from transforms.models.backends.fire import first_token, whole
from transforms.models.backends.openai_engine import OpenAIModel
from transforms.models.backends.pace import Pace
from transforms.models.backends.places import Place
from transforms.models.backends.settings import VllmServerBackend
from transforms.models.backends.supervisor import LOG, SOCKET, Plan
from transforms.models.backends.vllm_engine import continuation_of, labels_of
from transforms.models.backends.vllm_setup import (
    check_arguments,
    check_installed,
    engine_arguments,
    forced_environment,
)
from transforms.models.embedded.adapters import adapter_path
from transforms.models.requests import ErrorKind, Request, Response
from transforms.models.scores import LIKELIEST, with_scores
from transforms.models.tokens import prompt_ids, scored_ids

_START_SECONDS = 60.0
"""For a supervisor to open its socket; the one before it may still be ending its server."""

_IN_FLIGHT = 512
"""Where the number is the server's own, which it does not tell: half of its largest, as a process
may often open no more than 1,024 connections."""

_log = logging.getLogger(__name__)


class VllmServerModel(OpenAIModel):
    """A model in a vLLM server that the processes of this machine share.

    The first process to ask starts it; a supervisor restarts it when it dies and ends it once no
    process uses it any more (`transforms.models.backends.supervisor`). A server that dies takes its
    open requests with it: they wait in the circuit until it is healthy again, and are asked anew.
    Prompts, prefixes, ids and texts are those of the engine in process.

    Raises:
        BackendError: vLLM is not installed, or the server does not start.
    """

    def __init__(self, backend: VllmServerBackend) -> None:
        check_installed(backend)
        check_arguments(backend)
        import vllm

        self._backend = backend
        self._lease = Lease(server_plan(backend), backend.model)
        self._tokenizer: Any = None
        self._max_model_len = 0
        try:
            place = self._where()
        except BaseException:
            self._lease.close()
            raise
        connections = with_some_waiting(backend.max_in_flight or _IN_FLIGHT)
        self._open(
            backend,
            place,
            engine=f"vllm {vllm.__version__} server",
            pace=Pace(connections),
            connections=connections,
            sends_prefix=True,
            parameters={},
        )

    @property
    def owed(self) -> int:
        return 0

    def close(self) -> None:
        self._lease.close()
        super().close()

    def _where(self) -> Place:
        return replace(self._lease.place(), setting=self._backend.place)

    async def _revive(self) -> None:
        """Waits for the supervisor to have a healthy server again."""
        place = await asyncio.to_thread(self._where)
        if place != self._place:  # another supervisor, hence another server
            self._place = place
            self._transport.move(place)

    async def _ask(self, request: Request, since: float, **changes: Any) -> Response:
        if request.score is not None:
            return await self._score(request, since)
        if request.sampler.fire_temperature is not None:
            return await self._fire(request, since)
        try:
            return await super()._ask(request, since, **changes)
        except Complaint as said:
            if said.status != 400 or kind_of(said.message) is not ErrorKind.TOO_LONG:
                raise
            # The server refuses a prompt that leaves no room for max_tokens; the engine in process
            # answers in the room that there is, as the server does when it is not told how much.
            return await super()._ask(request, since, max_tokens=None)

    async def _fire(self, request: Request, since: float) -> Response:
        """Asks in two steps: for the likeliest first tokens, then for the rest after one."""
        if self._tokenizer is None:
            await self._load_tokenizer()
        ids = prompt_ids(self._tokenizer, request)
        body = {"model": request.model, "prompt": ids, "temperature": 0, "max_tokens": 1}
        body |= {"logprobs": request.sampler.fire_top_k, "return_tokens_as_token_ids": True}
        reply = await self._transport.post("/completions", body)
        answer = read_answer(reply)
        likely = reply["choices"][0]["logprobs"]["top_logprobs"][0]
        first = first_token(
            request,
            self._tokenizer,
            ids,
            {int(name.removeprefix("token_id:")): value for name, value in likely.items()},
            answer.cached_tokens or 0,
            self._max_model_len,
        )
        if first.ends:
            last = self._response(request, since, replace(answer, text="", mean_logprob=None), "")
        else:
            room = self._max_model_len - len(ids) - 1
            limit = min(request.sampler.max_tokens - 1, room)
            last = await self._complete(request, since, [*ids, first.token], max_tokens=limit)
        return whole(request, first, last)

    async def _score(self, request: Request, since: float) -> Response:
        """Asks for log probabilities by token ids, as the engine in process does."""
        assert request.score is not None
        if self._tokenizer is None:
            await self._load_tokenizer()
        body: dict[str, Any] = {"model": request.model, "temperature": 0, "max_tokens": 1}
        if request.score.continuation is None:
            ids = prompt_ids(self._tokenizer, request)
            body |= {"logprobs": LIKELIEST, "return_tokens_as_token_ids": True}
        else:
            ids, _ = scored_ids(self._tokenizer, request)
            body |= {"prompt_logprobs": 1}
        reply = await self._transport.post("/completions", {**body, "prompt": ids})
        answer, choice = read_answer(reply), reply["choices"][0]
        if request.score.continuation is None:
            likely = choice["logprobs"]["top_logprobs"][0]
            by_id = {int(name.removeprefix("token_id:")): value for name, value in likely.items()}
            pairs = partial(labels_of, request, self._tokenizer, ids, by_id)
        else:
            given = [
                {int(token): float(each["logprob"]) for token, each in (at or {}).items()}
                for at in choice["prompt_logprobs"]
            ]
            pairs = partial(continuation_of, request, self._tokenizer, given)
        return with_scores(
            self._response(request, since, replace(answer, mean_logprob=None), ""), pairs
        )

    async def _load_tokenizer(self) -> None:
        def load() -> Any:
            from transformers import AutoTokenizer

            return AutoTokenizer.from_pretrained(engine_arguments(self._backend)["model"])

        models = await self._transport.get("/models")
        self._max_model_len = int(models["data"][0]["max_model_len"])
        self._tokenizer = await asyncio.to_thread(load)


class Lease:
    """This process's hold on the machine's server for a plan: it runs on while anyone has one.

    Making a lease starts a supervisor where there is none, and no server yet.

    Raises:
        BackendError: the supervisor does not start.
    """

    def __init__(self, plan: Plan, model: str) -> None:
        """`model` is named where the server does not start."""
        self._plan, self._model = plan, model
        self._folder = _folder(plan)
        self._closed = False
        self._socket = self._connect()

    def place(self) -> Place:
        """Returns where the server is, once it is healthy.

        Raises:
            BackendError: it does not start.
        """
        for _ in range(3):
            try:
                self._socket.sendall(b"use\n")
                said = self._hear()
            except OSError:
                said = {}
            if "error" in said:
                raise BackendError(
                    f"vLLM's server does not start for {self._model}: {said['error']} "
                    f"({self._folder / LOG} holds all that it says)"
                )
            if said:
                return Place(said["base_url"], said["api_key"])
            if self._closed:
                break
            self._socket.close()  # the supervisor was killed, or was just leaving
            self._socket = self._connect()
        raise BackendError(f"the supervisor of vLLM's server in {self._folder} ends at once")

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits in `place`
        self._socket.close()

    def _hear(self) -> dict[str, str]:
        """Returns the supervisor's next line; empty where it has gone."""
        line = b""
        while not line.endswith(b"\n"):
            part = self._socket.recv(4096)
            if not part:
                return {}
            line += part
        return dict(json.loads(line.splitlines()[-1]))

    def _connect(self) -> socket.socket:
        with FileLock(self._folder / "lock"):
            if found := _try_to_connect(self._folder):
                return found
            with (self._folder / LOG).open("wb") as output:
                supervisor = subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "transforms.models.backends.supervisor",
                        str(self._folder),
                    ],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            assert supervisor.stdin is not None
            with supervisor.stdin as plan:
                plan.write(json.dumps(asdict(self._plan)).encode())
            deadline = time.monotonic() + _START_SECONDS
            while time.monotonic() < deadline and supervisor.poll() is None:
                if found := _try_to_connect(self._folder):
                    return found
                time.sleep(0.05)
        raise BackendError(f"the supervisor of vLLM's server does not start: see {self._folder}")


def _try_to_connect(folder: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(folder / SOCKET))
    except OSError:
        connection.close()
        return None
    return connection


def server_plan(backend: VllmServerBackend) -> Plan:
    """The server for `backend`, with the engine settings of the vllm backend."""
    # Not `vllm serve`: that looks for a distribution named vllm, which the CPU build's is not.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    # Merged into the weights, the adapter is no model beside the served one: it is the served one.
    path = adapter_path(backend)
    name = backend.model if path else backend.answering
    command += ["--host", "127.0.0.1", "--port", "{port}", "--served-model-name", name]
    command += ["--generation-config", "vllm"]  # what a request does not set is neutral
    command += ["--enable-prompt-tokens-details", "--disable-uvicorn-access-log"]
    command += ["--disable-log-stats"]
    if path is not None:
        adapter = {"name": backend.answering, "path": path}
        command += ["--lora-modules", json.dumps(adapter)]
    for name, value in engine_arguments(backend).items():
        flag = name.replace("_", "-")
        if value is True or value is False:
            command.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None:
            text = json.dumps(value) if isinstance(value, (dict, list)) else str(value)
            command += [f"--{flag}", text]
    environment = forced_environment(backend)
    # Its log is a file, from which progress is read; an engine in process may have set ERROR.
    is_debugged = os.environ.get("VLLM_LOGGING_LEVEL", "").upper() == "DEBUG"
    environment["VLLM_LOGGING_LEVEL"] = "DEBUG" if is_debugged else "INFO"
    if backend.model_id is not None:  # a server of the files' earlier content is another server
        environment["COTMILL_MODEL_ID"] = backend.model_id
    return Plan(command, environment, "VLLM_API_KEY")


def server_log(backend: VllmServerBackend) -> Path:
    """Where the server for `backend` writes its log."""
    return _folder(server_plan(backend)) / LOG


def _folder(plan: Plan) -> Path:
    """This user's runtime folder for `plan`; processes with the same settings share it."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    key = content_id("server", asdict(plan), os.environ.get("CUDA_VISIBLE_DEVICES"))[:16]
    user, name = f"cotmill-{os.getuid()}", f"vllm-{key}"
    parent = Path(runtime or tempfile.gettempdir()) / user
    if len(os.fsencode(parent / name / SOCKET)) > LONGEST_PATH:
        parent = Path("/tmp") / user
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = parent.lstat()
        if about.st_uid != os.getuid() or not stat.S_ISDIR(about.st_mode):
            raise PermissionError("it belongs to somebody else")
        folder = parent / name
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise BackendError(
            f"the runtime folder {parent} cannot be used: {error}; set XDG_RUNTIME_DIR to another"
        ) from error
    return folder

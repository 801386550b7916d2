"""What answers requests, as settings: vLLM, an endpoint, or a ledger."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr, model_validator

from transforms.engine.settings import Group
from transforms.models.settings import BudgetSettings
from transforms.text.thoughts import THINK_TAGS

_PARAMETERS = ("max_tokens", "temperature", "top_p", "top_k", "min_p", "seed", "stop", "system")


_NEUTRAL = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "max_tokens": None}
"""Parameters whose absence changes answers, unless they would be sent with this value."""


def _parameters(parameters: dict[str, str | None]) -> dict[str, str | None]:
    for name, sent in parameters.items():
        if name not in _PARAMETERS:
            raise ValueError(f"there is no {name}: the names are {', '.join(_PARAMETERS)}")
        if name == "system" and not sent:
            raise ValueError("system cannot be left out: set it to user, or to another role")
        if sent is not None and not sent.isidentifier():
            raise ValueError(f"{name}={sent!r} is no name: give the endpoint's name, or null")
    return parameters


class _Parameters(Group):
    """Which parameters an endpoint takes, and under which names."""

    parameters: Annotated[dict[str, str | None], AfterValidator(_parameters)] = Field(
        {},
        description="parameter -> the endpoint's name for it, or null to leave it out, such as "
        "{max_tokens: max_completion_tokens, temperature: null, seed: null}; system: user puts the "
        "system message before the user's (names: " + ", ".join(_PARAMETERS) + ")",
    )

    def changes_answers(self) -> dict[str, str | None]:
        """The part of `parameters` that changes answers; renames and the seed do not."""
        return {
            name: sent
            for name, sent in self.parameters.items()
            if name == "system" or (sent is None and name in _NEUTRAL)
        }

    def left_out(self, values: dict[str, Any]) -> tuple[str, ...]:
        """Names of those sampling parameters in `values` whose absence changes answers."""
        return tuple(
            name
            for name in self.changes_answers()
            if name in values and values[name] != _NEUTRAL[name]
        )


OwnBudget = Annotated[
    BudgetSettings,
    Field(description="when this model is asked no more, as budget for all models together"),
]


class _Chats(Group):
    """How chats are asked, and how a model that reasons is read."""

    _place: str = PrivateAttr("backend")

    chat_template_kwargs: dict[str, Any] = Field(
        {},
        description="arguments of the model's chat template, such as {enable_thinking: false}; "
        "part of request ids",
    )
    reasoning: Literal["keep", "drop"] | None = Field(
        None,
        description="for a model that reasons: rows keep or drop its thoughts, the ledger keeps "
        "them; forced prefixes are not sent to it, as they would stand before the thought, and "
        "what it wrote without a tag when it was cut off is thought (null: thoughts, if any, are "
        "kept, and prefixes are sent)",
    )
    think_tags: tuple[str, str] = Field(
        THINK_TAGS,
        description="what a thought in an answer's text stands between, beside the usual tags; an "
        'empty opening tag, ["", </think>], where answers begin inside a thought, as after a chat '
        "template that writes the tag",
    )

    @property
    def place(self) -> str:
        """The setting that it comes from, for messages: `backend`, or `models.NAME`."""
        return self._place

    def at(self, place: str) -> Self:
        """Returns the same backend as the value of another setting."""
        moved = self.model_copy()
        moved._place = place
        return moved

    @property
    def keeps_reasoning(self) -> bool:
        """Whether rows keep the thoughts of the model."""
        return self.reasoning != "drop"

    def identity(self) -> Any:
        """The model, api and prefix; then what else decides rows, named only where it is used, so
        that runs without it stay what they are."""
        backend: Any = self  # each subclass has a model
        values = {
            "template": self.chat_template_kwargs,
            "request": backend.request,
            "drops_reasoning": not self.keeps_reasoning,
            "think_tags": [] if self.think_tags == THINK_TAGS else list(self.think_tags),
        }
        later = {name: value for name, value in values.items() if value}
        parts = [backend.model_id or backend.answering, backend.api, backend.sends_prefix]
        return [*parts, *filter(None, (backend.changes_answers(), later))]

    @model_validator(mode="after")
    def _thoughts_end(self) -> Self:
        if not self.think_tags[1]:
            raise ValueError("think_tags needs a closing tag, such as [<think>, </think>]")
        return self


def _without(elsewhere: Mapping[str, str]) -> AfterValidator:
    """Refuses the names in `elsewhere`, which says of each what to do instead."""

    def checked(values: dict[str, Any]) -> dict[str, Any]:
        for name in values:
            if name in elsewhere:
                raise ValueError(f"{name} cannot be set here: {elsewhere[name]}")
        return values

    return AfterValidator(checked)


_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "max_tokens", "stop", "logprobs")
_NOT_IN_A_REQUEST = {
    **{name: f"set sampling.STAGE.{name}" for name in _SAMPLING},
    **dict.fromkeys(("response_format", "structured_outputs"), "set sampling.STAGE.json_schema"),
    "model": "set backend.model",
    "seed": "set seed",
    "n": "set sampling.STAGE.samples",
    "chat_template_kwargs": "set backend.chat_template_kwargs",
    "messages": "the recipe's prompts are the messages",
    "prompt": "the recipe's prompts are the prompt",
    "tools": "a recipe's stage names its tools",
    "stream": "answers are read whole",
}


class _Body(Group):
    """What else a request to an endpoint holds."""

    request: Annotated[dict[str, Any], _without(_NOT_IN_A_REQUEST)] = Field(
        {},
        description="further fields of the request's body, sent as they are, such as "
        "{reasoning_effort: high}; part of request ids",
    )


ModelId = Annotated[
    str | None,
    Field(
        description="what identifies the model in request ids, in place of its name (null: a hash "
        "of the files where model or adapter is local, so that retrained weights are another "
        "model; else its name)"
    ),
]


_SPEED_ALONE = (
    # where the model runs
    *("data_parallel", "pipeline_parallel", "prefill_context_parallel", "decode_context_parallel"),
    *("dcp_", "cp_kv_", "enable_expert_parallel", "expert_placement", "eplb_", "enable_eplb"),
    *("numa_", "device_ids", "distributed_", "cpu_distributed_", "master_", "nnodes", "node_rank"),
    *("worker_", "ray_", "disable_custom_all_reduce", "nccl_", "all2all_"),
    # how it is loaded, and where its weights and cache lie
    *("load_format", "safetensors_", "model_loader_extra_config", "download_dir", "hf_token"),
    *("max_parallel_loading", "use_tqdm", "cpu_offload", "offload_", "kv_offloading", "swap_space"),
    *("kv_cache_memory", "kv_cache_metrics", "num_gpu_blocks", "block_size", "max_loras"),
    *("max_cpu_loras", "enable_prefix_caching", "prefix_cach", "enable_sleep_mode"),
    # how requests are scheduled, and how steps are compiled
    *("max_num_", "enable_chunked_prefill", "long_prefill", "max_long_", "scheduling_policy"),
    *("async_scheduling", "stream_interval", "cudagraph_", "max_cudagraph", "compilation_config"),
    *("optimization_level", "performance_mode", "renderer_num", "shutdown_timeout"),
    # what it tells
    *("disable_log", "enable_log", "log_", "logging_", "max_log_len", "otlp_", "collect_detailed"),
    *("show_hidden", "profiler_", "enable_mfu", "uvicorn_", "jit_monitor", "aggregate_engine_log"),
)
"""Beginnings of engine arguments that decide where and how fast answers are made, not what they
are. An argument that is not known here counts as one that changes answers."""


_OWN = ("model", "max_model_len", "dtype", "enforce_eager", "gpu_memory_utilization")
_OWN_SETTINGS = {
    **{name: f"set backend.{name}" for name in (*_OWN, "tensor_parallel_size", "max_lora_rank")},
    "max_num_seqs": "set backend.max_in_flight",
    **dict.fromkeys(("enable_lora", "lora_modules"), "set backend.adapter"),
    "default_chat_template_kwargs": "set backend.chat_template_kwargs",
}


class VllmBackend(_Chats):
    """vLLM's engine inside the worker: GPU, or the CPU build."""

    engine: Literal["vllm"]
    model: str = Field(
        description="model name or path; `embedded` is the small model that make demo uses"
    )
    api: Literal["chat", "completions"] = Field(
        description="ask as a chat, or let the model continue a text (base models)"
    )
    max_in_flight: int | None = Field(
        None,
        ge=1,
        description="requests that the engine works on at once (null: vLLM's own number, such as "
        "1,024 on an H100 and 256 on a smaller GPU)",
    )
    max_model_len: int | None = Field(
        None, ge=128, description="context window in tokens (null: the model's own)"
    )
    dtype: str = Field("auto", description="auto, bfloat16, float16 or float32")
    enforce_eager: bool = Field(False, description="skip graph capture: starts faster, runs slower")
    gpu_memory_utilization: float = Field(
        0.9, gt=0, le=1, description="share of the GPU's memory for the engine"
    )
    tensor_parallel_size: int = Field(1, ge=1, description="GPUs that share the model")
    cpu_kvcache_gib: int | None = Field(
        None, ge=1, description="KV cache of the CPU build, GiB (null: GPU build)"
    )
    cpu_threads: str = Field(
        "auto", description="cores the CPU build's threads are bound to, such as 0-1"
    )
    adapter: str | None = Field(
        None,
        description="LoRA adapter to answer with: a folder, or the name of one in data/models "
        "(null: the model as it is)",
    )
    merge_adapter: bool = Field(
        False,
        description="add the adapter to the weights before the engine loads them: the CPU build "
        "is several times slower where it applies one at each token",
    )
    max_lora_rank: int = Field(16, ge=1, description="with adapter: its rank, at most")
    engine_args: Annotated[dict[str, Any], _without(_OWN_SETTINGS)] = Field(
        {},
        description="further arguments of vLLM's engine (`EngineArgs`), such as {quantization: "
        "fp8, load_format: runai_streamer}, and tool_call_parser, which reads calls of tools; "
        "those that change answers are part of request ids, those of placing, loading, scheduling "
        "and logging are not",
    )
    budget: OwnBudget = BudgetSettings()
    model_id: ModelId = None

    @property
    def answering(self) -> str:
        """The model's name in requests and in the ledger: an adapter makes another model."""
        return f"{self.model}+{self.adapter}" if self.adapter else self.model

    @property
    def sends_prefix(self) -> bool:
        """Whether forced prefixes reach the model: the engine renders the prompt itself."""
        return self.api == "completions" or self.reasoning is None

    @property
    def parameters(self) -> dict[str, str | None]:
        """As for other endpoints: vLLM takes every parameter under its own name."""
        return {}

    @property
    def request(self) -> dict[str, Any]:
        """As for other endpoints: nothing, since the engine takes no body."""
        return {}

    @property
    def cards(self) -> int:
        """GPUs that one engine takes."""
        sizes = ("pipeline_parallel_size", "data_parallel_size")
        return self.tensor_parallel_size * math.prod(int(self.engine_args.get(s, 1)) for s in sizes)

    def changes_answers(self) -> dict[str, Any]:
        """The part of `engine_args` that changes answers."""
        return {
            name: value
            for name, value in self.engine_args.items()
            if not name.startswith(_SPEED_ALONE)
        }

    def left_out(self, values: dict[str, Any]) -> tuple[str, ...]:
        """None of the sampling parameters."""
        return ()


class Endpoint(Group):
    """How an OpenAI-compatible endpoint is asked, and for how long where it fails."""

    timeout_seconds: float = Field(
        600,
        gt=0,
        description="limit for one try of a request, seconds; a try that takes 4 times as long as "
        "the stage's slowest answer so far, and at least a minute, is lost sooner",
    )
    max_retries: int = Field(
        5,
        ge=0,
        description="retries of one request after 408, 409, 5xx, a lost connection or half an "
        "answer, with backoff, for 5 minutes at most; after a timeout one retry; 429 uses up none",
    )
    pause_after: int = Field(
        4,
        ge=1,
        description="different requests that fail in a row, none answered in between, before "
        "asking pauses",
    )
    pause_seconds: float = Field(
        600, gt=0, description="longest pause; an endpoint that is still down then ends the run"
    )


class VllmServerBackend(VllmBackend, Endpoint):
    """A vLLM server on this machine, started once and shared by all of its workers."""

    engine: Literal["vllm_server"]  # type: ignore[assignment]


def _base_url(url: str) -> str:
    url = url.strip()
    parts = urlsplit(url)
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname or " " in url:
        raise ValueError(f"{url!r} is no address of an API, such as http://127.0.0.1:8000/v1")
    try:
        parts.hostname.encode("idna"), parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} has no host or port that can be: {error}") from None
    path = parts.path.rstrip("/")
    for end in ("/chat/completions", "/completions", "/models"):
        if path.endswith(end):
            raise ValueError(f"it is the root of the API, which {end} is added to: leave {end} out")
    return url


class OpenAIBackend(Endpoint, _Parameters, _Chats, _Body):
    """Any OpenAI-compatible endpoint."""

    engine: Literal["openai"]
    model: str = Field(description="model name that the endpoint serves")
    base_url: Annotated[str, AfterValidator(_base_url)] = Field(
        description="root of the API, such as http://127.0.0.1:8000/v1; a query, such as "
        "?api-version=2024-06-01, is sent with each request"
    )
    api: Literal["chat", "completions"] = Field(
        description="which of the two endpoints is asked: /chat/completions or /completions"
    )
    api_key_env: str = Field(
        "OPENAI_API_KEY", description="environment variable that holds the key (may be unset)"
    )
    max_in_flight: int = Field(
        32, ge=1, description="requests open at once, per worker, at most: fewer after a 429"
    )
    requests_per_minute: float | None = Field(
        None,
        gt=0,
        description="requests sent per minute at most, by all local workers together; on a remote "
        "runner by each worker process (null: what the endpoint allows)",
    )
    tokens_per_minute: float | None = Field(
        None,
        gt=0,
        description="the same for prompt and generated tokens, as the endpoint counts them",
    )
    continue_prefix: bool = Field(
        False,
        description="chat only: the server continues an assistant message (vLLM, SGLang); "
        "false: forced prefixes are not sent",
    )
    picture_tokens: int = Field(
        16_384,
        ge=1,
        description="tokens of the pictures of one request at most, by estimate (one for each "
        "28 x 28 pixels); a request with more is not sent",
    )
    picture_mb: float = Field(
        20, gt=0, description="MB of the pictures of one request at most, as they are sent (base64)"
    )
    headers: dict[str, SecretStr] = Field(
        {},
        description="further HTTP headers; $NAME stands for the environment variable NAME of the "
        "machine that asks; values are in no manifest and no id",
    )
    budget: OwnBudget = BudgetSettings()
    model_id: ModelId = None

    @property
    def answering(self) -> str:
        """The model's name in requests and in the ledger."""
        return self.model

    @property
    def sends_prefix(self) -> bool:
        """Whether forced prefixes reach the model."""
        return self.api == "completions" or self.continue_prefix

    @model_validator(mode="after")
    def _prefix_follows_thought(self) -> Self:
        if self.continue_prefix and self.reasoning is not None:
            raise ValueError(
                "continue_prefix and reasoning exclude each other: a forced prefix would stand "
                "before the thought; set continue_prefix=false"
            )
        return self

    def shared_by(self, workers: int) -> OpenAIBackend:
        """The backend for each of several workers: together they keep to the limits per minute."""
        limits = {
            name: limit / workers
            for name in ("requests_per_minute", "tokens_per_minute")
            if (limit := getattr(self, name)) is not None
        }
        return self.model_copy(update=limits)


class ReplayBackend(_Parameters, _Chats, _Body):
    """Answers from a ledger alone; a request that is not in it stops the run."""

    engine: Literal["replay"]
    model: str | None = Field(None, description="model to replay (null: the ledger's only one)")
    api: Literal["chat", "completions"] | None = Field(
        None, description="how the ledger's requests were asked (null: read from the ledger)"
    )
    continue_prefix: bool | None = Field(
        None, description="whether prefixes were continued (null: read from the ledger)"
    )
    model_id: str | None = Field(
        None, description="what identifies the model (null: read from the ledger)"
    )

    @property
    def answering(self) -> str | None:
        """The model's name in requests and in the ledger."""
        return self.model

    @property
    def sends_prefix(self) -> bool:
        """Whether forced prefixes reached the model."""
        return self.api == "completions" or self.continue_prefix is True


Backend = Annotated[
    VllmBackend | VllmServerBackend | OpenAIBackend | ReplayBackend, Field(discriminator="engine")
]


def _in_place(models: dict[str, Any]) -> dict[str, Any]:
    return {name: backend.at(f"models.{name}") for name, backend in models.items()}


B = TypeVar("B", bound=_Chats)
Named = Annotated[dict[str, B], AfterValidator(_in_place)]
"""Backends by the names that recipes have for their models, each in its place (`models.NAME`)."""


def refuses_pictures(backend: Backend) -> str:
    """Says why a backend takes no pictures, and which settings do; empty where it takes them, as
    far as its settings tell."""
    return "" if backend.api == "chat" else "which completions do not take: set api=chat"

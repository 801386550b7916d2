"""Every setting of a run: type, bounds and meaning, and one clear line when it is wrong."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Collection
from typing import Annotated, Any, Literal, Self, TypeVar, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from transforms.engine.errors import SettingsError
from transforms.models.thoughts import THINK_TAGS


class Group(BaseModel):
    """A group of settings: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def identity(self) -> Any:
        """The part of the group that decides rows, as JSON: what only decides speed stays out."""
        return self.model_dump(mode="json")


_SEED_FIELDS = (
    "problem", "answer", "code", "solution", "kind", "license", "source", "options",
)  # fmt: skip


def _seed_fields(columns: dict[str, Any]) -> dict[str, Any]:
    for name in columns:
        if name not in _SEED_FIELDS:
            raise ValueError(f"a seed has no field {name}: it has {', '.join(_SEED_FIELDS)}")
    return columns


Columns = Annotated[
    dict[str, str | Annotated[list[str], Field(min_length=1)]], AfterValidator(_seed_fields)
]


LocalOrNot = Annotated[str, AfterValidator(os.path.expanduser)]
"""A path or name in which a leading ~ is the user's folder: shells leave it where it follows =."""


class JsonlSource(Group):
    """Seeds from JSON Lines files, JSON arrays, CSV or TSV files."""

    type: Literal["jsonl"]
    path: LocalOrNot | list[LocalOrNot] = Field(
        description="file or glob on any Beam filesystem (local, gs://, s3://), or a list of them"
    )
    columns: Columns = Field(
        {},
        description="seed field -> your column, such as {problem: question}; a path into it, such "
        "as meta.final; or columns to join, such as [body, question]; "
        "fields: problem, answer, code, solution, kind, license, source, options (of a choice)",
    )
    name: str = Field("jsonl", description="what the rows name as their source")
    license: str | None = Field(
        None,
        description="SPDX licence of the rows, where neither a column nor a README.md with a "
        "dataset card beside the files states it",
    )
    limit: int | None = Field(None, ge=1, description="read at most so many seeds (null: all)")


class ParquetSource(JsonlSource):
    """Seeds from Parquet files."""

    type: Literal["parquet"]  # type: ignore[assignment]
    name: str = Field("parquet", description="what the rows name as their source")


class FunctionSource(Group):
    """Seeds from rows that a Python function yields."""

    type: Literal["function"]
    function: str = Field(
        description="import path of a function that yields rows, dicts of columns, such as "
        "my_package.seeds.words (also of a module in a folder of --config-dir)"
    )
    arguments: dict[str, Any] = Field(
        {}, description="what the function is called with, such as {path: words.txt}"
    )
    columns: Columns = Field({}, description="seed field -> the rows' column, as for source=jsonl")
    name: str = Field("function", description="what the rows name as their source")
    license: str | None = Field(
        None, description="SPDX licence of the rows, where no column states it"
    )
    limit: int | None = Field(None, ge=1, description="read at most so many seeds (null: all)")


class HuggingFaceSource(Group):
    """Seeds from a dataset that `datasets.load_dataset` opens."""

    type: Literal["huggingface"]
    path: LocalOrNot = Field(description="dataset name on the Hub, or a local folder or file")
    config: str | None = Field(None, description="configuration of the dataset")
    split: str = Field("train", description="split to read")
    name: str | None = Field(
        None, description="what the rows name as their source (null: the path)"
    )
    columns: Columns = Field(
        {}, description="seed field -> the dataset's column, as for source=jsonl"
    )
    license: str | None = Field(
        None, description="SPDX licence, where the dataset's card states none"
    )
    limit: int | None = Field(None, ge=1, description="read at most so many seeds (null: all)")


class ReasoningGymSource(Group):
    """Seeds drawn from reasoning-gym's procedural tasks (question, answer, metadata)."""

    type: Literal["reasoning_gym"]
    tasks: list[str] = Field(
        description="names of reasoning-gym tasks, such as gsm_symbolic", min_length=1
    )
    size: int = Field(50, ge=1, description="questions drawn from each task")
    seed: int = Field(0, ge=0, description="seed of the drawing")
    limit: int | None = Field(None, ge=1, description="read at most so many seeds (null: all)")


class CodeIOSource(Group):
    """The CodeI/O programs that reasoning-gym ships, in the unified form."""

    type: Literal["codeio"]
    seed: int = Field(0, ge=0, description="seed of each program's input generator")
    limit: int | None = Field(None, ge=1, description="read at most so many seeds (null: all)")


class RunSource(Group):
    """Seeds from the accepted rows of an earlier run: what it found, the next round starts from."""

    type: Literal["run"]
    path: str = Field(description="folder of a finished run (its output_dir)")
    license: str | None = Field(
        None,
        description="SPDX licence of rows without one: their programs were written from no seed",
    )
    max_per_fingerprint: int = Field(
        4,
        ge=1,
        description="rows kept per structure of program (AST without names and constants): the "
        "shortest programs, then the smallest ids",
    )
    limit: int | None = Field(None, ge=1, description="read at most so many rows (null: all)")


Source = Annotated[
    JsonlSource
    | ParquetSource
    | FunctionSource
    | HuggingFaceSource
    | ReasoningGymSource
    | CodeIOSource
    | RunSource,
    Field(discriminator="type"),
]


class MixSource(Group):
    """Several sources read as one."""

    type: Literal["mix"]
    sources: dict[str, Source] = Field(description="name -> source", min_length=1)


AnySource = Annotated[
    JsonlSource
    | ParquetSource
    | FunctionSource
    | HuggingFaceSource
    | ReasoningGymSource
    | CodeIOSource
    | RunSource
    | MixSource,
    Field(discriminator="type"),
]


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


class BudgetSettings(Group):
    """When a run stops asking; all of its attempts count, and resume=true goes on.

    Local workers share one account. On a remote runner each worker process counts what it spent
    itself, so the run may spend as many times the budget.
    """

    max_tokens: int | None = Field(
        None,
        ge=1,
        description="tokens that the run pays for at most, prompt and generated; what is in "
        "flight then is still answered (null: no limit)",
    )
    max_cost: float | None = Field(
        None, gt=0, description="the same as money, by the price table (null: no limit)"
    )

    def identity(self) -> Any:
        return None


OwnBudget = Annotated[
    BudgetSettings,
    Field(description="when this model is asked no more, as budget for all models together"),
]


class _Chats(Group):
    """How chats are asked, and how a model that reasons is read."""

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
    def keeps_reasoning(self) -> bool:
        """Whether rows keep the thoughts of the model."""
        return self.reasoning != "drop"

    @model_validator(mode="after")
    def _thoughts_end(self) -> Self:
        if not self.think_tags[1]:
            raise ValueError("think_tags needs a closing tag, such as [<think>, </think>]")
        return self


_SET_ELSEWHERE = {
    **{name: f"sampling.STAGE.{name}" for name in ("temperature", "top_p", "top_k", "min_p")},
    **{name: f"sampling.STAGE.{name}" for name in ("max_tokens", "stop", "logprobs")},
    **dict.fromkeys(("response_format", "structured_outputs"), "sampling.STAGE.json_schema"),
    "model": "backend.model",
    "seed": "sampling.seed",
    "n": "sampling.STAGE.samples",
    "chat_template_kwargs": "backend.chat_template_kwargs",
    "messages": "the recipe's prompts",
    "prompt": "the recipe's prompts",
    "tools": "the recipe's tools",
}


def _further(body: dict[str, Any]) -> dict[str, Any]:
    for name in body:
        if name in _SET_ELSEWHERE:
            raise ValueError(f"{name} is set elsewhere: by {_SET_ELSEWHERE[name]}")
        if name == "stream":
            raise ValueError("stream cannot be set: answers are read whole")
    return body


class _Body(Group):
    """What else a request to an endpoint holds."""

    request: Annotated[dict[str, Any], AfterValidator(_further)] = Field(
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
_OWN_ARGUMENTS = {
    **{name: f"backend.{name}" for name in ("model", "max_model_len", "dtype", "enforce_eager")},
    **{name: f"backend.{name}" for name in ("gpu_memory_utilization", "tensor_parallel_size")},
    "max_num_seqs": "backend.max_in_flight",
    "max_lora_rank": "backend.max_lora_rank",
    "enable_lora": "backend.adapter",
    "lora_modules": "backend.adapter",
    "default_chat_template_kwargs": "backend.chat_template_kwargs",
}


def _arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    for name in arguments:
        if name in _OWN_ARGUMENTS:
            raise ValueError(f"{name} has a setting of its own: set {_OWN_ARGUMENTS[name]}")
    return arguments


class VllmBackend(_Chats):
    """vLLM's engine inside the worker: GPU, or the CPU build."""

    engine: Literal["vllm"]
    model: str = Field(
        description="model name or path; `embedded` is the small model that make demo uses"
    )
    api: Literal["chat", "completions"] = Field(
        description="ask as a chat, or let the model continue a text (base models)"
    )
    max_in_flight: int = Field(256, ge=1, description="requests that the engine works on at once")
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
    engine_args: Annotated[dict[str, Any], AfterValidator(_arguments)] = Field(
        {},
        description="further arguments of vLLM's engine (`EngineArgs`), such as {quantization: "
        "fp8, load_format: runai_streamer}, and tool_call_parser, which reads calls of tools; "
        "those that change answers are part of request ids, those of placing, loading, scheduling "
        "and logging are not",
    )
    budget: OwnBudget = BudgetSettings()
    model_id: ModelId = None

    @property
    def open_requests(self) -> int:
        """Requests that a worker keeps open: a quarter more than are in flight wait in the engine.

        A slot that becomes free is then filled in the same step, as bare vLLM fills it, and not
        in the step after the next request has come.
        """
        return self.max_in_flight + (self.max_in_flight + 3) // 4

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

    def identity(self) -> Any:
        parts = [self.model_id or self.answering, self.api, self.sends_prefix]
        return [*parts, *_later_identity(self, self.changes_answers())]


def _later_identity(backend: Any, changes: dict[str, Any]) -> list[Any]:
    """What decides rows beside model, api and prefix: named where it is used, so that runs without
    it stay what they are."""
    values = {
        "template": backend.chat_template_kwargs,
        "request": backend.request,
        "drops_reasoning": not backend.keeps_reasoning,
        "think_tags": [] if backend.think_tags == THINK_TAGS else list(backend.think_tags),
    }
    later = {name: value for name, value in values.items() if value}
    return [each for each in (changes, later) if each]


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


class OpenAIBackend(Endpoint, _Parameters, _Chats, _Body):
    """Any OpenAI-compatible endpoint."""

    engine: Literal["openai"]
    model: str = Field(description="model name that the endpoint serves")
    base_url: str = Field(description="such as http://127.0.0.1:8000/v1")
    api: Literal["chat", "completions"] = Field(
        description="which of the two endpoints is asked: /chat/completions or /completions"
    )
    api_key_env: str = Field(
        "OPENAI_API_KEY", description="environment variable that holds the key (may be unset)"
    )
    max_in_flight: int = Field(
        32,
        ge=1,
        description="requests open at once, per worker, at most: fewer after a 429",
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
    headers: dict[str, SecretStr] = Field(
        {},
        description="further HTTP headers; $NAME stands for the environment variable NAME of the "
        "machine that asks; values are in no manifest and no id",
    )
    budget: OwnBudget = BudgetSettings()
    model_id: ModelId = None

    @property
    def open_requests(self) -> int:
        """Requests that a worker keeps open."""
        return self.max_in_flight

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

    def identity(self) -> Any:
        parts = [self.model_id or self.model, self.api, self.sends_prefix]
        return [*parts, *_later_identity(self, self.changes_answers())]


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

    def identity(self) -> Any:
        parts = [self.model_id or self.model, self.api, self.sends_prefix]
        return [*parts, *_later_identity(self, self.changes_answers())]


Backend = Annotated[
    VllmBackend | VllmServerBackend | OpenAIBackend | ReplayBackend, Field(discriminator="engine")
]


class SamplerSettings(Group):
    """How one stage samples from the model."""

    samples: int = Field(ge=1, description="samples per prompt")
    temperature: float = Field(ge=0, le=2, description="0 is greedy")
    top_p: float = Field(1.0, gt=0, le=1, description="nucleus sampling")
    top_k: int = Field(0, ge=0, description="keep the k likeliest tokens (0: all)")
    min_p: float = Field(0.0, ge=0, le=1, description="drop tokens below min_p x the likeliest")
    max_tokens: int = Field(ge=1, description="longest answer, tokens")
    shots: int = Field(0, ge=0, description="worked examples drawn from the verified seeds")
    stop: list[str] = Field([], description="texts at which the answer ends, beside the prompt's")
    json_schema: dict[str, Any] | None = Field(
        None, description="JSON schema that the answer obeys, after the prompt's forced prefix"
    )
    regex: str | None = Field(
        None, description="regular expression that the answer matches, after the prompt's prefix"
    )
    logprobs: bool = Field(
        False, description="have the mean log probability of the answer's tokens recorded"
    )
    fire_temperature: float | None = Field(
        None,
        gt=0,
        description="temperature of the first token alone, such as 30: more diverse answers "
        "(FIRE; backends vllm and vllm_server)",
    )
    fire_top_k: int = Field(
        16,
        ge=2,
        le=20,
        description="with fire_temperature: likeliest tokens that the first is drawn from",
    )

    @model_validator(mode="after")
    def _possible(self) -> SamplerSettings:
        structured = [name for name in ("json_schema", "regex") if getattr(self, name) is not None]
        if len(structured) == 2:
            raise ValueError("json_schema and regex exclude each other: set one of them")
        if structured and self.fire_temperature:
            raise ValueError(
                f"fire_temperature and {structured[0]} exclude each other: set one of them"
            )
        return self


Conditioning = Literal["few_shot", "kind", "unconditional"]


def _weights(value: Any) -> Any:
    """One name is a mix of one; a mix names nothing else and is not all zeros."""
    mix = {value: 1.0} if isinstance(value, str) else value
    if not isinstance(mix, dict) or not set(mix) <= set(get_args(Conditioning)):
        raise ValueError(
            f"should be one of {', '.join(get_args(Conditioning))}, or a map of them to weights "
            "such as {unconditional: 1, kind: 2}"
        )
    if all(weight == 0 for weight in mix.values()):
        raise ValueError("gives no weight to anything")
    return mix


class SamplingSettings(Group):
    """What is asked of the model, how often, and how it samples."""

    num_programs: int = Field(ge=1, description="program prompts (each sampled program.samples x)")
    conditioning: Annotated[
        dict[Conditioning, Annotated[float, Field(ge=0, allow_inf_nan=False)]],
        BeforeValidator(_weights),
    ] = Field(
        description="what a program's prompt has: few_shot (verified seeds), kind (the name of a "
        "kind of problem), unconditional (nothing; the last two need a CodeGen model trained on "
        "programs), or a map of these to weights, such as {unconditional: 1, kind: 2}; Hydra adds "
        "a map to one in a YAML file, where a weight of 0 takes a name out"
    )
    kinds: list[str] | None = Field(
        None,
        min_length=1,
        description="kinds of problem that prompts are drawn from (null: those of the verified "
        "seeds); few_shot then shows seeds of one kind in each prompt",
    )
    seed: int = Field(0, ge=0, description="seed of every random choice of the run")
    license: str = Field(
        "NOASSERTION",
        description="SPDX licence of rows whose prompts show no seed: of what the model learned",
    )
    pool: int = Field(
        10_000, ge=1, description="verified seeds that examples are drawn from (a sample if more)"
    )
    unify: SamplerSettings = Field(description="problem -> program")
    program: SamplerSettings = Field(description="examples -> new program")
    reverse: SamplerSettings = Field(description="program -> instruction")
    solve: SamplerSettings = Field(description="instruction -> language solution")
    solve_code: SamplerSettings = Field(
        description="instruction -> program of its own (verify.mode code or both)"
    )


class SandboxSettings(Group):
    """Limits on each program, enforced by the kernel."""

    mode: Literal["auto", "strict", "none"] = Field(
        description="strict: refuse to start without isolation; auto: use what the kernel offers, "
        "and refuse where that does not keep files from programs; none: run in any case"
    )
    wall_seconds: float = Field(gt=0, description="wall time of one program, seconds")
    cpu_seconds: int = Field(ge=1, description="CPU time of one program, seconds")
    memory_mb: int = Field(ge=64, description="address space of one program, MiB")
    output_kb: int = Field(ge=1, description="stdout, and the output value, KiB each")
    file_mb: int = Field(ge=0, description="largest file a program may write, MiB")
    open_files: int = Field(ge=8, description="open files of one program")
    processes: int = Field(ge=1, description="processes and threads of one program")
    slots: int | None = Field(
        None, ge=1, description="programs at once per worker (null: cores / workers)"
    )
    snapshots: int = Field(
        1024,
        ge=1,
        description="states of sessions that a worker keeps at once; the oldest are dropped, and "
        "rebuilt by running their cells again",
    )
    snapshots_mb: int = Field(
        2048, ge=64, description="memory of a worker's kept states together, MiB"
    )
    determinism: Literal["off", "sampled", "always"] = Field(
        description="run programs a second time under another hash seed, RNG seed and clock: "
        "none, one in ten, or each"
    )

    def identity(self) -> Any:
        return self.model_dump(mode="json", exclude={"mode", "slots", "snapshots", "snapshots_mb"})


class FilterSettings(Group):
    """Which programs are kept."""

    min_code_lines: int = Field(
        ge=1, description="lines that are neither blank, comment nor import"
    )
    max_output_chars: int = Field(ge=1, description="longest output, characters of JSON")
    max_trivial_share: float = Field(
        ge=0,
        le=1,
        description="share of kept programs with one kind of trivial answer: yes/no, or equal to "
        "an input value",
    )
    max_perturbed_keys: int = Field(
        ge=1, description="input keys that are perturbed, one at a time, until the output changes"
    )


class VerifySettings(Group):
    """When an instruction and its program are held to agree."""

    mode: Literal["cot", "code", "both"] = Field(
        description="what must agree with the program: language solutions, programs written from "
        "the instruction alone, or enough of each"
    )
    min_agreement: float = Field(
        gt=0, le=1, description="share of the attempts that must agree with the program's output"
    )
    rounds: int = Field(
        ge=1,
        description="attempts are asked for in so many rounds, and no more once the verdict is "
        "certain (1: all at once)",
    )

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of attempts that the mode asks for."""
        return ("cot", "code") if self.mode == "both" else (self.mode,)


class DedupSettings(Group):
    """Near-duplicates among programs, and among accepted examples."""

    threshold: float = Field(
        gt=0,
        le=1,
        description="estimated Jaccard similarity of instructions from which two are one",
    )
    ngram: int = Field(ge=1, description="words per shingle of an instruction")
    code_threshold: float = Field(
        gt=0, le=1, description="estimated Jaccard similarity of programs from which two are one"
    )
    code_ngram: int = Field(ge=1, description="tokens per shingle of a program")
    max_per_fingerprint: int = Field(
        ge=1, description="programs kept per structure (AST without names and constants)"
    )
    num_perm: int = Field(ge=16, multiple_of=2, description="MinHash permutations, an even number")
    bands: int = Field(
        ge=1,
        description="LSH bands of r = num_perm / bands rows: a pair of similarity s is compared "
        "with probability 1 - (1 - s^r)^bands",
    )
    partitions: int = Field(
        64,
        ge=1,
        description="parts of the LSH index; one is in memory at a time, about rows x bands x 120 "
        "bytes / partitions",
    )

    semantic: bool = Field(
        False,
        description="also reject instructions that mean the same in other words (needs the extra "
        "`semantic`)",
    )
    semantic_model: str = Field(
        "embedded",
        description="sentence model, mean-pooled: a folder, a name on the Hub, or `embedded` "
        "(all-MiniLM-L6-v2 out of a package)",
    )
    semantic_threshold: float = Field(
        0.95, gt=0, le=1, description="estimated cosine of embeddings from which two are one"
    )

    def identity(self) -> Any:
        off = set() if self.semantic else {"semantic_model", "semantic_threshold"}
        return self.model_dump(mode="json", exclude={"partitions", *off})

    @model_validator(mode="after")
    def _whole_bands(self) -> DedupSettings:
        if self.num_perm % self.bands:
            raise ValueError(f"num_perm={self.num_perm} is not divisible by bands={self.bands}")
        return self


class DecontaminateSettings(Group):
    """Benchmarks whose questions no row may repeat, and what counts as repeating one."""

    benchmarks: dict[str, AnySource] = Field(
        {},
        description="name -> source of its questions, as for source (jsonl, parquet, huggingface, "
        "mix ...); an item needs a problem or code, nothing else",
    )
    ngram: int = Field(ge=1, description="words (or code tokens) of a run, see share")
    share: float = Field(
        gt=0, le=1, description="share of an item's runs of ngram words from which a row repeats it"
    )
    long_ngram: int = Field(
        ge=1,
        description="one shared run of so many words is enough; shorter questions are compared "
        "without similarity",
    )
    similarity: float = Field(
        gt=0,
        le=1,
        description="Jaccard similarity of the 3-grams of words, all numbers held equal, from "
        "which a row repeats an item",
    )

    @model_validator(mode="after")
    def _longer(self) -> DecontaminateSettings:
        if self.long_ngram < self.ngram:
            raise ValueError(
                f"long_ngram={self.long_ngram} is shorter than ngram={self.ngram}: one shared run "
                "must say more than one of many"
            )
        return self


class RunnerSettings(Group):
    """Where the Beam job runs."""

    type: Literal["direct", "beam"] = Field(
        description="direct: on this machine; beam: any runner, by options"
    )
    workers: int = Field(1, ge=1, description="worker processes (direct runner)")
    options: dict[str, Any] = Field(
        {}, description="Beam pipeline options, such as {runner: DataflowRunner, region: ...}"
    )
    stage_shards: int = Field(
        4, ge=1, description="Parquet files per stage folder, hence parallelism of the next stage"
    )


class SinkSettings(Group):
    """How accepted rows are written."""

    rows_per_shard: int = Field(ge=1, description="rows per Parquet shard, at most about")
    compression: Literal["zstd", "snappy", "none"] = Field(description="Parquet compression")


class LedgerSettings(Group):
    """Where model responses are recorded."""

    dir: str | None = Field(
        None, description="ledger folder, to share one between runs (null: OUTPUT_DIR/ledger)"
    )
    flush_requests: int = Field(512, ge=1, description="responses per ledger part, at most")
    flush_bytes: int = Field(
        16_000_000, ge=1, description="bytes of text per ledger part, about, before compression"
    )
    flush_seconds: float = Field(1.5, gt=0, description="longest time a response stays unwritten")

    def identity(self) -> Any:
        return None


class Price(Group):
    """What a model's tokens cost, per million, in any one currency."""

    prompt: float = Field(ge=0, description="per million prompt tokens")
    cached: float = Field(
        ge=0, description="per million prompt tokens that the engine's prefix cache held"
    )
    generated: float = Field(ge=0, description="per million generated tokens")


class StageSettings(BaseModel):
    """One stage of a recipe: the transform and its own fields."""

    model_config = ConfigDict(extra="allow", frozen=True)
    target: str = Field(
        alias="_target_", description="the transform, such as transforms.stages.unify.UnifySeeds"
    )
    after: str | None = Field(None, description="the stage that it follows (null: as listed)")
    before: str | None = Field(None, description="the stage that follows it (null: as listed)")

    @model_validator(mode="after")
    def _one_place(self) -> StageSettings:
        if self.after and self.before:
            raise ValueError("after and before exclude each other: set one of them")
        return self


StageName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class RecipeSettings(Group):
    """A kind of reasoning data: its stages and its prompts."""

    name: str = Field(description="name of the recipe, a column of every row")
    about: str = Field("", description="what it makes, in a line")
    citation: str = Field("", description="where its method comes from, such as arXiv 2510.04081")
    prompts: str | list[str] = Field(
        "",
        description="folder of prompt files, where a stage has prompts, or a list: the first that "
        "has a file gives it (pkg://PACKAGE/FOLDER: of an installed package; a relative folder: "
        "below --config-dir or cotmill's own)",
    )
    stages: dict[StageName, StageSettings | None] = Field(
        description="name -> stage, in order (null: left out)"
    )


class FolderSettings(Group):
    """Where a command writes, and what becomes of what is there."""

    output_dir: str = Field(description="folder to write, on any Beam filesystem")
    resume: bool = Field(
        False, description="go on in output_dir: what is done is skipped, what was begun finished"
    )
    overwrite: bool = Field(False, description="delete what output_dir holds and start anew")

    @model_validator(mode="after")
    def _exclusive(self) -> FolderSettings:
        if self.resume and self.overwrite:
            raise ValueError("resume and overwrite exclude each other: set one of them")
        return self


class RunSettings(FolderSettings):
    """What every command that runs a recipe can be told."""

    recipe: RecipeSettings
    source: AnySource
    sandbox: SandboxSettings
    filter: FilterSettings
    runner: RunnerSettings
    sink: SinkSettings
    empty_status: int = Field(
        3,
        ge=0,
        le=125,
        description="exit status of a finished run that accepted no row (0: not a failure)",
    )


class Settings(RunSettings):
    """Everything `cotmill synthesize` can be told."""

    backend: Backend
    models: dict[str, Backend] = Field(
        {},
        description="name -> backend of its own, as for backend, for the stages that ask a model "
        "by this name, such as models.judge={engine: openai, ...}; other names ask backend; with "
        "backend=replay all are replayed",
    )
    sampling: SamplingSettings
    verify: VerifySettings
    dedup: DedupSettings
    decontaminate: DecontaminateSettings
    ledger: LedgerSettings
    budget: BudgetSettings = BudgetSettings()
    prices: dict[str, Price] = Field(
        {},
        description="model -> {prompt: ..., cached: ..., generated: ...}, money per million "
        "tokens; what the run costs is shown if its models are in here",
    )

    @model_validator(mode="after")
    def _cost_has_a_price(self) -> Settings:
        for place, backend in backends_of(self).items():
            model, own = backend.answering, getattr(backend, "budget", BudgetSettings())
            limited = {"budget": self.budget, f"{place}.budget": own}
            for name, budget in limited.items():
                if budget.max_cost is not None and model is not None and model not in self.prices:
                    raise ValueError(
                        f"{name}.max_cost needs the price of {model}: set prices={{{model}: "
                        "{prompt: ..., cached: ..., generated: ...}}"
                    )
        return self

    @model_validator(mode="after")
    def _fire_has_tokens(self) -> Settings:
        if isinstance(self.backend, OpenAIBackend):
            for name in SamplingSettings.model_fields:
                if getattr(getattr(self.sampling, name), "fire_temperature", None) is not None:
                    raise ValueError(
                        f"sampling.{name}.fire_temperature needs backend vllm or vllm_server: "
                        "other endpoints do not continue an answer token by token"
                    )
        return self


def backends_of(settings: Settings) -> dict[str, Backend]:
    """Returns every backend of a run, by the name of its setting: `backend`, `models.NAME`."""
    named = {f"models.{name}": backend for name, backend in settings.models.items()}
    return {"backend": settings.backend, **named}


def backend_for(settings: Settings, name: str | None) -> Backend:
    """Returns the backend of the model that a recipe calls `name`; None is the run's own."""
    return settings.backend if name is None else settings.models.get(name, settings.backend)


def check_models(settings: Settings, names: Collection[str]) -> None:
    """Raises SettingsError for a name in `models` that is none of `names`, those of the recipe."""
    for name in settings.models:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            asked = f"it asks {', '.join(sorted(names))}" if names else "it names none"
            hint = f"did you mean models.{near[0]}?" if near else asked
            raise SettingsError(
                f"models.{name}: no stage of recipe {settings.recipe.name} asks a model of this "
                f"name: {hint} (recipe.stages.STAGE.model names one)"
            )


def with_backends(settings: Settings, change: Callable[[str, Backend], Backend]) -> Settings:
    """Returns settings with `change(name of the setting, backend)` in place of each backend."""
    backend, *models = (change(place, each) for place, each in backends_of(settings).items())
    named = dict(zip(settings.models, models, strict=True))
    return settings.model_copy(update={"backend": backend, "models": named})


class AugmentationSettings(Group):
    """How seeds are given other numbers."""

    draws: int = Field(ge=1, description="inputs drawn for each seed, at most; most are refused")
    rows_per_seed: int = Field(ge=1, description="rows made from each seed, at most")
    spread: float = Field(
        gt=1, description="a new value is at most so many times the old one, or that part of it"
    )
    seed: int = Field(ge=0, description="seed of the drawing")


class AugmentSettings(RunSettings):
    """Everything `cotmill augment` can be told."""

    augmentation: AugmentationSettings


class ReportSettings(Group):
    """Everything `cotmill report` can be told."""

    output_dir: str = Field(description="folder of a run, on any Beam filesystem")


class SandboxStatusSettings(Group):
    """Everything `cotmill sandbox status` can be told."""

    sandbox: SandboxSettings


class BackendCheckSettings(Group):
    """Everything `cotmill backend check` can be told."""

    backend: OpenAIBackend
    models: dict[str, OpenAIBackend] = Field(
        {}, description="name -> another endpoint to check, as for `cotmill synthesize`"
    )


class ModelSettings(Group):
    """The model that is trained."""

    name: str = Field(description="model name or path; `embedded` is the small model of make demo")
    dtype: Literal["bfloat16", "float16", "float32"] = Field(
        description="type of the weights; LoRA weights are float32 while they are trained"
    )
    attention: str | None = Field(
        None, description="sdpa, flash_attention_2, eager ... (null: the model's default)"
    )


class LoraSettings(Group):
    """Low-rank adaptation by PEFT, or none."""

    rank: int = Field(ge=0, description="rank of the adapter (0: train all weights instead)")
    alpha: int = Field(ge=1, description="the adapter is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout before the adapter")
    target_modules: str | list[str] = Field(
        "all-linear", description="layers that get one: all-linear, or their names"
    )
    start: str | None = Field(
        None,
        description="adapter to go on from, which then decides rank, alpha and layers: a folder, "
        "or the name of one in data/models (null: a new one)",
    )

    @model_validator(mode="after")
    def _start_is_lora(self) -> LoraSettings:
        if self.start is not None and not self.rank:
            raise ValueError("lora.start goes on from an adapter, and rank 0 trains none")
        return self


class OptimSettings(Group):
    """How the loss is brought down."""

    learning_rate: float = Field(gt=0, description="highest learning rate")
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = Field(
        description="how the learning rate falls after the warm-up"
    )
    warmup: float = Field(ge=0, description="warm-up: steps, or below 1 a share of all steps")
    epochs: float = Field(gt=0, description="times that the examples are seen")
    max_steps: int | None = Field(None, ge=1, description="stop after so many steps (null: epochs)")
    batch_size: int = Field(ge=1, description="sequences on a device at once")
    accumulate: int = Field(1, ge=1, description="batches per step")
    max_length: int = Field(
        ge=32, description="cutoff, tokens: longer examples are left out, and counted"
    )
    packing: bool = Field(
        description="fill sequences of max_length with several examples each (best on GPUs with "
        "flash attention); false: batches of examples of about one length"
    )
    gradient_checkpointing: bool = Field(
        description="compute activations twice instead of keeping them: less memory, slower"
    )
    weight_decay: float = Field(0.0, ge=0, description="decoupled weight decay (AdamW)")
    max_grad_norm: float = Field(1.0, gt=0, description="gradients are clipped to this norm")
    log_steps: int = Field(10, ge=1, description="steps between entries of the log")
    save_steps: int = Field(ge=1, description="steps between checkpoints; the last two are kept")
    eval_steps: int | None = Field(
        None, ge=1, description="steps between evaluations on held-out seeds (null: at the end)"
    )


class TaskSettings(Group):
    """What the model learns to do, and from which seeds."""

    mix: dict[
        Literal["codegen", "codegen_kind", "reverse", "solve", "unify", "calculate"],
        Annotated[float, Field(ge=0, allow_inf_nan=False)],
    ] = Field(
        description="task -> examples of it per seed, on average: codegen (a program from nothing),"
        " codegen_kind (from its kind's name), reverse (program -> instruction), solve (instruction"
        " -> language solution), unify (problem -> program), calculate (a solution's equations)",
        min_length=1,
    )
    api: Literal["chat", "completions"] = Field(
        description="the form of the prompts; must be that of backend.api when the model is served"
    )
    holdout_kinds: list[str] = Field(
        [], description="kinds of seeds that are not trained on; the loss on them is reported"
    )
    max_held_out: int = Field(
        64, ge=1, description="examples of those kinds that each task is evaluated on, at most"
    )


class TrainSettings(FolderSettings):
    """Everything `cotmill train` can be told."""

    output_dir: str = Field(description="local folder for checkpoints and the trained model")
    source: AnySource
    prompts: str = Field(description="folder of the prompt files that the model will be asked with")
    model: ModelSettings
    lora: LoraSettings
    optim: OptimSettings
    tasks: TaskSettings
    seed: int = Field(0, ge=0, description="seed of every random choice")
    sandbox: SandboxSettings
    filter: FilterSettings
    runner: RunnerSettings
    sink: SinkSettings


class LedgerFolder(Group):
    """Which ledger is meant."""

    dir: str = Field(description="ledger folder, such as RUN/ledger, on any Beam filesystem")


class LedgerStatusSettings(Group):
    """Everything `cotmill ledger status` can be told."""

    ledger: LedgerFolder


class LedgerCompactSettings(LedgerStatusSettings):
    """Everything `cotmill ledger compact` can be told."""

    part_mb: int = Field(
        ge=1, description="size of a part, MB: parts below half of it are merged up to it"
    )


class BenchLedgerSettings(Group):
    """Everything `cotmill bench ledger` can be told."""

    sizes: list[int] = Field(
        min_length=1, description="requests, and responses in the ledger, of each measurement"
    )
    workers: int = Field(ge=1, description="worker processes")
    record_per_second: int = Field(ge=1, description="answers a second that are recorded")
    record_seconds: float = Field(gt=0, description="time for which answers are recorded, seconds")


class BenchSandboxSettings(Group):
    """Everything `cotmill bench sandbox` can be told."""

    programs: int = Field(ge=10, description="programs of each mix")
    slots: int = Field(ge=1, description="programs at once, for every executor")
    sandbox: SandboxSettings


class BenchSessionsSettings(Group):
    """Everything `cotmill bench sessions` can be told."""

    sessions: int = Field(ge=10, description="sessions of five cells each")
    slots: int = Field(ge=1, description="programs and cells at once")
    branches: int = Field(ge=1, description="branches from the third cell, each also rebuilt")
    sandbox: SandboxSettings


class BenchFiltersSettings(Group):
    """Everything `cotmill bench filters` can be told."""

    redraws: int = Field(ge=0, description="more cases of each seed, with other numbers")
    codeio: int = Field(ge=0, description="CodeI/O programs whose outputs are answers as well")
    show: int = Field(ge=0, description="misjudged records to print, at most")
    sandbox: SandboxSettings
    filter: FilterSettings
    verify: VerifySettings
    dedup: DedupSettings
    decontaminate: DecontaminateSettings


class BenchMinhashSettings(Group):
    """Everything `cotmill bench minhash` can be told."""

    rows: int = Field(ge=100, description="texts, a fifth of them in pairs of known similarity")
    dedup: DedupSettings
    runner: RunnerSettings


class BenchScaleSettings(Group):
    """Everything `cotmill bench scale` can be told."""

    rows: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=1, description="synthetic rows, one measurement each"
    )
    filter: FilterSettings
    dedup: DedupSettings
    runner: RunnerSettings
    sink: SinkSettings


class BenchPipelineSettings(Group):
    """Everything `cotmill bench pipeline` can be told."""

    programs: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=1, description="programs asked for, one run for each"
    )
    workers: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=1, description="worker processes, one run for each"
    )
    settings: list[str] = Field(
        [], description="settings of `cotmill synthesize`, such as [sandbox.slots=1]"
    )


class CodegenWay(Group):
    """A model, and how it is asked."""

    backend: Backend
    sampling: SamplingSettings


class BenchCodegenSettings(Group):
    """Everything `cotmill bench codegen` can be told."""

    kinds: list[str] = Field(
        min_length=1,
        description="kinds of problem that programs are asked for: each prompt shows "
        "seeds of one of them, or names it",
    )
    num_programs: int = Field(ge=1, description="program prompts, before and after alike")
    output_dir: str | None = Field(
        None,
        description="folder for the two runs; what it holds already of the same settings is not "
        "asked again (null: a temporary one)",
    )
    before: CodegenWay
    after: CodegenWay
    recipe: RecipeSettings
    source: AnySource
    sandbox: SandboxSettings
    filter: FilterSettings
    verify: VerifySettings
    dedup: DedupSettings
    decontaminate: DecontaminateSettings
    ledger: LedgerSettings
    runner: RunnerSettings
    sink: SinkSettings


class BenchGenerationSettings(Group):
    """Everything `cotmill bench generation` can be told."""

    requests: int = Field(ge=8, description="requests of each mix")
    repetitions: int = Field(
        ge=1, description="times that the mix of output lengths is run, each way in turn"
    )
    server: bool = Field(description="also measure the spawned server (another load of the model)")
    backend: VllmBackend = Field(description="engine settings, the same for every way")


S = TypeVar("S", bound=Group)


def parse_settings(values: dict[str, Any], root: type[S]) -> S:
    """Returns validated settings of the class `root` from plain values.

    Raises SettingsError, one line per mistake: the key, what is wrong with it, and the nearest
    known key where it is unknown.
    """
    try:
        return root.model_validate(values)
    except ValidationError as error:
        lines = [_mistake(item, values, root) for item in error.errors()]
        raise SettingsError("; ".join(lines)) from None


def _mistake(item: Any, values: dict[str, Any], root: type[Group]) -> str:
    path = _path(item["loc"])
    key = ".".join(str(part) for part in path)
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(path[-1]), option_names(root, values, path[:-1]), n=1)
        hint = f": did you mean {'.'.join(map(str, [*path[:-1], near[0]]))}?" if near else ""
        return f"{key} is not a setting{hint or ' (see --help)'}"
    if item["type"] == "missing":
        return f"{key} is missing: set {key}=VALUE"
    if item["type"] == "union_tag_not_found":
        tag = item["ctx"]["discriminator"].strip("'")
        return f"{key}.{tag} is missing: it says what {key} is"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] in ("dict_type", "model_type", "model_attributes_type"):
        message = "should be a map, such as {KEY: VALUE}"
    if item["type"] == "string_type" and isinstance(item["input"], (int, float)):
        message += f""": to give it as a text, quote it twice: '{key}="TEXT"'"""
    if not key:
        return message
    return f"{key}={item['input']!r}: {message[:1].lower()}{message[1:]}"


def _path(place: tuple[Any, ...]) -> list[Any]:
    """The keys of an error's place: the names of kinds of source or engine in it are none."""
    path: list[Any] = []
    tagged = False
    for index, part in enumerate(place):
        if part != "[key]" and not tagged:
            path.append(part)
        before = place[index - 1] if index else None
        chosen = part in ("source", "backend", "format") or before in (
            "sources",
            "benchmarks",
            "models",
        )
        tagged = chosen and not tagged
    return path


def option_names(root: type[Group], values: dict[str, Any], path: list[Any]) -> list[str]:
    """The names of the settings below `path`, for the groups chosen in `values`."""
    group: Any = root
    for part in path:
        group = group_class(group, str(part), values)
        values = values.get(part, {}) if isinstance(values, dict) else {}
        if group is None:
            return []
    return list(group.model_fields)


def group_class(parent: type[BaseModel], name: str, values: dict[str, Any]) -> Any:
    """The class of a settings group; for a choice, the one that `values` names. None if none."""
    field = parent.model_fields.get(name)
    if field is None or get_origin(field.annotation) is dict:
        return None
    choices = [
        choice
        for choice in (field.annotation, *getattr(field.annotation, "__args__", ()))
        if isinstance(choice, type) and issubclass(choice, Group)
    ]
    if len(choices) < 2 or field.discriminator is None:
        return choices[0] if choices else None
    chosen = values.get(name, {})
    tag = chosen.get(field.discriminator) if isinstance(chosen, dict) else None
    for choice in choices:
        if tag in getattr(choice.model_fields[str(field.discriminator)].annotation, "__args__", ()):
            return choice
    return None

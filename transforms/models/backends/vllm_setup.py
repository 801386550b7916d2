"""How vLLM is set up, in process and as a server: version, environment and arguments."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import importlib
import logging
import os
from typing import Any, NamedTuple

from packaging.version import Version

from transforms.engine.errors import BackendError
from transforms.models.backends.settings import VllmBackend, VllmServerBackend
from transforms.models.embedded.adapters import adapter_path, model_path

_log = logging.getLogger(__name__)
_TOOL_PARSER = "tool_call_parser"


def prepare_environment(backend: VllmBackend) -> None:
    """Sets what vLLM reads from the environment; before it is imported.

    Raises:
        BackendError: vLLM is not installed.
    """
    os.environ.update(forced_environment(backend))
    for name, value in QUIET.items():  # vLLM's processes inherit these
        os.environ.setdefault(name, value)
    # A worker has threads by now, and a forked copy of them can hang.
    os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
    if os.environ["VLLM_LOGGING_LEVEL"] == "ERROR":  # it speaks up before it reads that
        logging.getLogger("vllm").setLevel(logging.ERROR)
    check_installed(backend)


QUIET = {"VLLM_LOGGING_LEVEL": "ERROR", "TORCH_CPP_LOG_LEVEL": "ERROR", "PYTHONWARNINGS": "ignore"}
"""Environment of vLLM's processes; a user who wants to hear more sets these."""


def forced_environment(backend: VllmBackend) -> dict[str, str]:
    """The environment variables that `backend` decides."""
    variables = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if backend.cpu_kvcache_gib is not None:
        variables["VLLM_CPU_KVCACHE_SPACE"] = str(backend.cpu_kvcache_gib)
        variables["VLLM_CPU_OMP_THREADS_BIND"] = _cores(backend)
    return variables


OLDEST = Version("0.19")
"""Of vLLM: the first whose readers of calls are given the tools; the extra `gpu` asks for it."""
NEWEST = Version("0.33")
"""Of vLLM: the last minor version whose names and arguments were looked at. Run were 0.26 (on a
GPU) and 0.32 (the CPU build)."""


def check_installed(backend: VllmBackend) -> None:
    """Raises BackendError where vLLM cannot be imported or is too old; warns where it is newer
    than any that is known to work."""
    fix = f"pip install 'cotmill[{'gpu' if backend.cpu_kvcache_gib is None else 'cpu'}]'"
    try:
        importlib.import_module("vllm.engine.arg_utils")
        import vllm
    except ImportError as error:
        raise BackendError(f"the {backend.engine} backend needs vLLM ({error}): {fix}") from error
    if said := unfit(vllm.__version__):
        if said.is_error:
            raise BackendError(f"{said.what}: {fix}")
        _log.warning("%s: if it fails, %s", said.what, fix)


class Unfit(NamedTuple):
    """What is wrong with a version of vLLM."""

    what: str
    is_error: bool


def unfit(version: str) -> Unfit | None:
    """Returns what is wrong with a version of vLLM; None where it works, or is built from source.

    >>> unfit("0.10.2").what
    'vLLM 0.10.2 is too old, 0.19 to 0.33 work'
    >>> unfit("0.32.0+cpu") is None
    True
    """
    installed = Version(version)
    if installed.is_devrelease:
        return None
    works = f"{OLDEST} to {NEWEST} work"
    if installed < OLDEST:
        return Unfit(f"vLLM {version} is too old, {works}", True)
    if installed.release[:2] > NEWEST.release[:2]:
        return Unfit(f"vLLM {version} is newer than cotmill knows, {works}", False)
    return None


def check_arguments(backend: VllmBackend) -> None:
    """Raises BackendError for a name in `backend.engine_args` that vLLM's engine or, for a server,
    vLLM's server does not know, or for an unknown parser; after `prepare_environment`."""
    from vllm import EngineArgs, __version__

    names = {_TOOL_PARSER, *(field.name for field in dataclasses.fields(EngineArgs))}
    if isinstance(backend, VllmServerBackend):
        names |= {field.name for field in dataclasses.fields(_server_arguments())}
    for name in backend.engine_args:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise BackendError(
                f"{backend.place}.engine_args.{name} is no argument of vLLM {__version__}: "
                + (f"did you mean {near[0]}?" if near else "see its EngineArgs for those there are")
            )
    tool_parser(backend)


def _server_arguments() -> Any:
    """Returns vLLM's class of its server's arguments, which has moved from version to version."""
    for place in ("common", "launchers", "openai"):
        with contextlib.suppress(ModuleNotFoundError):
            module = importlib.import_module(f"vllm.entrypoints.{place}.cli_args")
            return module.BaseFrontendArgs
    raise BackendError(f"vLLM has no arguments of a server: install {OLDEST} to {NEWEST}")


def engine_arguments(backend: VllmBackend) -> dict[str, Any]:
    """vLLM's `EngineArgs` for `backend`, in process and for a server; None is vLLM's default."""
    arguments: dict[str, Any] = {
        "model": model_path(backend),
        "max_model_len": backend.max_model_len,
        "max_num_seqs": backend.max_in_flight,
        "dtype": backend.dtype,
        "enforce_eager": backend.enforce_eager,
        "gpu_memory_utilization": backend.gpu_memory_utilization,
        "tensor_parallel_size": backend.tensor_parallel_size,
        # Samples of one prompt, and prompts with the same examples, share their prefix's keys.
        "enable_prefix_caching": True,
        # The CPU build dies on a seeded request whose prompt is prefilled in chunks: it rewinds
        # the request's generator, and a CPU generator cannot be rewound.
        "enable_chunked_prefill": None if backend.cpu_kvcache_gib is None else False,
        "use_tqdm_on_load": False,
    }
    if adapter_path(backend) is not None:
        arguments |= {"enable_lora": True, "max_lora_rank": backend.max_lora_rank}
    further = dict(backend.engine_args)
    if isinstance(backend, VllmServerBackend):
        if _TOOL_PARSER in further:
            further["enable_auto_tool_choice"] = True
    else:
        further.pop(_TOOL_PARSER, None)  # no argument of the engine's: calls are read here
    return arguments | further


def tool_parser(backend: VllmBackend) -> Any:
    """Returns vLLM's class that reads calls of tools in the model's texts; None where none is set.

    Raises:
        BackendError: vLLM has none of that name.
    """
    from vllm.tool_parsers import ToolParserManager

    name = backend.engine_args.get(_TOOL_PARSER)
    try:
        return name and ToolParserManager.get_tool_parser(name)
    except KeyError:
        known = ", ".join(sorted(ToolParserManager.list_registered()))
        setting = f"{backend.place}.engine_args.{_TOOL_PARSER}={name}"
        raise BackendError(f"{setting}: vLLM has {known}") from None


def _cores(backend: VllmBackend) -> str:
    """Returns the cores to bind. vLLM's `auto` keeps one free for its scheduler, which on a
    small machine is a large part of it: there, all cores compute."""
    cores = sorted(os.sched_getaffinity(0))
    if backend.cpu_threads == "auto" and backend.tensor_parallel_size == 1 and len(cores) <= 4:
        return ",".join(str(core) for core in cores)
    return backend.cpu_threads

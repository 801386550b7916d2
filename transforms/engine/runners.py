"""Beam runners by name: the runner that is meant is the runner that runs."""

from __future__ import annotations

import logging
import subprocess
import types
from typing import Any

import apache_beam as beam
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability import local_job_service
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.fn_runner import ExtendedProvisionInfo
from apache_beam.transforms.environments import SubprocessSDKEnvironment
from google.protobuf import json_format, struct_pb2

from transforms.engine.beam_costs import Options, spare_local
from transforms.engine.errors import SettingsError
from transforms.engine.gpus import next_worker
from transforms.engine.runner_settings import DirectSettings, RunnerSettings
from transforms.engine.worker_server import start_worker
from transforms.sandbox.cores import LOCAL_WORKERS

_FORK = "fork a local worker of "
"""What stands for the command of a worker process, with the number of workers behind it."""


def _popen(command: str, **arguments: Any) -> Any:
    if command.startswith(_FORK):
        workers = {LOCAL_WORKERS: command.removeprefix(_FORK)}
        return start_worker(arguments["env"] | workers | next_worker())
    return subprocess.Popen(command, **arguments)


# Beam starts a worker process by its command; ours are forked.
setattr(local_job_service, "subprocess", types.SimpleNamespace(Popen=_popen))  # noqa: B010


def open_pipeline(settings: RunnerSettings) -> beam.Pipeline:
    """Returns an empty pipeline on the runner that `settings` name.

    `direct` is Beam's FnApiRunner: in memory for one worker, separate worker processes for more.
    (Beam's own default would try to download Prism; its thread mode loses rows.)

    Raises SettingsError for options that Beam's runner refuses.
    """
    chosen = settings.beam_options()
    if not isinstance(settings, DirectSettings):
        logging.getLogger().addFilter(_is_said_once)
        try:
            return beam.Pipeline(options=Options.from_dictionary(chosen))
        except ValueError as error:  # Beam's own validation: a line for each option
            wrong = " ".join(str(error).split()).removeprefix("Pipeline has validations errors: ")
            raise SettingsError(f"runner={settings.type}: {wrong}") from None
    spare_local()
    # What fails here is raised here: Beam would log the same traceback once more per layer.
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    # ... but what worker processes warn of is passed on under this name.
    logging.getLogger(local_job_service.__name__).setLevel(logging.WARNING)
    if settings.workers == 1:
        return beam.Pipeline(runner=FnApiRunner(), options=Options.from_dictionary(chosen))
    options = {
        "direct_num_workers": settings.workers,
        "default_sdk_harness_log_level": "WARNING",
        **chosen,
    }
    runner = forked_workers(settings.workers, options)
    return beam.Pipeline(runner=runner, options=Options.from_dictionary(options))


def forked_workers(workers: int, options: dict[str, Any]) -> FnApiRunner:
    """Returns Beam's local runner with `workers` processes that see the pipeline's `options`.

    The option direct_running_mode=multi_processing does the same with Beam's own entry point, which
    imports everything anew in each process.
    """
    return FnApiRunner(
        default_environment=SubprocessSDKEnvironment.from_command_string(f"{_FORK}{workers}"),
        provision_info=_provision(options),
    )


def _is_said_once(record: logging.LogRecord) -> bool:
    """Whether a record is none of what Beam logs of a portable job's end beside raising it."""
    return record.module != "portable_runner"


def _provision(options: dict[str, Any]) -> ExtendedProvisionInfo:
    """Carries the pipeline options to the worker processes, which otherwise see none."""
    # A protobuf Struct knows no integers: 2 would reach the workers as 2.0, which they refuse.
    values = {
        f"beam:option:{name}:v1": str(value) if type(value) is int else value
        for name, value in options.items()
    }
    return ExtendedProvisionInfo(
        beam_provision_api_pb2.ProvisionInfo(
            pipeline_options=json_format.ParseDict(values, struct_pb2.Struct())
        )
    )

"""Beam runners by name: the runner that is meant is the runner that runs."""

from __future__ import annotations

import logging
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from google.protobuf import json_format, struct_pb2

from transforms.settings import RunnerSettings

logging.getLogger("apache_beam.runners.portability.local_job_service").setLevel(logging.ERROR)


def open_pipeline(settings: RunnerSettings) -> beam.Pipeline:
    """Returns an empty pipeline on the runner that `settings` name.

    `direct` is Beam's FnApiRunner: in memory for one worker, separate worker processes for more.
    (Beam's own default would try to download Prism; its thread mode loses rows.)
    """
    if settings.type == "beam":
        return beam.Pipeline(options=PipelineOptions(settings.options))
    if settings.workers == 1:
        return beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(settings.options))
    flags = [
        *settings.options,
        f"--direct_num_workers={settings.workers}",
        "--direct_running_mode=multi_processing",
        "--default_sdk_harness_log_level=ERROR",
    ]
    return beam.Pipeline(
        runner=FnApiRunner(provision_info=_provision(flags)), options=PipelineOptions(flags)
    )


def _provision(flags: list[str]) -> Any:
    """Carries the pipeline options to the worker processes, which otherwise see none."""
    from apache_beam.runners.portability.fn_api_runner.fn_runner import ExtendedProvisionInfo

    options = {
        f"beam:option:{name}:v1": value
        for name, value in PipelineOptions(flags).get_all_options(drop_default=True).items()
    }
    return ExtendedProvisionInfo(
        beam_provision_api_pb2.ProvisionInfo(
            pipeline_options=json_format.ParseDict(options, struct_pb2.Struct())
        )
    )

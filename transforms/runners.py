"""Beam runners by name: the runner that is meant is the runner that runs."""

from __future__ import annotations

import logging
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.fn_runner import ExtendedProvisionInfo
from google.protobuf import json_format, struct_pb2

from transforms.settings import RunnerSettings


def open_pipeline(settings: RunnerSettings) -> beam.Pipeline:
    """Returns an empty pipeline on the runner that `settings` name.

    `direct` is Beam's FnApiRunner: in memory for one worker, separate worker processes for more.
    (Beam's own default would try to download Prism; its thread mode loses rows.)
    """
    if settings.type == "beam":
        return beam.Pipeline(options=PipelineOptions.from_dictionary(settings.options))
    # What fails here is raised here: Beam would log the same traceback once more per layer.
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    if settings.workers == 1:
        return beam.Pipeline(
            runner=FnApiRunner(), options=PipelineOptions.from_dictionary(settings.options)
        )
    options = {
        "direct_num_workers": settings.workers,
        "direct_running_mode": "multi_processing",
        "default_sdk_harness_log_level": "CRITICAL",
        **settings.options,
    }
    return beam.Pipeline(
        runner=FnApiRunner(provision_info=_provision(options)),
        options=PipelineOptions.from_dictionary(options),
    )


def _provision(options: dict[str, Any]) -> ExtendedProvisionInfo:
    """Carries the pipeline options to the worker processes, which otherwise see none."""
    options = {f"beam:option:{name}:v1": value for name, value in options.items()}
    return ExtendedProvisionInfo(
        beam_provision_api_pb2.ProvisionInfo(
            pipeline_options=json_format.ParseDict(options, struct_pb2.Struct())
        )
    )

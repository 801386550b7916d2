"""Test pipelines on one worker in memory, or on two worker processes."""

from __future__ import annotations

from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner


def on_workers(workers: int, *flags: str) -> dict[str, Any]:
    """Arguments of TestPipeline for that many workers; two or more are processes of their own."""
    if workers > 1:
        flags = (
            f"--direct_num_workers={workers}",
            "--direct_running_mode=multi_processing",
            *flags,
        )
    return {"runner": FnApiRunner(), "options": PipelineOptions(list(flags))}

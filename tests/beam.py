"""Test pipelines on one worker in memory, or on two worker processes."""

from __future__ import annotations

from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from transforms.engine.runners import forked_workers


def on_workers(workers: int, *flags: str) -> dict[str, Any]:
    """Arguments of TestPipeline for that many workers; two or more are processes of their own,
    started as those of a run."""
    if workers == 1:
        return {"runner": FnApiRunner(), "options": PipelineOptions(list(flags))}
    flags = (f"--direct_num_workers={workers}", *flags)
    options = PipelineOptions(list(flags))
    runner = forked_workers(workers, options.get_all_options(drop_default=True))
    return {"runner": runner, "options": options}

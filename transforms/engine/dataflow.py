"""A recipe as a Dataflow job that is built and not sent, and what is in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from apache_beam.portability.api import beam_runner_api_pb2

from transforms.engine.errors import SettingsError
from transforms.engine.one_job import build_job
from transforms.engine.recipe import Segment
from transforms.engine.run_folder import RunFolder
from transforms.engine.runners import open_pipeline
from transforms.engine.segments import RunsAndWrites

JOB_BYTES = 10 << 20
"""Dataflow refuses a job whose graph is larger."""


@dataclass(frozen=True)
class Step:
    """A stage, or other work of a segment, in the graph of a job."""

    name: str
    """SEGMENT/STAGE."""
    transforms: int
    """Primitive transforms in it."""
    hints: dict[str, str]
    """Resource hints on any of them, by Beam's names."""


@dataclass(frozen=True)
class DataflowJob:
    """A job as Dataflow's runner has translated it."""

    name: str
    pipeline: Any
    """The graph, as Beam's Pipeline proto."""
    environment: Any
    """Workers, image and options, as Dataflow's Environment proto."""

    @property
    def bytes(self) -> int:
        """Size of the graph."""
        return int(self.pipeline.ByteSize())

    def images(self) -> set[str]:
        """The container images that workers run."""
        components = self.pipeline.components
        used = {each.environment_id for each in components.transforms.values()} - {""}
        return {
            beam_runner_api_pb2.DockerPayload.FromString(
                components.environments[each].payload
            ).container_image
            for each in used
        }

    def steps(self) -> dict[str, Step]:
        """The steps of the job by name."""
        counts: dict[str, int] = {}
        hints: dict[str, dict[str, str]] = {}
        for name, hinted in self._primitives():
            counts[name] = counts.get(name, 0) + 1
            hints.setdefault(name, {}).update(hinted)
        return {name: Step(name, count, hints[name]) for name, count in sorted(counts.items())}

    def _primitives(self) -> Iterator[tuple[str, dict[str, str]]]:
        components = self.pipeline.components
        for each in components.transforms.values():
            if not each.subtransforms and each.spec.urn:
                named = components.environments[each.environment_id].resource_hints
                hints = {urn.split(":")[2]: value.decode() for urn, value in named.items()}
                yield "/".join(each.unique_name.split("/")[:2]), hints


def dataflow_job(
    segments: Sequence[Segment], run: RunFolder, settings: RunsAndWrites
) -> DataflowJob:
    """Builds all segments as one job by Beam's translation for Dataflow, without sending it.

    Raises SettingsError where the packages that translate are not installed.
    """
    try:
        from apache_beam.runners.dataflow.internal import apiclient
    except ImportError:
        raise SettingsError(
            "runner=dataflow needs Google's packages: pip install 'apache-beam[gcp]'"
        ) from None
    # It warns of what concerns workers that are started, and advises other images.
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    pipeline = open_pipeline(settings.runner)
    build_job(pipeline, segments, None, run, settings)
    job: Any = pipeline.run().job  # type: ignore[attr-defined]
    environment = apiclient.Environment(
        packages=[],
        options=job.options,
        environment_version="8",
        proto_pipeline_staged_url=f"{job.google_cloud_options.staging_location}/pipeline.pb",
        proto_pipeline=job.proto_pipeline,
    )
    return DataflowJob(job.proto.name, job.proto_pipeline, environment.proto)

"""Episodes on Beam's portable runner Prism, where there is one (`tests.prism`)."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from tests.models.examples import asks, prompted, request
from tests.models.fault_server import fault_server
from tests.models.test_episode import countdown
from tests.prism import prism, prism_binary
from tests.programs_for_tests import SANDBOX
from transforms.models.asking import Asking
from transforms.models.backends.settings import OpenAIBackend
from transforms.models.driver import Drive
from transforms.models.engines import close_engines
from transforms.models.ledger.ledger import LedgerSettings

__all__ = ["prism", "prism_binary"]


@pytest.fixture(scope="module")
def options(prism: str) -> PipelineOptions:
    return PipelineOptions(runner="PortableRunner", job_endpoint=prism, environment_type="LOOPBACK")


def test_programs_are_run_and_episodes_go_on(options: PipelineOptions) -> None:
    with beam.Pipeline(options=options) as pipeline:
        driven = pipeline | beam.Create([3, 0, 1]) | Drive("count", countdown, sandbox=SANDBOX)
        assert_that(driven.results, equal_to([[2, 1, 0], [], [0]]))


def test_every_record_is_answered_and_what_is_recorded_is_not_asked_again(
    options: PipelineOptions, tmp_path: Path
) -> None:
    work = [prompted(str(i), request(f"ok {i}"), request(f"ok {i + 1}")) for i in range(20)]
    with fault_server() as server:
        backend = OpenAIBackend.model_validate(
            {"engine": "openai", "model": "m", "base_url": server.base_url, "api": "completions"}
        )
        asked = []
        for _ in range(2):
            with beam.Pipeline(options=options) as pipeline:
                driven = (
                    pipeline
                    | beam.Create(work)
                    | Drive("solve", asks, Asking(backend, str(tmp_path), LedgerSettings()))
                )
                texts = driven.results | beam.Map(lambda a: [r.text for r in a.responses])
                expected = [[f" good: ok {i}", f" good: ok {i + 1}"] for i in range(20)]
                assert_that(texts, equal_to(expected))
            asked.append(server.asked.total())
        close_engines()
        # Prism has four bundles at work at once: neighbours may both ask what they share.
        assert 21 <= asked[0] == asked[1] <= 24

"""Episodes on Beam's portable runner Prism, whose workers hold no tie to the driver's process.

Runs where COTMILL_PRISM names Prism's binary (Beam's releases have it).
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from tests.models.examples import asks, prompted, request
from tests.models.fault_server import fault_server
from tests.models.test_episode import countdown
from tests.programs_for_tests import SANDBOX
from transforms.models.backends.settings import OpenAIBackend
from transforms.models.engines import close_engines
from transforms.models.episode import Asking, Drive
from transforms.models.ledger.ledger import LedgerSettings

PRISM = os.environ.get("COTMILL_PRISM")
pytestmark = pytest.mark.skipif(PRISM is None, reason="COTMILL_PRISM names no binary of Prism")


@pytest.fixture(scope="module")
def options() -> Iterator[PipelineOptions]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([str(PRISM), f"-job_port={port}", "-serve_http=false"])
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield PipelineOptions(
            runner="PortableRunner",
            job_endpoint=f"localhost:{port}",
            environment_type="LOOPBACK",
        )
    finally:
        server.kill()
        server.wait()


def test_programs_are_run_and_episodes_go_on(options: PipelineOptions) -> None:
    with beam.Pipeline(options=options) as pipeline:
        driven = pipeline | beam.Create([3, 0, 1]) | Drive("count", countdown, sandbox=SANDBOX)
        assert_that(driven.results, equal_to([[2, 1, 0], [], [0]]))


def test_every_record_is_answered_and_each_request_is_paid_for_once(
    options: PipelineOptions, tmp_path: object
) -> None:
    work = [prompted(str(i), request(f"ok {i}"), request(f"ok {i + 1}")) for i in range(20)]
    with fault_server() as server:
        backend = OpenAIBackend.model_validate(
            {"engine": "openai", "model": "m", "base_url": server.base_url, "api": "completions"}
        )
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
        close_engines()
        assert server.asked.total() == 21

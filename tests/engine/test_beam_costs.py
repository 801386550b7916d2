"""What is spared in Beam's bookkeeping changes neither rows nor pickles."""

import bz2
import threading
from base64 import b64decode

import apache_beam as beam
import pytest
from apache_beam.internal import cloudpickle_pickler
from apache_beam.runners.worker import statecache
from apache_beam.testing.util import assert_that, equal_to

from transforms.engine.beam_costs import spare_local
from transforms.engine.runner_settings import DirectSettings
from transforms.engine.runners import open_pipeline


@pytest.mark.parametrize("value", ["a", "long" * 100_000], ids=["short", "long"])
def test_a_pickle_is_read_by_a_beam_of_which_nothing_is_spared(value):
    for _ in range(2):
        pickled = cloudpickle_pickler.dumps(value)
        assert cloudpickle_pickler._loads(bz2.decompress(b64decode(pickled))) == value


def test_a_side_input_weighs_what_it_holds():
    spare_local()
    assert 100_000 < statecache.get_deep_size([b"x" * 100_000]) < 110_000


def _threads(_: None) -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.endswith("(run)")]


def test_a_bundle_has_no_thread_that_it_would_wait_for():
    before = _threads(None)  # of other tests; some may end
    with open_pipeline(DirectSettings(workers=1)) as pipeline:
        threads = pipeline | beam.Create([None]) | beam.FlatMap(_threads)
        more = threads | beam.Filter(lambda name: name not in before)
        assert_that(more, equal_to([]))

"""Spares what Beam spends on each transform and bundle, which is most of what a small run costs.

A run has as many pipelines as segments, and each pipeline some hundred transforms and bundles. What
is replaced here are names of Beam's own modules; the pipelines that come of it are the same.
"""

from __future__ import annotations

import bz2
import threading
import types
import weakref
from functools import cache, lru_cache
from typing import Any

import objsize
from apache_beam.internal import cloudpickle_pickler
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.worker import statecache
from apache_beam.runners.worker.statesampler import StateSampler, set_current_tracker
from apache_beam.transforms import core, userstate
from apache_beam.transforms.core import CallableWrapperDoFn
from apache_beam.typehints import decorators


class Options(PipelineOptions):
    """Pipeline options that remember their views.

    Beam asks for one several times a transform and builds a parser of all flags each time: a sixth
    of what a pipeline costs to build. A view reads and writes the options that it is a view of.
    """

    def view_as(self, cls: Any) -> Any:
        views = self.__dict__.setdefault("_views", {})
        if cls not in views:
            views[cls] = super().view_as(cls)
        return views[cls]


_SPECS = weakref.WeakKeyDictionary[type, Any]()
_specs_of = userstate.get_dofn_specs


def _remembered_specs(dofn: Any) -> Any:
    if isinstance(dofn, CallableWrapperDoFn):
        function = dofn._fn
        plain = isinstance(function, types.FunctionType)
        if plain and not function.__defaults__ and not function.__kwdefaults__:
            return set(), set()
        return _specs_of(dofn)
    if type(dofn) not in _SPECS:
        _SPECS[type(dofn)] = _specs_of(dofn)
    return _SPECS[type(dofn)]


# Beam looks for state and timers in the defaults of all methods of each DoFn, eight times in the
# driver and once more for each copy in a worker: a fifth of what a pipeline costs to build.
userstate.get_dofn_specs = _remembered_specs


_SIGNATURES = weakref.WeakKeyDictionary[Any, dict[bool, Any]]()
_signature_of = decorators.get_signature


def _remembered_signature(function: Any) -> Any:
    of = getattr(function, "__func__", function)
    if not isinstance(of, types.FunctionType):
        return _signature_of(function)
    known = _SIGNATURES.setdefault(of, {})
    bound = of is not function  # without its first parameter
    if bound not in known:
        known[bound] = _signature_of(function)
    return known[bound]


# The same for signatures, of which Beam reads some twenty a transform: another fifth.
decorators.get_signature = core.get_signature = _remembered_signature


_SHORT = 100_000
"""Bytes of a pickle that is worth to be remembered."""


@lru_cache(2048)
def _compressed_before(data: bytes) -> bytes:
    return bz2.compress(data, 1)


def _compressed(data: bytes, compresslevel: int) -> bytes:
    return _compressed_before(data) if len(data) < _SHORT else bz2.compress(data, compresslevel)


# Each DoFn is pickled four times for a pipeline, and most are those of the pipeline before: packing
# them anew took a thirtieth of a small run.
_packing = types.SimpleNamespace(compress=_compressed, decompress=bz2.decompress)
setattr(cloudpickle_pickler, "bz2", _packing)  # noqa: B010


@cache
def spare_local() -> None:
    """Spares what only other runners than the local one have a use for, in this process."""
    # A warning that a local run does not show, for which Beam reads the source of each DoFn.
    core._check_fn_use_yield_and_return = lambda function: False
    statecache.get_deep_size = _deep_size
    # A thread for each bundle that samples in which step its time goes: nobody asks for it, and
    # the bundle ends only when that thread wakes up, after up to 0.2 s.
    setattr(StateSampler, "start", _start)  # noqa: B010
    setattr(StateSampler, "stop", _stop)  # noqa: B010


def _deep_size(*values: Any) -> int:
    """The size of what values hold, without a look at the globals of all modules: a side input
    holds none of them."""
    return objsize.get_deep_size(
        *values,
        get_size_func=statecache._size_func,
        get_referents_func=statecache._get_referents_func,
        filter_func=statecache._filter_func,
        exclude_modules_globals=False,
    )


def _start(sampler: StateSampler) -> None:
    sampler.tracked_thread = threading.current_thread()
    set_current_tracker(sampler)
    sampler.started = True


def _stop(sampler: StateSampler) -> None:
    set_current_tracker(None)
    sampler.finished = True

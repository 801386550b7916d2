"""An environment of verified problems for `verifiers`, written by `cotmill export`."""

from .taskset import CotmillTaskset

__all__ = ["CotmillTaskset"]

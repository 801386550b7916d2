"""An environment of verified problems for `verifiers`, written by `cotmill export`."""

from .taskset import CotmillEnv, CotmillTaskset

__all__ = ["CotmillEnv", "CotmillTaskset"]

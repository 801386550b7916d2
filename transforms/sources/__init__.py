"""Where seeds come from: `ReadSeeds` in a pipeline, `read_seeds` without; `check_source` before."""

from transforms.sources.read import ReadSeeds, check_source, read_seeds

__all__ = ["ReadSeeds", "check_source", "read_seeds"]

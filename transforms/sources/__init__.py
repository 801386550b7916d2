"""Where seeds come from: `ReadSeeds`, and `check_source` to say beforehand what is wrong."""

from transforms.sources.read import ReadSeeds, check_source

__all__ = ["ReadSeeds", "check_source"]

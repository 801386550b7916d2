"""Where the files that ship with cotmill are, in a checkout and in an installed package alike."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
"""The folder that holds conf/, data/, pipelines/ and transforms/."""
CONF = PROJECT / "conf"
DATA = PROJECT / "data"

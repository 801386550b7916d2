"""Imports of Beam without what it imports in passing and nothing here uses, and their cost to the
garbage collector."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lean_imports() -> Iterator[None]:
    """Within it, Beam is imported without pandas and without a warning about Google Cloud.

    pandas is a fifth of what a command takes to start, and only Beam's dataframes need it. It can
    be imported afterwards. What was imported, 300,000 objects that live as long as the process, is
    left out of garbage collections: each full one would look at all of it, 0.1 s a time. For
    processes of cotmill's own: in others Beam is theirs.
    """
    logging.disable(logging.WARNING)
    gc.disable()
    hidden = "pandas" not in sys.modules
    if hidden:
        sys.modules["pandas"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules["pandas"]
        logging.disable(logging.NOTSET)
        gc.freeze()
        gc.enable()

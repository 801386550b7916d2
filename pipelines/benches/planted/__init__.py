"""Planted faults: records whose truth is known, made wrong in one known way, to measure filters."""

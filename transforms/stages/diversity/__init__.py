"""Diversity: no two rows that say, or compute, the same."""

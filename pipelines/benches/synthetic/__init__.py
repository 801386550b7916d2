"""Synthetic rows in any number, and what they are for: how time and memory grow with rows."""

"""The benches: each compares things that are measured in one run, and ends in one JSON line."""

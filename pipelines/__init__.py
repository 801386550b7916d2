"""The commands a user runs: each file builds one Beam job and runs it."""

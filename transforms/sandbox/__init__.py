"""Runs hostile programs, jobs and cells of sessions behind walls that the kernel keeps."""

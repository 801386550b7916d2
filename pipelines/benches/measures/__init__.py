"""What benches measure and against what, without the command around it."""

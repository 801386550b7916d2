"""What leaves a run: its card, its report."""

"""What every recipe runs on: stages, records, accounting, segments and runs."""

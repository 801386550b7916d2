"""What every recipe stands on: stages, records, segments, accounts, tables, workers, settings."""

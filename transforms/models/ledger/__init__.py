"""The ledger: every answer, in Parquet parts that survive a crash."""

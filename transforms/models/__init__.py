"""Asking models: requests, prompts, episodes, and the engines and ledger behind them."""

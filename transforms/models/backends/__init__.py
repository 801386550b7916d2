"""What answers requests: OpenAI-compatible endpoints, vLLM in a worker, vLLM's server."""

"""Verified seeds with other numbers, their texts rewritten from what their programs compute."""

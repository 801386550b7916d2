"""The report of a run: what is read from its folder, its plots, and the page."""

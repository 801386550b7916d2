"""The embedded model, its adapters, and models that are built on this machine."""

"""Pictures: taken in behind walls, kept once by hash, and sent in messages."""

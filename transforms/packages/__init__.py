"""Python packages: read, broken in one place, mended by patches, judged by their tests."""

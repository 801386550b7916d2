"""Looking at a run: its records by how they ended, and one record's whole life."""

"""What a run keeps on disk and what can be read from it."""

"""The commands: options and help. Their implementations are imported when they run."""

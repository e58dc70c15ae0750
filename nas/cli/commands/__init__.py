"""The commands: their options and their help. What they do is elsewhere, and imported when they run."""

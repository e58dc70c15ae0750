"""The search itself: preparation, loop, supervision, stopping, and ask-and-tell for user loops."""

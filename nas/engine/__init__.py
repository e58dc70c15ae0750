"""The search itself: how it begins, what watches over it, when it stops, and the same in steps for a user's own loop."""

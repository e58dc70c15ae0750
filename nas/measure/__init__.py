"""Measuring networks: how long a forward pass takes. Loading this package does not load torch."""

"""Surrogate predictors of expensive objectives."""

"""Callbacks: who is told how a search goes. Those that come with the framework are in `nas.callbacks.registry`."""

from __future__ import annotations

from nas.callbacks.base import AnyCallback, Callback, Callbacks, as_callback

__all__ = ["AnyCallback", "Callback", "Callbacks", "as_callback"]

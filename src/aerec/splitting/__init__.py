"""Splitters: from interactions to training data, validation and test, deterministic by seed."""

from aerec._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__)

"""Baselines: what an autoencoder has to beat, given the same chance."""

from aerec._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__)

"""Ratings from files, from the catalogue, and generated ones."""

from aerec._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__)

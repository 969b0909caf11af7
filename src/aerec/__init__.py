"""Autoencoder recommenders for collaborative filtering: train, evaluate honestly, recommend."""

from aerec._lazy import lazy_exports
from aerec._version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_exports(__name__)

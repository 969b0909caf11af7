"""aerec: autoencoder recommenders for collaborative filtering."""

from aerec._version import __version__
from aerec.interactions import Interactions

__all__ = ["Interactions", "__version__"]

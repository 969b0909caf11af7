"""How good a recommender is, and whether the difference to another one is more than chance."""

from aerec._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__)

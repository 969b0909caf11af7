"""Metrics of rankings and of predicted ratings; the formulas are in `formulas`, checked front doors in the others."""

from aerec._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__)

"""Reports: what was measured, as one HTML page with tables and pictures. Pictures need the extra `report`."""

from aerec._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__)

"""Autoencoder recommenders for collaborative filtering: train, evaluate honestly, recommend."""

import os as _os

from aerec._lazy import lazy_exports
from aerec._version import __version__ as __version__

if "OMP_WAIT_POLICY" not in _os.environ:
    # PyTorch's threads (GNU's OpenMP, which reads this when it is loaded) wait for each other some hundred times in a
    # step, by default without giving way: where other programs want the cores, a fit then takes many times as long.
    _os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__getattr__, __dir__, __all__ = lazy_exports(__name__)

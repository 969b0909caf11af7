"""Autoencoder recommenders for collaborative filtering: train, evaluate honestly, recommend."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from aerec._version import __version__

if TYPE_CHECKING:
    from aerec.evaluation import compare, evaluate
    from aerec.interactions import Interactions
    from aerec.recommender.base import Recommender
    from aerec.registry import load_model

__all__ = ["Interactions", "Recommender", "__version__", "compare", "evaluate", "load_model"]

_PLACES = {
    "Interactions": "aerec.interactions",
    "Recommender": "aerec.recommender.base",
    "compare": "aerec.evaluation",
    "evaluate": "aerec.evaluation",
    "load_model": "aerec.registry",
}
"""Public name → the module that is imported when it is asked for: the command line starts without any of them."""


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_PLACES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

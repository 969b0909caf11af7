"""Autoencoder recommenders for collaborative filtering: train, evaluate honestly, recommend."""

from __future__ import annotations

from aerec._version import __version__
from aerec.evaluation import compare, evaluate
from aerec.interactions import Interactions
from aerec.registry import load_model

__all__ = ["Interactions", "__version__", "compare", "evaluate", "load_model"]

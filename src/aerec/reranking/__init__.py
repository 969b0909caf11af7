"""Rerankers: from a long list of a user to a short one that is diverse, calibrated, or fair to what is little known."""

from __future__ import annotations

from aerec.reranking.base import Reranker
from aerec.reranking.calibration import Calibration
from aerec.reranking.exposure import MinimumExposure, popularity_labels
from aerec.reranking.mmr import MaximalMarginalRelevance

__all__ = ["Calibration", "MaximalMarginalRelevance", "MinimumExposure", "Reranker", "popularity_labels"]

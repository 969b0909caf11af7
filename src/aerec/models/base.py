"""Recommender by its documented path; it lives in `aerec.recommender.base`."""

from aerec.recommender.base import Recommender

__all__ = ["Recommender"]

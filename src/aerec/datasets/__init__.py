"""Ratings from files, from the catalogue, and generated ones."""

from __future__ import annotations

from aerec.datasets.readers import read_parts, read_ratings

__all__ = ["read_parts", "read_ratings"]

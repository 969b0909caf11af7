"""The ratings of the numerical tests."""

from dense_ratings import history, ratings

__all__ = ["history", "ratings"]

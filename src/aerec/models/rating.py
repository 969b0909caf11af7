"""RatingPredictor by its documented path; it lives in `aerec.recommender.rating`."""

from aerec.recommender.rating import RatingPredictor

__all__ = ["RatingPredictor"]

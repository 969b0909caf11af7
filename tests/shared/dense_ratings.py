"""Ratings for the numerical tests: dense, so that a reference can be written in plain numpy."""

import numpy as np
import pytest


@pytest.fixture
def ratings():
    """60 users, 15 items; real numbers from 1 to 5, so that no two similarities are equal; 0 is not rated."""
    rng = np.random.default_rng(7)
    rated = rng.random((60, 15)) < np.linspace(0.6, 0.15, 15)
    return np.where(rated, rng.uniform(1, 5, size=rated.shape), 0).astype(np.float32).astype(np.float64)


@pytest.fixture
def history(ratings):
    """Four new users, the first of them without a rating."""
    rng = np.random.default_rng(8)
    values = np.where(rng.random((4, ratings.shape[1])) < 0.4, rng.uniform(1, 5, size=(4, ratings.shape[1])), 0)
    values[0] = 0
    return values.astype(np.float32).astype(np.float64)

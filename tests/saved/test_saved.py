"""Models that version 0.1 saved load, and score as they did; `make.py` beside this wrote them."""

from pathlib import Path

import numpy as np
import pytest

from aerec import Interactions, load_model

HERE = Path(__file__).parent
SCORES = np.load(HERE / "scores.npz")


def ratings():
    rng = np.random.default_rng(0)
    values = np.where(rng.random((20, 8)) < 0.5, rng.integers(1, 6, (20, 8)), 0)
    values[-1] = 0
    return Interactions.from_matrix(values, [f"u{at}" for at in range(20)], 10 * np.arange(8))


@pytest.mark.parametrize("name", SCORES.files)
def test_a_model_of_the_first_version_loads_and_scores_the_same(name, tmp_path):
    model = load_model(HERE / name)
    np.testing.assert_allclose(model.score_items(ratings()), SCORES[name], rtol=1e-5, atol=1e-6)
    if hasattr(model, "partial_fit") and name != "ease":
        model.partial_fit(ratings())
    model.save(tmp_path)
    np.testing.assert_array_equal(load_model(tmp_path).score_items(ratings()), model.score_items(ratings()))

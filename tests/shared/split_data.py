"""Ratings to be split, and the rows of parts side by side."""

import numpy as np
import pandas as pd

from aerec import Interactions


def generated(n_users=30, n_items=20, seed=0, times=True):
    rng = np.random.default_rng(seed)
    user, item = np.nonzero(rng.random((n_users, n_items)) < 0.4)
    frame = pd.DataFrame({"user": user, "item": item + 50, "rating": 1.0})
    return Interactions.from_frame(frame.assign(timestamp=rng.integers(0, 9, len(user))) if times else frame)


def rows(*parts):
    return sorted(row for part in parts for row in part.to_frame().itertuples(index=False, name=None))

"""Ratings to be split, and the rows of parts side by side."""

from fractions import Fraction

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from aerec import Interactions

tenths = st.integers(1, 9).map(lambda n: Fraction(n, 10))


@st.composite
def ratings(draw, max_size=40):
    pairs = draw(
        st.lists(st.tuples(st.integers(0, 8), st.integers(10, 20)), min_size=1, max_size=max_size, unique=True)
    )
    frame = pd.DataFrame(pairs, columns=["user", "item"])
    frame["rating"] = draw(st.lists(st.integers(1, 5), min_size=len(pairs), max_size=len(pairs)))
    return frame


def generated(n_users=30, n_items=20, seed=0, times=True):
    rng = np.random.default_rng(seed)
    user, item = np.nonzero(rng.random((n_users, n_items)) < 0.4)
    frame = pd.DataFrame({"user": user, "item": item + 50, "rating": 1.0})
    return Interactions.from_frame(frame.assign(timestamp=rng.integers(0, 9, len(user))) if times else frame)


def rows(*parts):
    return sorted(row for part in parts for row in part.to_frame().itertuples(index=False, name=None))

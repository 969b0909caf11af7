"""Features of items: those of the data, its genres, or what is given by id or by column."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from aerec import Interactions
from aerec.errors import DataError
from aerec.reranking.features import features_of

FRAME = pd.DataFrame({"user": 1, "item": [*"abc"], "rating": 1.0})


def test_genres_are_a_column_each():
    data = Interactions.from_frame(FRAME, item_genres={"a": ("drama", "war"), "c": ("war",)})
    assert features_of(data, None).toarray().tolist() == [[1, 1], [0, 0], [0, 1]]


def test_features_of_the_data_go_before_genres():
    data = Interactions.from_frame(FRAME, item_genres={"a": ("drama",)})
    described = data.with_item_features(sp.csr_array([[2.0], [0.0], [3.0]]))
    assert features_of(described, None).toarray().tolist() == [[2], [0], [3]]
    assert features_of(described, None, genres_first=True).toarray().tolist() == [[1], [0], [0]]
    without = Interactions.from_frame(FRAME).with_item_features(sp.csr_array([[2.0], [0.0], [3.0]]))
    assert features_of(without, None, genres_first=True).toarray().tolist() == [[2], [0], [3]]


def test_a_frame_goes_by_id_and_a_matrix_by_column():
    data = Interactions.from_frame(FRAME)
    by_id = features_of(data, pd.DataFrame({"x": [1.0, 2.0], "y": [0.0, 4.0]}, index=["c", "a"]))
    assert by_id.tolist() == [[2, 4], [0, 0], [1, 0]]
    dense = np.arange(6).reshape(3, 2)
    assert features_of(data, dense).tolist() == dense.tolist()
    assert features_of(data, sp.csr_array(dense)).toarray().tolist() == dense.tolist()


def test_one_item_described_twice_is_refused():
    with pytest.raises(DataError, match="item ids of data as its index, each once"):
        features_of(Interactions.from_frame(FRAME), pd.DataFrame({"x": [1, 2]}, index=["a", "a"]))

"""Frames and arrays: what comes in as one goes out as the same."""

import numpy as np
import pandas as pd
import pytest

from aerec import Interactions
from aerec.baselines import ItemKNN
from aerec.datasets import load_dataset
from aerec.errors import DataError
from aerec.reranking import Calibration, MaximalMarginalRelevance, MinimumExposure, popularity_labels

RERANKERS = [MaximalMarginalRelevance(0.4), Calibration(0.6), MinimumExposure({"tail": 0.3})]


@pytest.fixture(scope="module")
def films():
    return load_dataset("sample").binarize(4.0).filter(5)


@pytest.fixture(scope="module")
def model(films):
    return ItemKNN(k=20).fit(films)


@pytest.mark.parametrize("reranker", RERANKERS, ids=repr)
def test_frames_and_arrays_agree(films, model, reranker):
    frame = reranker.rerank(model.recommend(films, k=40), films, 8)
    indices, scores = reranker.rerank(model.rank(films, 40), films, 8)
    assert frame["item"].tolist() == films.items[indices[indices >= 0]].tolist()
    assert frame["score"].tolist() == scores[indices >= 0].tolist()
    assert frame["user"].tolist() == films.users[np.nonzero(indices >= 0)[0]].tolist()
    assert frame["rank"].tolist() == (np.nonzero(indices >= 0)[1] + 1).tolist()
    assert indices.dtype == np.int64
    assert scores.dtype == np.float32


@pytest.mark.parametrize("reranker", RERANKERS, ids=repr)
def test_the_items_of_a_list_are_among_the_candidates_once(films, model, reranker):
    candidates = model.rank(films, 15)
    for k in (None, 5, 15, 20):
        indices, scores = reranker.rerank(candidates, films, k)
        assert indices.shape == scores.shape == (films.shape[0], 15 if k is None else k)
        for new, old in zip(indices.tolist(), candidates[0].tolist(), strict=True):
            shown, known = ([item for item in row if item >= 0] for row in (new, old))
            assert len(set(shown)) == len(shown) == min(len(known), len(new))
            assert set(shown) <= set(known)
        assert ((indices < 0) == np.isneginf(scores)).all()


@pytest.mark.parametrize("reranker", RERANKERS, ids=repr)
def test_the_order_of_the_rows_of_a_frame_does_not_matter(films, model, reranker):
    few = films.select_users(films.users[:6])
    frame = model.recommend(few, k=10).assign(title=lambda frame: "film " + frame["item"].astype(str))
    expected = reranker.rerank(frame, films, 4)
    assert list(expected.columns) == ["user", "item", "rank", "score", "title"]
    for seed in range(3):
        found = reranker.rerank(frame.sample(frac=1, random_state=seed), films, 4)
        pd.testing.assert_frame_equal(found.sort_values(["user", "rank"], ignore_index=True), expected)
        assert (found["title"] == "film " + found["item"].astype(str)).all()


@pytest.mark.parametrize("reranker", RERANKERS, ids=repr)
def test_nothing_in_nothing_out(films, model, reranker):
    frame, labels = model.recommend(films, k=3).iloc[:0], popularity_labels(films)
    assert reranker.rerank(frame, films, 3).columns.tolist() == frame.columns.tolist()
    nobody = films.select_users([])
    more = {"features": labels} if isinstance(reranker, MinimumExposure) else {}
    indices, scores = reranker.rerank(model.rank(nobody, 5), nobody, 3, **more)
    assert indices.shape == scores.shape == (0, 3)


def test_what_does_not_fit_is_refused(films, model):
    frame, (indices, scores) = model.recommend(films, k=5), model.rank(films, 5)
    mmr, width = MaximalMarginalRelevance(), films.shape[1]
    refused = [
        (lambda: mmr.rerank(frame, films, 0), ValueError, "k must be a whole number of at least 1, got 0"),
        (lambda: mmr.rerank(frame.drop(columns="rank"), films), DataError, "the frame lacks rank"),
        (lambda: mmr.rerank(frame.assign(item=-7), films), DataError, "item -7 is not among the items of data"),
        (lambda: mmr.rerank((indices[:3], scores[:3]), films), DataError, r"indices \(3, 5\) and scores"),
        (lambda: mmr.rerank((indices + 9999, scores), films), DataError, "indices are columns of data"),
        (lambda: mmr.rerank(frame, films, features=np.ones((3, 2))), DataError, r"the features are \(3, 2\), expected"),
        (lambda: mmr.rerank(frame, films, features=np.full((width, 2), np.nan)), DataError, "NaN or infinite"),
        (lambda: mmr.rerank(frame, films, features=pd.DataFrame({"x": [1]}, [-5])), DataError, "item ids of data"),
        (lambda: Calibration().rerank(frame.assign(user=-1), films), DataError, "no history of some of the users"),
    ]
    for call, error, message in refused:
        with pytest.raises(error, match=message):
            call()
    plain = Interactions.from_matrix(films.matrix, films.users, films.items)
    with pytest.raises(DataError, match="data has neither item features nor genres; give features="):
        mmr.rerank(frame, plain)

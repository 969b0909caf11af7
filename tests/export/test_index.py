"""A search in the index finds what the model recommends."""

import hashlib
import json
import sys

import numpy as np
import pytest

from aerec.baselines import ALS, BPR, BiasedMF, PureSVD
from aerec.datasets import load_dataset
from aerec.errors import DataError, MissingExtraError
from aerec.export import export_index, query_vectors
from aerec.models import EASE, ELSA, MultVAE

usearch = pytest.importorskip("usearch.index")
K = 10
MODELS = {
    "elsa": lambda: ELSA(n_factors=16, epochs=5, progress=False),
    "als": lambda: ALS(n_factors=16, epochs=3),
    "bpr": lambda: BPR(n_factors=16, epochs=3),
    "pure-svd": lambda: PureSVD(n_factors=16),
    "mult-vae": lambda: MultVAE(hidden=(32, 16), epochs=20, progress=False),
    "biased-mf": lambda: BiasedMF(n_factors=8, epochs=3),
}


@pytest.fixture(scope="module")
def ratings():
    data = load_dataset("sample")
    return data.select_users(data.users[:400])


@pytest.fixture(scope="module")
def likes(ratings):
    return ratings.binarize(4.0)


def found_in(index, model, history, *, exact):
    """The K best items of each user that are not in their history, by the index alone."""
    wanted = K + int(np.diff(history.matrix.indptr).max())
    matches = index.search(query_vectors(model, history), wanted, exact=exact)
    best = []
    for row, keys in enumerate(matches.keys):
        seen = set(history.matrix[[row]].indices.tolist())
        best.append([int(key) for key in keys if int(key) not in seen][:K])
    return np.array(best)


@pytest.mark.parametrize("name", MODELS)
def test_a_search_gives_the_top_k_of_the_model(ratings, likes, tmp_path, name):
    data = ratings if name == "biased-mf" else likes
    model = MODELS[name]().fit(data)
    export_index(model, tmp_path / "items.usearch")
    index = usearch.Index.restore(str(tmp_path / "items.usearch"))
    told = json.loads((tmp_path / "items.usearch.json").read_text(encoding="utf-8"))
    assert len(index) == len(told["items"]) == model.n_features_in_
    assert index.ndim == told["n_dimensions"]
    assert told["sha256"] == hashlib.sha256((tmp_path / "items.usearch").read_bytes()).hexdigest()

    users = data.select_users(data.users[:50])
    expected = model.recommend(users, K)["item"].to_numpy().reshape(-1, K)
    exact = np.array(told["items"])[found_in(index, model, users, exact=True)]
    np.testing.assert_array_equal(exact, expected)
    near = np.array(told["items"])[found_in(index, model, users, exact=False)]
    shared = [len(set(one) & set(other)) for one, other in zip(near, expected, strict=True)]
    assert np.mean(shared) / K > 0.98


def test_the_same_model_gives_the_same_file(likes, tmp_path):
    model = PureSVD(n_factors=4).fit(likes)
    for name in ("one", "two"):
        export_index(model, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_text_ids_and_no_ids(likes, tmp_path):
    export_index(PureSVD(n_factors=4).fit(likes.matrix), tmp_path / "items.usearch")
    told = json.loads((tmp_path / "items.usearch.json").read_text())
    assert told["items"] == list(range(likes.shape[1]))
    frame = likes.to_frame()
    frame["item"] = "é" + frame["item"].astype(str)
    named = PureSVD(n_factors=4).fit(type(likes).from_frame(frame))
    export_index(named, tmp_path / "items.usearch")
    assert json.loads((tmp_path / "items.usearch.json").read_text(encoding="utf-8"))["items"] == named.items_.tolist()


def test_bad_places_and_models_are_refused_and_nothing_is_left(likes, tmp_path):
    model = PureSVD(n_factors=4).fit(likes)
    with pytest.raises(DataError, match="is a folder"):
        export_index(model, tmp_path)
    with pytest.raises(DataError, match="is no folder"):
        export_index(model, tmp_path / "missing" / "items")
    with pytest.raises(ValueError, match="EASE has no vectors of items"):
        export_index(EASE().fit(likes), tmp_path / "items")
    assert not list(tmp_path.iterdir())


def test_without_usearch_the_pip_line_is_given(likes, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "usearch", None)
    with pytest.raises(MissingExtraError, match=r"needs the package usearch.index.*pip install 'aerec\[export\]'"):
        export_index(PureSVD(n_factors=4).fit(likes), tmp_path / "items")

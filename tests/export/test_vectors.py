"""Inner products of item and query vectors are the scores, up to a number per user."""

import numpy as np
import pytest

from aerec.baselines import ALS, BPR, NMF, BiasedMF, Popularity, PureSVD
from aerec.datasets import load_dataset
from aerec.export import item_vectors, query_vectors
from aerec.models import CDAE, EASE, ELSA, Autoencoder, AutoRec, MultVAE, RecVAE

QUICK = {"epochs": 2, "progress": False}
LIKES = {
    "elsa": lambda: ELSA(n_factors=4, **QUICK),
    "als": lambda: ALS(n_factors=4, epochs=2),
    "bpr": lambda: BPR(n_factors=4, epochs=2),
    "nmf": lambda: NMF(n_factors=4),
    "pure-svd": lambda: PureSVD(n_factors=4),
    "cdae": lambda: CDAE(hidden=4, **QUICK),
    "mult-vae": lambda: MultVAE(hidden=(8, 4), **QUICK),
    "rec-vae": lambda: RecVAE(hidden=(6, 3), **QUICK),
    "tied": lambda: Autoencoder(hidden=(8, 4), tied=True, **QUICK),
}
RATINGS = {
    "biased-mf": lambda: BiasedMF(n_factors=3, epochs=2),
    "autorec": lambda: AutoRec(hidden=4, orientation="user", biases=True, **QUICK),
}


@pytest.fixture(scope="module")
def ratings():
    data = load_dataset("sample")
    return data.select_users(data.users[:120]).filter(0, 30)


@pytest.mark.parametrize("name", [*LIKES, *RATINGS])
@pytest.mark.parametrize("known", [True, False], ids=["known", "new"])
def test_inner_products_are_scores_up_to_a_number_per_user(ratings, name, known):
    data = ratings if name in RATINGS else ratings.binarize(4.0)
    model = {**LIKES, **RATINGS}[name]().fit(data)
    users = data.select_users(data.users[:9])
    history = users if known else users.matrix
    products = query_vectors(model, history) @ item_vectors(model).T
    scores = model.score_items(history)
    if name == "elsa":
        squares = np.square(item_vectors(model)).sum(axis=1)
        scores = scores + users.matrix.toarray() * squares / np.square(model.item_scale_)
    difference = scores - products
    np.testing.assert_allclose(difference, difference[:, :1] + 0 * difference, atol=2e-5)
    if name not in RATINGS:
        np.testing.assert_allclose(difference, 0, atol=2e-5)


def test_nobody_has_no_vectors(ratings):
    likes = ratings.binarize(4.0)
    model = MultVAE(hidden=(8, 4), **QUICK).fit(likes)
    assert query_vectors(model, likes.select_users([])).shape == (0, 9)


@pytest.mark.parametrize(
    "make",
    [
        lambda: EASE(),
        lambda: Popularity(),
        lambda: AutoRec(hidden=2, **QUICK),
    ],
    ids=["ease", "popularity", "autorec"],
)
def test_models_without_vectors_name_those_that_have_them(ratings, make):
    with pytest.raises(
        ValueError, match="has no vectors of items to export; those that have are ELSA, SparseELSA, ALS"
    ):
        item_vectors(make().fit(ratings.binarize(4.0)))

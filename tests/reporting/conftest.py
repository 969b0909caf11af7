"""Results of three small models on generated films, measured once; not to be changed."""

import copy

import pytest

from aerec.baselines import BiasBaseline, Popularity
from aerec.datasets import generate_interactions
from aerec.models import EASE, AutoRec, SparseAutoencoder
from aerec.reporting import measure_models
from aerec.sparsity import TopKSparsity
from aerec.splitting import RandomHoldout, StrongGeneralization


@pytest.fixture(scope="session")
def films():
    return generate_interactions(150, 60, 2600, seed=3)


@pytest.fixture(scope="session")
def split(films):
    return StrongGeneralization(n_users=30, seed=1).split(films.binarize(4.0).filter(5))


@pytest.fixture(scope="session")
def fitted(split):
    sparse = SparseAutoencoder(
        hidden=8, activation="relu", sparsity=TopKSparsity(2), epochs=3, batch_size=32, progress=False
    )
    models = {"popularity": Popularity(), "ease": EASE(l2=20.0), "sparse": sparse}
    return {name: model.fit(split.train, split.validation) for name, model in models.items()}


@pytest.fixture(scope="session")
def measured(fitted, split):
    seconds = {"popularity": 0.001, "ease": 0.2, "sparse": 3.0}
    metrics = ("recall@10", "ndcg@20", "coverage@10")
    return measure_models(
        fitted, split, metrics, data="films", split_name="strong (n_users=30)", seed=1, fit_seconds=seconds
    )


@pytest.fixture
def results(measured):
    """A copy, which may be changed."""
    return copy.deepcopy(measured)


@pytest.fixture(scope="session")
def rating_split(films):
    return RandomHoldout(per_user=False, seed=1).split(films)


@pytest.fixture(scope="session")
def rating_models(rating_split):
    models = {"bias": BiasBaseline(), "autorec": AutoRec(hidden=4, orientation="item", epochs=2, progress=False)}
    return {name: model.fit(rating_split.train, rating_split.validation) for name, model in models.items()}

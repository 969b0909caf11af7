import numpy as np
import pytest

from aerec import evaluate, load_model
from aerec.baselines import BiasBaseline, BiasedMF
from aerec.datasets import load_dataset
from aerec.errors import DataError
from aerec.models import EASE, AutoRec, RatingBlend
from aerec.splitting import Holdout, RandomHoldout

PARTS = (BiasBaseline(), BiasedMF(n_factors=4, epochs=3), AutoRec(hidden=8, epochs=3, progress=False))


@pytest.fixture(scope="module")
def split():
    return RandomHoldout(0.1, validation_fraction=0.1, seed=0).split(load_dataset("sample"))


@pytest.fixture(scope="module")
def fitted(split):
    return RatingBlend(PARTS).fit(split.train, split.validation)


def test_predictions_are_the_weighted_mean(split):
    model = RatingBlend(PARTS[:2], weights=[1, 3]).fit(split.train)
    pairs = split.test.target.to_frame()
    users, items = pairs["user"], pairs["item"]
    parts = [part.fit(split.train).predict(users, items).astype(np.float64) for part in map(clone_of, PARTS[:2])]
    np.testing.assert_allclose(model.predict(users, items), 0.25 * parts[0] + 0.75 * parts[1], atol=1e-4)


def clone_of(model):
    return type(model)(**model.get_params(deep=False))


def test_no_mixture_does_better_on_the_validation_ratings(fitted, split):
    pairs = split.validation.target.to_frame()
    parts = np.stack([part.predict(pairs["user"], pairs["item"]) for part in fitted.models_]).astype(np.float64)

    def mse(weights):
        return np.mean((weights @ parts - pairs["rating"].to_numpy()) ** 2)

    assert fitted.weights_.sum() == pytest.approx(1)
    assert (fitted.weights_ >= 0).all()
    others = np.random.default_rng(0).dirichlet(np.ones(3), size=200)
    assert mse(fitted.weights_) <= min(map(mse, [*others, *np.eye(3)])) + 1e-6


def test_without_validation_ratings_weights_are_those_of_a_tenth_set_apart(split):
    apart = RandomHoldout(0.1, validation_fraction=0.0).split(split.train)
    expected = RatingBlend(PARTS[:2]).fit(apart.train, apart.test).weights_
    model = RatingBlend(PARTS[:2]).fit(split.train)
    np.testing.assert_allclose(model.weights_, expected)
    assert model.weights_[1] != pytest.approx(0.5, abs=0.01)
    pairs = split.test.target.to_frame()
    whole = PARTS[0].fit(split.train).predict(pairs["user"], pairs["item"])  # the models know all ratings
    np.testing.assert_array_equal(model.models_[0].predict(pairs["user"], pairs["item"]), whole)


def test_a_few_ratings_are_blended_equally(split):
    few = split.train.select_users(split.train.users[:1])
    assert few.n_ratings < 100
    np.testing.assert_array_equal(RatingBlend([BiasBaseline(), BiasBaseline()]).fit(few).weights_, [0.5, 0.5])


def test_it_is_measured_saved_and_loaded_like_any_rating_model(fitted, split, tmp_path):
    assert evaluate(fitted, split.test, "rmse").mean["rmse"] < 1.2
    fitted.save(tmp_path / "blend")
    loaded = load_model(tmp_path / "blend")
    pairs = split.test.target.to_frame()
    given = pairs["user"], pairs["item"]
    np.testing.assert_array_equal(loaded.predict(*given), fitted.predict(*given))
    new_user = split.test.history.select_users(split.test.history.users[:3])
    np.testing.assert_array_equal(loaded.score_items(new_user), fitted.score_items(new_user))


def test_a_model_that_only_ranks_is_refused(split):
    with pytest.raises(ValueError, match="EASE ranks items only, use Blend"):
        RatingBlend([BiasBaseline(), EASE()]).fit(split.train)


def test_weights_without_a_rating_to_choose_them_by_are_refused(split):
    nothing = Holdout(split.train, split.train.keep(np.zeros(split.train.n_ratings, dtype=bool)))
    with pytest.raises(DataError, match="give weights="):
        RatingBlend(PARTS[:2]).fit(split.train, nothing)


def test_by_default_it_blends_the_two_orientations_of_autorec():
    parts = RatingBlend()._unfitted()  # whose training takes long
    assert [(type(part), part.orientation) for part in parts] == [(AutoRec, "item"), (AutoRec, "user")]

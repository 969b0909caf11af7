import numpy as np
import pytest

from aerec.datasets import load_dataset
from aerec.errors import DataError
from aerec.models import AutoRec, MultVAE, SparseAutoencoder
from aerec.sparsity import TopKSparsity


@pytest.fixture(scope="module")
def likes():
    return load_dataset("sample").binarize(4.0)


@pytest.fixture(scope="module")
def model(likes):
    given = {"hidden": 32, "activation": "relu", "sparsity": TopKSparsity(6), "normalize": True, "epochs": 30}
    return SparseAutoencoder(**given, learning_rate=5e-3, batch_size=100, progress=False).fit(likes)


def test_a_unit_stands_for_the_items_of_its_largest_output_weights(model, likes):
    column = model.coefs_[1][3]
    found = model.describe_code(3, n=5)
    best = np.argsort(-column, kind="stable")[:5]
    assert found["item"].tolist() == likes.items[best].tolist()
    np.testing.assert_allclose(found["weight"], column[best], atol=1e-5)


def test_a_negative_unit_stands_for_the_items_that_a_positive_one_speaks_against(model, likes):
    column = model.coefs_[1][3]
    found = model.describe_code(3, n=5, activation=-1.0)
    assert found["item"].tolist() == likes.items[np.argsort(column, kind="stable")[:5]].tolist()


def test_contributions_of_units_and_the_bias_add_up_to_the_score(model, likes):
    history = likes.select_users(likes.users[:1])
    item = likes.items[17]
    found = model.explain_code(history, item)
    assert 0 < len(found) <= 6
    code = model.transform(history)[0]
    np.testing.assert_allclose(code[found["unit"]], found["activation"])
    assert found["contribution"].is_monotonic_decreasing
    score = model.score_items(history)[0, 17]
    assert found["contribution"].sum() + model.intercepts_[-1][17] == pytest.approx(score, abs=1e-4)
    assert model.explain_code(history, item, n=2).equals(found.head(2))


def test_deep_decoders_are_read_by_leaving_units_out(likes):
    model = MultVAE(hidden=(16, 4), epochs=3, progress=False).fit(likes)
    history = likes.select_users(likes.users[:1])
    found = model.explain_code(history, likes.items[0]).set_index("unit")["contribution"]
    code = model.transform(history)
    for unit in range(4):
        other = code.copy()
        other[0, unit] = 0
        logs = [np.log(model.generate(one)[0]) for one in (code, other)]
        # log-probabilities are logits up to a constant of the row, which the second item takes out
        expected = (logs[0][0] - logs[0][1]) - (logs[1][0] - logs[1][1])
        second = model.explain_code(history, likes.items[1]).set_index("unit")["contribution"]
        assert found[unit] - second[unit] == pytest.approx(expected, abs=1e-4)


def test_taking_out_the_named_items_lowers_the_score_more_than_taking_out_others(model, likes):
    rng = np.random.default_rng(0)
    falls_named, falls_random = [], []
    for user in likes.users[:40]:
        history = likes.select_users([user])
        if history.n_ratings < 8:
            continue
        best = model.recommend(history, k=1)["item"].iloc[0]
        column = likes.items.get_loc(best)
        before = model.score_items(history)[0, column]
        named = model.explain(history, best, n=3)["item"]
        seen = likes.items[history.matrix.indices]
        drawn = rng.choice(seen, 3, replace=False)
        for falls, out in ((falls_named, named), (falls_random, drawn)):
            rest = history.keep(~np.isin(seen, out))
            falls.append(before - model.score_items(rest)[0, column])
    assert len(falls_named) > 20
    assert np.mean(falls_named) > 2 * np.mean(falls_random)


def test_unknown_units_several_users_and_codes_of_items_are_refused(model, likes):
    with pytest.raises(ValueError, match="from 0 to 31"):
        model.describe_code(32)
    with pytest.raises(DataError, match="one user"):
        model.explain_code(likes, likes.items[0])
    ratings = load_dataset("sample")
    rated = AutoRec(hidden=4, epochs=1, progress=False).fit(ratings)
    with pytest.raises(DataError, match="use explain"):
        rated.describe_code(0)

"""warm_start: known items and users keep their rows, new ones begin as in a first fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from aerec import Interactions, load_model
from aerec.baselines import Popularity
from aerec.errors import DataError
from aerec.models import CDAE, ELSA, Autoencoder, AutoRec, MultDAE, MultVAE, RecVAE
from aerec.models.warm_start import matched, variable_axes

QUICK = {"epochs": 2, "batch_size": 8, "progress": False}
MODELS = {
    "tied": Autoencoder(hidden=4, tied=True, **QUICK),
    "deep": MultDAE(hidden=(5, 4), **QUICK),
    "vae": MultVAE(hidden=(5, 4), **QUICK),
    "recvae": RecVAE(hidden=(5, 4), ema_decay=0.0, **QUICK),  # its prior knows the last epoch, not the average
    "elsa": ELSA(n_factors=4, item_scale=0, shrinkage=0, **QUICK),
    "cdae": CDAE(hidden=4, **QUICK),
    "autorec user": AutoRec(hidden=4, orientation="user", **QUICK),
    "autorec item": AutoRec(hidden=4, orientation="item", **QUICK),
}


def data(items, n_users=20, first=0):
    """Rate by rules that hold for an item wherever its column stands."""
    names = sorted(items)
    users = [f"u{at:02d}" for at in range(first, first + n_users)]
    rated = [[(hash_of(user, item) % 5) * (hash_of(item, user) % 3 > 0) for item in names] for user in users]
    return Interactions.from_matrix(rated, users=users, items=names)


def hash_of(one, other):
    return sum(map(ord, one)) * 31 + sum(map(ord, other)) * 17


def standing_still(model):
    """Make steps that change nothing one can see."""
    return model.set_params(learning_rate=1e-12, epochs=1)


@pytest.mark.parametrize("name", MODELS)
def test_known_rows_stay_and_new_rows_begin_as_in_a_first_fit(name, tmp_path):
    from sklearn.base import clone

    first, second = data("bdfh"), data("abcdfg", n_users=24, first=4)
    if not name.startswith("autorec"):
        first, second = first.binarize(1.0), second.binarize(1.0)
    model = clone(MODELS[name]).fit(first)
    model.save(tmp_path)
    fresh = standing_still(clone(model)).fit(second)
    axes = variable_axes(model._build, bool(model.network_.architecture.n_users))
    inputs = (first.users, second.users) if name == "autorec item" else (first.items, second.items)
    rows = {"items": inputs, "users": (first.users, second.users)}
    assert {kind for each in axes.values() for kind in each} >= {"items", None} - ({None} if name == "elsa" else set())
    for warm in (model, load_model(tmp_path)):
        before = {key: values.clone() for key, values in warm.network_.state_dict().items()}
        standing_still(warm).fit(second, warm_start=True)
        assert warm.items_.equals(second.items)
        for key, values in warm.network_.state_dict().items():
            kinds = [kind for kind in axes[key] if kind]
            if not kinds:
                assert values.numpy() == pytest.approx(before[key].numpy(), abs=1e-6)
                continue
            axis = axes[key].index(kinds[0])
            old, new = rows[kinds[0]]
            values, was, begins = (
                np.moveaxis(each.numpy(), axis, 0) for each in (values, before[key], fresh.network_.state_dict()[key])
            )
            for at, identifier in enumerate(new):
                expected = was[old.get_loc(identifier)] if identifier in old else begins[at]
                assert values[at] == pytest.approx(expected, abs=1e-6), (key, identifier)


def test_how_many_are_new_is_logged(caplog):
    model = CDAE(hidden=3, **QUICK).fit(data("abc").binarize(1.0))
    with caplog.at_level("INFO", logger="aerec"):
        model.fit(data("abcde", n_users=25).binarize(1.0), warm_start=True)
    assert "CDAE goes on from 3 known and begins with 2 new items, 20 known and 5 new users" in caplog.messages


def test_without_an_earlier_fit_it_is_a_first_fit():
    train = data("abcd").binarize(1.0)
    warm, cold = (MultDAE(hidden=3, **QUICK).fit(train, warm_start=flag) for flag in (True, False))
    assert np.array_equal(warm.score_items(train), cold.score_items(train))
    again = warm.fit(train)  # warm_start=False is anew
    assert np.array_equal(again.score_items(train), cold.score_items(train))


def test_a_matrix_is_matched_by_its_columns():
    first, second = data("abcd").binarize(1.0).matrix, data("abcdef").binarize(1.0).matrix
    model = standing_still(MultDAE(hidden=3, **QUICK).fit(first))
    vectors = model.scorer_.item_vectors()
    model.fit(second, warm_start=True)
    assert model.scorer_.item_vectors()[:4] == pytest.approx(vectors, abs=1e-6)
    with pytest.raises(DataError, match="the second fit was on an Interactions, the first on a matrix"):
        model.fit(data("abcd").binarize(1.0), warm_start=True)


def test_what_made_the_network_may_not_change(tmp_path):
    train = data("abcd").binarize(1.0)
    model = MultDAE(hidden=3, **QUICK).fit(train)
    scores = model.score_items(train)
    with pytest.raises(ValueError, match="other parameters than those of now"):
        model.set_params(hidden=5).fit(train, warm_start=True)
    assert np.array_equal(model.score_items(train), scores)
    with pytest.raises(ValueError, match="give one of them"):
        model.set_params(hidden=3).fit(train, warm_start=True, checkpoint=tmp_path)
    with pytest.raises(TypeError, match="warm_start"):
        Popularity().fit(train, warm_start=True)


def test_ids_are_matched_whatever_their_order():
    stays, where = matched(pd.Index(["c", "a"]), pd.Index(["a", "b", "c"]), 2, 3, "items")
    assert stays.tolist() == [1, 0]
    assert where.tolist() == [0, 2]


def test_kl_annealing_goes_on():
    likes = data("abcdfg").binarize(1.0)
    model = MultVAE(hidden=4, kl_weight=0.5, kl_annealing_steps=4, **QUICK).fit(likes)  # 3 steps an epoch
    weights = [
        (record["cost"] - record["likelihood"]) / record["kl"]
        for fitted in (model.history_, model.fit(likes, warm_start=True).history_)
        for record in fitted.to_dict("records")
    ]
    assert weights[0] < 0.4
    assert weights[2:] == pytest.approx([0.5, 0.5], rel=1e-3)


def test_vectors_of_elsa_stay_as_long_as_they_were(tmp_path):
    likes = data("abcdfg").binarize(1.0)
    model = ELSA(n_factors=4, learning_rate=0.1, **{**QUICK, "epochs": 30}).fit(likes)
    model.save(tmp_path)
    assert model.network_.row_length > 1.5  # steps at a right angle to a row make it longer
    vectors = model.item_vectors_
    for warm in (load_model(tmp_path), model):
        warm.set_params(epochs=1).fit(likes, warm_start=True)
        turned = np.linalg.norm(warm.item_vectors_ - vectors, axis=1).mean()
        assert turned < 0.8 * np.linalg.norm(_one_epoch_from_unit_rows(likes) - vectors, axis=1).mean()


def _one_epoch_from_unit_rows(likes):
    model = ELSA(n_factors=4, learning_rate=0.1, **{**QUICK, "epochs": 30}).fit(likes)
    model.network_.row_length = 1.0
    return model.set_params(epochs=1).fit(likes, warm_start=True).item_vectors_


def test_items_none_of_which_was_there_before_are_told():
    model = MultDAE(hidden=4, epochs=1, device="cpu", progress=False)
    before, after = (Interactions.from_matrix(np.eye(4) + 1, items=items) for items in ([1, 2, 3, 4], [5, 6, 7, 8]))
    with pytest.warns(UserWarning, match="none of the items was in the training before: they are such as 5, 6, 7"):
        model.fit(before).fit(after, warm_start=True)

"""Saved interactions: what goes in comes out, and every damage is named."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerec import Interactions
from aerec.datasets import generate_interactions
from aerec.datasets.saved import load_interactions, save_interactions
from aerec.errors import DataError, ModelFileError
from aerec.files.storage import read_folder, write_folder


@pytest.fixture(scope="module")
def films():
    return generate_interactions(60, 30, 500, seed=1)


def assert_same(found, expected):
    pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame())
    assert list(found.users) == list(expected.users)
    assert list(found.items) == list(expected.items)
    for name in ("item_names", "item_genres"):
        one, other = getattr(found, name), getattr(expected, name)
        assert (one is None) == (other is None)
        assert one is None or one.to_dict() == other.to_dict()
    assert (found.notes, found.threshold) == (expected.notes, expected.threshold)
    assert (found.item_features is None) == (expected.item_features is None)
    if expected.item_features is not None:
        assert found.feature_names.tolist() == expected.feature_names.tolist()
        assert (found.item_features != expected.item_features).nnz == 0


@pytest.mark.parametrize(
    "ids", [str, lambda number: f"film é {number}", lambda number: number + 0.5], ids=["digits", "text", "float"]
)
def test_ids_keep_their_type(films, tmp_path, ids):
    frame = films.to_frame()
    frame["item"] = frame["item"].map(ids)
    data = Interactions.from_frame(frame)
    save_interactions(data, tmp_path)
    found = load_interactions(tmp_path)
    assert_same(found, data)
    assert {type(one) for one in found.items} == {type(one) for one in data.items}


def test_titles_and_genres_come_back_even_where_some_are_missing(tmp_path):
    data = Interactions(
        np.eye(3),
        pd.Index([1, 2, 3]),
        pd.Index(["a", "b", "c"]),
        item_names=pd.Series({"a": "Léon, the 1st", "b": ""}),
        item_genres=pd.Series({"a": ("Drama", "War"), "c": ("War",)}),
    )
    save_interactions(data, tmp_path, "train")
    found = load_interactions(tmp_path, "train")
    assert found.item_names.to_dict() == {"a": "Léon, the 1st", "b": "", "c": ""}
    assert found.item_genres.to_dict() == {"a": ("Drama", "War"), "b": (), "c": ("War",)}
    assert found.timestamps is None


def test_no_genres_at_all_come_back_as_none_of_them(tmp_path):
    data = Interactions(np.eye(2), pd.Index([1, 2]), pd.Index([3, 4]), item_genres=pd.Series({3: (), 4: ()}))
    save_interactions(data, tmp_path)
    assert load_interactions(tmp_path).item_genres.to_dict() == {3: (), 4: ()}


triples = st.tuples(st.integers(0, 6), st.text(max_size=3), st.sampled_from([0.5, 1.0, 5.0]), st.integers(-9, 2**40))


@settings(max_examples=40, deadline=None)
@given(drawn=st.lists(triples, min_size=1, max_size=15, unique_by=lambda one: one[:2]))
def test_any_ratings_come_back(tmp_path_factory, drawn):
    data = Interactions.from_frame(pd.DataFrame(drawn, columns=["user", "item", "rating", "timestamp"]))
    folder = tmp_path_factory.getbasetemp() / "any_ratings"
    save_interactions(data, folder)
    assert_same(load_interactions(folder), data)


def test_ids_of_mixed_types_are_refused(tmp_path):
    data = Interactions(np.eye(2), pd.Index([1, "a"], dtype=object), pd.Index([3, 4]))
    with pytest.raises(DataError, match="user ids have to be numbers of at most 64 bits or text"):
        save_interactions(data, tmp_path)


def test_missing_interactions_are_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="no test in"):
        load_interactions(tmp_path, "test")


@pytest.mark.parametrize("lost", ["users.ids", "data", "indptr", "genre_codes"])
def test_interactions_that_lack_an_array_are_refused(films, tmp_path, lost):
    save_interactions(films, tmp_path)
    header, tensors = read_folder(tmp_path, "interactions")
    counts = {name: header[name] for name in ("n_users", "n_items")}
    write_folder(tmp_path, "interactions", counts, {name: one for name, one in tensors.items() if name != lost})
    with pytest.raises(ModelFileError, match=r"interactions\.json does not hold interactions"):
        load_interactions(tmp_path)


@pytest.mark.parametrize("counts", [{"n_users": 3, "n_items": 30}, {"n_users": 60}, {"n_users": "60", "n_items": 30}])
def test_interactions_of_another_shape_are_refused(films, tmp_path, counts):
    save_interactions(films, tmp_path)
    write_folder(tmp_path, "interactions", counts, read_folder(tmp_path, "interactions")[1])
    with pytest.raises(ModelFileError, match=r"interactions\.json does not hold interactions"):
        load_interactions(tmp_path)


def swapped(indices):
    indices[:2] = indices[1::-1].copy()


def negative(indices):
    indices[0] = -1


def beyond(indices):
    indices[-1] = 30


def far_beyond(indices):
    indices[-1] = 2**31 - 1


@pytest.mark.parametrize("change", [swapped, negative, beyond, far_beyond])
def test_ratings_out_of_order_or_of_the_catalogue_are_refused(films, tmp_path, change):
    save_interactions(films, tmp_path)
    header, tensors = read_folder(tmp_path, "interactions")
    change(tensors["indices"])
    write_folder(tmp_path, "interactions", {name: header[name] for name in ("n_users", "n_items")}, tensors)
    with pytest.raises(ModelFileError, match=r"interactions\.json does not hold interactions"):
        load_interactions(tmp_path)


def test_infinite_ratings_are_refused(films, tmp_path):
    save_interactions(films, tmp_path)
    header, tensors = read_folder(tmp_path, "interactions")
    tensors["data"] = np.full_like(tensors["data"], np.inf)
    write_folder(tmp_path, "interactions", {name: header[name] for name in ("n_users", "n_items")}, tensors)
    with pytest.raises(ModelFileError, match="NaN and infinite"):
        load_interactions(tmp_path)


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_datetimes_stay_datetimes(tmp_path, zone):
    moments = pd.Series(pd.DatetimeIndex(["2024-07-01T12:00:07", "1999-01-01T00:00:00"])).dt.tz_localize(zone)
    data = Interactions.from_frame(pd.DataFrame({"user": [1, 2], "item": 3, "rating": 1.0, "timestamp": moments}))
    save_interactions(data, tmp_path)
    assert_same(load_interactions(tmp_path), data)
    assert data.to_frame()["timestamp"].tolist() == moments.tolist()


def test_features_and_notes_come_back(films, tmp_path):
    described = films.binarize(3.0).with_item_features(films.item_genres)
    save_interactions(described, tmp_path)
    assert_same(load_interactions(tmp_path), described)
    assert described.item_features.nnz > 0

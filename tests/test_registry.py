"""The registry: names to classes, and the way back from a saved model of any of them."""

import importlib.util
import inspect
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from aerec import Interactions, baselines, models
from aerec.baselines import ItemKNN, Popularity
from aerec.errors import ModelFileError
from aerec.files import storage
from aerec.models.ease import EASE
from aerec.recommender.base import Recommender
from aerec.registry import MODELS, get_model_class, load_model

QUICK = {"epochs": 1, "progress": False, "hidden": 4, "n_factors": 3}


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    values = np.where(rng.random((20, 9)) < 0.4, 1.0, 0.0)
    values[:, 0] = 1
    data = Interactions.from_matrix(values, [f"u{at}" for at in range(20)], [f"i{at}" for at in range(9)])
    return replace(data, timestamps=rng.permutation(data.n_ratings))


def quick(model_class):
    known = inspect.signature(model_class).parameters
    return model_class(**{name: value for name, value in QUICK.items() if name in known})


@pytest.mark.parametrize("name", MODELS)
def test_every_name_is_found_by_command_line_and_class_name(name):
    assert get_model_class(name) is MODELS[name]
    assert get_model_class(name.upper()) is MODELS[name]
    assert get_model_class(MODELS[name].__name__) is MODELS[name]
    assert issubclass(MODELS[name], Recommender)
    assert name == name.lower()
    assert " " not in name


def test_every_recommender_that_is_public_has_a_name():
    public = {getattr(room, name) for room in (baselines, models) for name in room.__all__}
    assert {one for one in public if issubclass(one, Recommender)} == set(MODELS.values())
    assert len(set(MODELS.values())) == len(MODELS)


def test_an_unknown_name_is_told_the_nearest_and_all_there_are():
    with pytest.raises(ValueError, match="unknown model 'easy'; did you mean ease"):
        get_model_class("easy")
    with pytest.raises(ValueError, match="unknown model 'x'; there are als, bias"):
        get_model_class("x")


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_model_comes_back_with_parameters_ids_and_scores(name, data, tmp_path):
    if name in {"als", "bpr"} and importlib.util.find_spec("implicit") is None:
        pytest.skip("needs the package implicit")
    model = quick(MODELS[name]).fit(data)
    model.save(tmp_path / "saved")
    loaded = load_model(tmp_path / "saved")
    assert loaded.get_params() == model.get_params()
    pd.testing.assert_index_equal(loaded.items_, model.items_, check_names=False)
    np.testing.assert_array_equal(loaded.score_items(data), model.score_items(data))
    pd.testing.assert_frame_equal(loaded.recommend(data, k=3), model.recommend(data, k=3))


def test_a_model_of_a_matrix_has_no_ids(data, tmp_path):
    EASE().fit(data.matrix).save(tmp_path)
    assert load_model(tmp_path).items_ is None


def test_a_run_folder_gives_its_model(data, tmp_path):
    Popularity().fit(data).save(tmp_path / "run" / "model")
    assert isinstance(load_model(tmp_path / "run"), Popularity)


class Reversed(Popularity):
    def _score(self, history, known_users):
        return -super()._score(history, known_users)


def test_your_own_class_is_loaded_where_it_is_passed(data, tmp_path):
    model = Reversed().fit(data)
    model.save(tmp_path)
    with pytest.raises(ModelFileError, match=r"holds a Reversed.*load_model\(path, models=\[Reversed\]\)"):
        load_model(tmp_path)
    loaded = load_model(tmp_path, models=[Reversed])
    assert type(loaded) is Reversed
    np.testing.assert_array_equal(loaded.score_items(data), model.score_items(data))


def test_your_own_class_goes_before_that_of_aerec_by_the_same_name(data, tmp_path):
    mine = type("Popularity", (Reversed,), {})
    Popularity().fit(data).save(tmp_path)
    assert type(load_model(tmp_path, models=[mine])) is mine


def test_a_model_that_is_not_fitted_is_not_saved(tmp_path):
    with pytest.raises(NotFittedError):
        EASE().save(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_a_missing_model_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="no model in"):
        load_model(tmp_path / "nowhere")


def saved_header(folder, **changes):
    """Change the header of a saved model and sign it anew, as another version might have written it."""
    header, tensors = storage.read_folder(folder, "model")
    kept = {name: value for name, value in header.items() if name not in {"tensors", "kind", "format_version"}}
    storage.write_folder(folder, "model", {**kept, **changes}, tensors)


@pytest.mark.parametrize(
    "changes",
    [{"parameters": {"no_such": 1}}, {"parameters": None}, {"n_items": None}, {"parameters": {"k": {"?": 1}}}],
)
def test_a_header_that_does_not_fit_the_class_is_refused(data, tmp_path, changes):
    ItemKNN().fit(data).save(tmp_path)
    saved_header(tmp_path, **changes)
    with pytest.raises(ModelFileError, match="does not fit the ItemKNN of this aerec"):
        load_model(tmp_path)


def changed_tensors(folder, change):
    """Change the tensors of a saved model and sign them anew, as a forger would."""
    header, tensors = storage.read_folder(folder, "model")
    content = {name: value for name, value in header.items() if name not in {"tensors", "kind", "format_version"}}
    change(tensors)
    storage.write_folder(folder, "model", content, tensors)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(data, tmp_path, value):
    EASE().fit(data).save(tmp_path)

    def spoil(tensors):
        name = next(name for name, array in tensors.items() if array.dtype.kind == "f")
        tensors[name] = np.full_like(tensors[name], value)

    changed_tensors(tmp_path, spoil)
    with pytest.raises(ModelFileError, match="holds values that are not finite"):
        load_model(tmp_path)


def test_an_item_that_stands_twice_is_refused(data, tmp_path):
    EASE().fit(data).save(tmp_path)

    def repeat(tensors):
        tensors["items.ids"] = np.zeros(data.shape[1], np.int64)

    changed_tensors(tmp_path, repeat)
    with pytest.raises(ModelFileError, match="items: the id 0 stands twice"):
        load_model(tmp_path)


def test_a_tampered_file_is_refused_by_name(data, tmp_path):
    EASE().fit(data).save(tmp_path)
    path = tmp_path / "model.json"
    content = json.loads(path.read_text())
    content["parameters"]["l2"] = 1.0
    path.write_text(json.dumps(content))
    with pytest.raises(ModelFileError, match=r"model\.json was altered"):
        load_model(tmp_path)

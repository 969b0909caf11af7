"""Sliders for the units of a sparse code: as a frame, as a table, and as widgets."""

import sys

import numpy as np
import pandas as pd
import pytest

from aerec import Interactions
from aerec.baselines import PureSVD
from aerec.errors import DataError, MissingExtraError
from aerec.models import SparseCode
from aerec.reporting import Steering


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    taste = np.where(np.arange(60)[:, None] % 3 == np.arange(24) % 3, 0.5, 0.1)
    titles = pd.Series([f"Film <{at}>" for at in range(24)], index=np.arange(24) + 100)
    frame = pd.DataFrame({"item": titles.index, "kind": np.array(["a", "b", "c"])[np.arange(24) % 3]})
    likes = Interactions(
        rng.random(taste.shape) < taste, pd.RangeIndex(60).astype(str), titles.index, item_names=titles
    )
    return likes.with_item_features(frame)


@pytest.fixture(scope="module")
def model(data):
    inner = PureSVD(n_factors=6, l2=0)
    return SparseCode(inner, n_units=20, n_active=4, epochs=5, batch_size=16, progress=False).fit(data)


@pytest.fixture
def steering(model, data):
    return Steering(model, data, k=5, n_units=3)


def test_the_strongest_units_of_a_user(steering, model, data):
    frame = steering.units("7")
    code = model.transform(data.select_users(["7"])).toarray()[0]
    assert frame["unit"].tolist() == np.argsort(-code)[:3].tolist()
    np.testing.assert_array_equal(frame["strength"], model.strength_[frame["unit"]])
    names = model.name_units(data)["name"]
    assert frame["name"].tolist() == [f"{unit}: {names[unit]}" for unit in frame["unit"]]


def test_without_features_titles_stand_for_a_unit(model, data):
    bare = Interactions(data.matrix, data.users, data.items, item_names=data.item_names)
    unit, name = Steering(model, bare).units("7").iloc[0][["unit", "name"]]
    titles = [data.item_names[item] for item in model.describe_code(int(unit), n=3)["item"]]
    assert name == f"{unit}: " + "; ".join(titles)


def test_the_list_and_where_its_items_were_before(steering, model, data):
    unit = int(steering.units("7")["unit"][2])
    steer = {unit: 50.0}
    frame = steering.frame("7", steer)
    alone = data.select_users(["7"])
    assert frame["item"].tolist() == model.recommend(alone, k=5, steer=steer)["item"].tolist()
    plain = model.recommend(alone, k=24).set_index("item")["rank"]
    assert frame["before"].tolist() == plain[frame["item"]].tolist()
    assert frame["before"].tolist() != [1, 2, 3, 4, 5]
    assert frame["title"].tolist() == data.item_names[frame["item"]].tolist()
    assert steering.frame("7")["before"].tolist() == [1, 2, 3, 4, 5]
    assert steering.frame().equals(steering.frame(steering.users[0]))
    table = steering.html("7", steer)
    assert "Film &lt;" in table
    assert f"<td>{frame['before'][0]}</td>" in table


def test_another_model_and_other_data_are_refused(model, data):
    for given in ((PureSVD(n_factors=2).fit(data), data), (model, {"a": [100]})):
        with pytest.raises(TypeError, match="expected a SparseCode and an Interactions, got"):
            Steering(*given)


def test_what_is_not_there_is_refused(steering, model, data):
    with pytest.raises(DataError, match="there is no user 'nobody' with a history; there are"):
        steering.frame("nobody")
    with pytest.raises(DataError, match="no user has a history"):
        Steering(model, data.with_users(pd.Index(["nobody"])))
    with pytest.raises(ValueError, match="k must be"):
        Steering(model, data, k=0)


def test_sliders_change_the_list(steering, model):
    pytest.importorskip("ipywidgets")
    user, sliders, shown = steering.widget().children
    assert shown.value == steering.html()
    unit = int(steering.units()["unit"][1])
    sliders.children[1].value = 2.0
    assert shown.value == steering.html(steer={unit: 2 * float(model.strength_[unit])})
    user.value = "7"
    assert [slider.description for slider in sliders.children] == steering.units("7")["name"].tolist()
    assert shown.value == steering.html("7")
    user.value = "nobody"
    assert shown.value.startswith("<p>there is no user &#x27;nobody&#x27;")


def test_a_notebook_gets_sliders_and_the_table(steering, monkeypatch):
    assert steering._repr_mimebundle_() == {}  # elsewhere the table alone
    assert steering._repr_html_() == steering.html()
    monkeypatch.setattr("aerec.display.notebook.in_notebook", lambda: True)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "ipywidgets", None)
        assert "pip install 'aerec[notebook]'" in steering._repr_mimebundle_()["text/html"]
        with pytest.raises(MissingExtraError, match=r"pip install 'aerec\[notebook\]'"):
            steering.widget()
    pytest.importorskip("ipywidgets")
    bundle = steering._repr_mimebundle_()
    assert bundle["text/html"] == steering.html()
    assert "application/vnd.jupyter.widget-view+json" in bundle

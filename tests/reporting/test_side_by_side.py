"""Two models and a user, side by side: as a frame, as a table, and with menus."""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from aerec import Interactions
from aerec.errors import DataError, MissingExtraError
from aerec.models import EASE
from aerec.reporting import SideBySide


@pytest.fixture
def lists(fitted, split):
    return SideBySide(fitted, split, k=5)


def test_the_frame_is_what_the_models_recommend(lists, fitted, split):
    user = lists.users[3]
    frame = lists.frame(user, ["ease", "sparse"])
    history = split.test.history.select_users([user])
    for name, rows in frame.groupby("model", sort=False):
        expected = fitted[name].recommend(history, k=5)
        assert rows["item"].tolist() == expected["item"].tolist()
        assert rows["score"].tolist() == expected["score"].tolist()
    held_out = set(split.test.target.select_users([user]).to_frame()["item"])
    assert [item in held_out for item in frame["item"]] == frame["held_out"].tolist()
    counts = split.train.to_frame()["item"].value_counts() / split.train.shape[0]
    assert frame["popularity"].tolist() == pytest.approx(counts.reindex(frame["item"]).fillna(0).tolist())
    first = frame.iloc[0]
    reasons = fitted["ease"].explain(history, first["item"], n=2)
    assert first["because"] == reasons["item"][reasons["contribution"] > 0].tolist()
    assert first["title"] == split.train.item_names[first["item"]]


def test_by_default_the_first_two_models_and_the_first_user(lists):
    assert lists.frame()["model"].unique().tolist() == ["popularity", "ease"]
    assert lists.frame().equals(lists.frame(lists.users[0], ["popularity", "ease"]))
    assert repr(lists) == f"SideBySide(popularity, ease, sparse; {len(lists.users)} users)"


def test_the_table_marks_what_both_have_and_what_was_held_out(lists):
    user = next(user for user in lists.users if lists.frame(user, ["ease", "sparse"])["held_out"].any())
    frame = lists.frame(user, ["ease", "sparse"])
    table = lists.html(user, ["ease", "sparse"])
    both = frame["item"].duplicated().sum()
    assert f"In both lists (=): {both} of 5" in table
    assert table.count('1em">= ') == 2 * both
    assert table.count(" ✓<br>") == frame["held_out"].sum()
    assert f"User {user}." in table
    assert "because of" in table
    assert "% of users" in table


def test_without_a_split_nothing_is_held_out_and_ids_stand_for_titles():
    data = Interactions(np.tril(np.ones((5, 4))), pd.Index(list("abcde")), pd.Index(["<1>", "2", "3", "4"]))
    lists = SideBySide({"ease": EASE(l2=1.0).fit(data)}, data, k=2, n_reasons=0)
    frame = lists.frame("b")
    assert frame["title"].tolist() == frame["item"].tolist()
    assert not frame["held_out"].any()
    assert frame["because"].tolist() == [[], []]
    table = lists.html("a")
    assert "&lt;1&gt;" in table
    assert "Held out" not in table
    assert "In both lists" not in table


def test_candidates_of_a_split_limit_the_lists(fitted, split):
    few = split.train.items[:4]
    lists = SideBySide(fitted, replace(split, test=replace(split.test, candidates=few)), k=10)
    assert set(lists.frame()["item"]) <= set(few)


def test_what_is_not_there_is_refused(lists, fitted, split):
    with pytest.raises(DataError, match="there is no user 'nobody' with a history; there are"):
        lists.frame("nobody")
    with pytest.raises(DataError, match="there is no model 'magic'; there are popularity, ease, sparse"):
        lists.frame(models=["magic"])
    with pytest.raises(DataError, match="no model to look at"):
        SideBySide({}, split)
    with pytest.raises(DataError, match="no user has a history"):
        SideBySide(fitted, split.test.target.with_users(pd.Index([-1])))
    with pytest.raises(ValueError, match="k must be"):
        SideBySide(fitted, split, k=0)


def test_menus_change_what_is_shown(lists):
    pytest.importorskip("ipywidgets")
    controls, shown = lists.widget().children
    left, right, user, following = controls.children
    assert left.options == right.options == ("popularity", "ease", "sparse")
    assert shown.value == lists.html()
    right.value = "sparse"
    assert shown.value == lists.html(models=["popularity", "sparse"])
    user.value = str(lists.users[2])
    assert shown.value == lists.html(lists.users[2], ["popularity", "sparse"])
    following.click()
    assert user.value == str(lists.users[3])
    left.value = "sparse"  # the same twice is shown once
    assert shown.value == lists.html(lists.users[3], ["sparse"])
    user.value = "nobody"
    assert shown.value.startswith("<p>there is no user &#x27;nobody&#x27;")
    following.click()
    assert user.value == str(lists.users[0])


def test_a_notebook_gets_menus_and_the_table(lists, monkeypatch):
    assert lists._repr_mimebundle_() == {}  # elsewhere the table alone
    assert lists._repr_html_() == lists.html()
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr("aerec.display.notebook.in_notebook", lambda: True)
    bundle = lists._repr_mimebundle_()
    assert bundle["text/html"] == lists.html()
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_without_ipywidgets_a_notebook_gets_the_table_and_the_pip_line(lists, monkeypatch):
    monkeypatch.setattr("aerec.display.notebook.in_notebook", lambda: True)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    bundle = lists._repr_mimebundle_()
    assert bundle["text/html"].startswith(lists.html())
    assert "pip install 'aerec[notebook]'" in bundle["text/html"]
    with pytest.raises(MissingExtraError, match=r"pip install 'aerec\[notebook\]'"):
        lists.widget()


def test_a_model_that_is_not_fitted_is_refused(split):
    with pytest.raises(NotFittedError, match="EASE"):
        SideBySide({"ease": EASE()}, split)

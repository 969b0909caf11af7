"""Item features: each kind of column becomes what it says, from every library of frames."""

from __future__ import annotations

import warnings
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from aerec import Interactions
from aerec.errors import DataError
from aerec.item_features import ItemFeatures, features_of_frame, features_of_matrix, join_features, rows_or_empty

ITEMS = pd.Index(["a", "b", "c"], name="item")


def dense(found):
    return {name: column.tolist() for name, column in zip(found.names, found.matrix.toarray().T, strict=True)}


def of(columns, items=ITEMS, **options):
    return features_of_frame(pd.DataFrame({"item": list(items), **columns}), items, "item", **options)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["tea", None, "cup"], {"x=cup": [0, 0, 1], "x=tea": [1, 0, 0]}),
        ([True, False, True], {"x=False": [0, 1, 0], "x=True": [1, 0, 1]}),
        (pd.Categorical([3, 1, 3]), {"x=1": [0, 1, 0], "x=3": [1, 0, 1]}),
        ([["p", "q"], [], ["q", "q"]], {"x=p": [1, 0, 0], "x=q": [1, 0, 1]}),
        ([("p",), None, {"q"}], {"x=p": [1, 0, 0], "x=q": [0, 0, 1]}),
        ([[1, 2], [2], []], {"x=1": [1, 0, 0], "x=2": [1, 1, 0]}),
        ([[0.5, 1.0], [2.0, 0.0], None], {"x[0]": [0.5, 2, 0], "x[1]": [1, 0, 0]}),
        ([[0.5, 1], [2, 0], None], {"x[0]": [0.5, 2, 0], "x[1]": [1, 0, 0]}),  # as JSON has them
        (["p|q", None, "q | r |"], {"x=p": [1, 0, 0], "x=q": [1, 0, 1], "x=r": [0, 0, 1]}),
        (["p|q", ["q"], "r"], {"x=p": [1, 0, 0], "x=q": [1, 1, 0], "x=r": [0, 0, 1]}),
        ([["p", None], [np.nan, "q"], None], {"x=p": [1, 0, 0], "x=q": [0, 1, 0]}),
        (np.array([Decimal("1.5"), None, 3], dtype=object), {"x": [-1, 0, 1]}),
        ([date(2024, 1, 1), date(2024, 1, 3), None], {"x": [-1, 1, 0]}),
        (pd.to_timedelta([1, 3, None], unit="h"), {"x": [-1, 1, 0]}),
    ],
)
def test_what_a_column_becomes(values, expected):
    assert dense(of({"x": values})) == expected


def test_numbers_are_standardised_over_those_that_are_known():
    found = of({"price": [1.0, np.nan, 5.0], "same": [3, 3, 3]})
    assert dense(found) == {"price": [-1, 0, 1], "same": [0, 0, 0]}
    assert dense(of({"price": [1.0, np.nan, 5.0]}, standardize=False)) == {"price": [1, 0, 5]}
    dates = of({"since": pd.to_datetime(["2024-01-01", "2024-01-03", None])})
    assert dense(dates) == {"since": [-1, 1, 0]}


def test_texts_are_weighted_by_tf_idf():
    found = of({"about": ["green tea", "black tea", None]}, text=["about"])
    values = dense(found)
    assert list(values) == ["about:black", "about:green", "about:tea"]
    # idf = 1 + log((1 + n) / (1 + df)) of three documents, rows of length 1
    rare, common = 1 + np.log(4 / 2), 1 + np.log(4 / 3)
    length = np.hypot(rare, common)
    assert values["about:green"] == pytest.approx([rare / length, 0, 0])
    assert values["about:tea"] == pytest.approx([common / length, common / length, 0])


def test_rows_are_matched_by_id_whatever_their_order():
    frame = pd.DataFrame({"sku": ["c", "x", None, "a"], "n": [30, 99, 98, 10]})
    with pytest.warns(UserWarning, match="features of 1 items left out"):
        found = features_of_frame(frame, ITEMS, "sku", standardize=False)
    assert dense(found) == {"n": [10, 0, 30]}
    series = pd.Series({"b": ("p", "q"), "a": ("q",)}, name="tags")
    assert dense(features_of_frame(series, ITEMS, "item")) == {"tags=p": [0, 1, 0], "tags=q": [1, 1, 0]}
    prices = pd.Series({"b": 2.0, "a": 1.0}, name="price")
    assert dense(features_of_frame(prices, ITEMS, "item")) == {"price": [-1, 1, 0]}


def test_the_name_of_one_text_is_no_list_of_letters():
    assert dense(of({"about": ["tea", "tea", ""]}, text="about")) == {"about:tea": [1, 1, 0]}


def test_options_that_would_be_passed_over_are_refused():
    data = Interactions(sp.csr_array(np.eye(3, dtype=np.float32)), pd.RangeIndex(3), ITEMS)
    with pytest.raises(ValueError, match="feature_names are those of a matrix"):
        data.with_item_features(pd.DataFrame({"item": ITEMS, "x": 1}), ["x"])
    with pytest.raises(ValueError, match="names columns of a frame, and the features are a matrix"):
        data.with_item_features(np.eye(3), text=["x"])


def test_polars_and_arrow_give_the_same_features():
    pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    columns = {"item": ["c", "a"], "kind": ["x", "y"], "tags": [["p"], ["p", "q"]], "v": [[0.5, 1.0], [2.0, 3.0]]}
    expected = features_of_frame(pd.DataFrame(columns), ITEMS, "item")
    for frame in (pl.DataFrame(columns), pl.LazyFrame(columns), pa.table(columns)):
        assert dense(features_of_frame(frame, ITEMS, "item")) == dense(expected)


def test_a_matrix_is_taken_as_it_is():
    found = features_of_matrix(sp.csr_array(np.eye(3)), None, 3)
    assert dense(found) == {"feature 0": [1, 0, 0], "feature 1": [0, 1, 0], "feature 2": [0, 0, 1]}
    assert found.matrix.dtype == np.float32


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: features_of_matrix(np.eye(2), None, 3), "the features have 2 rows, the data 3 items"),
        (lambda: features_of_matrix(np.eye(3), ["a"], 3), "1 feature names for 3 columns"),
        (lambda: features_of_matrix(np.eye(2), ["a", "a"], 2), "two features have the name 'a'"),
        (lambda: of({}), "no column beside 'item'"),
        (lambda: of({"x": [1, 2, 3]}, text=["y"]), "no column 'y' in the frame of features"),
        (lambda: of({"x": [1.0, np.inf, 3]}), "the feature 'x' of row 1 is infinite"),
        (lambda: of({"x": [[1.0], [1.0, 2.0], []]}), "vectors of 'x' have lengths from 1 to 2"),
        (lambda: of({"x": [[1.0, np.nan], [1.0, 2.0], []]}), "vector 'x' of row 0 holds NaN"),
        (lambda: of({"x": [[1.0, None], [1.0, 2.0], []]}), "vector 'x' of row 0 holds NaN"),
        (lambda: of({"x": [[[1.0]], [[2.0]], []]}), "'x' holds lists of lists"),
        (lambda: of({"x": [{"tea": 1}, {}, None]}), "'x' holds dicts, such as {'tea': 1}"),
        (lambda: of({"x": [1j, 2, 3]}), "'x' holds complex numbers"),
        (lambda: of({"x": [1e9, 2, 3]}, standardize=False), r"'x' holds 1e\+09, expected at most 2\^24"),
        (lambda: features_of_matrix(np.array([[np.nan]]), None, 1), "features of items: the matrix holds nan"),
        (lambda: features_of_matrix({"a": [1]}, None, 1), "features are a frame, a Series, or a matrix.*got dict"),
        (lambda: of({"x": ["", "", ""]}, text=["x"]), "'x' holds no words"),
        (lambda: features_of_frame(pd.DataFrame({"item": ["a", "a"], "x": 1}), ITEMS, "item"), "'a' has two rows"),
        (lambda: features_of_frame(pd.DataFrame({"item": [1], "x": 1}), ITEMS, "item"), "none of the 1 items"),
        (lambda: features_of_frame(pd.DataFrame({"sku": [1], "x": 1}), ITEMS, "item"), "no column 'item'.*with item=…"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(DataError, match=message):
        make()


def test_an_item_that_two_parts_describe_is_described_by_the_last():
    one = ItemFeatures(sp.csr_array(np.array([[1.0, 2.0], [3.0, 0.0]], np.float32)), pd.Index(["p", "q"]))
    other = ItemFeatures(sp.csr_array(np.array([[5.0, 0.0], [0.0, 0.0]], np.float32)), pd.Index(["r", "p"]))
    joined = join_features([one, other], [np.array([0, 2]), np.array([2, 0])], 4)
    assert dense(joined) == {"p": [1, 0, 0, 0], "q": [2, 0, 0, 0], "r": [0, 0, 5, 0]}


def test_rows_that_are_missing_are_empty():
    matrix = sp.csr_array(np.array([[1.0, 0.0], [0.0, 2.0]]))
    assert rows_or_empty(matrix, np.array([1, -1, 0, 1])).toarray().tolist() == [[0, 2], [0, 0], [1, 0], [0, 2]]


def test_a_column_in_which_most_items_differ_is_taken_for_a_text():
    items = pd.RangeIndex(30)
    titles = pd.DataFrame({"item": items, "title": [f"Film {at}" for at in items]})
    with pytest.warns(UserWarning, match=r"column 'title' holds 30 different texts.*text=\['title'\] counts"):
        features_of_frame(titles, items, "item")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features_of_frame(titles, items, "item", text=["title"])
        features_of_frame(titles.assign(title=titles["title"].str[:6]), items, "item")


@pytest.mark.parametrize(
    "texts", [["$3.50", "$12", "$1,299.00"], ["3,5", "4", None], ["12 %", "7%", "0%"], ["1.299,50 €", "-3,5 €", "+4"]]
)
def test_numbers_as_text_are_told(texts):
    with pytest.warns(UserWarning, match=r"column 'x' holds numbers as text, such as '.*make them numbers"):
        of({"x": texts})


def test_codes_of_digits_and_words_with_digits_are_categories():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        of({"zip": ["01069", "10115", "01069"], "screen": ["2D", "3D", "3D"], "rated": ["PG-13", "7", "R"]})
        of({"released": ["24.12.1999", "01.03.2000", "1.3.2000"], "version": ["1.0.2", "2.1", "2"]})
        of({"ages": ["12+", "16+", "18+"], "isbn": ["3-16-1", "0-19-8", "1-56-6"]})

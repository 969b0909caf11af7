"""Ids, titles, genres and years, and what filters leave over."""

import numpy as np
import pandas as pd
import pytest

from aerec import Interactions
from aerec.serving import Catalogue, Filters
from aerec.serving.problems import RequestError

IDS = [10, 20, 30, 40]


@pytest.fixture
def catalogue():
    items = pd.Index(IDS)
    data = Interactions(
        np.array([[1, 1, 0, 0], [0, 1, 0, 1]]),
        [1, 2],
        items,
        item_names=pd.Series(["Alien (1979)", "Se7en (1995)", "", "Odd (Film (2001)) (I)"], index=items),
        item_genres=pd.Series([("Horror", "Sci-Fi"), ("Crime",), (), ("Horror",)], index=items),
    )
    return Catalogue(items, data)


def left(catalogue, **filters):
    return [IDS[at] for at in np.flatnonzero(~catalogue.barred(Filters(**filters)))]


def test_what_is_said_of_an_item(catalogue):
    assert catalogue.describe(0) == {"item": 10, "title": "Alien (1979)", "genres": ["Horror", "Sci-Fi"], "year": 1979}
    assert catalogue.describe(2) == {"item": 30, "title": "30", "genres": [], "year": None}
    assert catalogue.years.tolist() == [1979, 1995, 0, 2001]
    assert catalogue.genre_names == ["Crime", "Horror", "Sci-Fi"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, IDS),
        ({"genres": ["horror"]}, [10, 40]),
        ({"genres": ["CRIME", "Sci-Fi"]}, [10, 20]),
        ({"genres": []}, IDS),
        ({"year_from": 1980}, [20, 40]),
        ({"year_to": 1995}, [10, 20]),
        ({"year_from": 0}, [10, 20, 40]),
        ({"allow": [20, "30"]}, [20, 30]),
        ({"allow": []}, []),
        ({"block": [20, 40]}, [10, 30]),
        ({"genres": ["Horror"], "year_from": 1980, "block": [40]}, []),
    ],
)
def test_filters(catalogue, filters, expected):
    assert left(catalogue, **filters) == expected


@pytest.mark.parametrize("item", [11, -1, "eleven", "10.5", "1_0", "", 10**40, "1" * 40, "²"])
def test_unknown_items_are_refused(catalogue, item):
    with pytest.raises(RequestError, match="unknown item") as raised:
        catalogue.column(item, 404)
    assert raised.value.status == 404
    assert len(str(raised.value)) < 150


def test_unknown_genres_are_refused_with_those_there_are(catalogue):
    with pytest.raises(RequestError, match="unknown genre 'Noir'; there are Crime, Horror, Sci-Fi"):
        left(catalogue, genres=["Noir"])


def test_ids_are_understood_as_text_as_well(catalogue):
    assert catalogue.column("20") == catalogue.column(20) == 1


def test_those_that_are_known_come_in_the_order_asked_for(catalogue):
    assert [one["item"] for one in catalogue.known(["40", "x", "10"])] == [40, 10]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([-5, 2**53 - 1], [-5, 2**53 - 1]),
        ([-5, 2**53], ["-5", "9007199254740992"]),
        ([1212092628029698001, 1212092628029698002], ["1212092628029698001", "1212092628029698002"]),
        (np.array([2**63 + 1, 7], dtype=np.uint64), ["9223372036854775809", "7"]),
        (np.array([-128, 127], dtype=np.int8), [-128, 127]),
        ([1.0, 2.5], ["1.0", "2.5"]),
        (["7", "007"], ["7", "007"]),
    ],
)
def test_ids_are_numbers_where_no_reader_of_json_rounds_them(ids, expected):
    items = pd.Index(ids)
    catalogue = Catalogue(items, Interactions(np.eye(2), [1, 2], items))
    assert catalogue.ids == expected
    for column, one in enumerate(catalogue.ids):
        assert catalogue.column(one) == catalogue.column(str(one)) == column


def test_items_are_found_by_parts_of_their_ids_with_and_without_titles():
    items = pd.Index(["SKU_1228/Ä", "SKU_1229/B", "SKU_12280/C"])
    plain = Interactions(np.array([[1, 1, 1], [0, 1, 1]]), [1, 2], items)
    names = pd.Series(["Red shoe", "Blue shoe", "Red hat"], index=items)
    titled = Interactions(plain.matrix, plain.users, items, item_names=names)
    for data in (plain, titled):
        catalogue = Catalogue(items, data)
        assert catalogue.has_titles == (data is titled)
        for query in ("sku 1228", "1228", "SKU_1228", "sku1228a", "SKU_1228/Ä", "sku-1228"):
            assert catalogue.search(query, 3)[0]["item"] == "SKU_1228/Ä"
        assert catalogue.search("sku 9999", 1) != catalogue.search("9999", 1) == []
    assert [one["item"] for one in Catalogue(items, titled).search("red shoe", 1)] == ["SKU_1228/Ä"]


def test_a_data_set_without_titles_and_genres_and_with_ids_of_text():
    items = pd.Index(["a/b", "7"])
    catalogue = Catalogue(items, Interactions(np.eye(2), [1, 2], items))
    assert catalogue.describe(0) == {"item": "a/b", "title": "a/b", "genres": [], "year": None}
    assert catalogue.column(7) == catalogue.column("7") == 1
    with pytest.raises(RequestError, match="this data set has no genres"):
        catalogue.barred(Filters(genres=["Drama"]))


def test_items_that_the_model_does_not_know_are_left_out():
    items = pd.Index(["x", "y", "z"])
    data = Interactions(np.eye(3), [1, 2, 3], items, item_names=pd.Series(["X", "Y", "Z"], index=items))
    assert Catalogue(pd.Index(["z", "x"]), data).titles == ["Z", "X"]


def test_the_id_itself_is_found_first(catalogue):
    assert [one["item"] for one in catalogue.search("40", 3)] == [40]
    assert [one["item"] for one in catalogue.search("sevn", 3)] == []
    assert [one["item"] for one in catalogue.search("se7n", 3)] == [20]

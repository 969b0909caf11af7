"""Columns: usual names however they are written, names that are given, files without a header."""

import warnings

import pytest

from aerec.datasets.readers.columns import Columns
from aerec.errors import DataError


@pytest.mark.parametrize(
    ("names", "located"),
    [
        (["userId", "movieId", "rating", "timestamp"], {"user": "userId", "item": "movieId"}),
        (["User-ID", "ISBN", "Book-Rating"], {"user": "User-ID", "item": "ISBN", "rating": "Book-Rating"}),
        (["reviewerID", "asin", "overall", "unixReviewTime"], {"rating": "overall", "timestamp": "unixReviewTime"}),
        (["item", "movie", "user"], {"item": "item"}),  # the plainer name first
    ],
)
def test_usual_names_are_found(names, located):
    found = Columns().locate(names, "f.csv line 1")
    assert {role: found.get(role) for role in located} == located


def test_ratings_and_times_may_be_absent_or_unwanted():
    assert Columns().locate(["user", "item"], "f") == {"user": "user", "item": "item"}
    names = ["user", "item", "rating", "timestamp"]
    assert set(Columns(rating=None, timestamp=None).locate(names, "f")) == {"user", "item"}


def test_a_name_that_is_given_is_taken_before_the_usual_ones():
    names = ["user", "who", "item", "score"]
    found = Columns(user="who", rating="score").locate(names, "f")
    assert (found["user"], found["rating"]) == ("who", "score")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(user="who"), r"f line 1: no column 'who', the columns are 'user', 'item'; name it with user=…"),
        (Columns(rating="score"), r"no column 'score'.*or pass rating=None for implicit feedback"),
        (Columns(timestamp="when"), r"no column 'when'"),
    ],
)
def test_a_name_that_is_given_has_to_be_there(columns, message):
    with pytest.raises(DataError, match=message):
        columns.locate(["user", "item"], "f line 1")


def test_a_column_that_stands_twice_is_refused():
    with pytest.raises(DataError, match=r"f: the column 'item' stands twice; rename one of them"):
        Columns().locate(["user", "item", "item"], "f")


def test_a_column_is_one_thing_only():
    with pytest.raises(DataError, match=r"f: the column 'plays' is read as the rating, so not as the weight too"):
        Columns(rating="plays", weight="plays").locate(["user", "item", "plays"], "f")


def test_many_columns_are_not_all_listed():
    with pytest.raises(DataError, match=r"'c11', …; name it with user=…"):
        Columns().locate([f"c{number}" for number in range(30)], "f")


@pytest.mark.parametrize(
    ("fields", "rating", "timestamp"),
    [
        (["1", "2"], None, None),
        (["1", "2", "5"], "3", None),
        (["1", "2", "881250949"], None, "3"),
        (["1", "2", "2005-01-31 10:00"], None, "3"),
        (["1", "2", "5", "881250949"], "3", "4"),
    ],
)
def test_columns_of_a_file_without_a_header_are_numbers(fields, rating, timestamp):
    assert Columns().numbered(fields) == Columns("1", "2", rating, timestamp)
    assert Columns(user="2", item="1", rating=None, timestamp=None).numbered(fields) == Columns("2", "1", None, None)


def test_a_header_is_told_by_one_known_name():
    assert Columns().found_in(["x", "MOVIE ID"])
    assert not Columns().found_in(["1", "2"])
    assert Columns(user="x").found_in(["x", "y"])


def test_names_that_say_less_are_taken_with_a_line():
    with pytest.warns(UserWarning, match="is read as the") as lines:
        found = Columns().locate(["user", "item", "Score", "ts"], "a.csv")
    assert found == {"user": "user", "item": "item", "rating": "Score", "timestamp": "ts"}
    assert [str(line.message) for line in lines] == [
        "a.csv: the column 'Score' is read as the rating; name another one with rating=…",
        "a.csv: the column 'ts' is read as the timestamp; name another one with timestamp=…",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Columns().locate(["user", "item", "score", "rating"], "a.csv")["rating"] == "rating"
        assert (
            Columns(rating="score", timestamp=None).locate(["user", "item", "score", "ts"], "a.csv")["rating"]
            == "score"
        )
        assert "rating" not in Columns(rating=None).locate(["user", "item", "score"], "a.csv")


def test_times_under_another_name_are_told():
    names = ["user", "item", "Clicked At"]
    with pytest.warns(UserWarning, match="^a.csv: the column 'Clicked At' may hold the times and is not read"):
        assert "timestamp" not in Columns().locate(names, "a.csv")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Columns(timestamp=None).locate(names, "a.csv")
        assert Columns(timestamp="Clicked At").locate(names, "a.csv")["timestamp"] == "Clicked At"


def test_a_file_known_to_have_no_header_is_not_asked_for_one():
    with pytest.raises(DataError, match=r"the columns are '1', '2'; name it with item=…$"):
        Columns(user="1", item="9").locate(["1", "2"], "a.csv")
    with pytest.raises(DataError, match=r"if the file has no header$"):
        Columns(item="9").locate(["user", "2"], "a.csv")

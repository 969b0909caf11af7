"""Jester: tables of users and jokes, with 99 for a joke that was not rated."""

import pandas as pd
import pytest

from aerec.datasets import read_ratings
from aerec.datasets.readers import jester
from aerec.errors import DataError, MissingExtraError

FIRST = "2,-7.82,99,8.79\n3,4.08,-0.29,6.36\n"
SECOND = "1,99,99,-10\n"


def rows(data):
    return [(user, item, round(rating, 2)) for user, item, rating in data.to_frame().itertuples(index=False, name=None)]


def test_users_are_numbered_through_the_files(tmp_path):
    (tmp_path / "jester-data-1.csv").write_text(FIRST)
    (tmp_path / "jester-data-2.csv").write_text(SECOND)
    expected = [(1, 1, -7.82), (1, 3, 8.79), (2, 1, 4.08), (2, 2, -0.29), (2, 3, 6.36), (3, 3, -10.0)]
    assert rows(read_ratings(tmp_path)) == expected
    assert rows(read_ratings(tmp_path / "jester-data-2.csv", rating=None)) == [(1, 3, 1.0)]


def test_the_workbook_goes_through_xlrd(tmp_path, monkeypatch):
    pytest.importorskip("xlrd")
    path = tmp_path / "jester-data-1.xls"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and nothing else")
    with pytest.raises(DataError, match=r"jester-data-1.xls is no workbook of numbers, or it is damaged"):
        read_ratings(path)
    asked = {}

    def read_excel(content, **options):
        asked.update(options)
        return pd.DataFrame([[2.0, -7.82, 99.0, 8.79]])

    monkeypatch.setattr(jester.pd, "read_excel", read_excel)
    assert rows(read_ratings(path)) == [(1, 1, -7.82), (1, 3, 8.79)]
    assert asked == {"header": None, "engine": "xlrd"}


def test_without_xlrd_the_message_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "xlrd", None)
    (tmp_path / "jester-data-1.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    with pytest.raises(MissingExtraError, match=r"needs the package xlrd.*pip install 'aerec\[excel\]'"):
        read_ratings(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,-7.82,99\n1,99,11\n", "line 2, column 3: the rating 11 is not on the scale from -10 to 10"),
        ("1,-7.82,99\n2,99,1\n", "line 2: 1 ratings where the first field says 2"),
        ("1,-7.82,99\n1,x,1\n", "line 2, column 2: 'x' is not a number"),
        ("1,-7.82,99\n1,1,1,1\n", "line 2: 4 fields where 3 are expected"),
        ("", "jester-data-1.csv"),
    ],
)
def test_what_is_wrong_is_said_with_the_line(tmp_path, text, message):
    (tmp_path / "jester-data-1.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_ratings(tmp_path)


def test_the_second_data_set_has_a_rating_a_line(tmp_path):
    (tmp_path / "jester_ratings.dat").write_text("1\t\t5\t\t0.219\n1\t\t7\t\t-9.281\n")
    assert rows(read_ratings(tmp_path)) == [(1, 5, 0.22), (1, 7, -9.28)]


def test_a_byte_order_mark_is_no_part_of_the_first_number(tmp_path):
    (tmp_path / "jester-data-1.csv").write_text("\ufeff" + FIRST, encoding="utf-8")
    marked = rows(read_ratings(tmp_path / "jester-data-1.csv"))
    (tmp_path / "jester-data-1.csv").write_text(FIRST)
    assert rows(read_ratings(tmp_path / "jester-data-1.csv")) == marked

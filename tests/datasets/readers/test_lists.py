"""LightGCN's layout: one line a user."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerec.datasets import read_parts, read_ratings
from aerec.datasets.readers.lists import looks_like_lists
from aerec.errors import DataError


def pairs(data):
    return list(data.to_frame()[["user", "item"]].itertuples(index=False, name=None))


@settings(max_examples=40, deadline=None)
@given(
    lists=st.dictionaries(st.integers(0, 10**12), st.sets(st.integers(0, 50)), min_size=1, max_size=8),
    end=st.sampled_from(["\n", "\r\n", " \n"]),
    last=st.booleans(),
)
def test_every_user_and_item_comes_back(tmp_path_factory, lists, end, last):
    path = tmp_path_factory.getbasetemp() / "train.txt"
    text = end.join(" ".join(map(str, [user, *items])) for user, items in lists.items())
    path.write_text(text + (end if last else ""), newline="")
    data = read_ratings(path, rating=None)
    assert list(data.users) == sorted(lists)
    assert pairs(data) == sorted((user, item) for user, items in lists.items() for item in items)
    assert data.is_implicit


def test_which_lines_look_like_it():
    assert all(map(looks_like_lists, ("0", "3 7 12", "3  7 ", "3 7\n")))
    assert not any(map(looks_like_lists, ("user item", "1\t2\t3", "1,2,3", "1 2.5", "", "1::2::3::4")))


def test_lists_that_look_like_ratings_are_lists_where_the_caller_says_so(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("1 242 3\n2 302 5\n")
    assert pairs(read_ratings(path, rating=None)) == [(1, 3), (1, 242), (2, 5), (2, 302)]


def test_citeulike_has_the_number_of_items_before_them(tmp_path):
    (tmp_path / "users.dat").write_text("2 5 7\n1 5\n0\n2 9 5\n")
    (tmp_path / "item-tag.dat").write_text("0\n" * 7 + "2 0 1\n")
    for path in (tmp_path, tmp_path / "users.dat"):
        data = read_ratings(path)
        assert list(data.users) == [0, 1, 2, 3]
        assert pairs(data) == [(0, 5), (0, 7), (1, 5), (3, 5), (3, 9)]
    (tmp_path / "users.dat").rename(tmp_path / "other.dat")  # 2 stands twice: it is no user
    assert pairs(read_ratings(tmp_path / "other.dat")) == pairs(data)


def test_a_line_of_citeulike_that_is_cut_short_is_named(tmp_path):
    (tmp_path / "users.dat").write_text("2 5 7\n1 5\n0\n4 9 5\n")
    with pytest.raises(DataError, match=r"users\.dat line 4: 2 items where the line says 4; get the file again"):
        read_ratings(tmp_path / "users.dat")


def test_the_tags_of_citeulike_are_features_of_its_items(tmp_path):
    (tmp_path / "users.dat").write_text("2 0 2\n1 7\n")
    (tmp_path / "item-tag.dat").write_text("2 2 0\n1 1\n1 2\n")
    data = read_ratings(tmp_path)
    assert data.item_features.toarray().tolist() == [[1, 0, 1], [0, 0, 1], [0, 0, 0]]
    assert data.feature_names.tolist() == ["tag 0", "tag 1", "tag 2"]
    (tmp_path / "tags.dat").write_text("tea\ngreen_tea\ncup")
    assert read_ratings(tmp_path).feature_names.tolist() == ["tea", "green_tea", "cup"]
    (tmp_path / "tags.dat").write_text("tea\n")
    with pytest.raises(DataError, match=r"item-tag\.dat names tag 2, tags\.dat has 1 of them"):
        read_ratings(tmp_path)
    (tmp_path / "item-tag.dat").write_text("2 2 0\n3 1\n")
    with pytest.raises(DataError, match=r"item-tag\.dat line 2: 1 tags where the line says 3"):
        read_ratings(tmp_path)


def test_an_item_named_twice_counts_once_with_a_warning(tmp_path):
    (tmp_path / "train.txt").write_text("1 5 5 6\n")
    with pytest.warns(UserWarning, match="1 rating replaced by a later one"):
        assert pairs(read_ratings(tmp_path / "train.txt")) == [(1, 5), (1, 6)]
    summed = read_ratings(tmp_path / "train.txt", duplicates="sum")
    assert summed.to_frame()["rating"].tolist() == [2, 1]


def test_parts_keep_users_that_one_of_them_lacks(tmp_path):
    (tmp_path / "train.txt").write_text("0 1 2\n1\n")
    (tmp_path / "test.txt").write_text("1 3\n")
    parts = read_parts(tmp_path)
    assert parts["train"].shape == parts["test"].shape == (2, 3)
    assert pairs(parts["test"]) == [(1, 3)]
    assert pairs(read_ratings(tmp_path)) == [(0, 1), (0, 2), (1, 3)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1 2\n1 x 3\n", "line 2: 'x' is not a whole number; expected user item item"),
        ("0 1 2\n\n1 2.5\n", "line 3: '2.5' is not a whole number"),
        ("0 1 2\n1 2 3.5\n", r"line 2: '3.5' is not a whole number.*if the lines are ratings, pass columns="),
        ("0 1\n1 99999999999999999999\n", "line 2: '99999999999999999999' is not a whole number"),
        ("0 1\n1 2\n0 3\n", "line 3: user 0 has a second line"),
        ("196 242 7\n196 302 40 8\n", r'line 2: user 196 .*columns=\("user", "item", "rating"\)'),
        (
            "196 242 3 881250949\n197 302 3 891717742\n",
            "line 1: '196 242 3 881250949' ends in what looks like a time; if the lines are ratings, pass columns=",
        ),
        ("1 242 3\n2 302 5\n", "line 1: '1 242 3' ends in what looks like a rating; if the lines are ratings, pass"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, text, message):
    path = tmp_path / "train.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=r"train\.txt " + message) as caught:
        read_ratings(path)
    assert "\n" not in str(caught.value)


def test_numbers_with_blanks_are_ratings_where_the_caller_says_so(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("196 242 3\n196 302 4\n")
    data = read_ratings(path, columns=("user", "item", "rating"))
    assert list(data.to_frame().itertuples(index=False, name=None)) == [(196, 242, 3.0), (196, 302, 4.0)]


@pytest.mark.parametrize(
    ("name", "shape", "counts"),
    [
        ("ml-1m-implicit", (6039, 3628), {"train": 590_733, "validation": 80_897, "test": 164_848}),
        ("gowalla", (29_858, 40_981), {"train": 719_081, "validation": 91_047, "test": 217_242}),
    ],
)
def test_the_published_splits_have_their_counts(name, shape, counts):
    folder = Path(os.environ.get("AEREC_DATA", ""), name)
    if not (os.environ.get("AEREC_DATA") and folder.is_dir()):
        pytest.skip(f"{name} is not here: set AEREC_DATA to the folder that holds it")
    parts = read_parts(folder)
    assert {part: data.n_ratings for part, data in parts.items()} == counts
    assert {data.shape for data in parts.values()} == {shape}


@pytest.mark.parametrize("text", ["1\n2\n3\n", "5"])
def test_one_number_a_line_is_no_list(tmp_path, text):
    (tmp_path / "mine.txt").write_text(text)
    with pytest.raises(DataError, match=r"mine.txt holds one number a line, expected user item item …"):
        read_ratings(tmp_path / "mine.txt")
    assert read_ratings(tmp_path / "mine.txt", rating=None).shape == (len(text.split()), 0)


def test_a_byte_order_mark_is_no_part_of_the_first_number(tmp_path):
    (tmp_path / "users.dat").write_text("\ufeff2 1 5\n1 2\n", encoding="utf-8")
    assert pairs(read_ratings(tmp_path / "users.dat")) == [(0, 1), (0, 5), (1, 2)]


def test_items_of_citeulike_are_numbered_from_0(tmp_path):
    (tmp_path / "users.dat").write_text("2 1 5\n2 0 -4\n1 2\n")
    with pytest.raises(DataError, match="line 2: item -4, but items are numbered from 0"):
        read_ratings(tmp_path / "users.dat")

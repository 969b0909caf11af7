"""Ratings as an object a line: JSON and literals of Python give what a table of the same ratings gives."""

import gzip
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerec.datasets import read_ratings
from aerec.datasets.readers import json_lines
from aerec.errors import DataError


@pytest.fixture
def read(tmp_path):
    def read(text, name="ratings.jsonl", **options):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return rows(read_ratings(path, **options))

    return read


def rows(data):
    return list(replace(data, timestamp_dtype=None).to_frame().itertuples(index=False, name=None))


AMAZON = {
    "rating": 5.0, "title": "Such a lovely scent", "text": "a \"text\"\nof {two} lines", "images": [],
    "asin": "B00YQ6X8EO", "parent_asin": "B00YQ6X8EE", "user_id": "AGKH", "timestamp": 1588687728923,
    "helpful_vote": 0, "verified_purchase": True,
}  # fmt: skip
YELP = {
    "review_id": "KU_O5", "user_id": "mh_-e", "business_id": "XQfwV", "stars": 3.0, "useful": 0, "funny": 0, "cool": 0,
    "text": "If you decide", "date": "2018-07-07 22:09:11",
}  # fmt: skip
STEAM = {
    "username": "Chaos Syren", "hours": 0.1, "products": 41, "product_id": "725280", "page_order": 0,
    "date": "2017-12-17", "text": "This would not be \u00e9 'acceptable'", "early_access": False, "page": 1,
}  # fmt: skip


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_of_objects_is_read_as_its_lines_would_be(read, indent):
    records = [{"user": "ann", "item": 7, "rating": 4.5}, {"user": "bob", "item": 9, "rating": 2}]
    expected = read("\n".join(map(json.dumps, records)))
    assert read("\ufeff" + json.dumps(records, indent=indent), "ratings.json") == expected
    by_user = [{"user": "ann", "items": [{"item": 7}, {"item": 9}]}]
    with pytest.warns(UserWarning, match="no column of ratings"):
        assert read(json.dumps(by_user)) == [("ann", 7, 1.0), ("ann", 9, 1.0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[{"user": 1, "item": 2},\n {"user": 1, "item": }]',
            "line 2, character 22: no array of JSON objects: Expecting value",
        ),
        ('[{"user": 1, "item": 2}, 7]', "record 2: no object of JSON: '7'"),
        ('[{"user": 1, "item": 2, "rating": 3}, {"user": 1, "item": 3, "rating": "x"}]', "record 2, column 'rating'"),
        ('[{"user": 1, "user": 2, "item": 3}]', "'user' stands twice in one object"),
        ('[{"u": 1, "item": 3}]', "record 1: no column 'user'"),
        ('[{"user": ' * 100_000, "too deep"),
        (b'[{"user": "\xff", "item": 1}]', "UTF-8"),
        ("[\n]", "holds no ratings"),
        (f'[{{"user": {"9" * 5000}, "item": 1}}]', "thousands of digits"),
    ],
)
def test_what_is_wrong_in_an_array_is_named(read, text, message):
    with pytest.raises(DataError, match=message):
        read(text)


def test_amazon_2023_and_its_milliseconds(read):
    with pytest.warns(UserWarning, match="the times are milliseconds"):
        assert read(json.dumps(AMAZON) + "\n") == [("AGKH", "B00YQ6X8EE", 5.0, 1588687728.923)]


def test_amazon_2014_in_json_and_as_python_wrote_it(read):
    review = {
        "reviewerID": "A2S",
        "asin": "0000013714",
        "overall": 4.0,
        "unixReviewTime": 1400457600,
        "helpful": [0, 0],
    }
    expected = [("A2S", "0000013714", 4.0, 1400457600)]
    assert read(json.dumps(review)) == expected
    assert read(repr(review), "reviews_Books.json") == expected


def test_yelp(read):
    assert read(json.dumps(YELP) + "\n", "yelp_academic_dataset_review.json") == [("mh_-e", "XQfwV", 3.0, 1531001351)]


def test_steam_which_is_no_json(read):
    """Python 2 wrote it; some of the users have another id beside their name."""
    text = "".join(f"{line!r}\n" for line in (STEAM, {**STEAM, "user_id": "765", "product_id": "2"}))
    text = text.replace("{'", "{u'").replace(", '", ", u'").replace(": '", ": u'")
    with pytest.warns(UserWarning, match="has no column of ratings"):
        found = read(gzip.compress(text.encode()), "steam_reviews.json.gz")
    assert found == [("Chaos Syren", 2, 1.0, 1513468800), ("Chaos Syren", 725280, 1.0, 1513468800)]
    with pytest.warns(UserWarning, match="has no column of ratings"):
        found = read(text, "steam_reviews.json", weight="hours", timestamp=None)
    assert found == [("Chaos Syren", 2, 1.0, pytest.approx(0.1)), ("Chaos Syren", 725280, 1.0, pytest.approx(0.1))]


def test_users_with_a_list_of_items(read):
    item = {"item_id": "10", "item_name": "Counter-Strike", "playtime_forever": 6, "playtime_2weeks": 0}
    users = [
        {"user_id": "ann", "items_count": 2, "steam_id": "7", "items": [item, {**item, "item_id": "20"}]},
        {"user_id": "bob", "items_count": 0, "steam_id": "8", "items": []},
        {"user_id": "cem", "items_count": 1, "steam_id": "9", "items": [item]},
    ]
    text = "".join(f"{user!r}\n" for user in users)
    found = read(text, "australian_users_items.json", rating="playtime_forever")
    assert found == [("ann", 10, 6.0), ("ann", 20, 6.0), ("cem", 10, 6.0)]
    users[2]["items"] = [{"item_id": "10", "playtime_forever": None}]
    with pytest.raises(DataError, match=r"line 3, column 'playtime_forever': the rating is missing"):
        read("".join(f"{user!r}\n" for user in users), rating="playtime_forever")


def test_columns_are_named_and_values_follow_the_rules_of_tables(read):
    lines = '{"who": 1, "what": "007", "stars": "3,5"}\n\n{"stars": "4,0", "who": 2, "what": "8", "x": null}\n'
    assert read(lines, user="who", item="what", rating="stars") == [(1, "007", 3.5), (2, "8", 4.0)]
    assert read(lines, user="who", item="what", rating=None) == [(1, "007", 1.0), (2, "8", 1.0)]
    assert read('{"user": "1", "item": 18446744073709551616, "rating": true}\n') == [(1, "18446744073709551616", 1.0)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"user": 1, "item": 2, "rating": "good"}', "line 3, column 'rating': the rating 'good' is not a number"),
        ('{"user": 1, "item": 2, "rating": null}', "line 3, column 'rating': the rating is missing"),
        ('{"user": 1, "item": 2}', "line 3, column 'rating': the rating is missing"),
        ('{"user": 1, "item": 2, "rating": NaN}', "line 3, column 'rating': the rating nan is not a finite number"),
        ('{"user": null, "item": 2, "rating": 1}', "line 3, column 'user': the id is missing"),
        ('{"user": [1], "item": 2, "rating": 1}', r"line 3, column 'user': '\[1\]' is no id"),
        ('{"user": 1, "item": true, "rating": 1}', "line 3, column 'item': True is no id"),
        ('{"user": 1, "item": 2, "rating": 1', 'line 3: no object of JSON: \'{"user": 1, "item": 2, "rating": 1\''),
        ('{"user": 1, "item": 2, "rating": 1} {}', "line 3: no object of JSON"),
        ("[1, 2]", "line 3: no object of JSON"),
        ('{"user": "\\ud800", "item": 2, "rating": 1}', "column 'user': the id .* is no valid Unicode text"),
        ("[" * 100_000, "line 3: no object of JSON"),
    ],
)
def test_what_is_wrong_is_said_with_the_line(read, line, message):
    with pytest.raises(DataError, match=message):
        read(f'{{"user": 1, "item": 1, "rating": 4}}\n\n{line}\n{{"user": 1, "item": 3, "rating": 4}}\n')


@pytest.mark.parametrize(
    "line", ["{'user': 1, 'item': __import__('os'), 'rating': 1}", "{'user': 1", "{" * 5000, "{'user': " + "-" * 9000]
)
def test_python_is_never_executed(read, line):
    with pytest.raises(DataError, match="line 2: no dict of Python"):
        read("{'user': 1, 'item': 2, 'rating': 3}\n" + line + "\n")


def test_a_first_line_without_the_columns_names_those_it_has(read):
    with pytest.raises(DataError, match=r"line 1: no column 'item', the columns are 'user', 'thing'"):
        read('{"user": 1, "thing": 2}\n')


def test_a_folder_with_one_file_of_lines(tmp_path):
    (tmp_path / "Video_Games.jsonl").write_text('{"user_id": "A", "parent_asin": "B", "rating": 4.0}\n')
    assert rows(read_ratings(tmp_path)) == [("A", "B", 4.0)]


ID = st.one_of(st.integers(-(2**63), 2**63 - 1), st.text("ab7 é\"\\{}'", min_size=1, max_size=4).filter(str.strip))


@given(
    st.lists(st.tuples(ID, st.integers(0, 9), st.floats(0.5, 5, width=32)), min_size=1, max_size=30),
    st.sampled_from([json.dumps, repr]),
    st.integers(1, 200),
)
def test_both_ways_of_writing_give_the_same_wherever_blocks_end(tmp_path_factory, ratings, write, block):
    records = [{"user": user, "item": item, "rating": value, "note": "{"} for user, item, value in ratings]
    path = tmp_path_factory.getbasetemp() / "drawn.jsonl"
    path.write_text("".join(f"{write(record)}\n" for record in records), encoding="utf-8")
    before = json_lines._BLOCK
    json_lines._BLOCK = block
    try:
        found = read_ratings(path).to_frame()
    finally:
        json_lines._BLOCK = before
    texts = {str(user).strip() for user, _, _ in ratings}
    last = {(str(user).strip(), item): value for user, item, value in ratings}
    assert set(found["user"].astype(str)) == texts
    for user, item, value in found.itertuples(index=False, name=None):
        assert last[str(user), item] == value


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        (['{"user": 1, "item": 2}', '{"user": 1, "user": 2, "item": 5}'], "line 2: 'user'"),
        (['{"user": 1, "item": 2, "item": 3}'], "line 1: 'item'"),
        (['{"user": 1, "item": 2, "x": 1, "x": 1}'], "line 1: 'x'"),
        (['{"user": 1, "items": [{"item": 5}, {"item": 6, "item": 7}]}'], "line 1: 'item'"),
        (["{'user': 1, 'item': 2}", "{'user': 1, 'user': 2, 'item': 5}"], "line 2: 'user'"),
        (["{'user': 1, 'items': [{'item': 5, 'item': 6}]}"], "line 1: 'item'"),
    ],
)
def test_a_name_that_stands_twice_in_an_object_is_refused_with_its_line(lines, where, tmp_path):
    path = tmp_path / "ratings.json"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=f"{where} stands twice in one object; correct or delete the line"):
        read_ratings(path)


def test_equal_names_in_different_objects_are_no_repetition(tmp_path):
    path = tmp_path / "ratings.json"
    path.write_text('{"user": 1, "item": 2, "x": {"user": 3}}\n{"user": 2, "item": 2, "x": {"user": 3}}\n')
    assert read_ratings(path).users.tolist() == [1, 2]


def test_a_field_of_truth_values_is_named_where_there_is_no_rating(tmp_path):
    path = tmp_path / "likes.jsonl"
    path.write_text('{"user": 1, "item": 2, "liked": true}\n{"user": 1, "item": 3, "liked": false}\n')
    with pytest.warns(UserWarning, match="the column 'liked' says yes and no"):
        read_ratings(path)

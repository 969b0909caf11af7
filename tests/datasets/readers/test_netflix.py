"""The Netflix Prize: films in lines of their own, in one file or in thousands."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerec.datasets import read_ratings
from aerec.datasets.readers import netflix
from aerec.errors import DataError

FIRST = "1:\n1488844,3,2005-09-06\n822109,5,2005-05-13\n2:\n2059652,4,2005-09-05\n"
SECOND = "3:\n1488844,1,2004-01-01\n"


def rows(data):
    return list(replace(data, timestamp_dtype=None).to_frame().itertuples(index=False, name=None))


def test_the_files_of_a_folder_are_one_data_set_with_titles(tmp_path):
    (tmp_path / "combined_data_1.txt").write_text(FIRST)
    (tmp_path / "combined_data_2.txt").write_text(SECOND)
    (tmp_path / "probe.txt").write_text("1:\n30878\n")
    (tmp_path / "movie_titles.csv").write_bytes(b"1,2003,Dinosaur Planet\n2,NULL,Isle, the \xe9\n")
    data = read_ratings(tmp_path)
    assert rows(data) == [
        (822109, 1, 5.0, 1115942400),
        (1488844, 1, 3.0, 1125964800),
        (1488844, 3, 1.0, 1072915200),
        (2059652, 2, 4.0, 1125878400),
    ]
    assert data.item_names.to_dict() == {1: "Dinosaur Planet (2003)", 2: "Isle, the é", 3: ""}


def test_a_file_for_each_film_and_one_of_the_files_alone(tmp_path):
    (tmp_path / "mv_0000001.txt").write_text("1:\n7,3,2005-09-06\n8,5,2005-05-13\n")
    (tmp_path / "mv_0000002.txt").write_text("2:\n7,4,2005-09-05")
    assert [row[:3] for row in rows(read_ratings(tmp_path))] == [(7, 1, 3.0), (7, 2, 4.0), (8, 1, 5.0)]
    assert rows(read_ratings(tmp_path / "mv_0000002.txt", rating=None, timestamp=None)) == [(7, 2, 1.0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1:\n7,3,2005-09-06\n8,5\n", "line 3: '8,5' is neither a film such as '1:' nor a rating"),
        ("1:\n7,3,2005-09-06\n8,x,2005-09-06\n", "line 3: '8,x,2005-09-06' is neither"),
        ("1:\n7,3,2005-09-06\n8,9,2005-09-06\n", "line 3: '8,9,2005-09-06' is neither .* a rating from 1 to 5"),
        ("1:\n7,0,2005-09-06\n", "line 2: '7,0,2005-09-06' is neither"),
        ("1:\n7,2.5,2005-09-06\n", "line 2: '7,2.5,2005-09-06' is neither"),
        ("1:\n7,3,2005-09-06,9\n", "line 2: '7,3,2005-09-06,9' is neither"),
        ("1:\n7,3,2005-09-06\n8,3,2005-19-06\n", "line 3: '2005-19-06' is no day of the calendar"),
        ("1:\n9223372036854775808,3,2005-09-06\n", "line 2: '9223372036854775808,3,2005-09-06' is neither"),
        ("7,3,2005-09-06\n", "line 1: a rating before the first film"),
        ("1:\nann,3,2005-09-06\n", "line 2: 'ann,3,2005-09-06' is neither"),
        ("1:\n2:\n", "names films and holds no ratings"),
        ("", "holds no ratings"),
    ],
)
def test_what_is_wrong_is_said_with_the_line(tmp_path, text, message):
    (tmp_path / "combined_data_1.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read_ratings(tmp_path / "combined_data_1.txt")


def test_a_byte_order_mark_is_no_part_of_the_first_film(tmp_path):
    (tmp_path / "combined_data_1.txt").write_text("\ufeff" + FIRST, encoding="utf-8")
    assert len(rows(read_ratings(tmp_path / "combined_data_1.txt"))) == 3


@given(
    st.lists(st.lists(st.integers(1, 9), max_size=4, unique=True), min_size=1, max_size=8).filter(any),
    st.integers(1, 60),
    st.sampled_from(["\n", "\r\n", "\n\n"]),
)
def test_films_keep_their_ratings_wherever_blocks_end(tmp_path_factory, raters, block, ends):
    lines = []
    for film, users in enumerate(raters, start=1):
        lines += [f"{film}:", *(f"{user},{1 + (user + film) % 5},2005-01-{film:02d}" for user in users)]
    path = tmp_path_factory.getbasetemp() / "combined_data_9.txt"
    path.write_bytes("".join(line + ends for line in lines).encode())
    before = netflix._BLOCK
    netflix._BLOCK = block
    try:
        found = {row[:3] for row in rows(read_ratings(path))}
    finally:
        netflix._BLOCK = before
    assert found == {
        (user, film, 1.0 + (user + film) % 5) for film, users in enumerate(raters, start=1) for user in users
    }

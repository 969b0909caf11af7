"""Titles and genres beside the ratings."""

import pytest

from aerec.datasets import read_ratings
from aerec.errors import DataError


def named(folder):
    data = read_ratings(folder)
    titles, genres = data.item_names, data.item_genres
    return None if titles is None else titles.to_dict(), None if genres is None else genres.to_dict()


def test_ratings_alone_have_no_titles(movielens, layout):
    folder = movielens(layout)
    for name in ("u.item", "movies.dat", "movies.csv", "films.item"):
        (folder / name).unlink(missing_ok=True)
    assert named(folder) == (None, None)


def test_films_without_an_entry_have_no_title(movielens):
    folder = movielens("1m")
    (folder / "movies.dat").write_text("3::Three (1993)::Drama|War\n")
    assert named(folder) == ({3: "Three (1993)", 7: "", 10: ""}, {3: ("Drama", "War"), 7: (), 10: ()})


def test_the_first_of_two_entries_counts(movielens):
    folder = movielens("1m")
    (folder / "movies.dat").write_text("3::Three::Drama\n3::Drei::War\n7::Seven::\n")
    assert named(folder)[0] == {3: "Three", 7: "Seven", 10: ""}


def test_without_u_genre_the_nineteen_of_movielens_100k_are_taken(movielens):
    folder = movielens("100k")
    (folder / "u.genre").unlink()
    flags = ["0"] * 19
    flags[5] = flags[18] = "1"
    (folder / "u.item").write_text("3|Three (1993)|||x|" + "|".join(flags) + "\n")
    assert named(folder)[1][3] == ("Comedy", "Western")


def test_a_byte_order_mark_is_no_part_of_the_first_field(movielens):
    folder = movielens("csv")
    (folder / "movies.csv").write_bytes(b"\xef\xbb\xbf" + (folder / "movies.csv").read_bytes())
    assert named(folder)[0][3] == "Léon (1994)"


def test_windows_line_ends_are_no_part_of_a_genre(movielens):
    folder = movielens("csv")
    (folder / "movies.csv").write_bytes((folder / "movies.csv").read_bytes().replace(b"\n", b"\r\n"))
    assert named(folder)[1][3] == ("Action", "Drama")


def test_titles_of_text_ids_are_found(tmp_path):
    (tmp_path / "songs.inter").write_text("user_id:token\titem_id:token\nann\ts07\nann\t12\n")
    (tmp_path / "songs.item").write_text("item_id:token\tname:token_seq\ns07\tBlue Moon\n12\tTwelve\n")
    assert named(tmp_path) == ({"12": "Twelve", "s07": "Blue Moon"}, None)


@pytest.mark.parametrize(("rated", "listed"), [(["7"], ["7", "x9"]), (["7", "x9"], ["7"])])
def test_titles_are_found_where_only_one_of_the_files_has_ids_that_are_text(tmp_path, rated, listed):
    (tmp_path / "songs.inter").write_text("user_id:token\titem_id:token\n" + "".join(f"ann\t{one}\n" for one in rated))
    rows = "".join(f"{one}\tSong {one}\n" for one in listed)
    (tmp_path / "songs.item").write_text("item_id:token\ttitle:token_seq\n" + rows)
    titles, _ = named(tmp_path)
    assert titles == {int(one) if rated == ["7"] else one: "Song 7" if one == "7" else "" for one in rated}


@pytest.mark.parametrize(
    "listed",
    [
        "sku,title,genres\n007,Pot,Kitchen|Steel\n08,Pan,\n",
        "# of the shop, as of\r\n% today\r\nsku,title,genres\r\n007,Pot,Kitchen|Steel\r\n08,Pan,\r\n",
        'SKU;Price;Name;Category\r\n007;1,5;Pot;Kitchen|Steel\r\n08;2;"Pan";\r\n',
    ],
)
def test_titles_stand_in_an_items_csv_beside_ratings_of_ones_own(tmp_path, listed):
    (tmp_path / "orders.csv").write_text("user,item\n1,007\n1,08\n2,9\n")
    (tmp_path / "items.csv").write_text(listed, encoding="utf-8-sig")
    ratings = read_ratings(tmp_path / "orders.csv", rating=None)
    assert ratings.item_names.to_dict() == {"007": "Pot", "08": "Pan", "9": ""}
    assert ratings.item_genres["007"] == ("Kitchen", "Steel")


def test_an_items_csv_without_titles_is_passed_over_with_a_warning(tmp_path):
    (tmp_path / "orders.csv").write_text("user,item\n1,007\n1,08\n2,9\n")
    (tmp_path / "items.csv").write_text("SKU,price\n007,1\n")
    with pytest.warns(UserWarning, match=r"items.csv has no column of titles.* the columns are SKU, price: call one"):
        ratings = read_ratings(tmp_path / "orders.csv", rating=None)
    assert ratings.item_names is None


def test_a_list_without_items_names_none(movielens):
    folder = movielens("csv")
    (folder / "movies.csv").write_text("movieId,title,genres\n")
    assert set(named(folder)[0].values()) == {""}


def test_a_recbole_item_file_without_titles_gives_none(tmp_path):
    (tmp_path / "songs.inter").write_text("user_id:token\titem_id:token\nann\t7\n")
    (tmp_path / "songs.item").write_text("item_id:token\tprice:float\n7\t3.5\n")
    assert named(tmp_path) == (None, None)


@pytest.mark.parametrize(
    ("layout", "name", "text", "message"),
    [
        ("1m", "movies.dat", "3::Three::Drama\n7::Seven\n", "row 2: not a list of items separated by '::'"),
        ("csv", "movies.csv", "", "row 1: not a list of items separated by ','"),
        ("csv", "movies.csv", "movieId,title\n3,Three\n", "row 1: not a list of items separated by ','"),
        ("csv", "movies.csv", 'movieId,title,genres\n3,"Three' + "x" * 200_000, "field larger than field limit"),
        ("100k", "u.item", "3|Three|||x|1|0\n", r"2 genre columns for the 4 genres of u\.genre"),
    ],
)
def test_a_list_of_items_that_cannot_be_read_is_named(movielens, layout, name, text, message):
    folder = movielens(layout)
    (folder / name).write_text(text)
    with pytest.raises(DataError, match=f"{name}.*{message}"):
        read_ratings(folder)

"""read_ratings and read_parts: each layout gives the same ratings, and folders tell what they hold."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerec import Interactions
from aerec.datasets import read_parts, read_ratings
from aerec.errors import DataError


def rows(data):
    return [tuple(row) for row in data.to_frame().itertuples(index=False)]


@pytest.fixture(scope="module")
def movielens_100k():
    folder = Path(os.environ.get("AEREC_DATA", ""), "ml-100k")
    if not (os.environ.get("AEREC_DATA") and folder.is_dir()):
        pytest.skip("MovieLens 100K is not here: set AEREC_DATA to the folder that holds ml-100k")
    return folder


# ---------------------------------------------------------------------- layouts


@pytest.mark.parametrize("packed", ["plain", "gzip", "zip"])
def test_every_layout_gives_the_same_ratings_titles_and_genres(movielens, expected, layout, packed):
    ratings, titles, genres = expected
    data = read_ratings(movielens(layout, packed))
    assert rows(data) == ratings
    assert data.users.dtype == data.items.dtype == "int64"
    assert data.item_names.to_dict() == titles
    assert data.item_genres.to_dict() == genres


def test_the_path_of_the_file_itself_finds_its_titles_too(movielens, expected):
    for layout, name in {
        "100k": "u.data",
        "10m": "ratings.dat",
        "csv": "ratings.csv",
        "recbole": "films.inter",
    }.items():
        data = read_ratings(movielens(layout) / name)
        assert rows(data) == expected[0]
        assert data.item_names.to_dict() == expected[1]


def test_half_stars_and_times_before_1970_stay_what_they_are(tmp_path):
    path = tmp_path / "ratings.dat"
    path.write_text("1::122::0.5::838985046\n1::185::4.5::-5\n")
    assert rows(read_ratings(path)) == [(1, 122, 0.5, 838985046), (1, 185, 4.5, -5)]


def test_a_duplicated_rating_keeps_the_last_by_time_with_a_warning(tmp_path):
    path = tmp_path / "ratings.dat"
    path.write_text("1::2::5::30\n1::2::1::20\n3::2::4::10\n")
    with pytest.warns(UserWarning, match="1 rating replaced by a later one"):
        assert rows(read_ratings(path)) == [(1, 2, 5.0, 30), (3, 2, 4.0, 10)]


def test_rating_none_reads_implicit_feedback_and_timestamp_none_leaves_times_out(movielens, expected):
    data = read_ratings(movielens("1m"), rating=None, timestamp=None)
    assert rows(data) == [(user, item, 1.0) for user, item, _, _ in expected[0]]


numbers = st.integers(0, 10**12)
words = st.text("abzé,;|\"' 07", min_size=1, max_size=6).map(str.strip).filter(bool)


def sorted_text(data):
    return sorted((str(user), str(item), *rest) for user, item, *rest in rows(data))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), ids=st.sampled_from([numbers, words]), sep=st.sampled_from([",", "\t", ";", "|"]))
def test_what_to_frame_writes_as_csv_is_read_again(tmp_path_factory, data, ids, sep):
    triples = st.tuples(ids, ids, st.sampled_from([0.5, 1, 3.25, 5]))
    drawn = data.draw(st.lists(triples, min_size=1, max_size=20, unique_by=lambda triple: triple[:2]))
    frame = pd.DataFrame(drawn, columns=["user", "item", "rating"])
    if data.draw(st.booleans()):
        frame["timestamp"] = np.arange(len(drawn))[::-1]
    before = Interactions.from_frame(frame)
    path = tmp_path_factory.getbasetemp() / "round_trip.csv"
    before.to_frame().to_csv(path, sep=sep, index=False)
    after = read_ratings(path, sep=sep)
    assert sorted_text(after) == sorted_text(before)
    if ids is numbers:
        assert rows(after) == rows(before)


# ---------------------------------------------------------------------- which file of a folder


def test_a_folder_with_a_single_table_needs_no_name(tmp_path):
    (tmp_path / "README").write_text("about")
    (tmp_path / "plays.tsv").write_text("user\titem\nann\tx\n")
    assert rows(read_ratings(tmp_path, rating=None)) == [("ann", "x", 1.0)]


def test_a_folder_with_several_tables_asks_for_the_file(tmp_path):
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text("user,item,rating\n1,2,3\n")
    with pytest.raises(DataError, match=r"cannot tell which .* found one\.csv, two\.csv; give the path of the file"):
        read_ratings(tmp_path)


def test_a_folder_of_parquet_parts_says_how_to_join_them(tmp_path):
    for name in ("part-0.parquet", "part-1.parquet"):
        pd.DataFrame({"user": [1], "item": [2]}).to_parquet(tmp_path / name)
    with pytest.raises(DataError, match=r"give the path of the file, or join parts of one table: aerec import"):
        read_ratings(tmp_path)


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="found no files"):
        read_ratings(tmp_path)


def test_an_unpacked_archive_is_found_one_folder_down(tmp_path, movielens, expected):
    movielens("1m").rename(tmp_path / "inner")
    outer = tmp_path / "outer"
    outer.mkdir()
    (tmp_path / "inner").rename(outer / "ml-1m")
    assert rows(read_ratings(outer)) == expected[0]


# ---------------------------------------------------------------------- given splits


def write_parts(folder, valid="valid"):
    (folder / "train.tsv").write_text("user\titem\trating\n1\t5\t4\n2\t5\t3\n")
    (folder / f"{valid}.tsv").write_text("user\titem\trating\n1\t6\t2\n")
    (folder / "test.tsv").write_text("user\titem\trating\n3\t4\t1\n")


@pytest.mark.parametrize("valid", ["valid", "validation", "val", "dev"])
def test_parts_share_users_and_items(tmp_path, valid):
    write_parts(tmp_path, valid)
    parts = read_parts(tmp_path)
    assert list(parts) == ["train", "validation", "test"]
    for part in parts.values():
        assert list(part.users) == [1, 2, 3]
        assert list(part.items) == [4, 5, 6]
    assert rows(parts["train"]) == [(1, 5, 4.0), (2, 5, 3.0)]
    assert rows(parts["test"]) == [(3, 4, 1.0)]


def test_a_folder_of_parts_is_read_as_one(tmp_path):
    write_parts(tmp_path)
    assert rows(read_ratings(tmp_path)) == [(1, 5, 4.0), (1, 6, 2.0), (2, 5, 3.0), (3, 4, 1.0)]


def test_parts_lie_in_an_archive_too(tmp_path):
    write_parts(tmp_path)
    target = tmp_path / "split.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for path in tmp_path.glob("*.tsv"):
            archive.write(path, f"split/{path.name}")
    assert rows(read_parts(target)["validation"]) == [(1, 6, 2.0)]


def test_numbers_in_one_part_and_text_in_another_are_all_text(tmp_path):
    (tmp_path / "train.csv").write_text("user,item,rating\n1,5,4\n2,5,3\n")
    (tmp_path / "test.csv").write_text("user,item,rating\nann,5,4\n1,5,4\n")
    parts = read_parts(tmp_path)
    assert list(parts["train"].users) == ["1", "2", "ann"]
    assert rows(parts["test"]) == [("1", 5, 4.0), ("ann", 5, 4.0)]


def test_recbole_parts_find_their_titles(tmp_path, movielens, expected):
    folder = movielens("recbole")
    lines = (folder / "films.inter").read_text().splitlines(keepends=True)
    (folder / "films.train.inter").write_text("".join(lines[:4]))
    (folder / "films.test.inter").write_text("".join(lines[:1] + lines[4:]))
    (folder / "films.inter").unlink()
    parts = read_parts(folder)
    assert sorted(rows(parts["train"]) + rows(parts["test"])) == expected[0]
    assert parts["test"].item_names.to_dict() == expected[1]


def test_a_missing_part_is_named_with_what_is_there(tmp_path):
    (tmp_path / "train.csv").write_text("user,item,rating\n1,5,4\n")
    with pytest.raises(DataError, match=r"no test part; expected train\.\* and test\.\*, found train\.csv"):
        read_parts(tmp_path)
    with pytest.raises(DataError, match=r"no train part; expected u1\.base and u1\.test"):
        read_parts(tmp_path, fold="u1")
    with pytest.raises(DataError, match="is a file; give the folder"):
        read_parts(tmp_path / "train.csv")
    (tmp_path / "train.tsv").write_text("user\titem\trating\n1\t5\t4\n")
    with pytest.raises(DataError, match="are both a train part; keep one"):
        read_parts(tmp_path)


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv does not exist; check the path"):
        read_ratings(tmp_path / "nowhere.csv")


# ---------------------------------------------------------------------- the real MovieLens 100K


def test_movielens_100k_is_read_whole(movielens_100k):
    data = read_ratings(movielens_100k)
    assert data.shape == (943, 1682)
    assert data.n_ratings == 100_000
    assert data.item_names[1] == "Toy Story (1995)"
    assert data.item_genres[1] == ("Animation", "Children's", "Comedy")
    assert data.item_names[543] == "Misérables, Les (1995)"
    assert data.matrix[[195], [241]] == 3.0
    assert data.timestamps.min() == 874724710


def test_the_folds_of_movielens_100k_make_the_whole(movielens_100k):
    whole = read_ratings(movielens_100k)
    parts = read_parts(movielens_100k, fold="u1")
    assert (parts["train"].n_ratings, parts["test"].n_ratings) == (80_000, 20_000)
    assert sorted(rows(parts["train"]) + rows(parts["test"])) == rows(whole)
    assert parts["test"].item_names[1] == "Toy Story (1995)"


def test_what_parts_say_of_added_up_rows_stays_when_they_are_joined(tmp_path):
    (tmp_path / "train.csv").write_text("user,item,rating\n1,7,2\n1,7,2\n1,7,1\n")
    (tmp_path / "test.csv").write_text("user,item,rating\n1,8,2\n1,7,1\n")
    joined = read_ratings(tmp_path, duplicates="sum")
    assert joined.to_frame()["rating"].tolist() == [6, 2]
    assert joined.notes == tuple(
        f"{rows} added to another one of the same user and item" for rows in ("2 rows", "1 row")
    )


@pytest.mark.parametrize("read", [read_ratings, read_parts])
def test_an_unknown_way_with_duplicates_is_refused_before_anything_is_read(read, tmp_path):
    with pytest.raises(ValueError, match='duplicates=\'all\' is not known; expected "last", "first" or "sum"'):
        read(tmp_path / "absent", duplicates="all")


def test_of_an_archive_of_tables_one_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for name in ("one.csv", "two.csv"):
            archive.writestr(name, "user,item\n1,2\n")
    with pytest.raises(DataError, match="unpack the archive and give the path of the file"):
        read_ratings(tmp_path / "two.zip")


def test_parquet_in_folders_is_sent_to_import(tmp_path):
    for folder in ("day=1", "day=2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "part.parquet").touch()
    with pytest.raises(DataError, match="holds Parquet files in folders; join parts of one table: aerec import FOLDER"):
        read_ratings(tmp_path)

"""Folders as they are published: the ratings are found by their names, with the titles beside them."""

from dataclasses import replace

import pytest

from aerec.datasets import read_ratings


def rows(data):
    return list(replace(data, timestamp_dtype=None).to_frame().itertuples(index=False, name=None))


def folder_of(folder, files):
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def test_goodbooks(tmp_path):
    books = 'book_id,goodreads_book_id,authors,title\n258,1,Zafón,"The Shadow, of the Wind"\n4081,2,X,Y\n'
    files = {"ratings.csv": "user_id,book_id,rating\n1,258,5\n2,4081,4\n", "books.csv": books, "to_read.csv": "a,b\n"}
    data = read_ratings(folder_of(tmp_path, {**files, "tags.csv": "tag_id,tag_name\n", "book_tags.csv": "x\n"}))
    assert rows(data) == [(1, 258, 5.0), (2, 4081, 4.0)]
    assert data.item_names.to_dict() == {258: "The Shadow, of the Wind", 4081: "Y"}


def test_book_crossing(tmp_path):
    ratings = (
        b'"User-ID";"ISBN";"Book-Rating"\r\n"276725";"034545104X";"0"\r\n"7";"0155061224";"5"\r\n"7";"\xba3\\"";"9"\r\n'
    )
    books = b'"ISBN";"Book-Title";"Book-Author"\r\n"0155061224";"Rites \\"of\\" Passage; \xe9";"Judith Rae"\r\n'
    folder_of(tmp_path, {"BX-Book-Ratings.csv": ratings, "BX-Books.csv": books, "BX-Users.csv": b'"User-ID"\r\n'})
    with pytest.warns(UserWarning, match="1 rating of 0 dropped"):
        data = read_ratings(tmp_path)
    assert rows(data) == [(7, "0155061224", 5.0), (7, 'º3"', 9.0)]
    assert data.item_names["0155061224"] == 'Rites "of" Passage; é'
    assert read_ratings(tmp_path, rating=None).n_ratings == 3  # of 0: implicit, as the authors call them


def test_lastfm_2k(tmp_path):
    files = {
        "user_artists.dat": "userID\tartistID\tweight\n2\t51\t13883\n2\t52\t11690\n",
        "artists.dat": 'id\tname\turl\tpictureURL\n51\tDuran "Duran\thttp://x\thttp://y\n52\tMorcheeba\t\t\n',
        "tags.dat": "tagID\ttagValue\n",
        "user_friends.dat": "userID\tfriendID\n",
    }
    data = read_ratings(folder_of(tmp_path, files))
    assert rows(data) == [(2, 51, 13883.0), (2, 52, 11690.0)]
    assert data.item_names.to_dict() == {51: 'Duran "Duran', 52: "Morcheeba"}
    assert rows(read_ratings(tmp_path, rating=None))[0] == (2, 51, 1.0)


def test_lastfm_360k(tmp_path):
    plays = "00000c28\t3bd73256\tbetty blowtorch\t2137\n00000c28\t\tdie Ärzte\t1099\n"
    folder_of(tmp_path, {"usersha1-artmbid-artname-plays.tsv": plays, "usersha1-profile.tsv": "00000c28\tf\n"})
    assert rows(read_ratings(tmp_path)) == [("00000c28", "betty blowtorch", 2137.0), ("00000c28", "die Ärzte", 1099.0)]


def test_msd(tmp_path):
    folder_of(tmp_path, {"train_triplets.txt": "b80344d\tSOAKIMP12A8C130995\t1\nb80344d\tSOBBMDR12A8C13253B\t2\n"})
    found = rows(read_ratings(tmp_path))
    assert found == [("b80344d", "SOAKIMP12A8C130995", 1.0), ("b80344d", "SOBBMDR12A8C13253B", 2.0)]


def test_citeulike_t(tmp_path):
    folder_of(
        tmp_path, {"users.dat": "2 5 7\n1 7\n", "tag-item.dat": "1 5\n", "tags.dat": "a\n", "mult.dat": "1 2:3\n"}
    )
    assert rows(read_ratings(tmp_path)) == [(0, 5, 1.0), (0, 7, 1.0), (1, 7, 1.0)]


def test_yelp_lies_beside_businesses_and_users(tmp_path):
    review = '{"review_id":"K","user_id":"u","business_id":"b","stars":3.0,"text":"x","date":"2018-07-07 22:09:11"}\n'
    files = {f"yelp_academic_dataset_{name}.json": '{"business_id":"b"}\n' for name in ("business", "user", "tip")}
    folder_of(tmp_path, {**files, "yelp_academic_dataset_review.json": review})
    assert rows(read_ratings(tmp_path)) == [("u", "b", 3.0, 1531001351)]

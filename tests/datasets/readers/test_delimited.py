"""Delimited text: how it is understood, and the one clear line for each way in which it can be wrong."""

import bz2
import contextlib
import gzip
import lzma
import os
import warnings
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerec.datasets import read_ratings
from aerec.datasets.readers import delimited
from aerec.errors import DataError


@pytest.fixture
def read(tmp_path):
    """Write `text` to a file and read it; give its ratings as tuples."""

    def write_and_read(text, name="mine.csv", **options):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return [tuple(row) for row in read_ratings(path, **options).to_frame().itertuples(index=False)]

    return write_and_read


# ---------------------------------------------------------------------- what is understood


@pytest.mark.parametrize("sep", ["\t", ",", ";", "|", " ", "::"])
def test_the_separator_is_detected(read, sep):
    text = f"user{sep}item{sep}rating\nann{sep}x{sep}4.5\n"
    if sep == "::":
        text = "ann::x::4.5::3\n"
    assert [row[:3] for row in read(text)] == [("ann", "x", 4.5)]


@pytest.mark.parametrize("sep", ["||", "@", ".*", "::"])
def test_any_separator_can_be_given_and_is_taken_literally(read, sep):
    text = f"7{sep}x{sep}4\n"
    assert read(text, sep=sep, columns=("user", "item", "rating")) == [(7, "x", 4.0)]


@pytest.mark.parametrize(
    "header",
    [
        "user,item,rating,time",
        "userId,movieId,rating,timestamp",
        "User_ID,Item ID,Rating,Timestamp",
        "uid,iid,rating,time",
    ],
)
def test_the_usual_names_are_known(read, header):
    assert read(f"{header}\n1,2,3,4\n") == [(1, 2, 3.0, 4)]


def test_columns_are_named_and_may_stand_in_any_order(read):
    text = "when;note;stars;what;who\n10;x;4;a;ann\n"
    options = {"user": "who", "item": "what", "rating": "stars", "timestamp": "when"}
    assert read(text, **options) == [("ann", "a", 4.0, 10)]
    assert read(text, **{**options, "rating": None, "timestamp": None}) == [("ann", "a", 1.0)]


def test_a_column_of_weights_is_read_where_it_is_named(read):
    text = "user;item;rating;weight\nann;a;4;0,5\nbob;a;3;2\n"
    assert read(text) == [("ann", "a", 4.0), ("bob", "a", 3.0)]
    assert read(text, weight="weight") == [("ann", "a", 4.0, 0.5), ("bob", "a", 3.0, 2.0)]
    assert read("ann,a,4,10,3\n", header=False, weight="5") == [("ann", "a", 4.0, 10, 3.0)]


def test_a_file_without_a_header_is_named_by_the_caller(read):
    assert read("2,1,5\n3,1,4\n", columns=("item", "user", "rating")) == [(1, 2, 5.0), (1, 3, 4.0)]
    assert read("8,1,5,x\n", columns=("when", "user", "item", "note"), rating=None, timestamp="when") == [
        (1, 5, 1.0, 8)
    ]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("train_triplets.txt", "b80344d0\tSOAKIMP12\t3\n", ("b80344d0", "SOAKIMP12", 3.0)),
        ("usersha1-artmbid-artname-plays.tsv", '00001\t\t"x\t21\n', ("00001", '"x', 21.0)),
        ("ratings_Books.csv", "A2X,B001,5.0,1400000000\n", ("A2X", "B001", 5.0, 1400000000)),
        ("BX-Book-Ratings.csv", '"User-ID";"ISBN";"Book-Rating"\n"7";"034545104X";"5"\n', (7, "034545104X", 5.0)),
        ("ratings.csv", "user_id,book_id,rating\n1,258,5\n", (1, 258, 5.0)),  # goodbooks
        ("user_artists.dat", "userID\tartistID\tweight\n2\t51\t13883\n", (2, 51, 13883.0)),  # LastFM-2K
        ("Books.csv", "user_id,parent_asin,rating,timestamp\nAE,B07,4.0,1588687728\n", ("AE", "B07", 4.0, 1588687728)),
    ],
)
def test_published_files_are_read_as_they_are(read, name, text, expected):
    assert read(text, name) == [expected]


def test_recbole_types_are_no_part_of_the_names(read):
    text = "user_id:token\titem_id:token\trating:float\ttimestamp:float\nu1\ti1\t4\t88.5\n"
    assert read(text, "some.inter") == [("u1", "i1", 4.0, 88.5)]


def test_recbole_without_ratings_is_implicit(read):
    assert read("user_id:token\titem_id:token\nu1\ti1\n", "some.inter") == [("u1", "i1", 1.0)]


def test_a_quotation_mark_is_text_in_recbole_and_holds_together_in_csv(read):
    assert read('user_id:token\titem_id:token\n"u\ti1\n', "some.inter") == [('"u', "i1", 1.0)]
    assert read('user,item,rating\n"Smith, Ann","a ""b""",4\n') == [("Smith, Ann", 'a "b"', 4.0)]


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfuser,item,rating\n1,2,3\n",  # byte order mark
        "user,item,rating\r\n1,2,3\r\n",
        "user,item,rating\n1,2,3",  # no line end at the end
        "\n\nuser,item,rating\n\n1,2,3\n\n",
        "user, item, rating\n 1 , 2 , 3 \n",
    ],
)
def test_habits_of_editors_and_systems_do_not_matter(read, text):
    assert read(text) == [(1, 2, 3.0)]


def test_ids_stay_text_where_one_is_no_plain_number(read):
    assert [row[0] for row in read("user,item,rating\n007,1,3\n7,1,3\n")] == ["007", "7"]
    assert [row[0] for row in read("user,item,rating\n12345678901234567890,1,3\n")] == ["12345678901234567890"]
    assert [row[0] for row in read("user,item,rating\nNA,1,3\nnull,2,3\n")] == ["NA", "null"]


@pytest.mark.parametrize("missing", ["NA", "NULL", "null", "None", "nan", "\\N", "<NA>"])
def test_what_stands_for_a_missing_id_makes_no_text_of_the_others(read, missing):
    with pytest.raises(DataError, match=r"line 3, column 'user': .* stands where an id is missing"):
        read(f"user,item,rating\n1,1,3\n{missing},1,3\n2,1,3\n")
    assert [row[0] for row in read(f"user,item,rating\nx,1,3\n{missing},1,3\n")] == sorted(["x", missing])


def test_ids_stay_text_where_the_first_exception_comes_late(read):
    text = "user,item,rating\n" + "".join(f"{user},1,3\n" for user in range(1500)) + "x9,1,3\n"
    assert {type(row[0]) for row in read(text)} == {str}


@pytest.mark.parametrize(
    "ids", [["x1", "x2", "007", "008"], ["True", "False", "True", "yes"], ["1e2", "0x10", "0.50", "5"]]
)
def test_text_ids_keep_every_character_where_a_chunk_looks_like_numbers(read, monkeypatch, ids):
    monkeypatch.setattr(delimited, "_CHUNK", 2)
    text = "user,item,rating\n" + "".join(f"{id_},1,3\n" for id_ in ids[:3])
    assert sorted(row[0] for row in read(text + f"{ids[3]},2,3\n")) == sorted(set(ids))


def test_excels_own_line_names_the_separator(read):
    assert read("sep=;\r\nuser;item;rating\r\n1;2;3\r\n") == [(1, 2, 3.0)]
    assert read('\ufeff"sep=|"\nuser|item|rating\n1|a;b|3\n') == [(1, "a;b", 3.0)]


@pytest.mark.parametrize("wrong", ["k.A.", "98.765,5", "-"])
def test_of_decimal_commas_the_one_row_without_a_number_is_blamed(read, wrong):
    text = "user;item;rating\n1;7;1,0\n1;8;2,5\n2;7;4\n" + f"Insgesamt;17553;{wrong}\n"
    with pytest.raises(DataError, match=rf"line 5, column 'rating': the rating '{wrong}' is not a number"):
        read(text)
    with pytest.raises(DataError, match="line 5, column 'rating': the rating is missing"):
        read(text.replace(wrong, ""))


def test_comments_above_the_table_are_passed_over_and_told(read):
    with pytest.warns(UserWarning, match=r"comments above the table, such as '# exported, 2024', are passed over"):
        assert read("# exported, 2024\n# by ann\nuser,item,rating\n1,2,3\n") == [(1, 2, 3.0)]
    with pytest.warns(UserWarning, match="comments above"), pytest.raises(DataError, match="line 4, column 'rating'"):
        read("% bip weighted\n\nuser,item,rating\n1,2,x\n")
    with pytest.warns(UserWarning, match="comments above"):  # as numpy.savetxt writes a header
        assert read("# user item rating\n1 2 3\n", header=False) == [(1, 2, 3.0)]


def test_a_decimal_comma_is_read_where_commas_separate_nothing(read):
    assert read("user;item;rating\n1;2;3,5\n1;3;4\n1;5;-0,25\n") == [(1, 2, 3.5), (1, 3, 4.0), (1, 5, -0.25)]


def test_a_file_without_ratings_is_implicit_and_one_line_says_so(read):
    with pytest.warns(UserWarning, match="has no column of ratings: every row counts as 1") as told:
        assert read("user,item,plays\n1,2,9\n") == [(1, 2, 1.0)]
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read("user,item,plays\n1,2,9\n", rating="plays") == [(1, 2, 9.0)]
        assert read("user,item,plays\n1,2,9\n", rating=None) == [(1, 2, 1.0)]


@pytest.mark.parametrize(("yes", "no"), [("yes", "no"), ("Y", "N"), ("True", "False"), ("t", "f"), ("1", "0")])
def test_a_column_of_yes_and_no_is_named_and_read_as_the_rating(read, yes, no):
    text = f"user,item,device,liked\n1,2,tv,{yes}\n1,3,tv,{no}\n"
    told = "every row counts as 1; the column 'liked' says yes and no and is not read: rating='liked' reads it"
    with pytest.warns(UserWarning, match=told):
        read(text)
    with pytest.warns(UserWarning, match="1 rating of 0 dropped"):
        assert read(text, rating="liked") == [(1, 2, 1.0)]


@pytest.mark.parametrize(("odd", "told"), [("", "the rating is missing"), ("5", "'5' is neither yes nor no")])
def test_what_is_neither_yes_nor_no_among_them_is_refused(read, odd, told):
    with pytest.raises(DataError, match=rf"line 4, column 'rating': the rating.*{told.removeprefix('the rating')}"):
        read(f"user,item,rating\n1,2,yes\n1,3,no\n1,4,{odd}\n")


def test_ids_may_be_the_numbers_of_columns(read):
    assert read("a,x,5\n1,2,4\n", header=False) == [("1", "2", 4), ("a", "x", 5)]


def test_a_file_may_have_a_header_or_none(read):
    assert read("1,2,3,4\n", header=False) == [(1, 2, 3.0, 4)]
    assert read("1,2\n", header=False) == [(1, 2, 1.0)]
    assert read("1,2,1700000001\n", header=False) == [(1, 2, 1.0, 1700000001)]
    assert read("5,x,1,2\n", header=False, user="3", item="4", rating="1", timestamp=None) == [(1, 2, 5.0)]
    assert read("user,item,rating\n1,2,3\n", columns=("user", "item", "rating")) == [(1, 2, 3.0)]


def test_ids_of_nineteen_digits_are_whole_numbers(read):
    text = "user,item,rating\n1212092628029698001,2,3\n1212092628029698002,3,3\n"
    assert [row[0] for row in read(text)] == [1212092628029698001, 1212092628029698002]
    assert [row[0] for row in read("user,item,rating\n9223372036854775808,2,3\n")] == ["9223372036854775808"]


@pytest.mark.parametrize("large", ["9223372036854775808", "-9223372036854775809"])
def test_an_id_beyond_64_bits_makes_all_of_them_text_with_a_warning(read, large):
    with pytest.warns(UserWarning, match=f"column 'user': all ids are read as text, since '{large}' is beyond 64 bits"):
        rows = read(f"user,item,rating\n1,2,3\n{large},2,3\n")
    assert sorted(row[0] for row in rows) == sorted(["1", large])


def test_whole_numbers_with_a_decimal_point_lose_it_with_a_warning(read):
    with pytest.warns(UserWarning, match=r"column 'user': the ids are whole numbers with a decimal point"):
        assert read("user,item,rating\n1.0,2,3\n12.0,3,3\n") == [(1, 2, 3.0), (12, 3, 3.0)]
    assert [row[0] for row in read("user,item,rating\n1.0,2,3\n1.5,3,3\n")] == ["1.0", "1.5"]


@pytest.mark.parametrize("odd", ["1_0", "１２"])
def test_a_number_that_is_written_otherwise_is_named(read, odd):
    with pytest.warns(UserWarning, match=f"column 'user': all ids are read as text, since 1 of 2 .*'{odd}'"):
        read(f"user,item,rating\n{odd},2,3\n12,3,3\n")


@pytest.mark.parametrize(("unit", "factor"), [("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9)])
def test_times_in_other_units_become_seconds(read, unit, factor):
    text = "user,item,rating,timestamp\n" + "".join(f"1,{at},3,{(1_700_000_000 + at) * factor}\n" for at in (1, 2))
    with pytest.warns(UserWarning, match=rf"the times are {unit} since 1970 and were divided by {factor:,}"):
        assert [row[3] for row in read(text)] == [1_700_000_001, 1_700_000_002]
    with pytest.warns(UserWarning, match="divided"):
        assert read("user,item,rating,timestamp\n1,2,3,1700000000500\n") == [(1, 2, 3.0, 1_700_000_000.5)]


def test_dates_with_time_zones_become_seconds(read):
    text = "user,item,rating,date\n1,2,3,1970-01-02T02:00:00+02:00\n1,3,3,1970-01-02 00:00:00.5\n"
    assert [row[3].timestamp() for row in read(text)] == [86400, 86400.5]
    text = "user,item,rating,date\n" + "".join(
        f"{user},2,3,{date}\n"
        for user, date in enumerate(
            [
                "1970-01-02T00:00",
                "1970-01-02T02+02",
                "1970-01-02T00:00",
                "1970-01-02",
                "1970-01-01T23:00-01:00",
                "1970-01-02 00:00:00",
                "1970-01-02T00:00Z",
                "1970-01-02T00:00",
            ]
        )
    )
    assert {row[3].timestamp() for row in read(text)} == {86400}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "mixed"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_byte_order_marks_quotes_and_line_ends_do_not_matter(read, end, mark):
    lines = ['"user","item","rating"', '" 007","x, y",3', '7,"a ""b""","4"']
    text = "\r\n".join(lines[:2]) + "\n" + lines[2] if end == "mixed" else end.join(lines)
    assert read(mark + text.encode()) == [("007", "x, y", 3.0), ("7", 'a "b"', 4.0)]


@pytest.mark.parametrize("module", [gzip, bz2, lzma])
@pytest.mark.parametrize("named", [True, False])
def test_packed_files_are_read_whatever_they_are_called(read, module, named):
    suffix = {gzip: ".gz", bz2: ".bz2", lzma: ".xz"}[module] if named else ""
    assert read(module.compress(b"user,item,rating\n1,2,3\n"), f"mine.csv{suffix}") == [(1, 2, 3.0)]


@pytest.mark.parametrize("module", [bz2, lzma])
def test_packed_files_that_are_cut_are_named(read, module):
    data = module.compress(b"user,item,rating\n" + bytes(range(48, 58)) * 10_000)
    for damaged in (data[: len(data) // 2], data[:20] + b"x" * 40 + data[60:]):
        with pytest.raises(DataError, match="is damaged or incomplete"):
            read(damaged)


def test_dates_become_seconds(read):
    text = "user,item,rating,timestamp\n1,2,3,1970-01-02\n1,3,3,1970-01-01T00:00:05Z\n"
    times = [pd.Timestamp(seconds, unit="s", tz="UTC") for seconds in (86400, 5)]
    assert read(text) == [(1, 2, 3.0, times[0]), (1, 3, 3.0, times[1])]


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=30, unique_by=lambda row: row[:2]),
    chunk=st.integers(1, 7),
)
def test_chunks_do_not_show(tmp_path_factory, rows, chunk):
    path = tmp_path_factory.getbasetemp() / "chunks.csv"
    path.write_text("item,note,user,rating\n" + "".join(f"{i},-,{u},{r + 1}\n" for u, i, r in rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "_CHUNK", chunk)
        frame = read_ratings(path).to_frame()
    assert sorted(frame.itertuples(index=False, name=None)) == sorted((u, i, float(r + 1)) for u, i, r in rows)


# ---------------------------------------------------------------------- what is wrong, in one line

CSV = "user,item,rating,timestamp\n1,2,3,4\n"
DAT = "1::2::3::4\n"


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        pytest.param("", {}, "is empty; ratings were expected, one a line", id="empty"),
        pytest.param("\n \n", {}, "is empty", id="blank"),
        pytest.param("user,item,rating\n", {}, "has a header and no ratings", id="only a header"),
        pytest.param("1,2,3\n", {}, "line 1: no header in '1,2,3'; name the fields .* with columns=", id="no header"),
        pytest.param("who,item,rating\na,b,1\n", {}, "line 1: no column 'user', .*name it with user=…", id="no user"),
        pytest.param(CSV, {"rating": "stars"}, "line 1: no column 'stars'.*name it with rating=…", id="name not there"),
        pytest.param(CSV, {"timestamp": "when"}, "line 1: no column 'when'.*timestamp=…", id="time not there"),
        pytest.param("user,item,rating,rating\n1,2,3,4\n", {}, "the column 'rating' stands twice", id="column twice"),
        pytest.param(CSV, {"weight": "weight"}, "line 1: no column 'weight'.*weight=…", id="weight not there"),
        pytest.param(
            "user,item,weight\n1,2,3\n1,3,0\n",
            {"weight": "weight", "rating": None},
            "line 3, column 'weight': the weight '0' is not above 0",
            id="weight 0",
        ),
        pytest.param(
            "user,item,weight\n1,2,3\n1,3,much\n",
            {"weight": "weight", "rating": None},
            "line 3, column 'weight': the weight 'much' is not a number; .* with weight=…",
            id="weight text",
        ),
        pytest.param("1 2 3\n2 4\n", {"weight": "weight"}, "has no column of weights", id="weight of lists"),
        pytest.param(
            CSV, {"sep": ";"}, r"line 1: only one field in 'user,.*the separator is ';'.*try sep=','", id="sep"
        ),
        pytest.param(CSV, {"sep": ""}, 'line 1: sep="" separates nothing', id="no sep"),
        pytest.param(CSV, {"columns": ("user", "item")}, "line 1: 4 fields, but columns= names 2", id="columns="),
        pytest.param(
            CSV + "user,item,rating,timestamp\n5,6,7,8\n",
            {},
            "line 3, column 'user': the header stands here again, as in files joined into one; delete the line",
            id="header again",
        ),
        *(
            pytest.param(
                f"user,item\n1,2\n{again}\n3,4\n",
                {"rating": None},
                "line 3, column 'user': the header stands",
                id=again,
            )
            for again in ("USER,ITEM", "\ufeffuser,item", "userId,movieId", "User_ID,Item_ID", '"user", "item"')
        ),
        pytest.param(
            "user_id:token\titem_id:token\n1\t2\nuser_id:token\titem_id:token\n", {}, "line 3, .* header", id="inter"
        ),
        pytest.param(
            "1,2\nuser,item\n3,4\n", {"columns": ("user", "item"), "rating": None}, "line 2, .* header", id="none above"
        ),
        pytest.param(
            "item,user\nb,ann\nuser,item\n", {}, "line 3, column 'user': the header stands here", id="turned header"
        ),
        pytest.param(
            CSV + "1,2,3,4\n" * 12_000 + "7,8\x009,1,1\n", {}, "line 12003: holds a NUL byte", id="nul, far down"
        ),
        pytest.param(
            CSV + "1,5,3,inf\n", {}, "line 3, column 'timestamp': the timestamp 'inf' is not a finite", id="time inf"
        ),
        pytest.param(
            "user,item,rating,time\n1,2,3,1700000001\n1,3,3,1700000000000\n1,4,3,1700000003\n",
            {},
            "line 3, column 'time': the timestamp 1700000000000 .* seconds and milliseconds are mixed",
            id="units",
        ),
        pytest.param(
            CSV + "1,5,1_0,4\n", {}, "line 3, .* the rating '1_0' is not a number; .* digits 0 to 9", id="underscore"
        ),
        pytest.param(CSV + "1,5,３,4\n", {}, "the rating '３' is not a number; .* digits 0 to 9", id="full width"),
        pytest.param(
            "user;item;rating\n1;2;1,000\n", {}, "line 2, .* '1,000' may be thousands or a decimal", id="thousands"
        ),
        pytest.param(
            "user;item;rating\n1;2;2,5\n1;3;1.500\n",
            {},
            "line 3, .* '1.500' may be thousands or a decimal, as others have a decimal comma",
            id="thousands with a point",
        ),
        pytest.param(
            "user;item;rating\nA1;2;2\n1.23457E+12;3;1\n",
            {},
            r"line 3, .* the id '1\.23457E\+12' stands for several, as a spreadsheet rounds them; export it as text",
            id="ids rounded by a spreadsheet",
        ),
        pytest.param("user,item,rating\n1,2,nan\n3,4,nan\n", {}, "line 2, .* 'nan' is not a finite", id="all nan"),
        pytest.param("sep=;\nuser;item;rating\n1;2;x\n", {}, "line 3, column 'rating'", id="line after sep="),
        pytest.param("1\n", {"header": False}, "line 1: only one field in '1'", id="one field"),
        pytest.param(b"PAR1" + bytes(40), {}, "is a Parquet file; call it .parquet", id="parquet"),
        pytest.param(b"PK\x03\x04" + bytes(40), {}, "is a zip archive or an Excel workbook", id="excel"),
        pytest.param("version https://git-lfs.github.com/spec/v1\n", {}, "git lfs pull", id="lfs"),
        pytest.param("<!DOCTYPE html>\n<html>\n", {}, "is a page of HTML", id="html"),
        pytest.param(CSV + "1,5,good,4\n", {}, "line 3, column 'rating': the rating 'good' is not a number", id="text"),
        pytest.param(
            CSV + "1,5,,4\n", {}, "line 3, column 'rating': the rating is missing; complete or delete", id="gap"
        ),
        pytest.param(CSV + "1,5,nan,4\n", {}, "line 3, column 'rating': the rating 'nan' is not a finite", id="nan"),
        pytest.param(CSV + "1,5,inf,4\n", {}, "line 3, column 'rating': the rating 'inf' is not a finite", id="inf"),
        pytest.param(CSV + "1,5,-Infinity,4\n", {}, "line 3, column 'rating': .* is not a finite number", id="-inf"),
        pytest.param(CSV + "1,5,1e99,4\n", {}, "line 3, column 'rating': .*1e[+]?99.* is too large", id="overflow"),
        pytest.param(
            "user;item;rating\n1;2;3\n\n1;5;1.000,5\n",
            {},
            "line 4, column 'rating': the rating '1.000,5' is not a number; write it with a decimal point",
            id="decimal comma and thousands, after a blank line",
        ),
        pytest.param(CSV + ",5,1,4\n", {}, "line 3, column 'user': the id is missing; complete or delete", id="no id"),
        pytest.param(CSV + ",5,1,4\n,6,1,4\n", {}, "line 3, column 'user': the id is missing .2 in all.", id="no ids"),
        pytest.param(
            "user;item;rating\n1;2;3,5\nJosé;2;3\n".encode("latin-1"),
            {},
            "line 3: not UTF-8 text",
            id="latin-1, commas",
        ),
        pytest.param(CSV + "1, ,1,4\n", {}, "line 3, column 'item': the id is missing", id="blank id"),
        pytest.param(
            CSV + "1,5,1,soon\n", {}, "line 3, column 'timestamp': the timestamp 'soon' is neither", id="time"
        ),
        pytest.param(CSV + "1,5,1\n", {}, "line 3: 3 fields where 4 are expected .*'1,5,1'; correct or", id="cut line"),
        pytest.param(CSV + "1,5\n1,6,1,1\n", {}, "line 3: 2 fields where 4 are expected", id="cut line inside"),
        pytest.param(CSV + "1,5,1,4,9\n", {}, "line 3: 5 fields where 4 are expected", id="too long"),
        pytest.param("user,item,rating\n1,2,3,4\n", {}, "line 2: 4 fields where 3 are", id="too long at once"),
        pytest.param(CSV + '"1,5,1,4\n', {}, "line 3: 1 fields where 4 are expected", id="open quotation"),
        pytest.param(b"user,item,rating\nJos\xe9,2,3\n", {}, "line 2: not UTF-8 text; save the file as", id="latin-1"),
        pytest.param("user,item,rating\n1,2,3\n".encode("utf-16"), {}, "is UTF-16 text; save it as UTF-8", id="utf-16"),
        pytest.param(b"\x00\x01\x02", {}, "is not text in UTF-8; expected ratings as text", id="binary"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(read, text, options, message):
    with pytest.raises(DataError, match=message) as caught:
        read(text, **options)
    assert "mine.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("1,2,3,4\n", "line 1: no header in '1,2,3,4'", id="commas"),
        pytest.param(
            "1::2::3\n", "line 1: expected user::item::rating::timestamp, found '1::2::3'", id="a field short"
        ),
        pytest.param(DAT + "1::5\n", "line 2: 2 fields where 4 are expected", id="cut line"),
        pytest.param(DAT + "1::5::4::\n", "line 2, column 'timestamp'", id="cut before the time"),
        pytest.param(DAT + "1::5::x::4\n", "line 2, column 'rating': the rating 'x' is not a number", id="text"),
        pytest.param(DAT + "1,5,3,4\n", "line 2: 1 fields where 4 are expected", id="other separator"),
    ],
)
def test_ratings_dat_is_told_the_same(read, text, message):
    with pytest.raises(DataError, match=r"ratings\.dat " + message):
        read(text, "ratings.dat")


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (
            "user rating item timestamp",
            "'item', read as the item, looks like a rating, and 'rating', read as the rating",
        ),
        ("rating user item timestamp", "'user', read as the user, looks like a rating"),
        ("timestamp user item rating", "'user', read as the user, looks like a timestamp, and 'timestamp'"),
        ("user timestamp rating item", "'item', read as the item, looks like a timestamp"),
        ("user item timestamp rating", "'rating', read as the rating, looks like a timestamp"),
    ],
)
def test_another_order_of_the_columns_is_told_by_the_numbers(read, order, message):
    ratings = [{"user": 9 * at, "item": 100 - at, "rating": 1 + at % 5, "timestamp": 10**9 + at} for at in range(1, 30)]
    text = "".join("\t".join(str(row[name]) for name in order.split()) + "\n" for row in ratings)
    with pytest.warns(UserWarning, match=message), contextlib.suppress(DataError):
        read(text, "u.data")


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([(9 * at, 100 - at, 1 + at % 5, 10**9 + at) for at in range(1, 30)], id="right"),
        pytest.param([(9 * at, 100 - at, 1 + at % 5, at) for at in range(1, 30)], id="counted times"),
        pytest.param([(at % 5, at, 50 * at, 10**9) for at in range(1, 9)], id="few rows"),
    ],
)
def test_a_usual_order_gives_no_warning(read, rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read("".join("\t".join(map(str, row)) + "\n" for row in rows), "u.data")) == len(rows)


@pytest.mark.parametrize("at", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("row", ["9,9", "9,9,1,1,1", "9,9,bad,1"])
def test_the_line_is_right_wherever_chunks_begin(read, monkeypatch, at, row):
    monkeypatch.setattr(delimited, "_CHUNK", 2)
    lines = [f"{user},2,3,4" for user in range(4)]
    lines.insert(at, row)
    with pytest.raises(DataError, match=f"line {at + 2}[:,]"):
        read("user,item,rating,timestamp\n" + "\n".join(lines) + "\n")


def test_the_line_is_that_of_the_file_where_fields_span_lines(read):
    with pytest.raises(DataError, match="line 4, column 'rating': the rating 'x'"):
        read('user,item,rating\n"ann\nlee",1,3\nbob,1,x\n')


def test_douban_is_read_from_its_parts():
    folder = Path(os.environ.get("AEREC_DATA", ""), "douban-monti")
    if not (os.environ.get("AEREC_DATA") and folder.is_dir()):
        pytest.skip("the Douban ratings are not here: set AEREC_DATA to the folder that holds douban-monti")
    data = read_ratings(folder)
    assert data.n_ratings == 136_891
    assert set(data.matrix.data) == {1, 2, 3, 4, 5}


# ---------------------------------------------------------------------- without ratings, without a header


def test_a_file_without_a_column_of_ratings_is_implicit_and_says_so(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("user,item\n1,2\n1,3\n")
    with pytest.warns(UserWarning, match="has no column of ratings: every row counts as 1; name one with rating=…"):
        data = read_ratings(path)
    assert data.matrix.data.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("text", "reading", "ratings", "times"),
    [
        ("7,8\n7,9\n", {"rating": None}, [1, 1], None),
        ("7,8,4\n7,9,5\n", {}, [4, 5], None),
        ("7,8,4,100\n7,9,5,200\n", {}, [4, 5], [100, 200]),
        ("7,8,1000000000\n7,9,1000000001\n", {"rating": None}, [1, 1], [1000000000, 1000000001]),
        ("4;7;8\n5;7;9\n", {"user": "2", "item": "3", "rating": "1"}, [4, 5], None),
    ],
)
def test_without_a_header_fields_have_numbers(tmp_path, text, reading, ratings, times):
    (tmp_path / "mine.csv").write_text(text)
    data = read_ratings(tmp_path / "mine.csv", header=False, **reading)
    assert (data.users.tolist(), data.items.tolist()) == ([7], [8, 9])
    assert data.matrix.data.tolist() == ratings
    assert (None if data.timestamps is None else data.timestamps.tolist()) == times


@pytest.mark.parametrize(
    "text", ["# item,user,rating\n2,1,3\n", "#item\tuser\trating\n2\t1\t3\n", "# item user rating\n2 1 3\n"]
)
def test_a_header_may_be_marked_as_a_comment(read, text):
    assert read(text) == [(1, 2, 3.0)]


@pytest.mark.parametrize("comment", ["# user item", "# made by him,today,twice"])
def test_a_comment_that_names_no_fields_is_no_header(read, comment):
    with pytest.raises(DataError, match="no header"), pytest.warns(UserWarning, match="comments above"):
        read(f"{comment}\n1,2,3\n")


def test_quotation_marks_behind_a_backslash_belong_to_the_field(read):
    with pytest.warns(UserWarning, match="quotation marks behind a backslash"):
        assert read('user,item,rating\n1,"a \\"x\\" b",3\n2,"c, d",4\n') == [(1, 'a "x" b', 3.0), (2, "c, d", 4.0)]
    assert read('user,item,rating\n1,"C:\\d\\",3\n2,"e ""f""",4\n') == [(1, "C:\\d\\", 3.0), (2, 'e "f"', 4.0)]
    both = 'user,item,rating\n1,"7\\"vinyl",5\n2,"C:\\a\\",3\n3,"z",2\n'  # cannot be told apart: as pandas reads it
    assert [row[0] for row in read(both)] == [1, 2, 3]


def test_warning_of_no_ratings_names_the_columns_of_numbers_with_their_range(tmp_path: Path) -> None:
    path = tmp_path / "plays.csv"
    path.write_text("user,item,listen_count,note,session_id\n1,5,3,a,9\n1,6,40,b,8\n2,5,1,c,7\n")
    with pytest.warns(UserWarning, match=r"may hold them: 'listen_count' \(1 to 40 in the first rows\); name one with"):
        read_ratings(path)


def test_review_score_is_read_as_the_rating_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("user,item,review_score\n1,5,0.5\n1,6,5\n2,5,1\n")
    with pytest.warns(UserWarning, match="'review_score' is read as the rating"):
        assert read_ratings(path).matrix.data.tolist() == [0.5, 5, 1]


def test_ids_that_look_like_times_or_half_stars_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("".join(f"{1_500_000_000 + 977 * at},{at % 5},{at % 7 + 100}\n" for at in range(30)))
    with pytest.warns(UserWarning, match=r'looks like times.*columns=\("timestamp", "user", "item"\)'):
        read_ratings(path, header=False)
    path.write_text("".join(f"{at % 10 / 2 + 0.5},{at + 500},{at % 7 + 100}\n" for at in range(30)))
    with pytest.warns(UserWarning, match="'1', read as the user, looks like a rating"):
        read_ratings(path, header=False)


def test_double_colons_may_have_a_header(tmp_path: Path) -> None:
    path = tmp_path / "mine.dat"
    path.write_text("user::item::rating\n1::5::4\n2::6::3\n")
    assert read_ratings(path).matrix.data.tolist() == [4, 3]


@pytest.mark.parametrize("missing", ["NULL", "\\N", "NaN", ""])
def test_message_of_missing_ratings_counts_them(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "dump.csv"
    path.write_text(f"user,item,rating\n1,5,4\n2,6,{missing}\n3,6,{missing}\n")
    with pytest.raises(DataError, match=r"line 3, column 'rating'.*\(2 such lines\)"):
        read_ratings(path)

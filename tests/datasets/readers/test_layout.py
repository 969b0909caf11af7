"""Layouts told from the first line: separators, headers, marks of Excel, and files that are no tables."""

import pytest

from aerec.datasets import read_ratings
from aerec.datasets.readers.columns import Columns
from aerec.datasets.readers.files import Files
from aerec.datasets.readers.layout import detect_layout, first_line, shorten
from aerec.errors import DataError


@pytest.fixture
def detect(tmp_path):
    def of(text, name="ratings.csv", columns=None, **given):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        files, own = Files.at(tmp_path / name)
        return detect_layout(files, own or name, columns or Columns(), **given)

    return of


@pytest.mark.parametrize(
    ("text", "name", "sep", "header", "roles"),
    [
        ("user,item,rating\n1,2,3\n", "r.csv", ",", True, {"user": 0, "item": 1, "rating": 2}),
        ("item;user\n1;2\n", "r.csv", ";", True, {"user": 1, "item": 0}),
        ("1::2::5::88\n", "ratings.dat", "::", False, {"user": 0, "item": 1, "rating": 2, "timestamp": 3}),
        ("1\t2\t5\t88\n", "u.data", "\t", False, {"user": 0, "item": 1, "rating": 2, "timestamp": 3}),
        ("user_id:token\titem_id:token\n", "x.inter", "\t", True, {"user": 0, "item": 1}),
        ("a\tb\t7\n", "train_triplets.txt", "\t", False, {"user": 0, "item": 1, "rating": 2}),
    ],
)
def test_layouts(detect, text, name, sep, header, roles):
    layout = detect(text, name)
    assert (layout.sep, layout.header, layout.roles) == (sep, header, roles)
    assert len(layout.char) == 1
    assert layout.char == (sep if len(sep) == 1 else "\x1f")


def test_a_wide_table_without_a_header_is_no_list_of_ratings(detect):
    wide = ",".join(["59", "99", "8.5"] * 34)
    with pytest.raises(DataError, match=r"ratings.csv line 1: 102 fields without names.*Interactions.from_matrix"):
        detect(wide, header=False)
    assert detect(wide, header=False, columns=Columns(user="1", item="2")).roles["rating"] == 2


def test_a_separator_that_nobody_expects_is_named(detect):
    with pytest.raises(DataError, match=r"no column 'user'.*; if '~' separates the columns: sep='~'"):
        detect("Customer ID~Product~Clicked At\n1~2~3\n")
    assert detect("Customer ID~Product\n1~2\n", sep="~").roles == {"user": 0, "item": 1}


def test_excel_names_the_separator_in_a_line_of_its_own(detect):
    layout = detect("\nsep=|\nuser|item\n1|2\n")
    assert (layout.sep, layout.skip, layout.header) == ("|", 2, True)


def test_a_separator_inside_of_quotes_does_not_divide(detect):
    assert detect('user,"the, item",item\n').names == ("user", "the, item", "item")


def test_columns_that_are_given_stand_for_a_header(detect):
    fields = ("who", "user", "item")
    assert detect("7,1,2\n", fields=fields).header is False
    assert detect("who,user,item\n", fields=fields).header is True
    with pytest.raises(DataError, match=r"line 1: 2 fields, but columns= names 3"):
        detect("1,2\n", fields=fields)
    assert detect("1,2\n", header=False).roles == {"user": 0, "item": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is empty; ratings were expected, one a line"),
        (b"\n \n", "is empty"),
        (b"# " + b"x" * 2**16 + b"\nuser,item\n1,2\n", "begins with comments, such as '# xxx"),
        (b"PAR1\x15\x04", "is a Parquet file; call it .parquet"),
        (b"PK\x03\x04rest", "is a zip archive or an Excel workbook"),
        (b"<!DOCTYPE html>", "is a page of HTML or XML"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\xff\xfeu\x00s\x00", "is UTF-16 text; save it as UTF-8"),
        (b"user\0item\n", "is not text in UTF-8"),
        (b"1,2,3\n", "no header in .*columns="),
        (b"word\n", "only one field in 'word'"),
        (b",".join([b"c"] * 1001) + b",user\n", "1,002 fields in a line"),
    ],
)
def test_what_is_no_table_of_ratings_is_refused_with_advice(detect, text, message):
    with pytest.raises(DataError, match=message):
        detect(text)


def test_a_separator_that_does_not_occur_is_refused_and_another_proposed(detect):
    with pytest.raises(DataError, match=r"the separator is ';', which does not occur in it: try sep=','"):
        detect("1,2,3\n", sep=";")
    with pytest.raises(DataError, match=r'sep="" separates nothing'):
        detect("1,2,3\n", sep="")


def test_the_first_line_is_the_first_that_is_not_blank(tmp_path):
    (tmp_path / "r.csv").write_text("﻿\n\r\nuser,item\r\n1,2\r\n", encoding="utf-8")
    files, name = Files.at(tmp_path / "r.csv")
    line = first_line(files, name)
    assert (line.text, line.number, line.sep, line.skip) == ("user,item", 3, None, 0)


def test_long_lines_are_cut_for_messages():
    assert shorten("a" * 60) == repr("a" * 60)
    assert shorten("a" * 61) == repr("a" * 57 + "…")


def test_a_header_that_is_not_utf8_is_told_so(tmp_path):
    (tmp_path / "r.csv").write_bytes("usér,item,rating\n1,2,3\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"r\.csv line 1: not UTF-8 text; .*iconv -f WINDOWS-1252 -t UTF-8"):
        read_ratings(tmp_path / "r.csv")
    (tmp_path / "r.jsonl").write_bytes('{"user": 1, "item": 2}\n{"user": "José", "item": 2}\n'.encode("latin-1"))
    with pytest.raises(DataError, match=r"r\.jsonl line 2: not UTF-8 text; "):
        read_ratings(tmp_path / "r.jsonl")

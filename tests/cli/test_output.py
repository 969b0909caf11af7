"""What verbs print and write: JSON that parses, tables that are not cut, files written whole."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from aerec.cli import output
from aerec.cli.output import check_output, print_json, print_note, print_table, report_row, write_frame
from aerec.errors import DataError, MissingExtraError
from aerec.evaluation import Report

FRAME = pd.DataFrame({"user": [1, 1, 2], "title": ["Léon, the 1st", 'say "hi"', "日本"], "score": [0.5, -1.25, 3.0]})


# ---------------------------------------------------------------------- printing


def test_numbers_of_numpy_and_paths_are_printed_as_json(capsys, tmp_path):
    print_json({"n": np.int64(3), "x": np.float32(0.5), "yes": np.bool_(True), "path": tmp_path, "é": None})
    expected = {"n": 3, "x": 0.5, "yes": True, "path": str(tmp_path), "é": None}
    assert json.loads(capsys.readouterr().out) == expected


def test_what_json_does_not_know_is_not_printed_as_json(capsys):
    with pytest.raises(ValueError, match="JSON compliant"):
        print_json({"cost": float("nan")})
    assert capsys.readouterr().out == ""


def test_a_table_has_a_line_per_row_and_cuts_nothing(capsys):
    long = "x" * 400
    print_table(FRAME.assign(title=[long, "[bold]b:heart:[/x]", ""]))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["user", "title", "score"],
        ["1", long, "0.5"],
        ["1", "[bold]b:heart:[/x]", "-1.25"],
        ["2", "3"],
    ]


def test_missing_numbers_are_empty_cells(capsys):
    print_table(pd.DataFrame({"model": ["a"], "score": [np.nan]}))
    assert capsys.readouterr().out.splitlines()[1].split() == ["a"]


def test_notes_are_printed_as_they_are(capsys):
    print_note("[red]100 % of :heart: " + "long " * 50 + "lines")
    assert capsys.readouterr().out == "[red]100 % of :heart: " + "long " * 50 + "lines\n"


def test_a_report_is_a_row_of_means_and_intervals():
    nan = float("nan")
    report = Report("m", {"recall@5": 0.25, "coverage@5": 0.5}, {"recall@5": (0.2, 0.3), "coverage@5": (nan, nan)},
                    pd.DataFrame(), 3, 0)  # fmt: skip
    assert report_row(report) == {"recall@5": "0.2500 [0.2000, 0.3000]", "coverage@5": "0.5000"}
    assert report_row(report, {"recall@5"}) == {"recall@5": "0.2500* [0.2000, 0.3000]", "coverage@5": "0.5000"}
    assert report_row(report, ["coverage@5"]) == {"recall@5": "0.2500  [0.2000, 0.3000]", "coverage@5": "0.5000*"}


# ---------------------------------------------------------------------- files

READERS = {
    ".csv": pd.read_csv,
    ".json": lambda path: pd.DataFrame(json.loads(path.read_text("utf-8"))),
    ".jsonl": lambda path: pd.DataFrame([json.loads(line) for line in path.read_text("utf-8").splitlines()]),
    ".parquet": pd.read_parquet,
}


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("case", [str.lower, str.upper], ids=["lower", "upper"])
def test_what_is_written_is_read_again(tmp_path, suffix, case):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"recs{case(suffix)}"
    write_frame(FRAME, path)
    pd.testing.assert_frame_equal(READERS[suffix](path), FRAME)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["recs.xlsx", "recs", "recs.gz", "recs.parquet.gz", ".csv"])
def test_an_unknown_suffix_lists_those_there_are(tmp_path, name):
    with pytest.raises(DataError, match=r"give one of \.csv, \.tsv, \.json, \.jsonl, also with \.gz, or \.parquet"):
        check_output(tmp_path / name)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(DataError, match="is a folder; give the path of a file"):
        check_output(tmp_path)
    with pytest.raises(DataError, match=r"cannot be written: .*none is no folder"):
        check_output(tmp_path / "none" / "recs.csv")


def test_without_pyarrow_the_pip_line_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'aerec\[scale\]'"):
        check_output(tmp_path / "recs.parquet")


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "recs.csv"
    path.write_text("old")

    def half(frame, stream):
        stream.write(b"half of the n")
        raise OSError("no space left")

    monkeypatch.setattr(output, "check_output", lambda path: half)
    with pytest.raises(OSError, match="no space left"):
        write_frame(FRAME, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_goes_nowhere_where_there_is_no_standard_output(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)  # as Python has it where the shell closed it
    print_json({"a": 1})


@pytest.mark.parametrize(("name", "sep"), [("lists.csv.gz", ","), ("lists.tsv", "\t"), ("lists.TSV.GZ", "\t")])
def test_text_is_written_with_tabs_and_packed_as_the_suffix_says(tmp_path, name, sep):
    path = tmp_path / name
    write_frame(FRAME, path)
    first = path.read_bytes()
    assert first.startswith(b"\x1f\x8b") == name.lower().endswith(".gz")
    compression = "gzip" if name.lower().endswith(".gz") else None
    pd.testing.assert_frame_equal(pd.read_csv(path, sep=sep, compression=compression), FRAME)
    write_frame(FRAME, path)
    assert path.read_bytes() == first

"""Cells of text that a spreadsheet would calculate are marked; all others stay."""

import io

import pandas as pd
import pytest

from aerec.files.spreadsheet import without_formulas


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "-30- (1959)"])
def test_what_looks_like_a_formula_gets_a_quotation_mark(cell):
    frame = pd.DataFrame({"item": [1, 2], "title": ["Alien", cell], "because": [["=a"], []]})
    text = without_formulas(frame).to_csv(index=False)
    found = pd.read_csv(io.StringIO(text, newline=""))
    assert found["title"].tolist() == ["Alien", f"'{cell}"]
    assert found["item"].tolist() == [1, 2]
    assert frame["title"].tolist() == ["Alien", cell]  # the frame itself is left alone


def test_a_carriage_return_is_marked_too():
    assert without_formulas(pd.DataFrame({"title": ["\r=1"]}))["title"].tolist() == ["'\r=1"]


def test_names_of_columns_are_marked_too():
    frame = pd.DataFrame({"=1+1": ["=2"], "+a": [1], "-": [1], "@x": [1], "item": [1], 5: [1]})
    assert list(without_formulas(frame)) == ["'=1+1", "'+a", "'-", "'@x", "item", 5]
    assert next(iter(frame)) == "=1+1"


def test_everything_else_stays():
    frame = pd.DataFrame({"user": ["-5", "+7.5", "a=b", "", None], "score": [-1.5, 2.0, 0.0, -0.0, 1e9]})
    pd.testing.assert_frame_equal(without_formulas(frame), frame)
    kinds = frame.astype({"user": "category"})
    pd.testing.assert_frame_equal(without_formulas(kinds), kinds)

"""The report in Chromium: nothing scrolls sideways but tables in their own boxes, hidden words included."""

import pytest

from aerec.reporting import SideBySide, write_report


@pytest.mark.parametrize("width", [1280, 468, 390, 320])
def test_a_report_does_not_scroll_sideways(beyond_the_edge, measured, tmp_path, width):
    pytest.importorskip("matplotlib")
    write_report(measured, tmp_path / "report.html")
    assert beyond_the_edge((tmp_path / "report.html").as_uri(), width) == []


@pytest.mark.parametrize("width", [1280, 390])
def test_lists_side_by_side_do_not_scroll_the_notebook(beyond_the_edge, fitted, split, tmp_path, width):
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8>{SideBySide(fitted, split).html()}", encoding="utf-8")
    assert beyond_the_edge(page.as_uri(), width) == []


def test_what_is_too_wide_is_found(beyond_the_edge, tmp_path):
    page = tmp_path / "page.html"
    for position, escapes in (("static", True), ("relative", False)):
        span = '<span style="position: absolute; left: 600px">held out</span>'
        page.write_text(f'<!doctype html><div style="overflow: auto; position: {position}">{span}</div>')
        assert bool(beyond_the_edge(page.as_uri(), 390)) == escapes

"""Figures as SVG of a page, and as files: the same bytes each time."""

import dataclasses

import pytest

pytest.importorskip("matplotlib", reason="pictures need the extra report")

from aerec.display.plotting import INK, SERIES, new_axes
from aerec.reporting.pictures import Picture
from aerec.reporting.svg import inline_svg, matplotlib_style, save_picture


@pytest.fixture(autouse=True)
def style():
    with matplotlib_style():
        yield


def drawn(name="cost"):
    axes = new_axes()
    axes.plot([1, 2], [3, 1], color=SERIES[0])
    axes.set_title("$a_b$", color=INK)
    texts = {field.name: "" for field in dataclasses.fields(Picture)}
    given = {"name": name, "heading": "Cost", "alt": 'falls from "3" & more', "figure": axes.figure}
    return Picture(**{**texts, **given})


def test_it_is_one_element_that_screen_readers_read_as_its_description():
    text = inline_svg(drawn())
    assert text.startswith('<svg role="img" aria-label="falls from &quot;3&quot; &amp; more"')
    assert text.endswith("</svg>")
    assert text.count("<svg") == 1
    start = text[: text.index(">")]
    assert " width=" not in start
    assert " height=" not in start
    assert "<metadata>" not in text
    assert "<style" not in text


def test_colours_and_fonts_are_those_of_the_page():
    text = inline_svg(drawn())
    assert "var(--series-0)" in text
    assert "var(--text)" in text
    assert "var(--font)" in text
    assert SERIES[0] not in text
    assert "DejaVu" not in text


def test_two_pictures_on_a_page_share_no_identifier():
    first, second = ({part.split('"')[0] for part in inline_svg(drawn(name)).split('id="')[1:]} for name in "ab")
    assert first
    assert not first & second


def test_signs_of_formulas_are_shown_as_they_are():
    assert "$a_b$" in inline_svg(drawn())


def test_the_same_figure_is_the_same_text():
    assert inline_svg(drawn()) == inline_svg(drawn())


def test_files_are_png_and_svg(tmp_path):
    save_picture(drawn(), tmp_path)
    assert (tmp_path / "cost.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "cost.svg").read_text()
    assert "Cost" in text
    assert "<dc:date>" not in text


def test_what_the_user_has_set_of_matplotlib_does_not_count_and_comes_back():
    import matplotlib

    with matplotlib.rc_context({"font.size": 33.0}):
        with matplotlib_style():
            assert matplotlib.rcParams["font.size"] == matplotlib.rcParamsDefault["font.size"]
        assert matplotlib.rcParams["font.size"] == 33.0

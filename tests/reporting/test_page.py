"""The page: whole, of itself only, escaped, labelled, and written at once or not at all."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from aerec.errors import DataError, MissingExtraError
from aerec.models import EASE, ELSA, SLIST, Blend, RecencyWeighted, SparseCode, SparseELSA
from aerec.reporting import measure_models, write_report
from aerec.reporting import page as page_module

VOID = {"meta", "br", "link", "img", "path", "use"}


class Page(HTMLParser):
    """Tags in order, texts by tag, and whether every tag is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data.strip()))

    def of(self, tag):
        return [attrs for one, attrs in self.tags if one == tag]


def write(results, folder, **options):
    write_report(results, folder / "report.html", **options)
    return (folder / "report.html").read_text(encoding="utf-8")


def test_models_of_time_and_of_sparse_codes_stand_on_a_page(split, tmp_path):
    quick = {"epochs": 1, "progress": False}
    models = {
        "recency": RecencyWeighted(EASE(l2=20.0)),
        "transitions": SLIST(),
        "sparse code": SparseCode(ELSA(n_factors=4, **quick), n_units=8, n_active=2, **quick),
        "sparse vectors": SparseELSA(n_factors=8, n_active=2, **quick),
        "joined": Blend([EASE(l2=20.0), ELSA(n_factors=4, **quick)]),
    }
    fitted = {name: model.fit(split.train) for name, model in models.items()}
    page = Page(write(measure_models(fitted, split, ("recall@10",)), tmp_path))
    assert not page.open
    texts = " ".join(text for _, text in page.texts)
    assert all(name in texts for name in models)


@pytest.fixture(scope="module")
def text(measured, tmp_path_factory):
    return write(measured, tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_nothing_is_loaded_from_elsewhere(text, page):
    plain = re.sub(r'xmlns(:\w+)?="http://www\.w3\.org/[^"]*"', "", text)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)|<script|<link|<img|<iframe", plain)
    assert "default-src 'none'" in text
    assert all(attrs["href"].startswith("#") for attrs in page.of("a"))
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)


def test_it_is_one_whole_document_in_a_language(text, page):
    assert text.startswith("<!doctype html>\n")
    assert page.open == []
    assert page.of("html") == [{"lang": "en"}]
    assert [attrs for attrs in page.of("meta") if attrs.get("name") == "viewport"]
    assert "prefers-color-scheme: dark" in text


def test_ids_are_there_once_and_links_lead_to_them(page):
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    used = [attrs["href"] for attrs in page.of("a")] + [attrs["xlink:href"] for attrs in page.of("use")]
    assert {one.removeprefix("#") for one in used} <= set(ids)
    assert {one for _, attrs in page.tags for one in re.findall(r"url\(#(.+?)\)", attrs.get("clip-path", ""))} <= set(
        ids
    )


def test_every_picture_has_words_and_every_table_headings(page):
    pictures = page.of("svg")
    assert len(pictures) == len(page.of("figure")) == 9
    assert all(attrs["role"] == "img" and len(attrs["aria-label"]) > 30 for attrs in pictures)
    assert all(attrs.get("scope") in ("col", "row") for attrs in page.of("th"))
    assert len(page.of("caption")) == len(page.of("table"))


def test_pictures_take_colours_and_font_of_the_page(text):
    svg = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert not re.findall(r"#(?:[0-9a-f]{6}|[0-9a-f]{3})\b", re.sub(r'(?:id|href)="[^"]*"|url\([^)]*\)', "", svg))
    assert "var(--series-1)" in svg
    assert "DejaVu" not in svg


def test_the_table_holds_means_intervals_and_marks(text, measured, page):
    row = re.search(r'<th scope="row">ease</th>.*?</tr>', text, re.DOTALL)[0]
    for value in measured["models"][1]["metrics"].values():
        assert f"{value['mean']:.4f}" in row
        if value["interval"][0] is not None:
            assert f"[{value['interval'][0]:.4f}, {value['interval'][1]:.4f}]" in row
    marks = sum(len(names) for names in measured["best"].values())
    assert text.count("among the best") == marks
    assert "fit, s" in text
    assert "peak, MB" not in text  # of no model known
    assert "30 test users" in text
    assert "seed 1" in text
    assert f"aerec {measured['versions']['aerec']}" in text


def test_samples_show_titles_and_mark_what_was_held_out(text, measured):
    sample = measured["models"][1]["details"]["samples"][0]
    assert sample["recommended"][0]["title"] in text
    hits = sum(
        item["hit"]
        for model in measured["models"]
        for one in model["details"]["samples"]
        for item in one["recommended"]
    )
    assert text.count('<span class="hit">') == hits > 0


def test_names_and_titles_are_only_ever_text(results, tmp_path):
    evil = '<script>alert("x")</script>&amp; $a_b$ {} \' '
    results["data"] = results["split"] = evil
    for model in results["models"]:
        model["name"] = model["name"] + evil
        model["details"]["parameters"]["extra"] = evil
        for sample in model["details"]["samples"]:
            sample["user"] = evil
            sample["history"][0] = evil
            sample["recommended"][0]["title"] = evil
    results["best"] = {metric: [name + evil for name in names] for metric, names in results["best"].items()}
    text = write(results, tmp_path)
    found = Page(text)
    assert "<script" not in text
    assert found.open == []
    assert evil.strip() in {one for _, one in found.texts}
    assert any(evil in attrs["aria-label"] for attrs in found.of("svg"))


def test_the_same_results_give_the_same_page(measured, text, tmp_path):
    assert write(measured, tmp_path) == text


def test_pictures_are_written_as_files_too(measured, tmp_path):
    write(measured, tmp_path, plots=tmp_path / "more" / "plots")
    files = sorted(one.name for one in (tmp_path / "more" / "plots").iterdir())
    assert len(files) == 18
    assert (tmp_path / "more" / "plots" / "recall-by-k.png").read_bytes().startswith(b"\x89PNG")
    svg = (tmp_path / "more" / "plots" / "recall-by-k.svg").read_text(encoding="utf-8")
    assert "recall@k against k" in svg
    assert "var(--" not in svg


def test_results_without_details_are_a_table_and_a_picture(results, tmp_path):
    results["models"] = [{**model, "details": None} for model in results["models"]]
    found = Page(write(results, tmp_path))
    assert [text for tag, text in found.texts if tag == "h2"] == ["Quality", "How it was made"]
    assert len(found.of("figure")) == 1


def test_a_single_model_has_no_marks(fitted, split, tmp_path):
    text = write(measure_models({"ease": fitted["ease"]}, split), tmp_path)
    assert "★" not in text
    assert "1 model on data" in text


def test_models_that_predict_ratings(rating_models, rating_split, tmp_path):
    text = write(measure_models(rating_models, rating_split, ("rmse", "mae")), tmp_path)
    assert "rmse by group" in text
    assert "Beyond accuracy" not in text


# ---------------------------------------------------------------------- what cannot be written


def test_a_write_that_fails_leaves_the_former_page(measured, tmp_path, monkeypatch):
    (tmp_path / "report.html").write_text("former")
    monkeypatch.setattr(page_module, "render_page", lambda *_: 1)  # no text: the write fails
    with pytest.raises(TypeError):
        write_report(measured, tmp_path / "report.html")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("report.html", "former")]


def test_paths_that_cannot_be_written(measured, tmp_path):
    with pytest.raises(DataError, match="is a folder; give the path of a file"):
        write_report(measured, tmp_path)
    with pytest.raises(DataError, match="is no folder; make it first"):
        write_report(measured, tmp_path / "no" / "report.html")
    (tmp_path / "plots").write_text("")
    with pytest.raises(DataError, match="pictures are written into a folder"):
        write_report(measured, tmp_path / "report.html", plots=tmp_path / "plots")


def test_something_else_than_results_is_refused(tmp_path):
    with pytest.raises(DataError, match="results has no 'data'"):
        write_report({"models": []}, tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_pip_line_is_said(measured, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'aerec\[report\]'"):
        write_report(measured, tmp_path / "report.html")


def test_the_style_is_in_the_package():
    assert (Path(page_module.__file__).parent / "page.css").is_file()

"""The page: whole, of one's own server only, and labelled."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import aerec.serving

PAGE = Path(aerec.serving.__file__).parent / "page"
FILES = sorted(PAGE.iterdir())


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("path", FILES, ids=lambda one: one.name)
def test_nothing_comes_from_elsewhere(path):
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|//cdn|@import|eval\(|innerHTML|document\.write", text)


@pytest.mark.parametrize("path", [one for one in FILES if one.suffix == ".html"], ids=lambda one: one.name)
def test_no_script_or_style_in_the_page_itself(client, path):
    tags = Tags(path.read_text(encoding="utf-8")).found
    assert all(attrs.get("src") for tag, attrs in tags if tag == "script")
    assert not any(
        tag == "style" or "style" in attrs or any(name.startswith("on") for name in attrs) for tag, attrs in tags
    )
    for _, attrs in tags:
        for address in (attrs.get("src"), attrs.get("href")):
            if address and address.startswith("/"):
                assert client.get(address).status_code == 200


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("/", "text/html"),
        ("/docs", "text/html"),
        ("/page/app.js", "javascript"),
        ("/page/style.css", "text/css"),
        ("/page/icon.svg", "image/svg"),
    ],
)
def test_files_come_as_what_they_are(client, address, kind):
    answer = client.get(address)
    assert answer.status_code == 200
    assert kind in answer.headers["content-type"]
    assert client.get(address, headers={"if-none-match": answer.headers["etag"]}).status_code in (200, 304)


def test_fields_are_labelled_and_results_announced():
    tags = Tags((PAGE / "index.html").read_text(encoding="utf-8")).found
    labelled = {attrs["for"] for tag, attrs in tags if tag == "label"}
    fields = {attrs["id"] for tag, attrs in tags if tag in ("input", "select") and "hidden" not in attrs}
    assert fields == labelled
    by_id = {attrs["id"]: attrs for _, attrs in tags if "id" in attrs}
    assert by_id["status"]["aria-live"] == "polite"
    assert ("html", {"lang": "en"}) in tags
    assert [tag for tag, _ in tags].count("h1") == 1


def test_every_element_that_the_script_asks_for_is_there():
    ids = {attrs["id"] for _, attrs in Tags((PAGE / "index.html").read_text(encoding="utf-8")).found if "id" in attrs}
    script = (PAGE / "app.js").read_text(encoding="utf-8")
    assert set(re.findall(r'\$\("([a-z-]+)"\)', script)) <= ids


def test_modules_that_are_imported_are_there():
    for path in PAGE.glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', path.read_text(encoding="utf-8")):
            assert (PAGE / name).is_file()


def luminance(color):
    """Relative luminance, WCAG 2.2."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_have_contrast(scheme):
    style = (PAGE / "style.css").read_text(encoding="utf-8")
    colors = {name: pair[scheme] for name, *pair in re.findall(r"--(\w+): light-dark\((#\w{6}), (#\w{6})\)", style)}
    text = [(one, on) for one in ("text", "soft", "main", "good", "bad") for on in ("back", "card")]
    least = dict.fromkeys([*text, ("text", "tag"), ("text", "notice"), ("soft", "notice")], 4.5)
    least |= {(one, on): 3.0 for one in ("edge", "star") for on in ("back", "card")}  # borders of fields, and signs
    for (one, on), wanted in least.items():
        light, dark = sorted((luminance(colors[one]), luminance(colors[on])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= wanted, (one, on)

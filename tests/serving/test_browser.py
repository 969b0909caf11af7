"""The page in a real browser: Chromium without a window, on models of generated films."""

import contextlib
import itertools
import time

import numpy as np
import pandas as pd
import pytest

from aerec import Interactions
from aerec.baselines import BiasedMF, PureSVD
from aerec.models import EASE, SparseAutoencoder, SparseCode
from aerec.sparsity import TopKSparsity

pytest.importorskip("selenium", reason="the page is tested with selenium: extra test")
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

CONTROLS = "a, button, input:not([type=hidden]), select, summary"


@pytest.fixture(scope="module")
def sparse_run(likes, save_run, tmp_path_factory):
    given = {"hidden": 24, "activation": "relu", "sparsity": TopKSparsity(6), "normalize": True, "epochs": 30}
    model = SparseAutoencoder(**given, learning_rate=1e-2, batch_size=50, progress=False).fit(likes)
    return save_run(tmp_path_factory.mktemp("sparse") / "run", model, likes, threshold=4.0)


@pytest.fixture(scope="module")
def address(serving, sparse_run):
    with serving(sparse_run) as one:
        yield one


class Page:
    """What somebody does with the page, and sees of it."""

    def __init__(self, driver, address):
        self.driver, self.address = driver, address

    def open(self, address=None):
        self.driver.get("about:blank")  # else only the part behind # changes
        self.driver.get(address or self.address)
        self.until(lambda: self.results() or self.one("#token-form").is_displayed())
        return self

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector):
        """The texts of all that fits, read at one moment."""
        script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)"
        return self.driver.execute_script(script, selector)

    def until(self, condition, seconds=20):
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited in vain; the page says: {self.one('body').text[:2000]}"
            time.sleep(0.02)
        return found

    def results(self, column=1):
        if self.all("#results[aria-busy]"):
            return []
        return self.texts(f"#results > div:nth-child({column}) li .title")

    def changed(self, do):
        """Do something, and return the recommendations that are there when they are others."""
        before = self.results()
        do()
        return self.until(lambda: (now := self.results()) and now != before and now)

    def search(self, text):
        self.one("#query").clear()
        self.one("#query").send_keys(text)

    def found(self):
        return [] if self.all("#found[aria-busy]") else self.texts("#found .title")

    def choose(self, label):
        def click():
            with contextlib.suppress(StaleElementReferenceException):  # the list has just been drawn anew
                self.one(f'[aria-label="{label}"]').click()
                return True

        self.until(click)

    def emulate(self, scheme="light", width=1200, height=900):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def active(self):
        return self.driver.switch_to.active_element


@pytest.fixture
def page(chromium, address):
    one = Page(chromium, address)
    one.emulate()
    yield one.open()
    problems = [entry["message"] for entry in chromium.get_log("browser") if entry["source"] != "network"]
    chromium.execute_script("localStorage.clear(); sessionStorage.clear()")
    assert problems == []  # no script error, nothing that the content security policy blocks


@pytest.fixture
def liked(likes):
    """A well-known film, and how somebody mistypes it."""
    counts = likes.to_frame()["item"].value_counts()
    titles = [likes.item_names[item] for item in counts.index]
    title = next(one for one in titles if len(one.split()[1]) >= 6)
    words = title.lower().split()[1:-1]  # without the article and the year
    words[0] = words[0][:2] + words[0][3] + words[0][2] + words[0][4:]  # two letters swapped
    return title, " ".join(words)


def test_search_with_a_typing_error_like_and_reject(page, liked):
    title, typed = liked
    page.search(typed)
    page.until(lambda: page.found()[:1] == [title])
    recommended = page.changed(lambda: page.choose(f"Like {title}"))
    assert title not in recommended
    assert page.texts("#picks .title") == [title]
    assert title in page.one("#results .because").text  # because you liked it
    assert page.texts("#status") == [f"{title} added. 10 recommendations"]

    # the units of the code that fired, and what they stand for
    summary = page.one("#results summary")
    assert "of the 24 code units" in summary.text
    summary.click()
    named = page.texts("#results .code li .unit")
    assert 1 <= len(named) <= 6  # at most 6 are active
    assert any(text.startswith("from unit") for text in page.texts("#results .because"))
    assert all(meter.accessible_name for meter in page.all("#results meter"))

    rejected = recommended[0]
    assert rejected not in page.changed(lambda: page.choose(f"Not for me: {rejected}"))
    assert page.texts("#picks .title") == [rejected, title]
    assert page.one("#results details").get_attribute("open") is not None  # stays as it was
    assert rejected in page.changed(lambda: page.choose(f"Remove {rejected}"))


def test_filters(page, likes):
    genre = likes.item_genres.iloc[0][0]
    Select(page.one("#genre")).select_by_visible_text(genre)
    page.until(lambda: page.results() and all(genre in row for row in page.texts("#results .tags")))
    years = [int(title[-5:-1]) for title in page.results()]
    first = sorted(years)[len(years) // 2]
    page.changed(lambda: page.one("#from").send_keys(str(first)))
    page.until(lambda: page.results() and all(int(title[-5:-1]) >= first for title in page.results()))
    page.one("#to").send_keys("1")
    page.until(lambda: "No recommendation matches these filters" in page.one("#results").text)


def test_a_shared_address_restores_everything(page, liked, likes):
    title, _ = liked
    page.search(title)
    page.until(lambda: page.found()[:1] == [title])
    rejected = page.changed(lambda: page.choose(f"Like {title}"))[0]
    page.changed(lambda: page.choose(f"Not for me: {rejected}"))
    genre = likes.item_genres.iloc[3][0]
    page.changed(lambda: Select(page.one("#genre")).select_by_visible_text(genre))
    page.one("#from").send_keys("1950")
    page.until(lambda: "from=1950" in page.driver.current_url)
    shared, seen = page.driver.current_url, page.until(page.results)
    page.open()
    assert page.results() != seen
    assert page.texts("#picks .title") == []
    page.open(shared)
    assert page.results() == seen
    assert page.texts("#picks .title") == [rejected, title]
    assert page.texts("#picks .mark") == ["not for me", "liked"]
    assert page.one("#genre").get_attribute("value") == genre
    assert page.one("#from").get_attribute("value") == "1950"
    page.open(f"{page.address}#like=999999&not=%zz&genre=Opera&from=x")
    assert "2 of the titles in this link are not in this model" in page.one("#notice").text


def test_two_models_side_by_side(page, serving, sparse_run, save_run, likes, liked, tmp_path):
    other = save_run(tmp_path / "ease", EASE(l2=20.0).fit(likes), likes, threshold=4.0)
    with serving(sparse_run, compare=other) as address:
        page.open(address)
        assert page.texts("#results h3") == ["sparse-autoencoder", "ease"]
        page.search(liked[0])
        page.until(lambda: page.found()[:1] == [liked[0]])
        left = page.changed(lambda: page.choose(f"Like {liked[0]}"))
        right = page.results(column=2)
        assert left != right
        marked = page.texts("#results > div:first-child .same .title")
        assert sorted(marked) == sorted({*left} & {*right})
        assert f"{len(marked)} of them in both lists" in page.one("#status").text
        tops = [one.rect["y"] for one in page.all("#results > div")]
        assert tops[0] == tops[1]
        page.emulate(width=360)
        tops = [one.rect["y"] for one in page.all("#results > div")]
        assert tops[0] < tops[1]  # one below the other on a phone
        script = "const all = document.documentElement; return all.scrollWidth - all.clientWidth"
        assert page.driver.execute_script(script) == 0


def brightness(page):
    script = "return getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).slice(0, 3).map(Number)"
    return sum(page.driver.execute_script(script)) / 3


def test_light_and_dark(page):
    assert brightness(page) > 200
    page.emulate("dark")
    assert brightness(page) < 60
    Select(page.one("#theme")).select_by_visible_text("light")
    assert brightness(page) > 200
    page.open()  # remembered
    assert page.one("#theme").get_attribute("value") == "light"
    assert brightness(page) > 200
    page.emulate("light")
    Select(page.one("#theme")).select_by_visible_text("dark")
    assert brightness(page) < 60
    page.driver.get(f"{page.address}docs")
    assert brightness(page) < 60


def test_a_phone_needs_no_scrolling_to_the_side(page, liked):
    page.emulate(width=320, height=700)
    page.search(liked[1])
    page.until(lambda: page.found()[:1] == [liked[0]])
    page.changed(lambda: page.choose(f"Like {liked[0]}"))
    page.one("#results summary").click()
    script = "const all = document.documentElement; return all.scrollWidth - all.clientWidth"
    assert page.driver.execute_script(script) == 0
    small = [
        one.accessible_name for one in page.all("#results li button") if min(one.rect["width"], one.rect["height"]) < 24
    ]
    assert small == []  # WCAG 2.5.8: targets of at least 24 px


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_neither_page_scrolls_sideways(beyond_the_edge, address, width):
    for path in ("", "docs"):
        assert beyond_the_edge(f"{address}{path}", width) == []


def test_every_control_has_a_name_and_lists_are_lists(page, liked):
    page.search(liked[0])
    page.until(lambda: page.found()[:1] == [liked[0]])
    page.changed(lambda: page.choose(f"Like {liked[0]}"))
    shown = [one for one in page.all(CONTROLS) if one.is_displayed()]
    assert len(shown) > 20
    names = [(one.aria_role, one.accessible_name) for one in shown]
    assert [pair for pair in names if not pair[1].strip()] == []
    buttons = [name for role, name in names if role == "button" and name.startswith(("Like", "Not for me", "Remove"))]
    found = {f"{word} {title}" for word in ("Like", "Not for me:") for title in page.found()}
    assert len(set(buttons) - found) + len(found) == len(set(buttons) | found)
    assert page.one("#results ol").accessible_name == "Recommended by sparse-autoencoder"
    assert page.one("#status").get_attribute("aria-live") == "polite"
    levels = [int(one.tag_name[1]) for one in page.all("h1, h2, h3")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert {one.accessible_name for one in page.all("section")} == {"What do you like?", "Recommended"}


def test_with_the_keyboard_alone(page, liked):
    title, typed = liked
    order = []
    for _ in range(5):
        page.active().send_keys(Keys.TAB)
        order.append(page.active().accessible_name)
    assert order == ["Skip to recommendations", "Colours", "Copy link", "API", "Search titles"]
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert page.driver.execute_script(outline) == "solid"
    page.active().send_keys(typed)
    page.until(lambda: page.found()[:1] == [title])
    page.active().send_keys(Keys.ARROW_DOWN)
    assert page.active().accessible_name == f"Like {title}"
    page.active().send_keys(Keys.ARROW_UP)
    assert page.active().accessible_name == "Search titles"
    recommended = page.changed(lambda: page.active().send_keys(Keys.ENTER))
    assert page.texts("#picks .title") == [title]
    page.one("#results li button").send_keys(Keys.ENTER)
    page.until(lambda: page.texts("#picks .title") == [recommended[0], title])
    page.until(lambda: page.active().accessible_name.startswith("Like "))  # of what is now in its place
    at = page.driver.execute_script("return document.activeElement.closest('#results') !== null")
    assert at


def test_ratings_are_given_as_stars(page, serving, films, save_run, liked, tmp_path):
    run = save_run(tmp_path / "ratings", BiasedMF(n_factors=4, epochs=5).fit(films), films)
    with serving(run) as address:
        page.open(address)
        page.search(liked[0])
        page.until(lambda: page.found()[:1] == [liked[0]])
        page.choose(f"Like {liked[0]}")
        page.until(lambda: page.all("#picks fieldset"))
        assert page.one("#picks fieldset").accessible_name == f"Your rating of {liked[0]}"
        chosen = page.one("#picks input:checked")
        assert chosen.accessible_name == "5 of 5"
        chosen.send_keys(Keys.ARROW_LEFT)
        page.until(lambda: page.all("#picks input[value='4']:checked"))
        page.until(lambda: ":4" in page.driver.current_url)
        page.until(lambda: page.active().accessible_name == "4 of 5")
        shared = page.driver.current_url
        page.open(shared)
        assert page.one("#picks input:checked").accessible_name == "4 of 5"


@pytest.fixture(scope="module")
def steered_run(likes, save_run, tmp_path_factory):
    model = SparseCode(PureSVD(n_factors=16), n_units=48, n_active=6, epochs=20, progress=False).fit(likes)
    return save_run(tmp_path_factory.mktemp("steered") / "run", model, likes, threshold=4.0), model


def test_units_are_turned_up_and_down_by_sliders(page, serving, steered_run, liked, likes):
    run, model = steered_run
    with serving(run) as address:
        page.open(address)
        summary = page.until(lambda: page.one("#results summary"))
        assert summary.text == "Units of sparse-code: turn them up or down"  # nothing is chosen yet
        summary.click()
        assert len(page.all("#results [type=range]")) == 8
        popular = page.results()
        slider = page.one("#results [type=range]")
        unit = int(slider.accessible_name.split()[2])
        assert slider.accessible_name.startswith(f"Steer unit {unit}")
        assert page.texts("#results .steer output")[0] == "as it is"
        page.changed(lambda: slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT))
        page.until(lambda: f"steer={unit}:1" in page.driver.current_url)
        page.until(lambda: page.active().accessible_name.startswith(f"Steer unit {unit}"))
        weight = float(page.active().get_attribute("value")) * float(model.strength_[unit])
        expected = model.recommend({"x": []}, k=10, steer={unit: weight})["item"]
        titles = page.until(page.results)
        assert titles == [likes.item_names[item] for item in expected]
        assert titles != popular
        assert page.texts("#status")[0].startswith(f"Unit {unit}")
        shared = page.driver.current_url
        page.open(shared)
        assert page.results() == titles
        page.search(liked[1])
        page.until(lambda: page.found()[:1] == [liked[0]])
        page.changed(lambda: page.choose(f"Like {liked[0]}"))
        assert page.all(f'#results [aria-label^="Steer unit {unit}"]')  # a unit that is steered stays in sight
        page.emulate(width=390)
        script = "const all = document.documentElement; return all.scrollWidth - all.clientWidth"
        assert page.driver.execute_script(script) == 0
        page.one("#clear").click()
        page.until(lambda: page.results() == popular)
        assert "steer" not in page.driver.current_url


def test_a_token_is_asked_for(page, serving, sparse_run):
    with serving(sparse_run, token="secret") as address:
        page.open(address)
        page.until(lambda: "token" in page.one("#notice").text)
        assert page.active().accessible_name == "This server requires a token"
        page.active().send_keys("secret", Keys.ENTER)
        page.until(page.results)
        assert not page.one("#token-form").is_displayed()


def untitled(ids):
    """Likes of items that have ids and nothing else: the first ones the most popular."""
    ids = pd.Index(ids)
    users = np.tril(np.ones((len(ids) + 1, len(ids))))
    return Interactions(users, np.arange(len(users)), ids)


def test_ids_beyond_what_javascript_counts_are_themselves(page, serving, save_run, tmp_path):
    ids = [1212092628029698001 + at for at in range(4)]  # all but two of them are one number to JavaScript
    data = untitled(ids)
    with serving(save_run(tmp_path / "run", EASE(l2=1.0).fit(data), data)) as address:
        page.open(address)
        for liked in map(str, ids[1:3]):
            page.search(liked)
            page.until(lambda liked=liked: page.found()[:1] == [liked])
            page.active().send_keys(Keys.ENTER)
            page.until(lambda liked=liked: liked in page.texts("#picks .title"))
        page.until(lambda: set(page.results()) == {str(ids[0]), str(ids[3])})
        page.choose(f"Not for me: {ids[0]}")
        page.until(lambda: page.results() == [str(ids[3])])
        shared = page.driver.current_url
        assert all(str(one) in shared for one in ids[:3])
        page.open(shared)
        assert page.results() == [str(ids[3])]
        assert set(page.texts("#picks .title")) == {str(one) for one in ids[:3]}


@pytest.mark.parametrize(
    "ids",
    [
        ["urn:1", "urn:1:5", "a,b", 'say "a", b:4'],
        [0.5, 1.25, -2.5, 1e-7],
        ["null", "undefined", "0", "-"],
        ["\u00a0", "  ", ".", "\u200b"],
    ],
    ids=["colons and commas", "floats", "words", "blanks"],
)
def test_ids_of_any_look_are_liked_rejected_and_shared(page, serving, save_run, tmp_path, ids):
    data = untitled(ids)
    with serving(save_run(tmp_path / "run", EASE(l2=1.0).fit(data), data)) as address:
        page.open(address)
        shown = page.texts("#found .title")
        assert len(shown) == len(set(shown)) == 4
        for title in shown[:2]:
            page.driver.execute_script(
                "[...document.querySelectorAll('#found button')].find((one) => "
                "one.getAttribute('aria-label') === 'Like ' + arguments[0]).click()",
                title,
            )
            page.until(lambda title=title: title in page.texts("#picks .title"))
        page.until(lambda: set(page.results()) == set(shown[2:]))
        page.open(page.driver.current_url)
        assert set(page.texts("#picks .title")) == set(shown[:2])
        assert set(page.results()) == set(shown[2:])


def test_items_without_titles_are_found_by_parts_of_their_ids_and_enter_likes_no_other(
    page, serving, save_run, tmp_path
):
    ids = ["SKU_1229/B", "SKU_1228/Ä", "SKU_9#8/similar", "50% & <b>"]
    data = untitled(ids)
    with serving(save_run(tmp_path / "run", EASE(l2=1.0).fit(data), data)) as address:
        page.open(address)
        assert "4 items, trained on 5 users" in page.one("#about").text
        assert page.one("#query").accessible_name == "Search item ids"
        assert page.texts("#found-status") == ["Popular items to start with:"]
        for word in ("genre", "year", "title", "film"):
            assert word not in page.one("main").text.lower()
        page.search("sku 1227")  # there is none
        page.one("#query").send_keys(Keys.ENTER)
        page.until(lambda: not page.all("#found[aria-busy]"))
        page.search("sku 122")  # begins two of them
        page.until(lambda: len(page.found()) == 2)
        page.one("#query").send_keys(Keys.ENTER)
        page.until(lambda: page.active().accessible_name.startswith("Like SKU_122"))
        assert page.texts("#picks .title") == []
        page.search("sku 1228")
        page.one("#query").send_keys(Keys.ENTER)
        page.until(lambda: page.texts("#picks .title") == ["SKU_1228/Ä"])
        page.search("9#8")
        page.one("#query").send_keys(Keys.ENTER)
        page.until(lambda: page.texts("#picks .title") == ["SKU_9#8/similar", "SKU_1228/Ä"])
        page.search("50% & <b>")
        page.one("#query").send_keys(Keys.ENTER)
        page.until(lambda: len(page.texts("#picks .title")) == 3)
        page.open(page.driver.current_url)
        assert page.texts("#picks .title") == ["50% & <b>", "SKU_9#8/similar", "SKU_1228/Ä"]
        assert page.results() == ["SKU_1229/B"]
        page.one('#results [aria-label="Not for me: SKU_1229/B"]').click()
        page.until(lambda: "Nothing is left to recommend" in page.one("#results").text)
        page.search("zzz")
        page.until(lambda: "No item matches “zzz”" in page.one("#found-status").text)


def test_enter_likes_the_number_that_was_typed_without_its_zeros(page, serving, save_run, tmp_path):
    ids = ["0300-A", "0030-A", "0031-A"]
    data = untitled(ids)
    with serving(save_run(tmp_path / "run", EASE(l2=1.0).fit(data), data)) as address:
        page.open(address)
        for typed in ("30-a", "300"):
            page.search(typed)
            page.one("#query").send_keys(Keys.ENTER)
            page.until(lambda typed=typed: len(page.texts("#picks .title")) == 1 + (typed == "300"))
        assert page.texts("#picks .title") == ["0300-A", "0030-A"]


@pytest.mark.parametrize("size", [(1280, 800), (390, 800)])
def test_the_choice_is_in_sight_when_something_was_chosen(page, liked, size):
    page.emulate(width=size[0], height=size[1])
    page.search(liked[1])
    page.until(lambda: page.found()[:1] == [liked[0]])
    page.changed(lambda: page.one("#query").send_keys(Keys.ENTER))
    box = page.one("#picks li").rect
    assert box["y"] + box["height"] <= size[1]
    down = page.one("#down")
    assert down.is_displayed() == (size[0] < 800)  # on a phone the recommendations are far below
    if down.is_displayed():
        down.click()
        heading = page.driver.execute_script("return document.getElementById('see-title').getBoundingClientRect().y")
        assert -5 <= heading < 100
    script = "const all = document.documentElement; return all.scrollWidth - all.clientWidth"
    assert page.driver.execute_script(script) == 0

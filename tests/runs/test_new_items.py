"""Items that nobody has rated, from a file: what is read, what is added, and what is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from aerec.baselines import ALS
from aerec.datasets import generate_interactions
from aerec.errors import DataError
from aerec.models import EASE
from aerec.runs.folder import SplitPlan, read_run, write_run
from aerec.runs.new_items import FeatureFile


@pytest.fixture(scope="module")
def likes():
    return generate_interactions(150, 60, 2600, seed=9).binarize(4.0)


@pytest.fixture(scope="module")
def path(likes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "ease"
    write_run(folder, EASE(l2=20.0).fit(likes), {"all": likes}, SplitPlan("none"), {"data": {"threshold": 4.0}})
    return folder


@pytest.fixture
def run(path):
    return read_run(path)


def table(likes):
    """Describe all films by genres, a price and a text, and two new ones."""
    rng = np.random.default_rng(4)
    genres = ["|".join(likes.item_genres[item]) for item in likes.items]
    frame = pd.DataFrame({"movieId": likes.items, "title": "", "genres": genres})
    new = pd.DataFrame({"movieId": [901, 902], "title": ["Neu", "Größe"], "genres": [genres[0], "Drama|Western"]})
    frame = pd.concat([frame, new], ignore_index=True)
    return frame.assign(price=rng.random(len(frame)), about=[f"a film of {text}" for text in frame["genres"]])


def expected(likes, frame, **features):
    """What the library does with the same table."""
    frame = (
        frame.assign(genres=frame["genres"].str.split("|")).drop(columns="title").rename(columns={"movieId": "item"})
    )
    data = likes.with_items(likes.items.append(pd.Index([901, 902]))).with_item_features(frame, **features)
    return EASE(l2=20.0).fit(likes).add_items(data)


@pytest.mark.parametrize("form", ["csv", "semicolons", "jsonl", "parquet"])
def test_a_file_adds_what_the_library_adds(run, likes, tmp_path, form):
    frame = table(likes).drop(columns="about")
    suffix = form if form in ("jsonl", "parquet") else "csv"
    file = tmp_path / f"films.{suffix}"
    if form == "parquet":
        pytest.importorskip("pyarrow")
        frame.to_parquet(file)
    elif form == "jsonl":
        frame.to_json(file, orient="records", lines=True)
    else:
        text = frame.to_csv(index=False, sep=";" if form == "semicolons" else ",")
        file.write_bytes(("\ufeff" + text.replace("\n", "\r\n")).encode())
    wider = FeatureFile(file).add_to(run)
    model = expected(likes, frame)
    assert wider.model.items_.tolist() == model.items_.tolist()
    np.testing.assert_allclose(wider.model.weights_, model.weights_, atol=1e-6)
    assert wider.data.item_names[901] == "Neu"
    assert wider.data.item_names[likes.items[0]] == likes.item_names[likes.items[0]]
    assert set(wider.data.item_genres[902]) == {"Drama", "Western"}
    assert (wider.path, wider.description) == (run.path, run.description)
    assert run.model.n_features_in_ == likes.n_items  # the run itself stays as it was


def test_the_column_of_ids_is_that_of_the_ratings(path, run, likes, tmp_path):
    file = tmp_path / "films.csv"
    table(likes).rename(columns={"movieId": "sku"}).to_csv(file, index=False)
    with pytest.raises(DataError, match="no column of item ids"):
        FeatureFile(file).add_to(run)
    run = replace(run, description={**run.description, "data": {"item": "sku"}})
    assert FeatureFile(file).add_to(run).data.n_items == likes.n_items + 2


def test_words_of_texts(run, likes, tmp_path):
    frame = table(likes)
    frame.to_csv(tmp_path / "films.csv", index=False)
    wider = FeatureFile(tmp_path / "films.csv", text=("about",)).add_to(run)
    model = expected(likes, frame, text=["about"])
    np.testing.assert_allclose(wider.model.weights_, model.weights_, atol=1e-6)
    many = frame.assign(about=[f"the film number {at}" for at in range(len(frame))])
    many.to_csv(tmp_path / "films.csv", index=False)
    with pytest.warns(UserWarning, match="62 different texts, each taken for a category: text=.'about'."):
        FeatureFile(tmp_path / "films.csv").add_to(run)


def test_new_items_alone_meet_the_genres_of_the_run(run, likes, tmp_path):
    frame = table(likes)[["movieId", "title", "genres"]]
    frame.tail(2).to_csv(tmp_path / "new.csv", index=False)
    wider = FeatureFile(tmp_path / "new.csv").add_to(run)
    np.testing.assert_allclose(wider.model.weights_, expected(likes, frame).weights_, atol=1e-6)
    frame.tail(2).drop(columns="genres").assign(price=[1, 2]).to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(DataError, match="describes new items only, such as 901, 902: it takes rows of rated ones too"):
        FeatureFile(tmp_path / "new.csv").add_to(run)


def test_a_file_of_yesterday_adds_nothing(run, likes, tmp_path):
    table(likes).head(60).to_csv(tmp_path / "old.csv", index=False)
    with pytest.warns(UserWarning, match="describes no item that .* does not know: nothing is added"):
        assert FeatureFile(tmp_path / "old.csv", text=("about",)).add_to(run) is run


def test_between_semicolons_numbers_may_have_a_comma(run, likes, tmp_path):
    rated = [(item, f"{at},5") for at, item in enumerate(likes.items[:9])]
    rows = [("item", "price"), *rated, (901, 3), (902, "")]
    (tmp_path / "items.csv").write_text("\n".join(f"{item};{price}" for item, price in rows))
    data = FeatureFile(tmp_path / "items.csv").add_to(run).data
    assert data.feature_names.tolist() == ["price"]
    (tmp_path / "sizes.csv").write_text("# of clothes, sizes\nitem;size\n901;3,5\n1;XL\n2;3,5\n")
    sizes = FeatureFile(tmp_path / "sizes.csv").add_to(run).data.feature_names
    assert sizes.tolist() == ["size=3,5", "size=XL"]


@pytest.mark.parametrize(
    ("text", "more", "reason"),
    [
        ("sku,genres\n1,Drama\n", {}, "no column of item ids, the columns are sku, genres; name it with --item"),
        ("item,genres\n1,Drama\nA7,Drama\n", {}, "row 2: 'A7' is no id as 1, 2 are"),
        ("item,genres\n1,Drama\n,Drama\n", {}, "row 2: nan is no id"),
        ("item,genres\n1,Drama\n1,Western\n", {}, "item 1 has two rows"),
        ("item,genres\n1,Drama\n", {"text": ("about",)}, "no column 'about' for --text"),
        ("item,genres\n1,Drama,7\n2,a,b,c,d\n", {}, "cannot be read as a table"),
        ("item,genres\n7,1,Drama\n8,2,Western\n", {}, "cannot be read as a table: Length of header"),
        ("", {}, "cannot be read as a table|no column of item ids"),
    ],
)
def test_what_cannot_be_read(run, tmp_path, text, more, reason):
    (tmp_path / "items.csv").write_text(text)
    with pytest.raises(DataError, match=reason):
        FeatureFile(tmp_path / "items.csv", **more).add_to(run)


def test_no_file_and_no_model_for_it(run, likes, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere.csv is no file; give a table with a row an item"):
        FeatureFile(tmp_path / "nowhere.csv").add_to(run)
    table(likes).to_csv(tmp_path / "films.csv", index=False)
    als = run.with_model(ALS(n_factors=4).fit(likes), likes)
    with pytest.raises(ValueError, match="ALS cannot take new items"):
        FeatureFile(tmp_path / "films.csv", text=("about",)).add_to(als)


def test_ids_with_leading_zeros_stay_text(likes, tmp_path):
    frame = likes.to_frame()
    frame["item"] = [f"{item:04d}" for item in frame["item"]]
    from aerec import Interactions

    shop = Interactions.from_frame(frame)
    write_run(tmp_path / "run", EASE(l2=20.0).fit(shop), {"all": shop}, SplitPlan("none"), {})
    rows = [f"{item},{'a' if at % 2 else 'b'}" for at, item in enumerate(shop.items)]
    (tmp_path / "items.csv").write_text("\n".join(["item,shelf", *rows, "0901,a"]))
    wider = FeatureFile(tmp_path / "items.csv").add_to(read_run(tmp_path / "run"))
    assert wider.model.items_[-1] == "0901"
    assert wider.data.item_names is None


def test_another_file_has_another_fingerprint(likes, tmp_path):
    file = FeatureFile(tmp_path / "films.csv")
    table(likes).to_csv(file.path, index=False)
    first = file.fingerprint()
    assert FeatureFile(file.path).fingerprint() == first
    assert FeatureFile(file.path, text=("about",)).fingerprint() != first
    table(likes).head(61).to_csv(file.path, index=False)
    assert file.fingerprint() != first

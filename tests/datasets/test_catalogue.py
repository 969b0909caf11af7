"""The catalogue: what is known, where it is looked for, and what happens when it is not there."""

import gzip
import hashlib
import os
import re
from pathlib import Path

import pytest

from aerec.datasets import catalogue, list_datasets, load_dataset, load_parts
from aerec.errors import DataError

PUBLISHED = {  # name: users, items, ratings, as the README of each release says
    "ml-100k": (943, 1682, 100_000),
    "ml-1m": (6040, 3706, 1_000_209),
    "ml-10m": (69_878, 10_677, 10_000_054),
    "ml-20m": (138_493, 26_744, 20_000_263),
    "ml-25m": (162_541, 59_047, 25_000_095),
    "ml-latest-small": (610, 9724, 100_836),
}


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Empty folders for $AEREC_DATA and the cache; nothing may be downloaded."""
    data, cache = tmp_path / "data", tmp_path / "cache"
    data.mkdir()
    cache.mkdir()
    monkeypatch.setenv("AEREC_DATA", str(data))
    monkeypatch.setenv("AEREC_CACHE", str(cache))
    monkeypatch.setattr(catalogue, "download", lambda address, *_, **__: pytest.fail(f"downloads {address}"))
    return data, cache


@pytest.fixture
def published(monkeypatch, movielens):
    """Pretend to be the publisher: downloading ml-1m gives an archive of a few ratings; its checksum, its requests."""
    content = movielens("1m", "zip").read_bytes()
    asked = []

    def download(address, target, checksum, *, progress):
        asked.append(address)
        assert checksum == f"sha256:{hashlib.sha256(content).hexdigest()}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    monkeypatch.setattr(catalogue, "download", download)
    return f"sha256:{hashlib.sha256(content).hexdigest()}", asked


def rows(data):
    return list(data.to_frame().itertuples(index=False, name=None))


# ---------------------------------------------------------------------- the cards


def test_the_catalogue_lists_every_card_and_the_sample_first(places):
    listed = list_datasets().set_index("name")
    words = ["format", "licence", "preparation", "available"]
    assert list(listed.columns) == ["title", "users", "items", "ratings", *words]
    assert listed.index[0] == "sample"
    assert listed.loc["sample", "available"] == "built in"
    assert set(listed["available"]) == {"built in", ""}
    for name, counts in PUBLISHED.items():
        assert tuple(listed.loc[name, ["users", "items", "ratings"]]) == counts


@pytest.mark.parametrize("card", catalogue.cards().values(), ids=lambda card: card.name)
def test_cards_are_complete(card):
    assert all((card.title, card.format, card.licence, card.citation))
    assert min(card.users, card.items, card.ratings) > 0
    assert card.ratings <= card.users * card.items
    assert card.name == "sample" or card.folders
    if card.address is not None:
        assert card.address.startswith("https://")
    if card.checksum is not None:
        assert re.fullmatch(r"sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", card.checksum)


def test_the_page_of_own_data_names_every_card():
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "own-data.md").read_text(encoding="utf-8")
    for name in catalogue.cards():
        assert f"`{name.replace('amazon-2023', '')}`" in page or f"`{name}`" in page or name == "sample"


def test_a_table_that_is_no_archive_keeps_its_suffixes(places, monkeypatch):
    content = gzip.compress(b"user_id,parent_asin,rating,timestamp\nA,B,4.0,1588687728000\n")

    def download(address, target, checksum, *, progress):
        target.write_bytes(content)

    monkeypatch.setattr(catalogue, "download", download)
    given = f"sha256:{hashlib.sha256(content).hexdigest()}"
    with pytest.warns(UserWarning, match="milliseconds"):
        data = load_dataset("amazon-2023-video-games", checksum=given)
    assert rows(data) == [("A", "B", 4.0, 1588687728)]
    assert (places[1] / "amazon-2023-video-games.csv.gz").exists()


def test_the_card_of_the_sample_tells_its_counts():
    card, sample = catalogue.cards()["sample"], load_dataset("sample")
    assert (*sample.shape, sample.n_ratings) == (card.users, card.items, card.ratings)


# ---------------------------------------------------------------------- where data sets are looked for


def test_a_folder_of_aerec_data_is_taken(places, movielens, expected):
    data, _ = places
    movielens("1m").rename(data / "ml-1m")
    assert rows(load_dataset("ml-1m")) == expected[0]
    listed = list_datasets().set_index("name")
    assert listed.loc["ml-1m", "available"] == str(data / "ml-1m")
    assert listed.loc["ml-100k", "available"] == ""


def test_the_official_archive_in_aerec_data_is_taken(places, movielens, expected):
    movielens("csv", "zip").rename(places[0] / "ml-25m.zip")
    assert rows(load_dataset("ml-25m")) == expected[0]


def test_the_folder_in_the_archive_of_10m_has_another_name(places, movielens, expected):
    movielens("10m").rename(places[0] / "ml-10M100K")
    assert rows(load_dataset("ml-10m")) == expected[0]


def test_a_folder_of_the_cache_is_taken_after_aerec_data(places, movielens, expected):
    data, cache = places
    (cache / "ml-1m").mkdir()
    (cache / "ml-1m" / "ratings.dat").write_text("1::1::1::1\n")
    assert rows(load_dataset("ml-1m")) == [(1, 1, 1.0, 1)]
    movielens("1m").rename(data / "ml-1m")
    assert rows(load_dataset("ml-1m")) == expected[0]


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("AEREC_CACHE", str(tmp_path))
    assert catalogue.cache_folder() == tmp_path
    monkeypatch.delenv("AEREC_CACHE")
    assert catalogue.cache_folder().is_absolute()
    monkeypatch.setattr(catalogue.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert catalogue.cache_folder() == tmp_path / "xdg" / "aerec"


def test_a_path_is_read_as_it_is(places, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("user,item,rating\n1,2,3\n")
    assert rows(load_dataset(path)) == rows(load_dataset(str(path))) == [(1, 2, 3.0)]


def test_a_path_that_leads_nowhere_is_named(places):
    for path in ("./nowhere", "nowhere.csv", Path("nowhere")):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            load_dataset(path)


def test_an_unknown_name_is_told_the_known_ones(places):
    with pytest.raises(DataError, match=r"'ml-20'; did you mean ml-20m\? there are sample, .*ml-1m.*or give a path"):
        load_dataset("ml-20")


# ---------------------------------------------------------------------- downloading


def test_what_is_nowhere_is_downloaded_once_into_the_cache(places, published, expected):
    checksum, asked = published
    assert rows(load_dataset("ml-1m", checksum=checksum)) == expected[0]
    assert rows(load_dataset("ml-1m", checksum=checksum)) == expected[0]
    assert asked == [catalogue.cards()["ml-1m"].address]
    assert list_datasets().set_index("name").loc["ml-1m", "available"] == str(places[1] / "ml-1m.zip")


def test_a_damaged_archive_in_the_cache_is_downloaded_again(places, published, expected, caplog):
    checksum, asked = published
    (places[1] / "ml-1m.zip").write_bytes(b"damaged")
    assert rows(load_dataset("ml-1m", checksum=checksum)) == expected[0]
    assert len(asked) == 1
    assert "does not have its checksum any more" in caplog.text


def test_a_download_that_fails_says_where_to_put_the_files(places, monkeypatch):
    def download(address, *_, **__):
        raise DataError(f"{address}: the server answers 404 Not Found")

    monkeypatch.setattr(catalogue, "download", download)
    with pytest.raises(DataError, match=r"answers 404 Not Found; or put it into \$AEREC_DATA/ml-1m or .*ml-1m"):
        load_dataset("ml-1m")


def test_what_cannot_be_downloaded_says_where_to_put_it(places):
    with pytest.raises(
        DataError, match=r"gowalla cannot be downloaded: put it into \$AEREC_DATA/gowalla or .*see http"
    ):
        load_dataset("gowalla")


def test_nothing_is_downloaded_unverified(places, monkeypatch):
    card = catalogue.Card("new", "New", ("new",), "csv", "x", "x", "x", 1, 1, 1, address="https://example.org/new.zip")
    monkeypatch.setattr(catalogue, "cards", lambda: {"new": card})
    with pytest.raises(
        DataError, match=r"new cannot be verified, .*fetch https:.* put it into .*or pass checksum='sha256:…'"
    ):
        load_dataset("new")


# ---------------------------------------------------------------------- given splits


def test_a_given_split_keeps_its_parts_and_joins_as_one(places):
    folder = places[0] / "gowalla"
    folder.mkdir()
    for part, text in {"train": "0 1 2\n1 1\n", "valid": "0 3\n", "test": "1 2\n"}.items():
        (folder / f"{part}.txt").write_text(text)
    parts = load_parts("gowalla")
    assert {part: data.n_ratings for part, data in parts.items()} == {"train": 3, "validation": 1, "test": 1}
    assert {data.shape for data in parts.values()} == {(2, 3)}
    assert rows(load_parts(folder)["test"]) == [(1, 2, 1.0)]
    assert load_dataset("gowalla").n_ratings == 5


def test_without_a_given_split_there_is_one_part(places, movielens, expected):
    assert list(load_parts("sample")) == ["all"]
    assert rows(load_parts(movielens("1m") / "ratings.dat")["all"]) == expected[0]
    with pytest.raises(DataError, match="unknown data set"):
        load_parts("ml-2m")


def test_movielens_100k_has_the_counts_of_its_card():
    if not (os.environ.get("AEREC_DATA") and Path(os.environ["AEREC_DATA"], "ml-100k").is_dir()):
        pytest.skip("MovieLens 100K is not here: set AEREC_DATA to the folder that holds ml-100k")
    data = load_dataset("ml-100k")
    assert (*data.shape, data.n_ratings) == PUBLISHED["ml-100k"]


def test_the_sample_is_read_as_told():
    sample = load_dataset("sample")
    clicks = load_dataset("sample", rating=None, timestamp=None)
    assert clicks.is_implicit
    assert clicks.n_ratings == sample.n_ratings
    assert clicks.timestamps is None
    with pytest.raises(DataError, match="sample has no column 'stars': its columns are user, item, rating, timestamp"):
        load_dataset("sample", rating="stars")

"""The same few ratings, written the way each MovieLens release writes them."""

import gzip
import zipfile
from pathlib import Path

import pytest

# user, item, rating, timestamp: out of order, as u.data is
RATINGS = [(2, 10, 5, 978300760), (1, 3, 4, 881250949), (2, 3, 1, 881250000), (11, 7, 3, 978301968), (1, 10, 2, 8)]
TITLES = {
    3: "Léon (1994)",
    7: "American President, The (1995)",
    10: 'Movie with "Quotes" (2001)',
    99: "Never Rated (1999)",
}
GENRES = {3: ("Action", "Drama"), 7: ("Comedy",), 10: (), 99: ("Drama",)}
ALL_GENRES = ("unknown", "Action", "Comedy", "Drama")


def _lines(rows, sep):
    return "".join(sep.join(map(str, row)) + "\n" for row in rows)


def _quoted(text):
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text


def write_100k(folder):
    (folder / "u.data").write_text(_lines(RATINGS, "\t"))
    (folder / "u.genre").write_text("".join(f"{name}|{at}\n" for at, name in enumerate(ALL_GENRES)) + "\n")
    flags = {item: [int(name in genres) for name in ALL_GENRES[1:]] for item, genres in GENRES.items()}
    rows = [(item, title, "01-Jan-1995", "", "", int(not GENRES[item]), *flags[item]) for item, title in TITLES.items()]
    (folder / "u.item").write_bytes(_lines(rows, "|").encode("latin-1"))


def write_1m(folder, encoding="latin-1"):
    (folder / "ratings.dat").write_text(_lines(RATINGS, "::"))
    rows = [(item, title, "|".join(GENRES[item])) for item, title in TITLES.items()]
    (folder / "movies.dat").write_bytes(_lines(rows, "::").encode(encoding))
    (folder / "users.dat").write_text("1::F::1::10::48067\n")


def write_10m(folder):
    write_1m(folder, "utf-8")
    (folder / "tags.dat").write_text("15::3::excellent!::1215184630\n")


def write_csv(folder):
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + _lines(RATINGS, ","))
    rows = [(item, _quoted(title), "|".join(GENRES[item]) or "(no genres listed)") for item, title in TITLES.items()]
    (folder / "movies.csv").write_text("movieId,title,genres\n" + _lines(rows, ","), encoding="utf-8")
    (folder / "links.csv").write_text("movieId,imdbId,tmdbId\n3,0114709,862\n")


def write_recbole(folder):
    header = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    (folder / "films.inter").write_text(header + _lines(RATINGS, "\t"))
    rows = [(item, title, " ".join(GENRES[item])) for item, title in TITLES.items()]
    text = "item_id:token\tmovie_title:token_seq\tgenre:token_seq\n" + _lines(rows, "\t")
    (folder / "films.item").write_text(text, encoding="utf-8")


LAYOUTS = {"100k": write_100k, "1m": write_1m, "10m": write_10m, "csv": write_csv, "recbole": write_recbole}


def gzip_all(folder: Path) -> Path:
    for path in list(folder.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    return folder


def zip_all(folder: Path) -> Path:
    """Zip as GroupLens does: in one folder of the archive, with its entry and macOS's leavings."""
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ml/", "")
        archive.writestr("__MACOSX/ml/._ratings.csv", b"\0\0")
        for path in folder.iterdir():
            archive.write(path, f"ml/{path.name}")
    return target


@pytest.fixture(params=LAYOUTS)
def layout(request):
    return request.param


@pytest.fixture
def movielens(tmp_path):
    """Write the ratings in a layout; give the folder, or (packed="zip") the archive."""

    def write(layout: str, packed: str = "plain") -> Path:
        folder = tmp_path / f"ml-{layout}"
        folder.mkdir()
        LAYOUTS[layout](folder)
        return {"plain": lambda folder: folder, "gzip": gzip_all, "zip": zip_all}[packed](folder)

    return write


@pytest.fixture
def expected():
    """What comes back, whatever the layout: ratings by user and item, titles and genres of the rated films."""
    ratings = sorted((user, item, float(rating), time) for user, item, rating, time in RATINGS)
    rated = sorted({item for _, item, _, _ in RATINGS})
    return ratings, {item: TITLES[item] for item in rated}, {item: GENRES[item] for item in rated}

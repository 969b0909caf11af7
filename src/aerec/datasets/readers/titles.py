"""Titles and genres of the items, beside the ratings: as MovieLens, RecBole and others have them, or items.csv."""

from __future__ import annotations

import csv
import io
import re
from typing import Any, Literal, TypeAlias

import pandas as pd

from aerec.datasets.readers.files import Files, plain_name
from aerec.datasets.readers.layout import without_comments
from aerec.datasets.readers.netflix import is_netflix
from aerec.errors import DataError, warn_caller

# Genres of u.item when u.genre, which lists them, is not beside it.
_GENRES_100K = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)

_OF_ITEMS = (("title", "name", "item_name"), ("genres", "genre", "categories", "category"))

_Pair: TypeAlias = "tuple[pd.Series[Any] | None, pd.Series[Any] | None]"


def read_titles(files: Files, name: str, items: pd.Index[Any]) -> _Pair:
    """Read titles and genres of the items that the ratings file `name` is about.

    Parameters
    ----------
    files, name
        The ratings, and what lies beside them.
    items : pandas.Index
        The ids to look for: numbers or text, whatever those in the file of titles would be read as.

    Returns
    -------
    titles, genres : pandas.Series or None
        Indexed by those of `items` that are listed; None where no such file lies beside the ratings.

    Raises
    ------
    DataError
        If the file of titles is there and cannot be read.
    """
    titles, genres = _read_all(files, name)
    return _of(titles, items), _of(genres, items)


def _of(values: pd.Series[Any] | None, items: pd.Index[Any]) -> pd.Series[Any] | None:
    """The values of `items`, which the files know by their text."""
    if values is None:
        return None
    position = values.index.get_indexer(pd.Index(items.astype(str), dtype=object))
    known = position >= 0
    return pd.Series(values.to_numpy()[position[known]], index=items[known], dtype=object)


def _read_all(files: Files, name: str) -> _Pair:
    plain = plain_name(name)
    if re.fullmatch(r"u\.data|u[1-5ab]\.(base|test)", plain) and (file := files.find("u.item")):
        return _u_item(files, file)
    if plain == "ratings.csv" and (file := files.find("movies.csv")):
        table = _table(files, file, ",", 3, header=True)
        return table[1], _split(table[2].replace("(no genres listed)", ""), "|")
    of_movies = plain in ("ratings.dat", "ratings.csv") or re.fullmatch(r"r[1-5ab]\.(train|test)", plain)
    if of_movies and (file := files.find("movies.dat")):
        table = _table(files, file, "::", 3)
        return table[1], _split(table[2], "|")
    if plain == "ratings.csv" and (file := files.find("books.csv")):  # Goodbooks
        return _named(files, file, ",", "book_id", "title"), None
    if plain == "user_artists.dat" and (file := files.find("artists.dat")):  # LastFM-2K
        return _named(files, file, "\t", "id", "name"), None
    if plain == "BX-Book-Ratings.csv" and (file := files.find("BX-Books.csv")):  # Book-Crossing
        return _named(files, file, ";", "ISBN", "Book-Title", escape="\\"), None
    if is_netflix(name) and (file := files.find("movie_titles.csv", "movie_titles.txt")):
        return _netflix(files, file), None
    if plain.endswith(".inter"):
        stem = re.sub(r"\.(train|valid|test)$", "", plain.removesuffix(".inter"))
        if file := files.find(f"{stem}.item"):
            return _recbole(files, file)
    if file := files.find("items.csv"):  # of one's own
        return _items(files, file)
    return None, None


def _items(files: Files, name: str) -> _Pair:
    """Read a list of items with a header: ids in the first column, a column of titles, maybe one of genres."""
    text = _text(files, name)
    header = text.partition("\n")[0]
    sep = max(",;\t", key=header.count)
    given = [field.strip('" \r') for field in header.split(sep)]
    names = [field.lower() for field in given]
    title, genre = (next((column for column in usual if column in names), None) for usual in _OF_ITEMS)
    if title is None:
        warn_caller(
            f"{files.label(name)} has no column of titles, ids are shown; the columns are {', '.join(given)}: call one "
            "title, or the file otherwise if it is no list of items"
        )
        return None, None
    table = _table(files, name, sep, 2, header=True, quoting=csv.QUOTE_MINIMAL)
    table.columns = pd.Index(names[1:])
    return table[title], None if genre is None else _split(table[genre], "|")


def _u_item(files: Files, name: str) -> tuple[pd.Series[Any], pd.Series[Any]]:
    table = _table(files, name, "|", 6)
    flags = table[table.columns[4:]] == "1"
    listed = files.find("u.genre")
    genres = list(_table(files, listed, "|", 1).index) if listed else _GENRES_100K
    if flags.shape[1] != len(genres):
        raise DataError(f"{files.label(name)}: {flags.shape[1]} genre columns for the {len(genres)} genres of u.genre")
    names = [
        tuple(genre for genre, given in zip(genres, row, strict=True) if given and genre != "unknown")
        for row in flags.to_numpy()
    ]
    return table[1], pd.Series(names, index=table.index, dtype=object)


def _recbole(files: Files, name: str) -> _Pair:
    table = _table(files, name, "\t", 1, header=True)
    fields = {str(field).split(":")[0]: field for field in table.columns}
    title = next((fields[name] for name in ("movie_title", "title", "item_name", "name") if name in fields), None)
    genre = next((fields[name] for name in ("genre", "genres", "class", "categories") if name in fields), None)
    return None if title is None else table[title], None if genre is None else _split(table[genre], " ")


def _named(files: Files, name: str, sep: str, item: str, title: str, escape: str | None = None) -> pd.Series[Any]:
    """Return the column `title` of a table with a header, indexed by the column `item`."""
    quoting: Literal[0, 3] = csv.QUOTE_NONE if sep == "\t" else csv.QUOTE_MINIMAL
    reader = csv.reader(io.StringIO(_text(files, name)), delimiter=sep, quoting=quoting, escapechar=escape)
    try:
        header = next(reader, [])
        missing = next((column for column in (item, title) if column not in header), None)
        if missing is not None:
            raise DataError(f"{files.label(name)} has no column {missing!r}; get the file again")
        at = header.index(item), header.index(title)
        titles: dict[str, str] = {}
        for row in reader:
            if len(row) > max(at):
                titles.setdefault(row[at[0]], row[at[1]])
    except csv.Error as error:
        raise DataError(f"{files.label(name)} line {reader.line_num}: {error}; get the file again") from None
    return pd.Series(titles, dtype=object)


def _netflix(files: Files, name: str) -> pd.Series[Any]:
    """Return the titles in lines ``item,year,title``, whose titles may hold commas; the year in brackets behind it."""
    titles = {}
    for number, line in enumerate(_text(files, name).splitlines(), start=1):
        item, year, title = [*line.split(",", 2), "", ""][:3] if line.strip() else ("", "", "")
        if line.strip() and not title:
            raise DataError(f"{files.label(name)} line {number}: {line[:60]!r} is no 'item,year,title'")
        titles[item] = f"{title} ({year})" if year.isdecimal() else title
    titles.pop("", None)
    return pd.Series(titles, dtype=object)


def _text(files: Files, name: str) -> str:
    with files.open(name) as stream:
        content = stream.read()
    try:
        return without_comments(content.decode("utf-8-sig"))
    except UnicodeDecodeError:  # MovieLens 100K and 1M, Netflix and Book-Crossing were written in Latin-1
        return content.decode("latin-1")


def _split(column: pd.Series[Any], mark: str) -> pd.Series[Any]:
    split = [tuple(genre for genre in text.split(mark) if genre) for text in column]
    return pd.Series(split, index=column.index, dtype=object)


def _table(
    files: Files, name: str, sep: str, at_least: int, header: bool = False, quoting: Literal[0, 3] | None = None
) -> pd.DataFrame:
    """Read all fields as text, indexed by the first."""
    text = _text(files, name)
    if quoting is None:
        quoting = csv.QUOTE_MINIMAL if sep == "," else csv.QUOTE_NONE
    mark = "\x1f" if len(sep) > 1 else sep
    try:
        rows = [row for row in csv.reader(io.StringIO(text.replace(sep, mark)), delimiter=mark, quoting=quoting) if row]
    except csv.Error as error:  # a quotation mark that is never closed makes one field of the rest
        raise DataError(f"{files.label(name)}: {error}; get the file again") from None
    if not rows or any(len(row) != len(rows[0]) for row in rows) or len(rows[0]) < at_least:
        wrong = next((at for at, row in enumerate(rows, start=1) if len(row) != len(rows[0])), 1)
        raise DataError(
            f"{files.label(name)} row {wrong}: not a list of items separated by {sep!r}; get the file again"
        )
    names = rows.pop(0) if header else list(range(len(rows[0])))
    table = pd.DataFrame(rows, columns=names, dtype=object).drop_duplicates(names[0]).set_index(names[0])
    if header:
        table.columns = pd.Index(names[1:] if sep == "\t" else range(1, len(names)))
    return table

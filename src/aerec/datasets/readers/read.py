"""`read_ratings` and `read_parts`: from files on disk to Interactions, whatever the layout."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import pandas as pd

from aerec.datasets.readers.columns import Columns
from aerec.datasets.readers.delimited import read_delimited
from aerec.datasets.readers.files import Files, plain_name
from aerec.datasets.readers.jester import is_jester, read_jester
from aerec.datasets.readers.json_lines import looks_like_records, read_json_lines
from aerec.datasets.readers.layout import first_line
from aerec.datasets.readers.lists import looks_like_lists, read_item_tags, read_lists
from aerec.datasets.readers.meeting import check_meeting
from aerec.datasets.readers.netflix import is_netflix, read_netflix
from aerec.datasets.readers.parquet import read_parquet
from aerec.datasets.readers.titles import read_titles
from aerec.datasets.store.folder import is_store, open_store
from aerec.errors import DataError, warn_caller
from aerec.frames import Duplicates, check_duplicates
from aerec.interactions import Interactions
from aerec.sparse import ones_in

_WHOLE = (
    *("u.data", "ratings.dat", "ratings.csv"),  # MovieLens 100K; 1M and 10M; 20M, 25M, 32M and latest; Goodbooks
    *("user_artists.dat", "usersha1-artmbid-artname-plays.tsv", "train_triplets.txt"),  # LastFM-2K, -360K; MSD
    *("BX-Book-Ratings.csv", "yelp_academic_dataset_review.json", "steam_reviews.json", "jester_ratings.dat"),
)
_PARTS = {"train": ("train", "base"), "validation": ("validation", "valid", "val", "dev"), "test": ("test",)}
_JOIN_PARTS = "join parts of one table: aerec import FOLDER --out STORE"
_TABLES = (".csv", ".tsv", ".txt", ".dat", ".data", ".inter", ".parquet", ".jsonl", ".json")


@dataclass(frozen=True)
class _Manner:
    """What the caller says about how the file is written."""

    columns: Columns
    sep: str | None = None
    fields: Sequence[str] | None = None
    header: bool = True
    duplicates: Duplicates = "last"

    @property
    def is_told(self) -> bool:
        """Whether the caller says how a text is written, so that it is no list of items."""
        return not (self.sep is None and self.fields is None and self.header)


def read_ratings(
    path: str | os.PathLike[str],
    *,
    user: str | None = None,
    item: str | None = None,
    rating: str | None = "rating",
    timestamp: str | None = "timestamp",
    weight: str | None = None,
    sep: str | None = None,
    columns: Sequence[str] | None = None,
    header: bool = True,
    duplicates: Duplicates = "last",
) -> Interactions:
    r"""Read ratings from a file, a folder or a zip archive; the layout is detected.

    Known layouts: MovieLens 100K (``u.data``, ``u1.base`` …), 1M and 10M (``ratings.dat``), 20M, 25M, 32M and
    latest-small (``ratings.csv``), each with the titles and genres beside it; text with one rating a line and named
    columns; Parquet; stores of `import_parquet`; an object of JSON a line, as of Amazon 2023 and Yelp, or a dict of
    Python, as of Steam, or one array of JSON; RecBole ``.inter``; lists of items, one line a user, as of LightGCN
    (``user item item …``) and CiteULike (``users.dat``: ``count item item …``, with the tags of ``item-tag.dat`` as
    features of the items). By their names: the Netflix Prize (``combined_data_1.txt`` …, ``mv_0000001.txt`` …), the
    Million Song Dataset (``train_triplets.txt``), LastFM-360K (``usersha1-artmbid-artname-plays.tsv``) and -2K
    (``user_artists.dat``), Amazon 2014 (``ratings_Books.csv`` …), Book-Crossing (``BX-Book-Ratings.csv``) and Jester
    (``jester-data-1.xls`` or ``.csv`` …, ``jester_ratings.dat``); counts of plays are the ratings. Each may be packed
    (``.gz``, ``.bz2``, ``.xz``) or in a zip archive, such as an official ``ml-1m.zip``. A folder that holds a given
    split (``train.*``, ``valid.*``, ``test.*``) is read as one; see `read_parts` for its parts.

    Parameters
    ----------
    path : path-like
    user, item : str, optional
        Names of the id columns; by default one of the usual names (user, userId, user_id, item, movieId, asin, …).
    rating : str or None, default "rating"
        Name of the rating column; None for implicit feedback (every line counts as 1). Where the default (or "stars",
        "overall", "book-rating", or, with a warning, "score", "review_score", …) is absent the file is implicit, and a
        warning says so.
    timestamp : str or None, default "timestamp"
        Name of the column of times (numbers, or ISO dates); the default (or "time", "date", …) may be absent. None
        ignores it. Dates become seconds since 1970. Numbers stay what they are, but for those that can only be milli-,
        micro- or nanoseconds since 1970, which are divided, and dates such as 20200131; a warning says so.
    weight : str, optional
        Name of a column of numbers above 0: how much each rating counts, see `Interactions.with_weights`.
    sep : str, optional
        The separator, taken literally; detected by default, also from Excel's line ``sep=;``.
    columns : sequence of str, optional
        The names of the fields of a file that has no header line, such as ``("user", "item", "rating")``.
    header : bool, default True
        False: the first line is a rating. Without `columns` the fields are then called "1", "2", …, and the first four
        are user, item, rating and timestamp unless told otherwise.
    duplicates : "last", "first" or "sum", default "last"
        What becomes of a pair of user and item that occurs more than once, as in `Interactions.from_frame`: its last
        rating, its first, for splits by time, or the sum of them, for events such as plays. Where the last of each was
        kept before (in a store), that is all there is.

    Returns
    -------
    Interactions
        Ids are int64 where all in the file are whole numbers of 64 bits (without leading zeros; ``1.0`` counts as 1,
        with a warning), else text, without blanks around it.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    ValueError
        If `duplicates` is none of these.
    DataError
        If anything in the file cannot be read: one line that names the file, the line in it, the column and the value.
        Nothing is left out in silence: duplicated pairs and ratings of 0 give a warning that says how many.
    MissingExtraError
        If Parquet is to be read and pyarrow is not installed.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from aerec.datasets import read_ratings
    >>> path = pathlib.Path(tempfile.mkdtemp(), "mine.csv")
    >>> _ = path.write_text("who;what;stars\nann;7;5\nbob;9;3.5\n")
    >>> read_ratings(path, user="who", item="what", rating="stars")
    Interactions(2 users × 2 items, 2 ratings from 3.5 to 5, density 50 %)
    """
    check_duplicates(duplicates)
    if is_store(path):
        named = {"user": user, "item": item, "rating": rating, "timestamp": timestamp, "weight": weight}
        return as_told(open_store(path), str(path), **named, duplicates=duplicates)
    files, name = Files.at(path)
    manner = _Manner(Columns(user, item, rating, timestamp, weight), sep, columns, header, duplicates)
    names = _whole(files) if name is None else [name]
    if not names:
        parts = _part_names(files)
        if "train" in parts:
            return join_parts(_read_parts(files, parts, manner), duplicates)
        names = [_only_table(files)]
    return _read_one(files, names, manner)


def read_parts(
    path: str | os.PathLike[str],
    fold: str | None = None,
    *,
    user: str | None = None,
    item: str | None = None,
    rating: str | None = "rating",
    timestamp: str | None = "timestamp",
    weight: str | None = None,
    sep: str | None = None,
    columns: Sequence[str] | None = None,
    header: bool = True,
    duplicates: Duplicates = "last",
) -> dict[str, Interactions]:
    """Read a split that somebody else made, over one common index of users and items.

    Parameters
    ----------
    path : path-like
        A folder or zip archive that holds ``train.*``, ``test.*`` and perhaps ``valid.*`` (or ``validation``, ``val``,
        ``dev``) in any layout that `read_ratings` knows; RecBole's ``name.train.inter`` too.
    fold : str, optional
        One of several splits in the same folder: ``fold="u1"`` reads MovieLens 100K's ``u1.base`` and ``u1.test``.
    user, item, rating, timestamp, weight, sep, columns, header, duplicates
        As in `read_ratings`.

    Returns
    -------
    dict of str to Interactions
        Keys "train", "validation" (where there is one) and "test"; all have the same users and items: the sorted
        union, with titles where known. A user or item that a part lacks is an empty row or column of it.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    ValueError
        If `duplicates` is none of these.
    DataError
        If the train or the test part is missing, or a file cannot be read.
    """
    check_duplicates(duplicates)
    files, name = Files.at(path)
    if name is not None:
        raise DataError(f"{path} is a file; give the folder (or zip archive) that holds the train and test files")
    parts = _part_names(files, fold)
    if missing := [part for part in ("train", "test") if part not in parts]:
        wanted = f"{fold}.base and {fold}.test" if fold else "train.* and test.*"
        raise DataError(f"{files.where}: no {missing[0]} part; expected {wanted}, found {_listing(files)}")
    return _read_parts(
        files, parts, _Manner(Columns(user, item, rating, timestamp, weight), sep, columns, header, duplicates)
    )


def as_told(
    data: Interactions,
    what: str,
    *,
    user: str | None = None,
    item: str | None = None,
    rating: str | None = "rating",
    timestamp: str | None = "timestamp",
    weight: str | None = None,
    duplicates: Duplicates = "last",
    **_: Any,
) -> Interactions:
    """Return data that is no file of columns as the parameters of `read_ratings` say: without ratings or times.

    A warning says that there is nothing to choose or add up where each pair has one rating.

    Raises
    ------
    DataError
        If they name columns that it does not have.
    """
    for role, name in {"user": user, "item": item, "rating": rating, "timestamp": timestamp}.items():
        if name not in (None, role):
            raise DataError(f"{what} has no column {name!r}: its columns are user, item, rating, timestamp")
    if weight is not None and data.weights is None:
        raise DataError(_no_weights(what, weight))
    if duplicates != "last":
        warn_caller(f"{what} holds one rating of a user and item: duplicates={duplicates!r} changes nothing")
    data = data if rating is not None else replace(data, matrix=ones_in(data.matrix))
    return data if timestamp is not None else replace(data, timestamps=None)


def _no_weights(what: str, weight: str) -> str:
    return f"{what} has no column of weights: leave out weight={weight!r}, or read a table that has one"


def has_parts(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is a folder or zip archive that holds a given split, and no table of all ratings.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    """
    files, name = Files.at(path)
    return name is None and not _whole(files) and {"train", "test"} <= set(_part_names(files))


def join_parts(parts: dict[str, Interactions], duplicates: Duplicates = "last") -> Interactions:
    """Return the ratings of all parts as one; users and items stay, even those without a rating."""
    first = parts["train"]
    frames = [part.to_frame() for part in parts.values()]
    if any("timestamp" not in frame for frame in frames):
        frames = [frame.drop(columns="timestamp", errors="ignore") for frame in frames]
    weight = "weight" if first.weights is not None else None
    joined = Interactions.from_frame(pd.concat(frames, ignore_index=True), weight=weight, duplicates=duplicates)
    return replace(
        joined.with_users(first.users).with_items(first.items),
        item_names=first.item_names,
        item_genres=first.item_genres,
        notes=tuple(dict.fromkeys(note for part in (*parts.values(), joined) for note in part.notes)),
    )


# ---------------------------------------------------------------------- which file


def _whole(files: Files) -> list[str]:
    """The files that hold all ratings in a layout that is known by its names; none where there are no such files."""
    if name := files.find(*_WHOLE):
        return [name]
    if (name := files.find("users.dat")) and files.find("item-tag.dat", "tag-item.dat"):  # CiteULike
        return [name]
    for belongs in (is_netflix, is_jester):
        if names := sorted(name for name in files.members if belongs(name)):
            return names
    return []


def _part_names(files: Files, fold: str | None = None) -> dict[str, str]:
    """Part → file name, for the parts there are; the words that tell the part stand right before the suffix."""
    files_of_parts: dict[str, str] = {}
    for name in files.members:
        words = plain_name(name).removesuffix(".zip").split(".")
        if fold is not None:
            word = words[1] if len(words) == 2 and words[0] == fold else ""
        else:
            word = words[-2] if len(words) > 1 and f".{words[-1]}" in _TABLES else ""
        for part, known in _PARTS.items():
            if word in known:
                if part in files_of_parts:
                    raise DataError(
                        f"{files.where}: {files_of_parts[part]} and {name} are both a {part} part; keep one of them"
                    )
                files_of_parts[part] = name
    return files_of_parts


def _only_table(files: Files) -> str:
    tables = [name for name in files.members if plain_name(name).endswith(_TABLES)]
    interactions = [name for name in tables if ".inter" in name]
    for candidates in (interactions, tables):
        if len(candidates) == 1:
            return candidates[0]
    deeper = () if files.archive or tables else (files.where.glob(f"{folders}*.parquet") for folders in ("*/", "*/*/"))
    if any(next(found, None) for found in deeper):
        raise DataError(f"{files.where} holds Parquet files in folders; {_JOIN_PARTS}")
    are_parts = all(plain_name(name).endswith(".parquet") for name in tables) and tables
    raise DataError(
        f"{files.where}: cannot tell which file holds the ratings; expected {', '.join(_WHOLE[:3])}, train.* and "
        f"test.*, or a single table, found {_listing(files)}; "
        + ("unpack the archive and give" if files.archive else "give")
        + " the path of the file"
        + (f", or {_JOIN_PARTS}" if are_parts and not files.archive else "")
    )


def _listing(files: Files) -> str:
    names = list(files.members)
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") if names else "no files"


# ---------------------------------------------------------------------- reading


def _read_one(files: Files, names: list[str], manner: _Manner) -> Interactions:
    ratings, name = _read_table(files, names, manner), names[0]
    titles, genres = read_titles(files, name, ratings.items)
    described = replace(ratings, item_names=titles, item_genres=genres)
    tags = read_item_tags(files, name, ratings.items)
    return described if tags is None else described.with_item_features(*tags)


def _read_table(files: Files, names: list[str], manner: _Manner) -> Interactions:
    columns, name = manner.columns, names[0]
    if re.search(r"\.(parquet|pq)$", plain_name(name)):
        frame = read_parquet(files, name, columns)
    elif is_netflix(name):
        frame = read_netflix(files, names, columns)
    elif is_jester(name):
        frame = read_jester(files, names, columns)
    elif manner.is_told:
        frame = read_delimited(files, name, columns, manner.sep, manner.fields, manner.header)
    elif looks_like_records((begin := first_line(files, name)).text):
        frame = read_json_lines(files, name, columns)
    elif looks_like_lists(begin.text) and not columns.found_in((begin.above or "").split()):
        lists = read_lists(files, name, columns, manner.duplicates)
        return as_told(lists, files.label(name), weight=columns.weight)
    else:
        frame = read_delimited(files, name, columns)
    if columns.weight is not None and "weight" not in frame:
        raise DataError(_no_weights(files.label(name), columns.weight))
    try:
        rating, weight = (role if role in frame else None for role in ("rating", "weight"))
        return Interactions.from_frame(frame, rating=rating, weight=weight, duplicates=manner.duplicates)
    except DataError as error:
        raise DataError(f"{files.label(name)}: {error}") from None


def _read_parts(files: Files, names: dict[str, str], manner: _Manner) -> dict[str, Interactions]:
    parts = {part: _read_table(files, [names[part]], manner) for part in _PARTS if part in names}
    users = _union([part.users for part in parts.values()])
    items = _union([part.items for part in parts.values()])
    typed = {
        part: replace(data, users=_like(data.users, users), items=_like(data.items, items))
        for part, data in parts.items()
    }
    for part in typed.keys() - {"train"}:
        for role in ("users", "items"):
            ids, kinds = ([getattr(each[name], role) for name in ("train", part)] for each in (typed, parts))
            labels = (files.label(names["train"]), files.label(names[part]))
            check_meeting(ids[0], ids[1], role[:-1], labels, differ=kinds[0].dtype.kind != kinds[1].dtype.kind)
    titles, genres = read_titles(files, names["train"], items)
    return {
        name: replace(part.with_users(users).with_items(items), item_names=titles, item_genres=genres)
        for name, part in typed.items()
    }


def _union(indexes: list[pd.Index[Any]]) -> pd.Index[Any]:
    """The sorted union; text where one part has numbers and another text."""
    if len({index.dtype.kind == "i" for index in indexes}) > 1:
        indexes = [index.astype(str) for index in indexes]
    return reduce(lambda first, other: first.union(other), indexes)


def _like(ids: pd.Index[Any], union: pd.Index[Any]) -> pd.Index[Any]:
    if ids.dtype.kind == "i" and union.dtype.kind == "O":  # text before pandas 3; numbers would stay numbers in it
        return ids.astype(str)
    return ids.astype(union.dtype)

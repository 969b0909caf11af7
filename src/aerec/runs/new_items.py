"""A run that offers items nobody has rated: a file says what they are, and what rated ones are."""

from __future__ import annotations

import copy
import csv
import hashlib
import io
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aerec.datasets.readers.columns import Columns
from aerec.datasets.readers.layout import without_comments
from aerec.errors import DataError, warn_caller
from aerec.ids import examples, id_from_text
from aerec.item_features import tags_of_text
from aerec.runs.folder import Run
from aerec.system.extras import import_extra

_TITLES = ("title", "name")
_GENRES = ("genres", "genre")
_SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class FeatureFile:
    """A table with a row an item: its id, and what is known of it.

    Text with one of ``, ; |`` or tabs between fields and a header, ``.jsonl`` or ``.parquet``. Between semicolons 3,5
    is a number. A column ``title`` (or
    ``name``) is the title. Text with ``|`` in it is a list of tags. Items of the run that the file leaves out are known
    by their genres, where run and file have genres.

    Parameters
    ----------
    path : path-like
    item : str, optional
        Name of the column of ids; by default that of the ratings of the run, or one of the usual names.
    text : tuple of str
        Columns that are texts, of which the words count.
    """

    path: Path
    item: str | None = None
    text: tuple[str, ...] = ()

    def add_to(self, run: Run) -> Run:
        """Return the run with a model that recommends the new items as well, and data that knows their titles.

        A file without new items is one of yesterday: a warning says so, and the run stays as it is.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        DataError
            If it cannot be read, or describes no item that the model knows.
        ValueError
            If the model cannot take new items.
        """
        data = run.data
        frame = self._frame(data.items, run.description.get("data", {}).get("item"))
        new = frame.index[~frame.index.isin(data.items)]
        if len(new) == 0:
            warn_caller(f"{self.path} describes no item that {run.path} does not know: nothing is added")
            return run
        titles, frame = _without(frame, _TITLES, but=self.text)
        genre = next((str(name) for name in frame.columns if str(name).lower() in _GENRES), None)
        if genre is not None and data.item_genres is not None:
            others = data.items[~data.items.isin(frame.index)]
            frame = pd.concat([frame, pd.DataFrame({genre: data.item_genres[others].map(list)}, index=others)])
        if not frame.index.isin(data.items).any():
            raise DataError(
                f"{self.path} describes new items only, such as {examples(new, 2)}: it takes rows of rated ones too, "
                f"such as {examples(data.items, 2)}, for what the model knows of them to be carried over"
            )
        wider = replace(
            data.with_items(data.items.append(new)),
            item_names=_joined(data.item_names, titles),
            item_genres=_joined(data.item_genres, None if genre is None else frame[genre].map(_genres)),
        )
        wider = wider.with_item_features(frame.rename_axis("item").reset_index(), text=list(self.text))
        return run.with_model(copy.copy(run.model).add_items(wider), wider)

    def fingerprint(self) -> str:
        """Return a checksum of the file, and of how it is read."""
        content = Path(self.path).expanduser().read_bytes()
        return hashlib.sha256(content + repr((self.item, self.text)).encode()).hexdigest()

    # ------------------------------------------------------------------ reading

    def _frame(self, known: pd.Index[Any], usual: str | None) -> pd.DataFrame:
        """Return the file with a row an item, indexed by ids of the type of `known`.

        Without `item` the column is called as in the ratings of the run, `usual`, or one of the usual names.
        """
        frame = self._read(usual)
        names = [str(name) for name in frame.columns]
        item = self._item(names, usual)
        if item is None:
            raise DataError(
                f"{self.path}: no column of item ids, the columns are {', '.join(names)}; name it with --item"
            )
        for name in self.text:
            if name not in names:
                raise DataError(f"{self.path}: no column {name!r} for --text, the columns are {', '.join(names)}")
        ids = [None if pd.isna(value) else id_from_text(str(value), known) for value in frame[item]]
        if None in ids:
            wrong = frame[item].iloc[ids.index(None)]
            raise DataError(f"{self.path} row {ids.index(None) + 1}: {wrong!r} is no id as {examples(known, 2)} are")
        frame = frame.drop(columns=item).set_axis(pd.Index(ids, dtype=known.dtype), axis="index")
        if not frame.index.is_unique:
            raise DataError(f"{self.path}: item {examples(frame.index[frame.index.duplicated()], 1)} has two rows")
        return frame

    def _item(self, names: list[str], usual: str | None) -> str | None:
        return Columns(item=usual if self.item is None and usual in names else self.item).find("item", names)

    def _read(self, usual: str | None) -> pd.DataFrame:
        path = Path(self.path).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"{self.path} is no file; give a table with a row an item: its id and its features")
        try:
            if path.suffix == ".parquet":
                import_extra("pyarrow.parquet", f"{path}: Parquet")
                return pd.read_parquet(path)
            if path.suffix == ".jsonl":
                return pd.read_json(path, lines=True, dtype=False)
            text = without_comments(path.read_text(encoding="utf-8-sig"))
            first = text.partition("\n")[0]
            sep = max(_SEPARATORS, key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))
            names = next(csv.reader([first.rstrip("\r")], delimiter=sep), [])
            item = self._item(names, usual)
            with warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
                kinds = {} if item is None else {item: str}
                frame = pd.read_csv(io.StringIO(text), sep=sep, dtype=kinds, index_col=False)
            return frame.apply(_decimal_commas) if sep == ";" else frame
        except (ValueError, OSError, pd.errors.ParserError, pd.errors.ParserWarning) as error:
            if isinstance(error, FileNotFoundError):
                raise
            reason = str(error).partition("\n")[0]
            raise DataError(f"{self.path} cannot be read as a table: {reason}") from None


def _decimal_commas(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of numbers such as 3,5, which spreadsheets write between semicolons, as numbers."""
    known = column.dropna()
    if pd.api.types.is_numeric_dtype(column) or not known.astype(str).str.fullmatch(r"[+-]?[0-9]+,[0-9]+").any():
        return column
    if not known.astype(str).str.fullmatch(r"[+-]?[0-9]+(,[0-9]+)?").all():
        return column
    return column.str.replace(",", ".").astype(np.float64)


def _without(
    frame: pd.DataFrame, names: Iterable[str], but: Iterable[str]
) -> tuple[pd.Series[Any] | None, pd.DataFrame]:
    """Return the first column that is called so, and the frame without it unless it is one of `but`."""
    name = next((column for column in frame.columns if str(column).lower() in names), None)
    if name is None:
        return None, frame
    return frame[name], frame if name in but else frame.drop(columns=name)


def _joined(known: pd.Series[Any] | None, given: pd.Series[Any] | None) -> pd.Series[Any] | None:
    """Return what is known of items, and what the file says of the others."""
    if given is None or known is None:
        return known if given is None else given.dropna()
    joined: pd.Series[Any] = pd.concat([known, given[~given.index.isin(known.index)].dropna()])
    return joined


def _genres(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(value)
    return tuple(tags_of_text(value)) if isinstance(value, str) else ()

"""The Netflix Prize: a film in a line of its own, ``1:``, and below it ``user,rating,date`` of each of its ratings."""

from __future__ import annotations

import io
import re
from codecs import BOM_UTF8
from typing import IO, Any

import numpy as np
import pandas as pd

from aerec.datasets.readers.columns import Columns
from aerec.datasets.readers.files import Files, plain_name
from aerec.datasets.readers.values import as_shown
from aerec.errors import DataError

_NAME = re.compile(r"combined_data_\d+\.txt|mv_\d{7}\.txt")
_BLOCK = 1 << 25  # bytes parsed at a time
_FILM = re.compile(rb"^(\d{1,9}):[ \t]*\r?$\n?", re.MULTILINE)
_LINE = re.compile(rb"\d{1,9}:[ \t]*|\d{1,9},[1-5](?:\.0)?,\d{4}-\d\d-\d\d[ \t]*|[ \t]*")
_STARS = (1, 2, 3, 4, 5)
_FIELDS = ("user", "rating", "timestamp")


def is_netflix(name: str) -> bool:
    """Whether a file is one of the Netflix Prize, by its name."""
    return _NAME.fullmatch(plain_name(name)) is not None


def read_netflix(files: Files, names: list[str], columns: Columns) -> pd.DataFrame:
    """Read the files `names`, ``combined_data_1.txt`` … or ``mv_0000001.txt`` …, as one.

    Parameters
    ----------
    files, names
    columns : Columns
        Of it what is None is left out: ratings, times.

    Returns
    -------
    pandas.DataFrame
        Columns user, item (int64), rating (float64) and timestamp (dates).

    Raises
    ------
    DataError
        If a line is neither a film nor a rating of one; names the file and the line.
    """
    parts = []
    for name in names:
        with files.open(name) as stream:
            parts += _read(stream, files.label(name))
    if not parts:
        raise DataError(f"{files.where} names films and holds no ratings; get the files again")
    frame = pd.concat(parts, ignore_index=True)
    left_out = [role for role in ("rating", "timestamp") if getattr(columns, role) is None]
    return frame.drop(columns=left_out)


def _read(stream: IO[bytes], label: str) -> list[pd.DataFrame]:
    parts: list[pd.DataFrame] = []
    film, line, rest = None, 1, b""
    while block := stream.read(_BLOCK):
        block = rest + block if parts or rest else block.removeprefix(BOM_UTF8)
        cut = block.rfind(b"\n") + 1
        block, rest = block[:cut], block[cut:]
        film = _parse(block, film, line, label, parts)
        line += block.count(b"\n")
    _parse(rest, film, line, label, parts)
    return parts


def _parse(block: bytes, film: int | None, line: int, label: str, parts: list[pd.DataFrame]) -> int | None:
    """Add the ratings in whole lines to `parts`; `film` is the one that they begin with. Return the last one."""
    films, counts, pieces = [film or 0], [], []
    begin = 0
    for match in _FILM.finditer(block):
        pieces.append(block[begin : match.start()])
        films.append(int(match[1]))
        begin = match.end()
    pieces.append(block[begin:])
    counts = [_n_lines(piece) for piece in pieces]
    if film is None and counts[0]:
        raise DataError(f"{label} {_wrong_line(block, line) or f'line {line}: a rating before the first film'}")
    text = b"".join(piece if piece.endswith(b"\n") or not piece else piece + b"\n" for piece in pieces)
    if text:
        kinds: Any = {"user": np.int64, "rating": np.float64, "timestamp": "category"}
        try:
            frame = pd.read_csv(
                io.BytesIO(text), header=None, names=_FIELDS, dtype=kinds, index_col=False, na_filter=False
            )
            days = pd.to_datetime(pd.Index(frame["timestamp"].cat.categories), format="%Y-%m-%d", utc=True)
        except (ValueError, pd.errors.ParserError) as error:
            reason = _wrong_line(block, line) or str(error).splitlines()[0]
            raise DataError(f"{label} {reason}") from None
        if len(frame) != sum(counts) or text.count(b",") != 2 * len(frame):
            raise DataError(f"{label} {_wrong_line(block, line)}")
        if frame["user"].dtype != np.int64 or not frame["rating"].isin(_STARS).all():  # uint64 before pandas 3
            raise DataError(f"{label} {_wrong_line(block, line)}")
        frame["timestamp"] = days.take(frame["timestamp"].cat.codes.to_numpy())
        frame.insert(1, "item", np.repeat(films, counts))
        parts.append(frame)
    return films[-1] or None


def _n_lines(piece: bytes) -> int:
    """Return the number of lines that hold something."""
    n = piece.count(b"\n") + (not piece.endswith(b"\n") and bool(piece))
    return n - sum(1 for _ in re.finditer(rb"^[ \t]*\r?\n", piece, re.MULTILINE))


def _wrong_line(block: bytes, begins: int) -> str | None:
    """Say of the first line that is neither a film nor a rating what it is."""
    for number, line in enumerate(block.splitlines(), start=begins):
        if not _LINE.fullmatch(line):
            shown = as_shown(line.decode(errors="replace"))
            expected = "neither a film such as '1:' nor a rating from 1 to 5 such as '5,3,2005-09-06'"
            return f"line {number}: {shown!r} is {expected}"
        if b"," in line and pd.isna(pd.to_datetime(day := line.decode().split(",")[2].strip(), errors="coerce")):
            return f"line {number}: {day!r} is no day of the calendar; correct or delete the line"
    return None

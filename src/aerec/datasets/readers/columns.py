"""Which column of a table is which: the names that rating files use, and the layouts that have no header."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aerec.errors import DataError, warn_caller
from aerec.numerals import NUMBER
from aerec.tables import says_yes_and_no
from aerec.times import warn_of_unread_times

DELIMITERS = ("::", "\t", ",", ";", "|", " ")
_LEAST_TIME = 1e8  # seconds since 1970 are more than this, since 1973
MOVIELENS_COLUMNS = ("user", "item", "rating", "timestamp")
_KNOWN = {
    "user": ("user", "userid", "uid", "customerid", "reviewerid", "visitorid"),
    "item": (
        *("item", "itemid", "iid", "movie", "movieid", "book", "bookid", "isbn", "song", "songid", "track", "trackid"),
        *("artist", "artistid", "product", "productid", "business", "businessid", "parentasin", "asin"),
        *("animeid", "recipeid", "gameid", "articleid"),
    ),
    "rating": ("rating", "stars", "bookrating", "overall"),
    "timestamp": ("timestamp", "time", "datetime", "date", "unixreviewtime"),
    "weight": (),
}
_LIKELY = {
    "rating": ("score", "reviewscore", "userscore", "reviewrating", "userrating", "rui"),
    "timestamp": ("ts",),
}  # names that say less: what they are taken for is said


@dataclass(frozen=True)
class Columns:
    """The columns that the caller names; None for user and item means one of the usual names.

    Parameters
    ----------
    user, item : str or None
    rating : str or None
        None: implicit feedback, every row counts as 1. The default name, "rating", may be absent, which means the same;
        any other must be there.
    timestamp : str or None
        None: do without. The default name, "timestamp", may be absent; any other must be there.
    weight : str or None
        None: do without.
    """

    user: str | None = None
    item: str | None = None
    rating: str | None = "rating"
    timestamp: str | None = "timestamp"
    weight: str | None = None

    def found_in(self, names: Sequence[str]) -> bool:
        """Whether one of `names` is that of a column looked for, so that they are a header."""
        return any(self.find(role, names) is not None for role in _KNOWN)

    def numbered(self, fields: Sequence[str]) -> Columns:
        """Return the columns of a file without a header, which are called "1", "2", …: user, item, rating, timestamp.

        Parameters
        ----------
        fields : sequence of str
            The first row. A third field that is a time is taken as one: the file has no ratings then.
        """
        rating, timestamp = self.rating, self.timestamp
        third_is_time = len(fields) == 3 and _is_time(fields[2])
        if rating == "rating":
            rating = "3" if len(fields) > 2 and not third_is_time else None
        if timestamp == "timestamp":
            timestamp = "3" if third_is_time else "4" if len(fields) > 3 else None
        return Columns(self.user or "1", self.item or "2", rating, timestamp, self.weight)

    def locate(self, names: Sequence[str], place: str) -> dict[str, str]:
        """Return role ("user", "item", "rating", "timestamp", "weight") → name, for the roles there are.

        Raises
        ------
        DataError
            If a column is missing, stands twice or is to be two things; begins with `place`.
        """
        located: dict[str, str] = {}
        for role in _KNOWN:
            if getattr(self, role) is None and role not in ("user", "item"):
                continue
            name = self.find(role, names)
            if name is not None:
                if list(names).count(name) > 1:
                    raise DataError(f"{place}: the column {name!r} stands twice; rename one of them")
                if name in located.values():
                    other = next(known for known, column in located.items() if column == name)
                    raise DataError(f"{place}: the column {name!r} is read as the {other}, so not as the {role} too")
                located[role] = name
                if getattr(self, role) != name and _plain(name) in _LIKELY.get(role, ()):
                    warn_caller(f"{place}: the column {name!r} is read as the {role}; name another one with {role}=…")
            elif role in ("user", "item", "weight") or getattr(self, role) != role:
                raise DataError(f"{place}: {self._missing(role, names)}")
        if self.timestamp is not None and "timestamp" not in located:
            warn_of_unread_times(names, located.values(), f"{place}: the")
        return located

    def find(self, role: str, names: Sequence[str]) -> str | None:
        """Return which of `names` is the column for "user", "item", …; None where none is."""
        wanted = getattr(self, role)
        if wanted in names:
            return str(wanted)
        if wanted not in (None, role):
            return None
        usual = (*_KNOWN[role], *_LIKELY.get(role, ()))
        return next((name for known in usual for name in names if _plain(name) == known), None)

    def _missing(self, role: str, names: Sequence[str]) -> str:
        wanted = getattr(self, role) or role
        shown = ", ".join(repr(name) for name in names[:12]) + (", …" if len(names) > 12 else "")
        cure = f"name it with {role}=…"
        if role == "rating":
            cure += ", or pass rating=None for implicit feedback"
        if list(names) != [str(number) for number in range(1, len(names) + 1)]:  # numbers: known to have no header
            cure += ', or pass columns=("user", "item", …) if the file has no header'
        return f"no column {wanted!r}, the columns are {shown}; {cure}"


def warn_of_no_ratings(label: str, unread: Mapping[str, Iterable[Any]]) -> None:
    """Say that every row counts as 1, and name the columns that may hold ratings.

    Parameters
    ----------
    label : str
    unread : mapping of str to iterable
        Column → values of its first rows. The first one that says yes and no is named, else those of numbers.
    """
    columns = {name: list(values) for name, values in unread.items()}
    asks = next((name for name, values in columns.items() if says_yes_and_no(values)), None)
    cure = "name one with rating=…"
    if asks is not None:
        cure = f"the column {asks!r} says yes and no and is not read: rating={asks!r} reads it"
    elif told := [
        f"{name!r} ({span})" for name, values in columns.items() if (span := _range_of_ratings(name, values))
    ]:
        cure = f"these columns of numbers may hold them: {', '.join(told[:3])}; {cure}"
    warn_caller(f"{label} has no column of ratings: every row counts as 1; {cure}")


def _range_of_ratings(name: str, values: Sequence[Any]) -> str:
    """Return "0.5 to 5" where a column holds numbers that may be ratings; "" for text, ids, times and line numbers."""
    if not name or _plain(name).endswith("id") or not all(NUMBER.fullmatch(str(value).strip()) for value in values):
        return ""
    numbers = [float(value) for value in values]
    low, high = min(numbers, default=0), max(numbers, default=0)
    counted = numbers == [low + at for at in range(len(numbers))]
    return "" if low == high or counted or low >= _LEAST_TIME else f"{low:g} to {high:g} in the first rows"


def header_fields(role: str, names: Sequence[str]) -> set[str]:
    """Return what a field of a header may look like: `names`, and the usual ones of a role, however they are spelt."""
    stems = [name.removesuffix("id") for name in _KNOWN[role] if name.endswith("id")]
    spelt = {*names, *_KNOWN[role]}
    spelt |= {stem + mark + end for stem in stems for mark in ("", "_", "-", " ") for end in ("id", "Id", "ID")}
    spelt |= {
        form for name in spelt for form in (name.lower(), name.upper(), name.title(), name[:1].upper() + name[1:])
    }
    return {mark + name + kind for name in spelt for mark in ("", "\ufeff") for kind in ("", ":token")}


def _is_time(text: str) -> bool:
    """Whether a field is a time rather than a rating: seconds since 1973 or later, or an ISO date."""
    return re.fullmatch(r"\d{9,}(\.\d*)?|\d{4}-\d\d-\d\d.*", text.strip()) is not None


def _plain(name: str) -> str:
    return re.sub(r"[_ -]", "", name.lower())

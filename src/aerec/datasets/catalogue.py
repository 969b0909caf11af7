"""The catalogue: known data sets by name, where they lie, and how to get them."""

from __future__ import annotations

import dataclasses
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from aerec.datasets.download import download, matches
from aerec.datasets.readers.read import as_told, has_parts, read_parts, read_ratings
from aerec.datasets.synthetic import load_sample
from aerec.errors import DataError, names_like
from aerec.interactions import Interactions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_log = logging.getLogger(__name__)
_SAMPLE = "sample"


@dataclass(frozen=True)
class Card:
    """What is known of a data set: one TOML file of the catalogue."""

    name: str
    title: str
    folders: tuple[str, ...]
    format: str
    licence: str
    homepage: str
    citation: str
    users: int
    items: int
    ratings: int
    address: str | None = None
    checksum: str | None = None
    size: int | None = None
    preparation: str | None = None

    @classmethod
    def from_toml(cls, content: Mapping[str, Any]) -> Card:
        """Build from a parsed TOML file.

        Raises
        ------
        DataError
            If a field is missing, unknown or of the wrong kind, or a name would lead out of the folder of the data.
        """
        try:
            fields = {key: value for key, value in content.items() if key != "statistics"}
            card = cls(**{**fields, "folders": tuple(fields["folders"])}, **content["statistics"])
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f"the card of {content.get('name')!r} cannot be read: {error}") from None
        card._check()
        return card

    def _check(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            kinds: Any = tuple if field.name == "folders" else int if "int" in str(field.type) else str
            if not (isinstance(value, kinds) or (value is None and "None" in str(field.type))):
                raise DataError(f"the card of {self.name!r} has {field.name} = {value!r}")
        for name in (self.name, *self.folders):
            if not isinstance(name, str) or not re.fullmatch(r"[\w][\w.+ -]*", name) or ".." in name:
                raise DataError(f"the card of {self.name!r} names the folder {name!r}: letters, digits, '.', '-' only")


@cache
def cards() -> dict[str, Card]:
    """Return the cards of the catalogue by name."""
    here = Path(__file__).parent
    shipped, checkout = here / "cards", here.parents[2] / "datasets"  # a wheel holds the first, a checkout the second
    folder = shipped if shipped.is_dir() else checkout
    cards = [Card.from_toml(tomllib.loads(path.read_text(encoding="utf-8"))) for path in folder.glob("*.toml")]
    return {card.name: card for card in sorted(cards, key=_rank)}


def _rank(card: Card) -> tuple[bool, bool, int]:
    return card.name != _SAMPLE, card.address is None, card.ratings


def list_datasets() -> pd.DataFrame:
    """Return the catalogue.

    Returns
    -------
    pandas.DataFrame
        One row a data set: name, title, users, items, ratings (before any preparation), format, licence, preparation
        (how papers prepare it; "" where they do not agree), and available: where it was found on this machine,
        "built in", or "" where it is not here.

    Examples
    --------
    >>> from aerec.datasets import list_datasets
    >>> list_datasets().query("name == 'ml-1m'")[["users", "items", "ratings"]].to_numpy().tolist()
    [[6040, 3706, 1000209]]
    """
    columns = ["name", "title", "users", "items", "ratings", "format", "licence", "preparation"]
    rows = [[*(getattr(card, column) or "" for column in columns), _available(card)] for card in cards().values()]
    return pd.DataFrame(rows, columns=[*columns, "available"])


def load_dataset(
    name_or_path: str | os.PathLike[str], *, checksum: str | None = None, progress: bool = True, **reading: Any
) -> Interactions:
    """Load a data set of the catalogue, or ratings from a path.

    A name is looked for in the folder ``$AEREC_DATA`` and then in the user's cache folder (``$AEREC_CACHE`` names
    another one), as a folder or as the published archive. What is in neither is downloaded into the cache: over
    HTTPS, verified before it is used. Given splits (``gowalla``, …) come as one, train, validation and test joined;
    `read_parts` gives the parts.

    Parameters
    ----------
    name_or_path : str or path-like
        A name of `list_datasets`, or a path that `read_ratings` can read. ``"sample"`` is generated, without a network.
    checksum : str, optional
        ``"sha256:…"`` or ``"md5:…"`` of the archive, instead of the one in the catalogue.
    progress : bool, default True
        Show a progress bar while downloading, where standard error is a terminal.
    **reading
        How the files are written: parameters of `read_ratings`.

    Returns
    -------
    Interactions

    Raises
    ------
    DataError
        If the name is unknown, the data set has to be put in place by hand, or its download fails or is not verified.
    FileNotFoundError
        If a path leads nowhere.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> load_dataset("sample").shape
    (1000, 600)
    """
    card = cards().get(str(name_or_path))
    if card is None:
        if _is_path(name_or_path):
            return read_ratings(name_or_path, **reading)
        known = names_like(str(name_or_path), cards())
        raise DataError(f"unknown data set {str(name_or_path)!r}; {known}, or give a path")
    if card.name == _SAMPLE:
        return as_told(load_sample(), _SAMPLE, **reading)
    return read_ratings(_find(card) or _get(card, checksum, progress), **reading)


def load_parts(
    name_or_path: str | os.PathLike[str], *, progress: bool = True, **reading: Any
) -> dict[str, Interactions]:
    """Load a data set as it was divided by who published it.

    Parameters
    ----------
    name_or_path : str or path-like
        As in `load_dataset`.
    progress : bool, default True
    **reading
        As in `load_dataset`.

    Returns
    -------
    dict of str to Interactions
        Keys "train", "validation" (where there is one) and "test" for a given split, as of `read_parts`; else the one
        key "all".

    Raises
    ------
    DataError, FileNotFoundError
        As `load_dataset`.
    """
    card = cards().get(str(name_or_path))
    place = _find(card) if card is not None else Path(name_or_path).expanduser()
    if place is not None and place.exists() and has_parts(place):
        return read_parts(place, **reading)
    return {"all": load_dataset(name_or_path, progress=progress, **reading)}


def cache_folder() -> Path:
    """Where downloads are kept: ``$AEREC_CACHE``, or what is usual on this system."""
    if given := os.environ.get("AEREC_CACHE"):
        return Path(given).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "aerec" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "aerec"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aerec"


def _is_path(given: str | os.PathLike[str]) -> bool:
    """Whether a path is meant: one that exists, or that looks like none of the catalogue's names."""
    if not isinstance(given, str):
        return True
    return Path(given).expanduser().exists() or any(mark in given for mark in ("/", "\\", "."))


def _find(card: Card) -> Path | None:
    return next((place for place in _places(card) if place.exists()), None)


def _places(card: Card) -> Iterator[Path]:
    if given := os.environ.get("AEREC_DATA"):
        yield from (Path(given).expanduser() / name for name in (*card.folders, _file_name(card)))
    yield from (cache_folder() / name for name in card.folders)


def _get(card: Card, checksum: str | None, progress: bool) -> Path:
    """The archive in the cache, downloaded where it is not there or not whole any more."""
    by_hand = f"put it into $AEREC_DATA/{card.folders[0]} or {cache_folder() / card.folders[0]}"
    if card.address is None:
        raise DataError(f"{card.name} cannot be downloaded: {by_hand} ({card.format}); see {card.homepage}")
    checksum = checksum or card.checksum
    if checksum is None:
        raise DataError(
            f"{card.name} cannot be verified, the catalogue has no checksum: fetch {card.address} and {by_hand}, "
            "or pass checksum='sha256:…' to load_dataset"
        )
    target = cache_folder() / _file_name(card)
    if target.exists() and not matches(target, checksum):
        _log.warning("%s does not have its checksum any more; downloading it again", target)
        target.unlink()
    if not target.exists():
        try:
            download(card.address, target, checksum, progress=progress)
        except DataError as error:
            raise DataError(f"{error}; or {by_hand}") from None
    return target


def _file_name(card: Card) -> str:
    """What the downloaded file is called: an archive, or a table packed by gzip."""
    address = card.address or ""
    return card.name + (".zip" if not address.endswith(".gz") else "".join(Path(address).suffixes[-2:]))


def _available(card: Card) -> str:
    if card.name == _SAMPLE:
        return "built in"
    archive = cache_folder() / _file_name(card)
    path = _find(card) or (archive if archive.exists() else None)
    return "" if path is None else str(path)

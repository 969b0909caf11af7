"""Run folders: a trained model with its data, its split and what it takes to repeat it.

A run folder holds ``run.json`` (data, preprocessing, split, model and parameters, metrics, versions, machine),
``model/``, ``data/`` (the interactions after preprocessing, with titles), ``config.toml`` (from which `aerec train`
makes it again) and, for models that learn in epochs, ``history.csv`` and ``history.jsonl``. Everything is data only:
JSON, safetensors, TOML and CSV.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.datasets.readers import join_parts
from aerec.datasets.store import is_store, open_store, store_of
from aerec.errors import DataError, ModelFileError
from aerec.interactions import Interactions
from aerec.models.base import Recommender
from aerec.registry import load_model
from aerec.sparse import CSR
from aerec.splitting import LeaveLastOut, RandomHoldout, Split, StrongGeneralization, TemporalSplit
from aerec.storage import (
    check_offsets,
    decode_index,
    encode_index,
    find_leftovers,
    output_error,
    read_folder,
    read_header,
    remove_leftovers,
    replace_folder,
    temporary_prefix,
    write_folder,
    write_header,
)

__all__ = [
    "SPLITTERS",
    "Run",
    "SplitPlan",
    "check_run_path",
    "load_interactions",
    "read_run",
    "run_fingerprint",
    "save_interactions",
    "write_run",
]

SPLITTERS: dict[str, Any] = {
    "strong": StrongGeneralization,
    "random": RandomHoldout,
    "last": LeaveLastOut,
    "temporal": TemporalSplit,
}
"""Name of a way of splitting → the splitter; beside them there are "given" and "none"."""

_GIVEN = ("train", "validation", "test")
_WHOLE = "all"


@dataclass(frozen=True)
class SplitPlan:
    """How ratings are split, in a form that can be written down.

    Parameters
    ----------
    kind : {"strong", "random", "last", "temporal", "given", "none"}
        "given": by whoever published the data; "none": everything is for training.
    parameters : dict
        Of the splitter.
    """

    kind: str
    parameters: dict[str, Any] = field(default_factory=dict)

    def apply(self, parts: Mapping[str, Interactions]) -> Split | None:
        """Split `parts`: ``{"all": …}``, or ``{"train": …, "validation": …, "test": …}`` for "given".

        Returns
        -------
        Split or None
            None where nothing is held out.
        """
        if self.kind == "none":
            return None
        if self.kind == "given":
            return Split.from_parts(parts["train"], parts["test"], parts.get("validation"))
        split: Split = SPLITTERS[self.kind](**self.parameters).split(whole(parts))
        return split

    def __str__(self) -> str:
        values = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.kind} ({values})" if values else self.kind


def whole(parts: Mapping[str, Interactions]) -> Interactions:
    """Return all ratings of a data set that came in parts, or as ``{"all": …}``."""
    return parts[_WHOLE] if _WHOLE in parts else join_parts(dict(parts))


# ---------------------------------------------------------------------- writing


def check_run_path(path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Return where a run is to be written, after checking that it can be; called before anything takes long.

    Raises
    ------
    DataError
        If `path` is a file, a folder of something else, or holds a run that is not to be overwritten.
    PermissionError
        If the folder cannot be written to.
    """
    target = Path(path).expanduser().resolve()
    if target.is_dir():
        if (target / "run.json").exists():
            if not overwrite:
                raise DataError(f"{path} holds a run already; give another folder, or overwrite it (--overwrite)")
        elif any(target.iterdir()):
            raise DataError(f"{path} is a folder that holds something other than a run; give another one")
    elif target.exists():
        raise DataError(f"{path} is a file; a run is saved as a folder, give another path")
    above = next(folder for folder in target.parents if folder.exists())
    if not above.is_dir():
        raise DataError(f"{path} cannot be made: {above} is a file; give another path")
    if not os.access(above, os.W_OK):
        raise PermissionError(f"{path} cannot be made: no permission to write into {above}")
    return target


def write_run(
    path: str | os.PathLike[str],
    model: Recommender,
    parts: Mapping[str, Interactions],
    split: SplitPlan,
    description: Mapping[str, Any],
    overwrite: bool = False,
    files: Mapping[str, str] | None = None,
) -> None:
    """Write a run folder: all of it, or nothing.

    Parameters
    ----------
    path : path-like
    model : Recommender
        Fitted.
    parts : mapping of str to Interactions
        What `split` applies to.
    split : SplitPlan
    description : mapping
        What else ``run.json`` is to say; whatever JSON can hold.
    overwrite : bool, default False
        Replace a run that is there.
    files : mapping of str to str, optional
        Names and content of more files in text.
    """
    target = check_run_path(path, overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    _tidy(target)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=temporary_prefix(target.name), suffix=".part"))
    try:
        model.save(temporary / "model")
        for name, part in parts.items():
            save_interactions(part, temporary / "data", name)
        history = getattr(model, "history_", None)
        if isinstance(history, pd.DataFrame):
            history.to_csv(temporary / "history.csv", index=False)
        for name, text in (files or {}).items():
            (temporary / name).write_text(text, encoding="utf-8")
        plan = {"kind": split.kind, "parameters": split.parameters}
        write_header(temporary, "run", {**description, "split": plan, "parts": list(parts)})
        replace_folder(temporary, target)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        named = output_error(error, temporary, target)
        if named is not error:
            raise named from None
        raise


def _tidy(target: Path) -> None:
    """Remove what killed processes left beside the run; bring back a run that was moved out and never replaced."""
    if not target.exists():
        for outgoing in find_leftovers(target.parent, target.name, ".old")[:1]:
            outgoing.rename(target)
    for suffix in (".part", ".old"):
        remove_leftovers(target.parent, target.name, suffix)


# ---------------------------------------------------------------------- reading


@dataclass(frozen=True)
class Run:
    """A run folder; model and data are read when they are asked for.

    Attributes
    ----------
    path : pathlib.Path
    description : dict
        The content of ``run.json``.
    """

    path: Path
    description: dict[str, Any]

    @property
    def plan(self) -> SplitPlan:
        """How the data was split."""
        return SplitPlan(self.description["split"]["kind"], self.description["split"]["parameters"])

    @cached_property
    def model(self) -> Recommender:
        """The trained model."""
        return load_model(self.path / "model")

    @cached_property
    def parts(self) -> dict[str, Interactions]:
        """The data after preprocessing, in the parts it came in."""
        return {name: load_interactions(self.path / "data", name) for name in self.description["parts"]}

    @cached_property
    def data(self) -> Interactions:
        """All ratings after preprocessing: what is known of each user."""
        return whole(self.parts)

    @cached_property
    def split(self) -> Split | None:
        """The split that the model was trained with; None where nothing was held out."""
        return self.plan.apply(self.parts)


def run_fingerprint(run: Run) -> str:
    """Return a checksum of the model and the data of a run: of their headers, which hold those of their files."""
    headers = [
        run.path / "model" / "model.json",
        *(run.path / "data" / f"{name}.json" for name in run.description["parts"]),
    ]
    return hashlib.sha256(b"".join(path.read_bytes() for path in headers)).hexdigest()


def read_run(path: str | os.PathLike[str]) -> Run:
    """Open the run folder `path`.

    Raises
    ------
    FileNotFoundError
        If there is no run in `path`.
    ModelFileError
        If ``run.json`` is damaged, altered, or of a newer format.
    """
    folder = Path(path).expanduser()
    if not folder.exists():
        _tidy(folder)
    if not (folder / "run.json").is_file():
        hint = "it holds a model without its data" if (folder / "model.json").exists() else "make one: aerec train"
        raise FileNotFoundError(f"no run in {path}: {folder / 'run.json'} does not exist; {hint}")
    description = read_header(folder, "run")
    known = {*SPLITTERS, "given", "none"}
    try:
        fits = description["split"]["kind"] in known and set(description["parts"]) <= {_WHOLE, *_GIVEN}
    except (KeyError, TypeError):
        fits = False
    if not fits:
        raise ModelFileError(f"{folder / 'run.json'} does not describe a run that this aerec knows; train again")
    return Run(folder, description)


# ---------------------------------------------------------------------- interactions


def save_interactions(data: Interactions, path: str | os.PathLike[str], name: str = "interactions") -> None:
    """Write `data` as ``<path>/<name>.json`` and a safetensors file, atomically.

    Parameters
    ----------
    data : Interactions
    path : path-like
        A folder, made where absent.
    name : str, default "interactions"
        So that a folder can hold several.

    Raises
    ------
    DataError
        If ids are neither all numbers nor all text.

    Notes
    -----
    Of data that is all of a store only the place and the fingerprint of the store are written: it has to stay there.
    """
    if (stored := store_of(data)) is not None:
        Path(path).mkdir(parents=True, exist_ok=True)
        write_header(path, name, {"store": str(stored[0]), "fingerprint": stored[1]})
        return
    tensors: dict[str, NDArray[Any]] = {
        "data": data.matrix.data,
        "indices": data.matrix.indices,
        "indptr": data.matrix.indptr,
        **encode_index(data.users, "users"),
        **encode_index(data.items, "items"),
    }
    if data.timestamps is not None:
        tensors["timestamps"] = data.timestamps
    if data.item_names is not None:
        tensors |= encode_index(pd.Index([str(one) for one in data.item_names], dtype=object), "item_names")
    if data.item_genres is not None:
        tensors |= _encode_genres(data.item_genres)
    write_folder(path, name, {"n_users": data.shape[0], "n_items": data.shape[1]}, tensors)


def load_interactions(path: str | os.PathLike[str], name: str = "interactions") -> Interactions:
    """Read what `save_interactions` wrote.

    Raises
    ------
    FileNotFoundError
        If there is nothing of that name in `path`.
    ModelFileError
        If it is damaged, altered, or of a newer format.
    """
    header = read_header(path, name)
    if "store" in header:
        return _load_from_store(header, Path(path) / f"{name}.json")
    header, tensors = read_folder(path, name)
    try:
        users, items = decode_index(tensors, "users"), decode_index(tensors, "items")
        matrix: CSR = sp.csr_array(
            (tensors["data"], tensors["indices"], tensors["indptr"]), shape=(header["n_users"], header["n_items"])
        )
        matrix.check_format()
        if users is None or items is None:
            raise KeyError("ids")
        names = decode_index(tensors, "item_names")
        return Interactions(
            matrix,
            users,
            items,
            tensors.get("timestamps"),
            None if names is None else pd.Series(names.to_numpy(), index=items, name="title"),
            _decode_genres(tensors, items),
        )
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise ModelFileError(f"{Path(path) / name}.json does not hold interactions ({error}); write it again") from None


def _load_from_store(header: Mapping[str, Any], source: Path) -> Interactions:
    place = Path(header["store"])
    if not is_store(place):
        raise FileNotFoundError(f"{source} names the store {place}, which is not there; put it back, or train again")
    data = open_store(place)
    if (found := store_of(data)) is None or found[1] != header["fingerprint"]:
        raise ModelFileError(f"the store {place} is not the one that {source} names any more; train again")
    return data


def _encode_genres(genres: pd.Series[Any]) -> dict[str, NDArray[Any]]:
    """Store the genres of each item as codes into the list of all genres, with offsets."""
    codes, names = pd.factorize(np.array([one for each in genres for one in each], dtype=object))
    return {
        **encode_index(pd.Index(names, dtype=object), "genres"),
        "genre_codes": codes.astype(np.int32),
        "genre_offsets": np.cumsum([0, *(len(each) for each in genres)]),
    }


def _decode_genres(tensors: Mapping[str, NDArray[Any]], items: pd.Index[Any]) -> pd.Series[Any] | None:
    names = decode_index(tensors, "genres")
    if names is None:
        return None
    flat, offsets = names.to_numpy()[tensors["genre_codes"]], tensors["genre_offsets"]
    check_offsets(offsets, len(flat), "genres")
    genres = np.empty(len(items), dtype=object)
    genres[:] = [tuple(flat[begin:end]) for begin, end in itertools.pairwise(offsets)]
    return pd.Series(genres, index=items, name="genres")

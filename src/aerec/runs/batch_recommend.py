"""Recommendations for everybody, in parts that several processes or machines write into one folder.

Part i of the users is ``part-00000i.parquet``. Beside it ``_part-00000i.json`` says that it is whole and what it was
made of, so that a second run makes only what is missing; ``_SUCCESS`` is there when all parts are. Readers of Parquet
folders leave names that begin with "_" out.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from aerec.errors import DataError
from aerec.files.atomic import atomic_write
from aerec.ids import as_ids
from aerec.interactions import Interactions
from aerec.recommender.base import Recommender
from aerec.recommender.scorer import block_rows, check_k
from aerec.reranking import Reranker
from aerec.reranking.named import known_of_items, n_candidates
from aerec.system.extras import import_extra

_ROWS = 1_000_000  # recommendations in a part, roughly
_PART = re.compile(r"_?part-(\d{6})\.(parquet|json)")
_DONE = "_SUCCESS"


@dataclass(frozen=True)
class Scored:
    """What a call of `recommend_all` did.

    Attributes
    ----------
    n_parts : int
        Of all shards together.
    written, kept : int
        Parts of this shard that were made, and that were there already.
    complete : bool
        Whether all parts of all shards are there.
    """

    n_parts: int
    written: int
    kept: int
    complete: bool


def recommend_all(
    model: Recommender,
    data: Interactions,
    out: str | os.PathLike[str],
    k: int = 10,
    *,
    fingerprint: str,
    exclude_seen: bool = True,
    allow_items: ArrayLike | None = None,
    block_items: ArrayLike | None = None,
    reranker: Reranker | None = None,
    shard: tuple[int, int] = (0, 1),
    users_per_part: int | None = None,
) -> Scored:
    """Write the `k` best items of every user of `data` into the folder `out`, as Parquet parts.

    Memory grows with the size of a part, not with the number of users. The parts, and their content to the last bit, do
    not depend on how many shards there are; together they are the frame of ``model.recommend(data, k)``, reranked where
    there is a reranker.

    Parameters
    ----------
    model : Recommender
    data : Interactions
    out : path-like
        A folder, made where absent; shards on several machines share it.
    k, exclude_seen, allow_items, block_items
        As in `Recommender.recommend`.
    fingerprint : str
        Of model and data: parts that were made with another one, or other parameters, are made anew.
    reranker : aerec.reranking.Reranker, optional
        Chooses the `k` from ten times as many, and 100 at least, by what `data` says of the items and of everybody.
    shard : (int, int), default (0, 1)
        Which of how many: shard i of n makes the parts i, i + n, i + 2n, …
    users_per_part : int, optional
        Rounded up to whole blocks of the ranking; by default about a million recommendations a part.

    Returns
    -------
    Scored

    Raises
    ------
    DataError
        If `out` holds something else.
    MissingExtraError
        If pyarrow is not installed.
    """
    k = check_k(k)
    import_extra("pyarrow.parquet", f"{out}: Parquet")
    folder = Path(out)
    _check(folder)
    folder.mkdir(parents=True, exist_ok=True)
    n_users, block = data.shape[0], block_rows(model.n_features_in_)
    size = -(-(users_per_part or max(1, _ROWS // k)) // block) * block
    lists = (None if items is None else as_ids(items).tolist() for items in (allow_items, block_items))
    choices = [k, exclude_seen, *lists, *([] if reranker is None else [repr(reranker)])]
    made_of = hashlib.sha256(json.dumps([fingerprint, size, n_users, choices], default=str).encode()).hexdigest()
    n_parts = -(-n_users // size)
    if not _all_there(folder, n_parts, made_of):
        (folder / _DONE).unlink(missing_ok=True)
    known = None if reranker is None else known_of_items(reranker, data)
    wanted = k if reranker is None else min(n_candidates(k), model.n_features_in_)
    written = kept = 0
    for number in range(shard[0], n_parts, shard[1]):
        if _is_there(folder, number, made_of):
            kept += 1
            continue
        rows = np.arange(number * size, min((number + 1) * size, n_users))
        part = data.take_users(rows)
        frame = model.recommend(part, wanted, exclude_seen, allow_items=allow_items, block_items=block_items)
        if reranker is not None:
            frame = reranker.rerank(frame, part, k, features=known)
        _write(folder, number, with_titles(frame, data), made_of)
        written += 1
    complete = _all_there(folder, n_parts, made_of)
    if complete:
        _finish(folder, n_parts, made_of)
    return Scored(n_parts, written, kept, complete)


def with_titles(frame: pd.DataFrame, data: Interactions) -> pd.DataFrame:
    """Return recommendations with a column "title" beside the items, where `data` knows titles."""
    if data.item_names is not None:
        frame.insert(2, "title", frame["item"].map(data.item_names))
    return frame


def _check(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file; the parts go into a folder, give another path")
    alien = [file.name for file in folder.iterdir() if not _is_ours(file.name)] if folder.is_dir() else []
    if alien:
        raise DataError(f"{folder} holds {sorted(alien)[0]}, which is no part of recommendations; give another folder")


def _is_ours(name: str) -> bool:
    return name == _DONE or _PART.fullmatch(name) is not None or name.startswith((".part-", "._part-", f".{_DONE}"))


def _files(folder: Path, number: int) -> tuple[Path, Path]:
    return folder / f"part-{number:06d}.parquet", folder / f"_part-{number:06d}.json"


def _write(folder: Path, number: int, frame: pd.DataFrame, made_of: str) -> None:
    part, marker = _files(folder, number)
    marker.unlink(missing_ok=True)
    with atomic_write(part, "wb") as stream:
        frame.to_parquet(stream, index=False)
    content: dict[str, Any] = {"made_of": made_of, "rows": len(frame), "bytes": part.stat().st_size}
    with atomic_write(marker) as stream:
        json.dump(content, stream)


def _is_there(folder: Path, number: int, made_of: str) -> bool:
    part, marker = _files(folder, number)
    try:
        content = json.loads(marker.read_bytes())
        return bool(content["made_of"] == made_of and content["bytes"] == part.stat().st_size)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _all_there(folder: Path, n_parts: int, made_of: str) -> bool:
    return all(_is_there(folder, number, made_of) for number in range(n_parts))


def _finish(folder: Path, n_parts: int, made_of: str) -> None:
    """Remove parts of an earlier, longer run, then say that all is there."""
    for path in folder.iterdir():
        match = _PART.fullmatch(path.name)
        if match is not None and int(match[1]) >= n_parts:
            path.unlink(missing_ok=True)
    with atomic_write(folder / _DONE) as stream:
        json.dump({"made_of": made_of, "parts": n_parts}, stream)

"""Stores: ratings larger than memory, as a folder of plain arrays that are mapped, not read.

``store.json`` says what there is, with sizes and checksums; ``indptr.npy``, ``indices.npy``, ``data.npy`` and
``timestamps.npy`` (where there are times) are the CSR matrix; ``users.parquet`` and ``items.parquet`` the raw ids of
its rows and columns. `import_parquet` writes them.
"""

from __future__ import annotations

import hashlib
import os
import tokenize
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from aerec.errors import ModelFileError
from aerec.files.memmap import mapped_file
from aerec.files.storage import file_checksum, read_header, write_header
from aerec.interactions import Interactions
from aerec.sparse import CSR
from aerec.system.extras import import_extra

_KIND = "store"
ARRAYS = ("indptr", "indices", "data", "timestamps")
# What damaged headers of arrays and damaged Parquet raise, beside errors of the system:
_DAMAGE = (
    *(KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError, NotImplementedError),
    *(EOFError, SyntaxError, RecursionError, tokenize.TokenError),
)


def is_store(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is a store."""
    return (Path(path).expanduser() / f"{_KIND}.json").is_file()


def open_store(path: str | os.PathLike[str], *, verify: bool = False) -> Interactions:
    """Open the store in the folder `path`; its ratings stay on disk until they are looked at.

    Parameters
    ----------
    path : path-like
    verify : bool, default False
        Read everything and compare the checksums. Sizes and types are compared in any case.

    Returns
    -------
    Interactions
        Over memory-mapped arrays. What is derived from it by `StrongGeneralization` or ``take_users`` is mapped too;
        ``binarize``, and ``filter`` where it leaves something out, give a copy in memory.

    Raises
    ------
    FileNotFoundError
        If there is no store in `path`.
    ModelFileError
        If it is damaged, altered, or of a newer format.
    MissingExtraError
        If pyarrow is not installed.
    """
    folder = Path(path).expanduser()
    header = read_header(folder, _KIND)
    try:
        for name, known in header["files"].items():
            _check(folder / name, known, verify)
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ARRAYS
            if f"{name}.npy" in header["files"]
        }
        for name, array in arrays.items():
            if array.offset + array.nbytes != (folder / f"{name}.npy").stat().st_size:
                raise ValueError(f"{name}.npy is longer than its header says")
            known = header["files"][f"{name}.npy"].get("dtype", array.dtype.str)  # not in older stores
            if array.dtype.str != known:
                raise ValueError(f"{name}.npy holds {array.dtype.str} instead of {known}")
        shape = (header["n_users"], header["n_items"])
        matrix: CSR = sp.csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape)
        matrix.check_format()
        users, items = (_read_ids(folder / f"{name}.parquet") for name in ("users", "items"))
        return Interactions(matrix, users, items, arrays.get("timestamps"))
    except ModelFileError:
        raise
    except (*_DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the system: no permission, no such file
            raise
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ModelFileError(f"{folder} does not hold a store ({reason}); import the ratings again") from None


def store_of(data: Interactions) -> tuple[Path, str] | None:
    """Return the folder and the fingerprint of the store that `data` is all of; None where it is of none."""
    files = [mapped_file(array) for array in (data.matrix.data, data.matrix.indices)]
    if files[0] is None or files[1] is None or files[0].parent != files[1].parent:
        return None
    folder = files[0].parent
    if not is_store(folder) or [file.name for file in files if file is not None] != ["data.npy", "indices.npy"]:
        return None
    if data.timestamps is None and (folder / "timestamps.npy").exists():  # they were left out
        return None
    header = read_header(folder, _KIND)
    whole = (header["n_users"], header["n_items"], header["n_ratings"])
    return (folder.resolve(), header["fingerprint"]) if (*data.shape, data.n_ratings) == whole else None


def write_store_header(folder: Path, n_users: int, n_items: int, n_ratings: int, origin: dict[str, Any]) -> None:
    """Write ``store.json`` over the files that lie in `folder`: the last step of making a store."""
    files: dict[str, dict[str, Any]] = {
        path.name: {"bytes": path.stat().st_size, "sha256": file_checksum(path)}
        for path in sorted(folder.iterdir())
        if path.suffix in (".npy", ".parquet")
    }
    for name in files:
        if name.endswith(".npy"):
            files[name]["dtype"] = np.load(folder / name, mmap_mode="r", allow_pickle=False).dtype.str
    sums = "".join(f"{name} {known['sha256']}\n" for name, known in files.items())
    write_header(
        folder,
        _KIND,
        {
            "n_users": n_users,
            "n_items": n_items,
            "n_ratings": n_ratings,
            "fingerprint": hashlib.sha256(sums.encode()).hexdigest(),
            "files": files,
            "origin": origin,
        },
    )


def _check(path: Path, known: dict[str, Any], verify: bool) -> None:
    if not path.is_file():
        raise ModelFileError(f"{path} is missing; import the ratings again, or copy the whole folder")
    if path.stat().st_size != known["bytes"]:
        raise ModelFileError(f"{path} has {path.stat().st_size:,} bytes instead of {known['bytes']:,}; import again")
    if verify and file_checksum(path) != known["sha256"]:
        raise ModelFileError(f"{path} was altered: its checksum does not fit; import the ratings again")


def _read_ids(path: Path) -> pd.Index[Any]:
    table = import_extra("pyarrow.parquet", f"{path}: Parquet").read_table(path, columns=["id"])
    ids: pd.Index[Any] = pd.Index(table.column("id").to_pandas())
    return ids

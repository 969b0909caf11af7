"""What aerec saves: a folder of one JSON header and one safetensors file, replaced atomically.

The header names its tensor file and holds the checksums of both, so that it is the one point of commitment: until it is
replaced the folder shows the previous content, afterwards the new one. Loading reads data only; no code is run.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as dump_tensors

from aerec._version import __version__
from aerec.errors import DataError, ModelFileError
from aerec.files.atomic import atomic_write, remove_leftovers

FORMAT_VERSION = 1
_CHUNK = 1 << 20  # bytes read at once
_TABLE_BYTES = 1 << 18  # A header of a safetensors file: enough for thousands of tensors


def write_folder(
    path: str | os.PathLike[str], kind: str, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]
) -> None:
    """Write ``<path>/<kind>.json`` and the tensor file that it names; a previous pair stays whole until then.

    Parameters
    ----------
    path : path-like
        A folder, made where absent.
    kind : str
        What is stored ("model", "interactions"): the name of the header.
    header : mapping
        Whatever JSON can hold.
    tensors : mapping of str to ndarray

    Raises
    ------
    DataError
        If `path` is a file, or the folder of a run.
    """
    if not os.fspath(path):
        raise DataError(f"a {kind} is saved as a folder, give its path")
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file; a {kind} is saved as a folder, give another path")
    if (folder / "run.json").exists():
        raise DataError(
            f"{folder} is a run, whose {kind} belongs to its data and its figures; give another folder to save it in"
        )
    folder.mkdir(parents=True, exist_ok=True)
    payload = dump_tensors({name: np.ascontiguousarray(value) for name, value in tensors.items()})
    digest = hashlib.sha256(payload).hexdigest()
    name = f"{kind}-{digest[:12]}.safetensors"
    remove_leftovers(folder, f"{kind}-*.safetensors")
    was_there = (folder / name).exists()
    with atomic_write(folder / name, "wb") as stream:
        stream.write(payload)
    try:
        write_header(folder, kind, {"tensors": {"file": name, "sha256": digest}, **header})
    except BaseException:
        if not was_there:  # a full disk gets its space back
            (folder / name).unlink(missing_ok=True)
        raise
    own = re.compile(rf"{re.escape(kind)}-[0-9a-f]{{12}}\.safetensors")  # a longer kind may begin with the same letters
    for stale in folder.iterdir():
        if own.fullmatch(stale.name) and stale.name != name:
            stale.unlink(missing_ok=True)


def file_checksum(path: Path, method: str = "sha256") -> str:
    """Return the checksum of the content of a file, in hexadecimal digits."""
    digest = hashlib.new(method, usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def write_header(path: str | os.PathLike[str], kind: str, content: Mapping[str, Any]) -> None:
    """Write ``<path>/<kind>.json`` with format version and checksum; `path` exists.

    Parameters
    ----------
    path : path-like
    kind : str
    content : mapping
        Whatever JSON can hold.
    """
    whole = {"format_version": FORMAT_VERSION, "aerec_version": __version__, "kind": kind, **content}
    with atomic_write(Path(path) / f"{kind}.json") as stream:
        json.dump({**whole, "sha256": _digest(whole)}, stream, indent=1, allow_nan=False)


def read_folder(path: str | os.PathLike[str], kind: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read what `write_folder` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such header in `path`.
    ModelFileError
        If header or tensors are truncated, altered, or of a newer format; names the file and what to do.
    """
    source = Path(path) / f"{kind}.json"
    header = read_header(path, kind)
    try:
        name, digest = str(header["tensors"]["file"]), header["tensors"]["sha256"]
    except (KeyError, TypeError):
        raise ModelFileError(f"{source} names no tensor file; save the {kind} again") from None
    tensor_file = source.parent / Path(name).name
    if not tensor_file.is_file():
        raise ModelFileError(f"{source} names {name}, which is not in {source.parent}; copy the whole folder again")
    payload = tensor_file.read_bytes()
    if hashlib.sha256(payload).hexdigest() != digest:
        raise ModelFileError(f"{tensor_file} is truncated or altered: its checksum does not fit; save the {kind} again")
    if _TABLE_BYTES < int.from_bytes(payload[:8], "little") <= len(payload):
        raise ModelFileError(f"{tensor_file} lists more tensors than aerec writes; save the {kind} again")
    try:
        return header, load_tensors(payload)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ModelFileError(f"{tensor_file} cannot be read: {error}; save the {kind} again") from None


def read_header(path: str | os.PathLike[str], kind: str) -> dict[str, Any]:
    """Read what `write_header` wrote; raises as `read_folder` does."""
    source = Path(path) / f"{kind}.json"
    if not source.is_file():
        raise FileNotFoundError(f"no {kind} in {path}: {source} does not exist")
    try:
        header: dict[str, Any] = json.loads(source.read_bytes())
        version = header["format_version"]
        if type(version) is not int or version < 1:
            raise ValueError
        claimed = header.pop("sha256", None)
        digest = _digest(header)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise ModelFileError(f"{source} is damaged: it is not a header of aerec; save the {kind} again") from None
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"{source} has format version {version}, written by aerec {header.get('aerec_version')}; "
            f"this is aerec {__version__}, which reads up to {FORMAT_VERSION}: upgrade aerec"
        )
    if claimed != digest:
        raise ModelFileError(
            f"{source} was altered after it was saved: its checksum does not fit; save the {kind} again"
        )
    return header


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

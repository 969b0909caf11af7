"""The files of a folder or of a zip archive, opened where they lie: nothing is ever unpacked to disk."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from aerec.errors import DataError

# Ratings shrink to about a fifth; a bomb shrinks a thousandfold. Small files may be as regular as they like.
MAX_RATIO = 100
ALWAYS_ALLOWED = 1 << 26
_MAX_DEPTH = 8  # Folders are nested no deeper
_PACKED = {".gz": (b"\x1f\x8b", gzip.open), ".bz2": (b"BZh", bz2.open), ".xz": (b"\xfd7zXZ\x00", lzma.open)}


def plain_name(name: str) -> str:
    """Return the name of a file as it is when unpacked: without ``.gz``, ``.bz2`` or ``.xz``."""
    return next((name.removesuffix(suffix) for suffix in _PACKED if name.endswith(suffix)), name)


@dataclass(frozen=True)
class Files:
    """Where data files lie, by name; what gzip, bzip2 or xz has packed is decompressed while it is read.

    Parameters
    ----------
    where : pathlib.Path
        The folder, or the archive.
    members : mapping of str to str
        File name → where to find it inside `where`.
    archive : bool, default False
        Whether `where` is a zip archive.
    """

    where: Path
    members: Mapping[str, str] = field(repr=False)
    archive: bool = False

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> tuple[Files, str | None]:
        """Return the files at `path`, and the name of the one that `path` itself points at (None: all of them).

        Raises
        ------
        FileNotFoundError
            If there is nothing at `path`.
        DataError
            If an archive is damaged, or holds links or members that point outside of it.
        """
        source = Path(path).expanduser()
        if source.is_dir():
            return cls._of_folder(source), None
        if not source.exists():
            raise FileNotFoundError(f"{source} does not exist; check the path (relative to {Path.cwd()})")
        if not source.is_file():
            raise DataError(f"{source} is neither a file nor a folder; ratings are read from files")
        if source.suffix.lower() == ".zip":
            return cls._of_archive(source), None
        files = cls._of_folder(source.parent)
        if source.name not in files.members:  # a hidden file, or one that lies alone beside a folder
            files = cls(source.parent, {source.name: source.name})
        return files, source.name

    @classmethod
    def _of_folder(cls, folder: Path, depth: int = 0) -> Files:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
        names = [entry.name for entry in entries if entry.is_file()]
        alone = not names and len(entries) == 1 and entries[0].is_dir() and depth < _MAX_DEPTH
        if alone:  # an archive that was unpacked into a folder of its own
            return cls._of_folder(entries[0], depth + 1)
        return cls(folder, {name: name for name in names})

    @classmethod
    def _of_archive(cls, path: Path) -> Files:
        with _readable(str(path)), zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
        members: dict[str, str] = {}
        for info in sorted(infos, key=lambda info: info.filename.count("/")):
            _refuse_escape(path, info)
            name = PurePosixPath(info.filename)
            if name.parts and not (info.is_dir() or name.name.startswith(".") or name.parts[0] == "__MACOSX"):
                members.setdefault(name.name, info.filename)
        return cls(path, members, archive=True)

    def label(self, name: str) -> str:
        """What messages call the file: its path, or the archive and the member."""
        return f"{self.where}:{self.members[name]}" if self.archive else str(self.where / name)

    def find(self, *names: str) -> str | None:
        """Return the first of `names` that is here, plain or packed."""
        there = (name + suffix for name in names for suffix in ("", *_PACKED) if name + suffix in self.members)
        return next(there, None)

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file for reading bytes; damage found while reading becomes a DataError."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(_readable(self.label(name)))
            if self.archive:
                archive = stack.enter_context(zipfile.ZipFile(self.where))
                claimed = archive.getinfo(self.members[name]).compress_size
                packed = min(claimed, self.where.stat().st_size)  # what the archive says of itself may be a lie
                stream: Any = io.BufferedReader(stack.enter_context(archive.open(self.members[name])))
            else:
                path = self.where / self.members[name]
                packed = path.stat().st_size
                stream = stack.enter_context(path.open("rb"))
            unpack = _unpacker(name, stream.peek(8))
            if unpack is not None:
                stream = stack.enter_context(unpack(stream))
            if self.archive or unpack is not None:
                limit = max(MAX_RATIO * packed, ALWAYS_ALLOWED)
                stream = io.BufferedReader(_Limited(stream, limit, self.label(name)), 1 << 20)
            yield stream


def _unpacker(name: str, begin: bytes) -> Any:
    """Return what decompresses a file that is called `name` and begins like this; None for a plain one."""
    for suffix, (mark, unpack) in _PACKED.items():
        if name.endswith(suffix) or begin.startswith(mark):
            return unpack
    return None


class _Limited(io.RawIOBase):
    """A stream that refuses to give more than `limit` bytes."""

    def __init__(self, stream: IO[bytes], limit: int, label: str) -> None:
        self._stream, self._left, self._limit, self._label = stream, limit, limit, label

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._stream.read(len(buffer))
        self._left -= len(block)
        if self._left < 0:
            raise DataError(
                f"{self._label} unpacks to more than {self._limit >> 20:,} MiB, over {MAX_RATIO} times its size: "
                "refused as a decompression bomb; unpack it yourself if you trust it"
            )
        buffer[: len(block)] = block
        return len(block)


_DAMAGE = (
    *(zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, NotImplementedError, OverflowError, IndexError),
)


@contextlib.contextmanager
def _readable(label: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise DataError(f"{label} is damaged or incomplete ({error}); get the file again") from None
    except OSError as error:
        if error.errno is not None:  # of the system: no such file, no permission
            raise
        raise DataError(f"{label} is damaged or incomplete ({error}); get the file again") from None  # bzip2's own
    except RuntimeError as error:
        if "password" not in str(error):
            raise
        raise DataError(f"{label} is encrypted; unpack it with its password first") from None


def _refuse_escape(path: Path, info: zipfile.ZipInfo) -> None:
    name = info.filename.replace("\\", "/")
    if name.startswith("/") or ":" in name.split("/")[0] or ".." in name.split("/"):
        raise DataError(f"{path} holds the member {info.filename!r}, which points outside of the archive: refused")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise DataError(f"{path} holds the member {info.filename!r}, which is a link: refused")

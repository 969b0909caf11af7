"""Download one file: over HTTPS, resumable, verified before it takes its place."""

from __future__ import annotations

import contextlib
import http.client
import logging
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from aerec._version import __version__
from aerec.display.notebook import NotebookBar, in_notebook
from aerec.errors import DataError
from aerec.files.lock import Lock
from aerec.files.storage import file_checksum

_log = logging.getLogger(__name__)
_BLOCK = 1 << 20
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def download(
    address: str,
    target: Path,
    checksum: str,
    *,
    attempts: int = 3,
    timeout: float = 30.0,
    pause: float = 1.0,
    progress: bool = True,
    allow_loopback: bool = False,
) -> None:
    """Download `address` to `target`, which appears only once it is complete and its checksum fits.

    A connection that breaks is taken up where it broke; what has arrived stays in ``<target>.part`` for the next call.

    Parameters
    ----------
    address : str
        An ``https://`` address; redirections may not leave HTTPS.
    target : pathlib.Path
        Its folder is made where absent; a file that is there is replaced.
    checksum : str
        ``"sha256:…"`` or ``"md5:…"``.
    attempts : int, default 3
        How often to connect before giving up.
    timeout : float, default 30.0
        Seconds without any data after which a connection counts as broken.
    pause : float, default 1.0
        Seconds before the second attempt; each further one waits four times as long.
    progress : bool, default True
        Show a progress bar where standard error is a terminal.
    allow_loopback : bool, default False
        Also take plain HTTP from this machine itself, for tests.

    Raises
    ------
    DataError
        If the address is not HTTPS, the server refuses, the connection keeps breaking, or the checksum does not fit.
    """
    _require_secure(address, allow_loopback)
    _split_checksum(checksum)
    with _writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    resumed = part.exists()
    with _alone(part), _progress_bar(target.name, progress) as bar:
        _fetch_all(address, part, attempts, timeout, pause, allow_loopback, bar)
        if resumed and not matches(part, checksum):  # the beginning may have been of another file: start anew, once
            part.unlink()
            _fetch_all(address, part, attempts, timeout, pause, allow_loopback, bar)
    if not matches(part, checksum):
        part.unlink()
        raise DataError(
            f"{address}: the file does not have the checksum {checksum}; it was thrown away. It may have been replaced "
            "by its owner, or altered on the way: do not use it unverified"
        )
    part.replace(target)


@contextlib.contextmanager
def _alone(part: Path) -> Iterator[None]:
    """Keep other processes from writing the same file at the same time, where the system can."""
    lock = Lock(part)
    with _writing(part):
        is_ours = lock.acquire()
    if not is_ours:
        raise DataError(f"{part} is being downloaded by another process; wait for it")
    try:
        yield
    finally:
        lock.release()


def matches(path: Path, checksum: str) -> bool:
    """Whether the content of `path` has the checksum ``"sha256:…"`` or ``"md5:…"``."""
    method, expected = _split_checksum(checksum)
    return file_checksum(path, method) == expected


def _split_checksum(checksum: str) -> tuple[str, str]:
    method, _, digest = checksum.lower().partition(":")
    if not re.fullmatch({"sha256": "[0-9a-f]{64}", "md5": "[0-9a-f]{32}"}.get(method, "(?!)"), digest):
        raise DataError(f"checksum {checksum!r} is neither 'sha256:' with 64 nor 'md5:' with 32 hexadecimal digits")
    return method, digest


def _require_secure(address: str, allow_loopback: bool) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (allow_loopback and parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise DataError(f"{address}: refused, only https:// addresses are downloaded")


class _SecureRedirects(urllib.request.HTTPRedirectHandler):
    def __init__(self, allow_loopback: bool) -> None:
        self.allow_loopback = allow_loopback

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str) -> Any:
        _require_secure(newurl, self.allow_loopback)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch_all(
    address: str, part: Path, attempts: int, timeout: float, pause: float, allow_loopback: bool, bar: _Bar
) -> None:
    for attempt in range(1, attempts + 1):
        try:
            _fetch(address, part, timeout, allow_loopback, bar)
            break
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code < 500:
                raise DataError(f"{address}: the server answers {error.code} {error.reason}") from None
            if attempt == attempts:
                raise DataError(
                    f"{address}: not downloaded in {attempts} attempts ({_reason(error)}); check the connection "
                    "and run it again, it goes on where it stopped"
                ) from None
            _log.warning("%s: %s; trying again", address, _reason(error))
            time.sleep(pause * 4 ** (attempt - 1))


def _fetch(address: str, part: Path, timeout: float, allow_loopback: bool, bar: _Bar) -> None:
    """Bring what is missing of `part`; raises an OSError or HTTPException when the connection breaks."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(address, headers={"User-Agent": f"aerec/{__version__}"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    opener = urllib.request.build_opener(_SecureRedirects(allow_loopback))
    try:
        answer: Any = opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # the file is complete, or the checksum will say otherwise
            return
        raise
    with answer:
        if have and not str(answer.headers.get("Content-Range", "")).startswith(f"bytes {have}-"):
            have = 0  # the server starts over, whatever was asked for
        length = answer.headers.get("Content-Length")
        expected = None if length is None else have + int(length)
        bar.begin(have, expected)
        have += _copy(answer, part, "ab" if have else "wb", bar)
    if expected is not None and have < expected:
        raise ConnectionError(f"the connection closed after {have:,} of {expected:,} bytes")


def _copy(source: IO[bytes], target: Path, mode: str, bar: _Bar) -> int:
    """Return how many bytes were copied; what keeps the disk from taking them is no matter of the connection."""
    copied = 0
    with _writing(target):
        stream = target.open(mode)
    with contextlib.closing(stream):
        while block := source.read(_BLOCK):
            with _writing(target):
                stream.write(block)
                stream.flush()
            copied += len(block)
            bar.advance(len(block))
    return copied


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{target} cannot be written ({error.strerror}); make room, or name another folder with $AEREC_CACHE; "
            "what has arrived is kept"
        ) from None


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", "") or error or type(error).__name__)


class _Bar:
    """A progress bar of rich, or nothing."""

    def __init__(self, progress: Any = None, task: Any = None) -> None:
        self._progress, self._task = progress, task

    def begin(self, done: int, total: int | None) -> None:
        if self._progress is not None:
            self._progress.update(self._task, completed=done, total=total)

    def advance(self, size: int) -> None:
        if self._progress is not None:
            self._progress.advance(self._task, size)


class _NotebookDownload(_Bar):
    """The same in a notebook, drawn anew whenever another hundredth is there."""

    _every = 2**20

    def __init__(self, name: str) -> None:
        super().__init__()
        self._shown, self._done, self._last = NotebookBar(name), 0, 0
        self._total: int | None = None

    def begin(self, done: int, total: int | None) -> None:
        self._done, self._total = done, total
        self._show()

    def advance(self, size: int) -> None:
        self._done += size
        if self._done - self._last >= (self._total or 100 * self._every) / 100 or self._done == self._total:
            self._show()

    def _show(self) -> None:
        self._last = self._done
        self._shown.update(self._done, self._total, "bytes")


@contextlib.contextmanager
def _progress_bar(name: str, wanted: bool) -> Iterator[_Bar]:
    if wanted and in_notebook():
        yield _NotebookDownload(name)
        return
    if not (wanted and sys.stderr.isatty()):
        yield _Bar()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Bar(progress, progress.add_task(name, total=None))

"""The run that is being served, replaced as a whole when a newer one lies in its folder."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from aerec.runs.new_items import FeatureFile
from aerec.serving.engine import Engine

_LOG = logging.getLogger(__name__)
_LONGEST_PAUSE = 60.0  # seconds between attempts to read a run that cannot be read

_Signature = tuple[tuple[int, int, int], ...]


class Served:
    """Holds one engine. Requests take `engine` once and keep it; a reload sets another, and nobody waits.

    Parameters
    ----------
    path : path-like
        A run folder.
    on_reload : callable, optional
        Told "ok" or "failed" after each reload.
    features : FeatureFile, optional
        Of new items; another file in its place is a reason to reload, too.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        on_reload: Callable[[str], None] | None = None,
        features: FeatureFile | None = None,
    ) -> None:
        self._path, self._features = Path(path), features
        self._on_reload = on_reload or (lambda _: None)
        self._signature = self._seen()
        self._failures = 0
        self._not_before = 0.0
        self.engine = Engine(path, features)

    def is_stale(self) -> bool:
        """Whether ``run.json`` or the features are others than those of `engine`, and it is time to try them."""
        seen = self._seen()
        return seen is not None and seen != self._signature and time.monotonic() >= self._not_before

    def reload(self) -> bool:
        """Read the run again; where that fails, the engine of before stays and the log says why."""
        seen = self._seen()
        try:
            engine = Engine(self._path, self._features)
        except Exception as error:  # whatever is wrong with the new run, the old one goes on
            self._failures += 1
            self._not_before = time.monotonic() + min(_LONGEST_PAUSE, 2.0**self._failures)
            _LOG.warning("the run in %s was not taken over, the previous one goes on: %s", self._path, error)
            self._on_reload("failed")
            return False
        self.engine, self._signature, self._failures, self._not_before = engine, seen, 0, 0.0
        _LOG.info("took over the run in %s", self._path)
        self._on_reload("ok")
        return True

    def _seen(self) -> _Signature | None:
        files = [self._path.expanduser() / "run.json", *([] if self._features is None else [self._features.path])]
        try:
            return tuple((status.st_ino, status.st_mtime_ns, status.st_size) for status in map(Path.stat, files))
        except OSError:  # the moment in which one folder takes the place of another
            return None


async def watch(every: list[Served], seconds: float, requested: asyncio.Event) -> None:
    """Reload what is stale, every `seconds` (0: never), and everything when `requested` is set; never ends.

    Runs are read in a thread; requests are answered meanwhile.
    """
    while True:
        forced = False
        try:
            await asyncio.wait_for(requested.wait(), seconds or None)
            requested.clear()
            forced = True
        except asyncio.TimeoutError:
            pass
        for served in every:
            if forced or served.is_stale():
                await asyncio.to_thread(served.reload)

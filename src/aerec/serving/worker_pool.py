"""Where requests wait to be computed: a few threads, a short queue, and no more than that."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import torch

from aerec.serving.problems import RequestError

_T = TypeVar("_T")


class WorkerPool:
    """Runs functions on `threads` threads; turns away what would wait behind `queue` others.

    Parameters
    ----------
    threads, queue : int
    seconds : float
        How long an answer is waited for. The computation itself is not cut off, and keeps its place until it ends.
    """

    def __init__(self, threads: int, queue: int, seconds: float) -> None:
        self._pool = ThreadPoolExecutor(threads, "aerec-serve", initializer=torch.set_num_threads, initargs=(1,))
        self._room = threads + queue
        self._seconds = seconds
        self._lock = threading.Lock()
        self._inside = 0
        self.turned_away = 0

    @property
    def full(self) -> bool:
        """Whether the next one would be turned away."""
        return self._inside >= self._room

    async def run(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Return ``function(*arguments)``; a RequestError (503) where there is no room or no answer in time."""
        with self._lock:
            if self._inside >= self._room:
                self.turned_away += 1
                raise RequestError("too many requests at a time; try again in a moment", 503)
            self._inside += 1
        try:
            future = self._pool.submit(function, *arguments)
        except RuntimeError:  # the pool was closed
            self._leave()
            raise RequestError("the server is stopping", 503) from None
        future.add_done_callback(self._leave)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self._seconds)
        except asyncio.TimeoutError:
            raise RequestError(f"no answer within {self._seconds:g} seconds; ask for fewer items", 503) from None

    def close(self) -> None:
        """Take nothing more; what is being computed ends."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _leave(self, _: Future[Any] | None = None) -> None:
        with self._lock:
            self._inside -= 1

"""What is printed after Ctrl-C; typer keeps the exception itself from `main`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

stop_notes: list[str] = []
"""Printed by `main` after Ctrl-C."""


@contextmanager
def when_stopped(note: Callable[[], str | None]) -> Iterator[None]:
    """Add what `note` returns to `stop_notes` where the block ends by Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        if text := note():
            stop_notes.append(text)
        raise

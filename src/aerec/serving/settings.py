"""How much a server takes on at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

from aerec.system.environment import cpu_cores

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """Limits of a server.

    Parameters
    ----------
    threads : int, default the number of cores
        Requests that are computed at a time, each on one thread.
    queue : int, default 64
        Requests that wait for a thread; those beyond are turned away with 503.
    body_bytes : int, default 1 MiB
        Size of a request; those beyond are turned away with 413.
    body_seconds : float, default 10
        Time to send a request in; slower ones are turned away with 408.
    answer_seconds : float, default 30
        Time to wait for an answer; then 503.
    reload_seconds : float, default 2
        How often to look for a newer run; 0: never.
    """

    threads: int = field(default_factory=cpu_cores)
    queue: int = 64
    body_bytes: int = 2**20
    body_seconds: float = 10.0
    answer_seconds: float = 30.0
    reload_seconds: float = 2.0

"""How much a server takes on at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

from aerec.system.environment import cpu_cores


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
    header_seconds : float, default 10
        Time to send the headers of a request in; slower connections are closed.
    connections : int, default 1000
        Open connections; one more takes the place of the one that has waited longest for a request.
    hosts : tuple of str
        Names in ``Host`` that are answered beside those of this machine, where there is no token and the connection
        comes from it: a page elsewhere whose name was pointed at this machine has another.
    answer_seconds : float, default 30
        Time to wait for an answer; then 503.
    reload_seconds : float, default 2
        How often to look for a newer run; 0: never.
    """

    threads: int = field(default_factory=cpu_cores)
    queue: int = 64
    body_bytes: int = 2**20
    body_seconds: float = 10.0
    header_seconds: float = 10.0
    connections: int = 1000
    hosts: tuple[str, ...] = ()
    answer_seconds: float = 30.0
    reload_seconds: float = 2.0

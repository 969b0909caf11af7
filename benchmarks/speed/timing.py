"""Rivals timed in turns, so that what else the machine does falls on all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping


def interleaved(
    rivals: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 1, *, cpu_time: bool = False
) -> dict[str, float]:
    """Return the shortest of `rounds` times of each, in seconds; each round runs all of them once.

    `cpu_time` counts the processor's time of all threads instead of the clock's: on one thread it is what the clock
    would show on a machine that does nothing else.
    """
    clock = time.process_time if cpu_time else time.perf_counter
    best = dict.fromkeys(rivals, float("inf"))
    for number in range(warm_up + rounds):
        for name, run in rivals.items():
            began = clock()
            run()
            if number >= warm_up:
                best[name] = min(best[name], clock() - began)
    return best

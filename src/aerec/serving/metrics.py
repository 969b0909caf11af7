"""What a server counts, in the text format of Prometheus."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counts requests by method, route and status, how long they took, and how many are being answered.

    Examples
    --------
    >>> from aerec.serving.metrics import Metrics
    >>> metrics = Metrics()
    >>> metrics.begin()
    >>> metrics.end("GET", "/healthz", 200, seconds=0.0004)
    >>> print(metrics.text().splitlines()[2])
    aerec_requests_total{method="GET",route="/healthz",status="200"} 1
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight = 0
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}
        self._events: Counter[tuple[str, str]] = Counter()

    def begin(self) -> None:
        """Note that a request has come in."""
        with self._lock:
            self._in_flight += 1

    def end(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note that it has been answered; `route` is a pattern, never the path itself."""
        with self._lock:
            self._in_flight -= 1
            self._requests[method, route, status] += 1
            self._buckets.setdefault(route, [0] * (len(_BOUNDS) + 1))[bisect_left(_BOUNDS, seconds)] += 1
            self._seconds[route] = self._seconds.get(route, 0.0) + seconds

    def count_reload(self, model: str, result: str) -> None:
        """Note that a newer run was read, "ok" or "failed"."""
        with self._lock:
            self._events[model, result] += 1

    def text(self, gauges: Mapping[str, tuple[str, str, float]] | None = None) -> str:
        """Return all of it, and `gauges`: name → (kind, help, value)."""
        with self._lock:
            lines = _header("aerec_requests_total", "counter", "Requests answered.")
            for (method, route, status), count in sorted(self._requests.items()):
                labels = f'method="{method}",route="{_quoted(route)}",status="{status}"'
                lines.append(f"aerec_requests_total{{{labels}}} {count}")
            lines += _header("aerec_request_seconds", "histogram", "Time from request to answer.")
            for route, buckets in sorted(self._buckets.items()):
                lines += _histogram(f'route="{_quoted(route)}"', buckets, self._seconds[route])
            lines += _header("aerec_requests_in_flight", "gauge", "Requests being answered.")
            lines.append(f"aerec_requests_in_flight {self._in_flight}")
            lines += _header("aerec_reloads_total", "counter", "Newer runs that were read.")
            for (model, result), count in sorted(self._events.items()):
                lines.append(f'aerec_reloads_total{{model="{model}",result="{result}"}} {count}')
        for name, (kind, text, value) in (gauges or {}).items():
            lines += [*_header(name, kind, text), f"{name} {value:g}"]
        return "\n".join(lines) + "\n"


def _header(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _histogram(labels: str, buckets: list[int], seconds: float) -> list[str]:
    lines, total = [], 0
    for bound, count in zip((*map(str, _BOUNDS), "+Inf"), buckets, strict=True):
        total += count
        lines.append(f'aerec_request_seconds_bucket{{{labels},le="{bound}"}} {total}')
    return [
        *lines,
        f"aerec_request_seconds_sum{{{labels}}} {seconds:.6f}",
        f"aerec_request_seconds_count{{{labels}}} {total}",
    ]


def _quoted(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

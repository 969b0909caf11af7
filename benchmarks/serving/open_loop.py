"""Locust at a fixed arrival rate: requests leave when they are due, whether or not the earlier ones have come back.

Latency counts from the moment a request was due, so that a server that stalls is charged for everybody who had to wait
(no coordinated omission). `load.py` and `soak.py` start this file by ``locust -f``; its options come from LOAD_*
environment variables. Every request is written to LOAD_OUT as one line: when it was due, status, milliseconds.
"""

from __future__ import annotations

import json
import os
import random
import socket
import time
from pathlib import Path
from typing import Any

import gevent
from geventhttpclient import HTTPClient
from locust import User, task

RATE = float(os.environ["LOAD_RATE"])
SECONDS = float(os.environ["LOAD_SECONDS"])
ARRIVALS = os.environ.get("LOAD_ARRIVALS", "even")
BODIES = Path(os.environ["LOAD_BODIES"]).read_text(encoding="utf-8").splitlines()
TIMEOUT = 30.0
WARM_UP = float(os.environ.get("LOAD_WARM_UP", "2"))


def without_delay(connection: Any) -> None:
    """Send what there is at once, as curl, browsers and the HTTP clients of Python do."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Arrivals(User):
    """One user that is the whole stream of arrivals; each request runs in a greenlet of its own."""

    def on_start(self) -> None:
        """Open the pool of connections."""
        self.http = HTTPClient.from_url(self.host, concurrency=512, connection_timeout=TIMEOUT, network_timeout=TIMEOUT)
        # the client sends head and body apart: with Nagle's algorithm the body would wait for the server's late ACK
        self.http._connection_pool.after_connect = without_delay
        self.lines: list[str] = []

    @task
    def stream(self) -> None:
        """Send at the planned moments, then end the run."""
        rng = random.Random(0)
        start = time.perf_counter() + 0.5
        due, end = start, start + WARM_UP + SECONDS
        sent = []
        while due < end:
            if (left := due - time.perf_counter()) > 0:
                gevent.sleep(left)
            sent.append(gevent.spawn(self.send, due, due >= start + WARM_UP, rng.choice(BODIES)))
            due += 1 / RATE if ARRIVALS == "even" else rng.expovariate(RATE)
        gevent.joinall(sent, timeout=2 * TIMEOUT)
        Path(os.environ["LOAD_OUT"]).write_text("\n".join(self.lines) + "\n", encoding="utf-8")
        self.environment.runner.quit()

    def send(self, due: float, counts: bool, body: str) -> None:
        """Send one request and tell locust how long it took since it was due."""
        error, status, size = None, 0, 0
        sent = time.perf_counter()
        try:
            answer = self.http.post("/v1/recommend", body=body, headers={"Content-Type": "application/json"})
            status, size = answer.status_code, len(answer.read())
            if status != 200:
                error = RuntimeError(f"status {status}")
        except Exception as failure:  # whatever it is, it is a request without an answer
            error = failure
        done = time.perf_counter()
        if counts:
            self.lines.append(json.dumps([due, status, 1e3 * (done - due), 1e3 * (sent - due), str(error or "")]))
            self.environment.events.request.fire(
                request_type="POST",
                name="/v1/recommend",
                response_time=1e3 * (done - due),
                response_length=size,
                exception=error,
                context={},
            )

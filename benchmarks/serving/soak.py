"""A server for a long time at a fixed rate, then overloaded, reloaded, talked to slowly and stopped: what is lost.

    pip install locust
    python benchmarks/serving/soak.py                  # 10 minutes at 50 requests a second, then the rest
    python benchmarks/serving/soak.py --minutes 60

Ends with status 1 where a check fails. The generator is that of `load.py`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from protocol import RESULTS, markdown, save  # noqa: I001
from server import SETTINGS, Server, bodies, generate, make_run, serve

SLOW, WAITING = 8, 16  # clients that send half a request: to be timed out, and to be answered after SIGTERM


class Soak:
    """One server and what has been seen of it."""

    def __init__(self, server: Server, requests: Sequence[str]) -> None:
        self.server, self.requests = server, requests
        self.phases: list[dict[str, Any]] = []
        self.checks: list[tuple[str, bool, str]] = []

    def run(
        self, name: str, rate: float, seconds: float, meanwhile: Callable[[], None] | None = None
    ) -> dict[str, Any]:
        """Send `rate` requests a second for `seconds`; sample the memory, and call `meanwhile` every 3 seconds."""
        over, memory = threading.Event(), []

        def watch() -> None:
            while not over.wait(3.0):
                memory.append(self.server.resident())
                if meanwhile is not None:
                    meanwhile()

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            answers = generate(self.server.address, self.requests, rate, seconds)
        finally:
            over.set()
            watching.join()
        found = {"phase": name, "asked_rate": rate, "seconds": seconds, "memory_mb": memory, **answers.summary()}
        self.phases.append(found)
        print(name, {key: value for key, value in found.items() if key != "memory_mb"}, flush=True)
        return found

    def check(self, what: str, holds: bool, seen: object) -> None:
        """Note whether something holds."""
        self.checks.append((what, holds, str(seen)))
        print("ok  " if holds else "FAIL", what, seen, flush=True)

    # ------------------------------------------------------------------ the parts

    def steady(self, rate: float, seconds: float, growth: float) -> None:
        """Check that nothing is lost and memory stays what it is."""
        found = self.run("steady", rate, seconds)
        self.check("every request is answered with 200", set(found["statuses"]) == {"200"}, found["statuses"])
        memory = found["memory_mb"]
        share = max(1, len(memory) // 10)
        begin, end = statistics.median(memory[share : 2 * share] or memory), statistics.median(memory[-share:])
        seen = f"{begin:.0f} MB to {end:.0f} MB"
        self.check(f"resident memory grows by less than {growth:g} MB", end - begin < growth, seen)

    def reloads(self, rate: float, seconds: float) -> None:
        """Check that nothing is lost while the run is read again and again."""
        before = self.server.metric("aerec_reloads_total")
        found = self.run("reloads", rate, seconds, lambda: self.server.process.send_signal(signal.SIGHUP))
        done = self.server.metric("aerec_reloads_total") - before
        self.check(
            "reloads under load lose nothing", set(found["statuses"]) == {"200"} and done > 0, f"{done:g} reloads"
        )

    def overload(self, rate: float, seconds: float, afterwards: float) -> None:
        """Check that what is too much is turned away with 503 at once, and that it passes."""
        found = self.run("overload", rate, seconds)
        self.check(
            "overload is answered with 200 or 503 only", set(found["statuses"]) == {"200", "503"}, found["statuses"]
        )
        found = self.run("afterwards", afterwards, 10.0)
        self.check("and passes", set(found["statuses"]) == {"200"}, found["statuses"])

    def slow_clients(self) -> None:
        """Check that requests which are never finished are given up, while others are answered."""
        halves = [self._half() for _ in range(SLOW)]
        found = self.run("slow clients", 20.0, 15.0)
        seen = Counter(_status(one) for one, _ in halves)
        self.check("clients that stop sending get 408", seen == {"408": SLOW}, dict(seen))
        self.check("while the others are answered", set(found["statuses"]) == {"200"}, found["statuses"])

    def stop(self) -> None:
        """Check that requests under way are answered after SIGTERM."""
        halves = [self._half() for _ in range(WAITING)]
        while self.server.metric("aerec_requests_in_flight") < WAITING + 1:
            time.sleep(0.02)
        self.server.process.send_signal(signal.SIGTERM)
        host, port = self._address()
        while _listens(host, port):
            time.sleep(0.02)
        for one, rest in halves:
            one.sendall(rest)
        seen = Counter(_status(one) for one, _ in halves)
        self.check("requests under way are answered after SIGTERM", seen == {"200": WAITING}, dict(seen))
        code = self.server.process.wait(30)
        self.check("and the process ends", code in (0, -signal.SIGTERM), code)

    def _half(self) -> tuple[socket.socket, bytes]:
        """Send half a request; return the connection and the other half."""
        host, port = self._address()
        body = self.requests[0].encode()
        head = f"POST /v1/recommend HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        one = socket.create_connection((host, port), timeout=60)
        one.sendall(head.encode() + body[:9])
        return one, body[9:]

    def _address(self) -> tuple[str, int]:
        host, _, port = self.server.address.removeprefix("http://").partition(":")
        return host, int(port)


def _status(one: socket.socket) -> str:
    with one:
        answer = b"".join(iter(lambda: one.recv(65536), b""))
    return answer.split(b" ", 2)[1].decode() if answer else "none"


def _listens(host: str, port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex((host, port)) == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="mult-vae", choices=list(SETTINGS))
    parser.add_argument("--items", type=int, default=20_000, help="size of the catalogue")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the steady part")
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second")
    parser.add_argument("--overload", type=float, default=1000.0, help="requests a second that are too many")
    parser.add_argument("--short", type=float, default=30.0, help="seconds of the part with reloads; a third: overload")
    parser.add_argument("--growth", type=float, default=20.0, help="MB by which memory may grow")
    parser.add_argument("--runs", type=Path, default=None, help="folder to keep the trained run in")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        run = make_run((asked.runs or Path(temporary)) / f"{asked.model}-{asked.items}", asked.model, asked.items)
        with serve(run) as server:
            soak = Soak(server, bodies(run, 1000, 20, 10, explain=False))
            soak.steady(asked.rate, 60 * asked.minutes, asked.growth)
            soak.reloads(asked.rate / 2, asked.short)
            soak.overload(asked.overload, asked.short / 3, asked.rate / 2)
            soak.slow_clients()
            soak.stop()
    header = ["part", "rate /s", "seconds", "requests", "answers by status", "p50 ms", "p99 ms", "max ms", "memory MB"]
    rows = [
        [one["phase"], f"{one['asked_rate']:g}", f"{one['seconds']:g}", one["requests"], json.dumps(one["statuses"])]
        + [f"{one[key]:.1f}" for key in ("p50_ms", "p99_ms", "max_ms")]
        + [f"{min(one['memory_mb']):.0f} to {max(one['memory_mb']):.0f}" if one["memory_mb"] else ""]
        for one in soak.phases
    ]
    checks = [[what, "yes" if holds else "**no**", seen] for what, holds, seen in soak.checks]
    generator = f"locust {importlib.metadata.version('locust')}"
    table = "\n".join(
        [
            markdown(header, rows),
            "",
            markdown(["check", "holds", "seen"], checks),
            "",
            f"Generator: {generator}, open loop, same machine; latency of the answers with 200, since they were due.",
        ]
    )
    content = {"phases": soak.phases, "checks": soak.checks, "generator": generator}
    title = f"Serving for a long time: {asked.model}, {asked.items:,} items"
    save("serving-soak", title, table, content, asked.out)
    sys.exit(not all(holds for _, holds, _ in soak.checks))


if __name__ == "__main__":
    main()

"""Latency of recommendations over HTTP, at 100 requests a second and a catalogue of 20,000 items.

    pip install locust
    python benchmarks/serving/load.py                     # Mult-VAE, 100 a second for a minute
    python benchmarks/serving/load.py --models mult-vae ease --rate 50 100 --arrivals poisson

Every request is of somebody unknown, with a history of 20 items (fold-in). The generator is locust in an open loop
(`open_loop.py`): latency counts from the moment a request was due. Server and generator share the machine.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from protocol import RESULTS, markdown, save  # noqa: I001
from server import SETTINGS, bodies, generate, make_run, serve


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["mult-vae"], choices=list(SETTINGS))
    parser.add_argument("--items", type=int, default=20_000, help="size of the catalogue")
    parser.add_argument("--rate", type=float, nargs="+", default=[100.0], help="requests a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--arrivals", choices=["even", "poisson"], default="even")
    parser.add_argument("--history", type=int, default=20, help="items of each history")
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--explain", action="store_true", help="ask for reasons, too")
    parser.add_argument("--threads", type=int, default=None, help="of the server; default: the number of cores")
    parser.add_argument("--runs", type=Path, default=None, help="folder to keep the trained runs in")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.runs or Path(temporary)
        rows, found, outputs = [], [], []
        for model in asked.models:
            run = make_run(folder / f"{model}-{asked.items}", model, asked.items)
            requests = bodies(run, 1000, asked.history, asked.k, asked.explain)
            options = [] if asked.threads is None else ["--threads", str(asked.threads)]
            for rate in asked.rate:
                with serve(run, *options) as server:
                    answers = generate(server.address, requests, rate, asked.seconds, asked.arrivals)
                    seconds, memory = server.cpu_seconds(), server.resident()
                one = {"model": model, "asked_rate": rate, **answers.summary()}
                one |= {"server_cpu_seconds": seconds, "server_mb": memory}
                errors = one["requests"] - one["statuses"].get("200", 0)
                found.append(one)
                outputs.append(answers.output)
                rows.append(
                    [model, f"{rate:g}", one["requests"], errors]
                    + [f"{one[key]:.1f}" for key in ("p50_ms", "p95_ms", "p99_ms", "p99.9_ms", "max_ms")]
                    + [f"{one['sent_late_p99_ms']:.1f}", f"{memory:.0f}"]
                )
                print(rows[-1], one["failures"] or "", flush=True)
    header = ["model", "rate /s", "requests", "errors", "p50 ms", "p95 ms", "p99 ms", "p99.9 ms", "max ms"]
    header += ["sent late p99 ms", "server MB"]
    explained = ", with reasons" if asked.explain else ""
    title = (
        f"Serving: latency at a fixed rate of arrival ({asked.items:,} items, histories of {asked.history}, "
        f"k={asked.k}{explained}, {asked.arrivals} arrivals, {asked.seconds:g} s)"
    )
    generator = f"locust {importlib.metadata.version('locust')}"
    table = "\n".join(
        [
            markdown(header, rows),
            "",
            f"Generator: {generator}, open loop, on the same machine; latency since a request was due. Its own output:",
            "",
            *(f"```\n{one.strip()}\n```" for one in outputs),
        ]
    )
    save("serving-load", title, table, {"results": found, "generator": generator, "options": vars_of(asked)}, asked.out)


def vars_of(asked: argparse.Namespace) -> dict[str, object]:
    """Return the options that matter, in a form for JSON."""
    return {key: value for key, value in vars(asked).items() if not isinstance(value, Path)}


if __name__ == "__main__":
    main()

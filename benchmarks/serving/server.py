"""What load.py and soak.py share: a run of a large catalogue, a server in a process of its own, the generator."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aerec.datasets import generate_interactions
from aerec.registry import get_model_class
from aerec.runs import SplitPlan, write_run

HERE = Path(__file__).parent
SETTINGS: dict[str, dict[str, Any]] = {
    "mult-vae": {"hidden": (600, 200), "epochs": 2, "progress": False},
    "ease": {"l2": 500.0},
    "elsa": {"n_factors": 256, "epochs": 2, "progress": False},
}


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    address: str
    process: subprocess.Popen[str]

    def resident(self) -> float:
        """Return its resident memory in MB (10⁶ bytes), or NaN where the system does not tell."""
        with contextlib.suppress(OSError):
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        return float("nan")

    def cpu_seconds(self) -> float:
        """Return the processor time that it has taken."""
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return float("nan")

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        with urllib.request.urlopen(f"{self.address}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if re.match(rf"{name}[ {{]", line))


def make_run(path: Path, model: str, n_items: int, seed: int = 0) -> Path:
    """Train `model` on generated likes of `n_items` films and write the run; what is there already is kept."""
    if not (path / "run.json").is_file():
        likes = generate_interactions(max(n_items, 1000), n_items, 100 * n_items, seed=seed).binarize(4.0)
        fitted = get_model_class(model)(**SETTINGS[model]).fit(likes)
        write_run(path, fitted, {"all": likes}, SplitPlan("none"), {"data": {"threshold": 4.0}}, overwrite=True)
    return path


@contextlib.contextmanager
def serve(run: Path, *options: str) -> Iterator[Server]:
    """Start `aerec serve` in a process of its own."""
    words = [sys.executable, "-u", "-m", "aerec.cli", "serve", str(run), "--port", "0", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            told = []
            for line in process.stdout:
                told.append(line)
                if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                    yield Server(found[0], process)
                    break
            else:
                raise SystemExit("the server did not start:\n" + "".join(told))
        finally:
            process.terminate()


def bodies(run: Path, n: int, length: int, k: int, explain: bool, seed: int = 0) -> list[str]:
    """Return `n` requests, each with `length` items drawn by their popularity."""
    from aerec.runs import read_run

    data = read_run(run).data
    counts = np.bincount(data.matrix.indices, minlength=data.shape[1]).astype(float)
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(data.shape[1], length, replace=False, p=counts / counts.sum()) for _ in range(n)]
    items = data.items.tolist()
    return [json.dumps({"history": [items[at] for at in one], "k": k, "explain": explain}) for one in drawn]


@dataclass(frozen=True)
class Answers:
    """What the generator saw: when requests were due, their status (0: no answer), and milliseconds since then."""

    due: np.ndarray
    status: np.ndarray
    milliseconds: np.ndarray
    late: np.ndarray
    output: str
    failures: dict[str, int]

    def summary(self) -> dict[str, Any]:
        """Return counts and percentiles; those of the requests that were answered with 200."""
        good = self.milliseconds[self.status == 200]
        cuts = (50, 95, 99, 99.9)
        found = np.percentile(good, cuts) if good.size else np.full(len(cuts), np.nan)
        return {
            "requests": len(self.status),
            "rate": len(self.status) / max(np.ptp(self.due), 1e-9) if len(self.due) > 1 else 0.0,
            "statuses": {str(one): int((self.status == one).sum()) for one in np.unique(self.status)},
            **{f"p{cut:g}_ms": float(value) for cut, value in zip(cuts, found, strict=True)},
            "failures": self.failures,
            "max_ms": float(good.max(initial=0)),
            "sent_late_p99_ms": float(np.percentile(self.late, 99)) if self.late.size else 0.0,
        }


def generate(address: str, requests: Sequence[str], rate: float, seconds: float, arrivals: str = "even") -> Answers:
    """Run locust against the server, see `open_loop.py`, and wait for it."""
    with tempfile.TemporaryDirectory() as folder:
        sent, out = Path(folder) / "bodies", Path(folder) / "answers"
        sent.write_text("\n".join(random.Random(0).sample(list(requests), len(requests))), encoding="utf-8")
        words = [sys.executable, "-m", "locust", "-f", str(HERE / "open_loop.py"), "--headless", "--host", address]
        words += ["--users", "1", "--only-summary", "--exit-code-on-error", "0"]
        told = {"RATE": rate, "SECONDS": seconds, "ARRIVALS": arrivals, "BODIES": sent, "OUT": out}
        environment = {**os.environ, **{f"LOAD_{key}": str(value) for key, value in told.items()}}
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, check=False, timeout=seconds + 120
        )
        output = done.stdout + done.stderr
        if done.returncode or not out.is_file():
            raise SystemExit(f"locust failed ({done.returncode}); pip install locust\n{output[-3000:]}")
        lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines() if line]
    columns = list(zip(*lines, strict=True))[:4] or [()] * 4
    due, status, milliseconds, late = (np.array(one, dtype=float) for one in columns)
    output = "\n".join(line.rstrip() for line in output.splitlines() if not line.startswith("["))  # without its log
    failures = Counter(line[4] for line in lines if line[4])
    return Answers(due, status.astype(int), milliseconds, late, output, dict(failures.most_common(5)))

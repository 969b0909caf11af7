"""Ratings larger than memory: written as Parquet, imported into a store, trained on, within a few GB resident.

    python benchmarks/scale/out_of_core.py --ratings 200000000 --hard-limit 4

Each phase is a process of its own, which imports no more than it needs; its peaks are read from /proc (Linux). Pages
of mapped files (RssFile) are counted as resident, but the system takes them back when memory gets short; RssAnon it
cannot. The folder has to hold about 60 bytes per rating. Ratings come in parts by month; activity of users and
popularity of items follow power laws, and each user prefers one of 20 groups of items.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

_CHUNK = 2_000_000  # ratings generated at once
_GROUPS = 20
_MONTHS = 12
_CGROUPS = (  # of version 1, and of version 2
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
    (Path("/sys/fs/cgroup"), "memory.max"),
)


def generate(folder: Path, n_ratings: int, n_users: int, n_items: int, seed: int = 0) -> dict[str, Any]:
    """Write Parquet parts ``month=…/part-….parquet``, a chunk at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    n_chunks = -(-n_ratings // _CHUNK)
    for chunk in range(n_chunks):
        rng = np.random.default_rng([seed, chunk])
        n = min(_CHUNK, n_ratings - chunk * _CHUNK)
        users = (n_users * rng.random(n, dtype=np.float32) ** 2).astype(np.int64).clip(max=n_users - 1)
        users = users * 2_654_435_761 % n_users if np.gcd(2_654_435_761, n_users) == 1 else users
        rank = (n_items * rng.random(n, dtype=np.float32) ** 3).astype(np.int64).clip(max=n_items - 1)
        own = rng.random(n) < 0.7  # items of the user's own group
        items = np.where(own, rank - rank % _GROUPS + users % _GROUPS, rank).clip(max=n_items - 1)
        ratings = (3 + own + rng.integers(-1, 2, n)).astype(np.float32)
        month = chunk * _MONTHS // n_chunks
        times = 1_700_000_000 + month * 2_600_000 + rng.integers(0, 2_600_000, n)
        part = folder / f"month={month + 1:02d}"
        part.mkdir(parents=True, exist_ok=True)
        columns = {"user": users, "item": items, "rating": ratings, "timestamp": times}
        pq.write_table(pa.table(columns), part / f"part-{chunk:05d}.parquet")
    (folder / "_SUCCESS").touch()
    return {"parts": n_chunks, "bytes": _size(folder)}


def bring_in(folder: Path, store: Path, threshold: float, memory_limit: str, threads: int) -> dict[str, Any]:
    """Import the parts: ratings of `threshold` and more, users with 5 of them."""
    from aerec.datasets import import_parquet

    data = import_parquet(
        folder, store, threshold=threshold, min_per_user=5, memory_limit=memory_limit, threads=threads
    )
    return {"content": str(data), "n_ratings": data.n_ratings, "bytes": _size(store)}


def learn(store: Path, model: str, settings: dict[str, Any], threads: int) -> dict[str, Any]:
    """Hold users out, train, measure."""
    import torch

    from aerec.datasets import open_store
    from aerec.evaluation import evaluate
    from aerec.registry import get_model_class
    from aerec.splitting import StrongGeneralization

    torch.set_num_threads(threads)
    began = time.perf_counter()
    data = open_store(store)
    opened = time.perf_counter()
    split = StrongGeneralization(n_users=min(10_000, data.shape[0] // 10), seed=0).split(data)
    divided = time.perf_counter()
    recommender = get_model_class(model)(**settings, progress=False).fit(split.train)
    trained = time.perf_counter()
    report = evaluate(recommender, split.test, ("recall@20", "ndcg@100"))
    return {
        "model": model,
        "settings": settings,
        "open_seconds": opened - began,
        "split_seconds": divided - opened,
        "fit_seconds": trained - divided,
        "epoch_seconds": recommender.history_["seconds"].tolist(),
        "ratings_per_second": split.train.n_ratings * len(recommender.history_) / (trained - divided),
        "evaluate_seconds": time.perf_counter() - trained,
        "report": report.mean,
    }


def measured(phase: Callable[..., dict[str, Any]], *arguments: Any, limit: int | None = None) -> dict[str, Any]:
    """Run `phase` in a process of its own; return what it returned, its seconds, and its peaks in bytes."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_watched, args=(sender, phase, arguments, limit))
    began = time.perf_counter()
    process.start()
    sender.close()
    try:
        found = receiver.recv()
    except EOFError:
        raise SystemExit(f"{phase.__name__} died") from None
    finally:
        process.join()
        release(process.pid)
    return {"seconds": time.perf_counter() - began, **found}


def _watched(sender: Any, phase: Callable[..., dict[str, Any]], arguments: tuple[Any, ...], limit: int | None) -> None:
    if limit is not None:
        confine(limit)
    peaks = {"RssAnon": 0, "RssFile": 0, "VmRSS": 0}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            now = status()
            for name in peaks:
                peaks[name] = max(peaks[name], now[name])

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    found = phase(*arguments)
    done.set()
    watcher.join()
    sender.send({**found, "peak": {**peaks, "VmHWM": status()["VmHWM"]}})


def confine(limit: int) -> None:
    """Put this process into a memory cgroup with a limit in bytes."""
    for root, name in _CGROUPS:
        group = root / f"aerec-{os.getpid()}"
        try:
            group.mkdir()
            (group / name).write_text(str(limit))
            (group / "cgroup.procs").write_text(str(os.getpid()))
        except OSError:
            continue
        return
    raise SystemExit("--hard-limit: this machine lets no memory cgroup be made; do without")


def release(pid: int | None) -> None:
    """Remove what `confine` made for the process that has ended."""
    for root, _ in _CGROUPS:
        with contextlib.suppress(OSError):
            (root / f"aerec-{pid}").rmdir()


def status() -> dict[str, int]:
    """Return the sizes in /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    pairs = (line.split(":", 1) for line in lines if line.endswith(" kB"))
    return {name: int(value.split()[0]) * 1024 for name, value in pairs}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    from protocol import RESULTS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ratings", type=int, default=200_000_000)
    parser.add_argument("--users", type=int, help="by default a hundredth of the ratings")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--threshold", type=float, default=1.0, help="of a like; by default every rating counts")
    parser.add_argument("--model", default="elsa")
    parser.add_argument("--factors", type=int, default=32, help="of elsa; hidden units of other models")
    parser.add_argument("--batch-size", type=int, default=8192)
    parser.add_argument("--memory-limit", default="2GB", help="of DuckDB")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--hard-limit", type=float, help="GB that the system lets each phase have")
    parser.add_argument("--work", type=Path, help="where data goes; a temporary folder, removed at the end, by default")
    parser.add_argument("--out", type=Path, default=RESULTS / "scale")
    chosen = parser.parse_args()

    limit = None if chosen.hard_limit is None else int(chosen.hard_limit * 1e9)
    temporary = chosen.work is None
    work = Path(tempfile.mkdtemp(prefix="out-of-core-")) if temporary else chosen.work
    parts, store = work / "ratings", work / "store"
    n_users = chosen.users or max(chosen.ratings // 100, 10)
    settings = {"epochs": 1, "batch_size": chosen.batch_size, "device": "cpu"}
    settings["n_factors" if chosen.model == "elsa" else "hidden"] = chosen.factors
    results: dict[str, Any] = {
        "ratings": chosen.ratings,
        "users": n_users,
        "items": chosen.items,
        "threshold": chosen.threshold,
        "threads": chosen.threads,
        "memory_limit": chosen.memory_limit,
        "hard_limit": chosen.hard_limit,
    }
    try:
        for name, phase, arguments in (
            ("generate", generate, (parts, chosen.ratings, n_users, chosen.items)),
            ("import", bring_in, (parts, store, chosen.threshold, chosen.memory_limit, chosen.threads)),
            ("train", learn, (store, chosen.model, settings, chosen.threads)),
        ):
            if name == "generate" and (parts / "_SUCCESS").exists():
                continue
            if name == "import" and (store / "store.json").exists():
                continue
            found = results[name] = measured(phase, *arguments, limit=limit)
            peak = ", ".join(f"{key} {value / 1e6:,.0f} MB" for key, value in found["peak"].items())
            print(f"{name}: {found['seconds']:.1f} s; peak {peak}", flush=True)
            print("  " + json.dumps({key: value for key, value in found.items() if key not in ("seconds", "peak")}))
    finally:
        if temporary:
            shutil.rmtree(work, ignore_errors=True)
    report(results, chosen.out)


def report(results: dict[str, Any], out: Path) -> None:
    """Write the table and the JSON."""
    from protocol import markdown, save

    phases = [name for name in ("generate", "import", "train") if name in results]
    sizes = ("RssAnon", "RssFile", "VmHWM")
    rows = [
        [name, f"{results[name]['seconds']:,.0f}", *(f"{results[name]['peak'][size] / 1e6:,.0f}" for size in sizes)]
        for name in phases
    ]
    header = ["phase", "s", "peak RssAnon, MB", "peak RssFile, MB", "peak resident (VmHWM), MB"]
    limit = f"limit of the system {results['hard_limit']:g} GB, " if results["hard_limit"] else ""
    note = f"\n\n{limit}DuckDB {results['memory_limit']}, {results['threads']} thread(s)."
    if "import" in results:
        note += f" Imported: {results['import']['content']}."
    if "train" in results:
        learned = results["train"]
        note += (
            f" Trained: {learned['model']}, {_words(learned['settings'])}: epochs of "
            f"{', '.join(f'{one:.0f} s' for one in learned['epoch_seconds'])}, of {learned['seconds']:.0f} s with "
            "opening, splitting and evaluation."
        )
    title = f"Ratings larger than memory: {results['ratings']:,} rows, {results['items']:,} items"
    save("out-of-core", title, markdown(header, rows) + note, results, out)


def _words(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


if __name__ == "__main__":
    main()

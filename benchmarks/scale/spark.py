"""Recommendations in Spark: two local workers over 5 million ratings, beside one process with the same ratings.

    python benchmarks/scale/spark.py

Ratings are generated and written as Parquet. A process of its own trains EASE on likes (ratings of 4 and more) and
recommends ten items to every user; then a session ``local[2]`` does the same from the Parquet files by
`aerec.spark.recommend` and writes its lists. The lists must be equal, item by item and score by score. Memory is that
of the JVM and of each Python worker, read from /proc (Linux) five times a second. Beside the seconds stand those of
the processors: on a machine that others use as well only they say what the work costs.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd


def generate(path: Path, n_ratings: int, n_users: int, n_items: int) -> None:
    """Write a folder of Parquet parts of about `n_ratings` ratings, in no order; each user prefers one of 20 groups."""
    rng = np.random.default_rng(0)
    users = (n_users * rng.random(n_ratings) ** 2).astype(np.int64)
    rank = (n_items * rng.random(n_ratings) ** 3).astype(np.int64)
    own = rng.random(n_ratings) < 0.7
    items = np.where(own, rank - rank % 20 + users % 20, rank).clip(max=n_items - 1)
    ratings = 3.0 + own + rng.integers(-1, 2, n_ratings)
    table = pd.DataFrame({"user": users, "item": items, "rating": ratings}).drop_duplicates(["user", "item"])
    path.mkdir()
    for number, start in enumerate(range(0, len(table), 500_000)):
        table[start : start + 500_000].to_parquet(path / f"part-{number:05d}.parquet", index=False)


def alone(work: Path, k: int) -> dict[str, Any]:
    """Train, save, and recommend to everybody in this process."""
    from aerec import Interactions
    from aerec.models import EASE

    began = time.perf_counter()
    ratings = Interactions.from_frame(pd.read_parquet(work / "ratings"), timestamp=None)
    read = time.perf_counter()
    likes = ratings.binarize(4.0)
    model = EASE(l2=100.0).fit(likes)
    model.save(work / "model")
    fitted = time.perf_counter()
    indices, scores = model.rank(likes, k, exclude=ratings.with_items(likes.items))
    ranked, processor = time.perf_counter(), time.process_time()
    np.savez(work / "alone.npz", indices=indices, scores=scores, users=ratings.users, items=likes.items)
    return {
        "data": str(ratings),
        "likes": likes.n_ratings,
        "read_seconds": read - began,
        "fit_seconds": fitted - read,
        "rank_seconds": ranked - fitted,
        "seconds": ranked - began,
        "processor_seconds": processor,
        "peak": {"process": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss},
    }


def in_spark(work: Path, k: int, workers: int) -> dict[str, Any]:
    """Recommend to everybody by a local session with so many workers."""
    began = time.perf_counter()
    peaks = Peaks()
    from pyspark.sql import SparkSession

    import aerec.spark

    builder = SparkSession.builder.master(f"local[{workers}]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    session = builder.config("spark.sql.shuffle.partitions", "8").config("spark.driver.memory", "2g").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    started = time.perf_counter()
    lists = aerec.spark.recommend(session.read.parquet(str(work / "ratings")), work / "model", k)
    lists.write.parquet(str(work / "lists"))
    done = time.perf_counter()
    found = peaks.stop()
    session.stop()
    return {"start_seconds": started - began, "job_seconds": done - started, "seconds": done - began, **found}


class Peaks:
    """Peaks of resident memory, and processor seconds, of the processes below this one: the JVM, and Python workers."""

    def __init__(self) -> None:
        self.of: dict[int, tuple[str, int]] = {}
        self.ticks: dict[int, int] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.wait(0.2):
            parents: dict[int, int] = {}
            ticks: dict[int, int] = {}
            for folder in Path("/proc").iterdir():
                if folder.name.isdecimal():
                    try:
                        fields = (folder / "stat").read_text().rpartition(")")[2].split()
                    except OSError:
                        continue
                    parents[int(folder.name)] = int(fields[1])
                    ticks[int(folder.name)] = int(fields[11]) + int(fields[12])
            for pid in parents:
                above = pid
                while above in parents and above != os.getpid():
                    above = parents[above]
                if above == os.getpid() and pid != above:
                    self._look_at(pid)
                    self.ticks[pid] = ticks[pid]

    def _look_at(self, pid: int) -> None:
        try:
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        size = next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0)
        self.of[pid] = name, max(size, self.of.get(pid, ("", 0))[1])

    def stop(self) -> dict[str, Any]:
        """Return the peaks in bytes; Python processes without pandas, such as the one that forks workers, are none."""
        self._done.set()
        self._thread.join()
        sizes = {name: sorted((size for kind, size in self.of.values() if kind == name), reverse=True)
                 for name in {kind for kind, _ in self.of.values()}}  # fmt: skip
        python = [size for name, values in sizes.items() if name.startswith("python") for size in values]
        peak = {"jvm": max(sizes.get("java", [0])), "workers": [size for size in python if size > 80e6]}
        seconds = sum(self.ticks.values()) / os.sysconf("SC_CLK_TCK") + time.process_time()
        return {"processor_seconds": seconds, "peak": peak}


def differences(work: Path) -> dict[str, int]:
    """Return how many users, lists and scores differ between the two."""
    saved = np.load(work / "alone.npz", allow_pickle=True)
    at, places = np.nonzero(saved["indices"] >= 0)
    one = pd.DataFrame(
        {
            "user": saved["users"][at],
            "rank": places + 1,
            "item": saved["items"][saved["indices"][at, places]],
            "score": saved["scores"][at, places],
        }
    )
    spark = pd.read_parquet(work / "lists").sort_values(["user", "rank"], ignore_index=True)
    both = one.merge(spark, on=["user", "rank"], how="outer", suffixes=("", "_spark"), indicator=True)
    return {
        "rows": len(one),
        "rows_of_one_alone": int((both["_merge"] != "both").sum()),
        "other_items": int((both["item"] != both["item_spark"]).sum()),
        "other_scores": int((both["score"] != both["score_spark"]).sum()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ratings", type=int, default=6_100_000, help="with repeated pairs; 5 million are left")
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--phase", choices=["alone", "in_spark"], help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.phase == "alone":
        print(json.dumps(alone(chosen.work, chosen.k)))
        return
    if chosen.phase == "in_spark":
        print(json.dumps(in_spark(chosen.work, chosen.k, chosen.workers)))
        return
    with tempfile.TemporaryDirectory(prefix="aerec-spark-") as folder:
        work = Path(folder)
        generate(work / "ratings", chosen.ratings, chosen.users, chosen.items)
        results: dict[str, Any] = {"given": {name: str(value) for name, value in vars(chosen).items()}}
        for phase in ("alone", "in_spark"):
            command = [sys.executable, __file__, "--phase", phase, "--work", folder, "-k", str(chosen.k)]
            environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
            done = subprocess.run(
                [*command, "--workers", str(chosen.workers)], stdout=subprocess.PIPE, check=True, env=environment
            )
            results[phase] = json.loads(done.stdout.splitlines()[-1])
            print(phase, results[phase], flush=True)
        results["differences"] = differences(work)
    report(results, chosen.workers, chosen.out)


def report(results: dict[str, Any], workers: int, out: Path | None) -> None:
    """Write the table and the JSON."""
    from protocol import RESULTS, markdown, save

    one, spark, differ = results["alone"], results["in_spark"], results["differences"]
    megabytes = ", ".join(f"{size / 1e6:,.0f}" for size in spark["peak"]["workers"])
    rows = [
        ["one process: read, train, rank", f"{one['seconds']:.1f}", f"{one['processor_seconds']:.1f}",
         f"{one['peak']['process'] / 1e6:,.0f}"],
        ["of that: read; rank", f"{one['read_seconds']:.1f}; {one['rank_seconds']:.1f}", "", ""],
        [f"Spark, {workers} workers: all", f"{spark['seconds']:.1f}", f"{spark['processor_seconds']:.1f}",
         f"JVM {spark['peak']['jvm'] / 1e6:,.0f}; Python {megabytes}"],
        ["of that: start; job, from Parquet to Parquet",
         f"{spark['start_seconds']:.1f}; {spark['job_seconds']:.1f}", "", ""],
    ]  # fmt: skip
    note = (
        f"\n\n{one['data']}; EASE on the {one['likes']:,} ratings of 4 and more, lists of {results['given']['k']}. Of "
        f"{differ['rows']:,} rows of the lists {differ['rows_of_one_alone']} are of one side alone, "
        f"{differ['other_items']} have another item and {differ['other_scores']} another score. "
        f"{os.getloadavg()[2]:.0f} processes wanted to run on the machine, on average over the last 15 minutes."
    )
    title = f"Spark: {workers} local workers beside one process"
    save(
        "spark",
        title,
        markdown(["phase", "s", "processor s", "peak, MB"], rows) + note,
        results,
        out or RESULTS / "scale",
    )


if __name__ == "__main__":
    main()

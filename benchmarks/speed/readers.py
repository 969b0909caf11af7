"""How long reading a million ratings of each layout takes, beside pandas reading the same file.

    python benchmarks/speed/readers.py

Files are generated, in the layouts in which the data sets of the catalogue are published. pandas reads each as a user
of it would: `read_csv` with the names of the columns, `read_json(lines=True)`, for the dicts of Python
`ast.literal_eval` line by line, for the Netflix Prize the loop over lines that notebooks have; then `pd.factorize`
numbers users and items and scipy makes a matrix of it. Processor seconds, the shortest of three runs in turns.
"""

from __future__ import annotations

import argparse
import ast
import json
import logging
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from timing import interleaved

from aerec import Interactions
from aerec.datasets import read_ratings
from protocol import RESULTS, markdown, save, set_threads

WORDS = "a game that I have played for many hours, and 'would' play again "


def generated(n_ratings: int) -> dict[str, Any]:
    """Return columns of ratings, sorted by item; no pair twice."""
    rng = np.random.default_rng(0)
    n_users, n_items = max(n_ratings // 20, 10), max(n_ratings // 200, 10)
    pairs = np.unique(rng.integers(0, n_users * n_items, int(1.05 * n_ratings)))[:n_ratings]
    items, users = np.divmod(pairs, n_users)
    times = 1_100_000_000 + rng.integers(0, 10**8, len(pairs))
    days = pd.to_datetime(pd.Series(times), unit="s").dt.strftime("%Y-%m-%d").tolist()
    return {
        "user": users + 1,
        "item": items + 1,
        "rating": rng.integers(1, 6, len(pairs)),
        "time": times,
        "day": days,
        "text_user": [f"AE{user:026d}" for user in users],
        "text_item": [f"B{item:09d}" for item in items],
    }


def write(folder: Path, data: dict[str, Any]) -> dict[str, Callable[[Path], pd.DataFrame]]:
    """Write a file for each layout; return name → how pandas reads it."""
    user, item, rating, time_, day = (data[name] for name in ("user", "item", "rating", "time", "day"))
    text_user, text_item = data["text_user"], data["text_item"]
    rows = list(zip(text_user, text_item, rating.tolist(), time_.tolist(), day, strict=True))

    def put(name: str, lines: Any) -> None:
        with (folder / name).open("w", encoding="latin-1" if name.startswith("BX") else "utf-8") as stream:
            stream.writelines(lines)

    put("train_triplets.txt", (f"{u}\t{i}\t{r}\n" for u, i, r, _, _ in rows))
    put("usersha1-artmbid-artname-plays.tsv", (f"{u}\t\t{i}\t{r}\n" for u, i, r, _, _ in rows))
    numbers = list(zip(user.tolist(), item.tolist(), rating.tolist(), strict=True))
    put("user_artists.dat", ["userID\tartistID\tweight\n", *(f"{u}\t{i}\t{r}\n" for u, i, r in numbers)])
    put("ratings.csv", ["user_id,book_id,rating\n", *(f"{u},{i},{r}\n" for u, i, r in numbers)])
    put("jester_ratings.dat", (f"{u}\t\t{i}\t\t{r}\n" for u, i, r in numbers))
    quoted = (f'"{u}";"{i}";"{r}"\n' for u, (_, i, r, _, _) in zip(user.tolist(), rows, strict=True))
    put("BX-Book-Ratings.csv", ['"User-ID";"ISBN";"Book-Rating"\n', *quoted])
    head = "user_id,parent_asin,rating,timestamp\n"
    put("Video_Games.csv", [head, *(f"{u},{i},{r}.0,{t}000\n" for u, i, r, t, _ in rows)])
    put(
        "Video_Games.jsonl",
        (
            json.dumps({"rating": float(r), "title": "a title", "text": WORDS, "images": [], "asin": i,
                        "parent_asin": i, "user_id": u, "timestamp": t * 1000, "helpful_vote": 0}) + "\n"
            for u, i, r, t, _ in rows
        ),
    )  # fmt: skip
    put(
        "yelp_academic_dataset_review.json",
        (
            json.dumps({"review_id": "KU_O5", "user_id": u, "business_id": i, "stars": float(r), "useful": 0,
                        "funny": 0, "cool": 0, "text": WORDS, "date": f"{d} 22:09:11"}) + "\n"
            for u, i, r, _, d in rows
        ),
    )  # fmt: skip
    put(
        "steam_reviews.json",
        (
            f"{{u'username': u'{u}', u'hours': 0.1, u'products': 41, u'product_id': u'{i}', u'page_order': 0, "
            f"u'date': u'{d}', u'text': u\"{WORDS}\", u'early_access': False, u'page': 1}}\n"
            for u, i, _, _, d in rows
        ),
    )
    films = np.flatnonzero(np.diff(item, prepend=-1)).tolist()
    starts = dict(zip(films, item[films].tolist(), strict=True))
    lines = ((starts.get(at), u, r, d) for at, (u, r, d) in enumerate(zip(user, rating, day, strict=True)))
    put("combined_data_1.txt", (f"{'' if f is None else f'{f}:{chr(10)}'}{u},{r},{d}\n" for f, u, r, d in lines))
    dense = np.full((len(item) // 56, 100), 99.0)
    filled = np.random.default_rng(1).random(dense.shape) < 0.56
    dense[filled] = np.random.default_rng(2).uniform(-10, 10, int(filled.sum())).round(2)
    table = pd.DataFrame(np.column_stack([filled.sum(axis=1), dense]))
    table.to_csv(folder / "jester-data-1.csv", header=False, index=False)
    by_items = {
        who: rows["item"].tolist() for who, rows in pd.DataFrame({"user": user - 1, "item": item}).groupby("user")
    }
    put("users.dat", (" ".join(map(str, [len(liked), *liked])) + "\n" for liked in by_items.values()))

    names = ["user", "item", "rating", "timestamp"]
    for name, users, items in (("numbers.parquet", user, item), ("text.parquet", text_user, text_item)):
        table = pd.DataFrame({"user": users, "item": items, "rating": rating.astype(float), "timestamp": time_})
        table.to_parquet(folder / name, index=False)
    return {
        "numbers.parquet": pd.read_parquet,
        "text.parquet": pd.read_parquet,
        "train_triplets.txt": lambda path: pd.read_csv(path, sep="\t", names=names[:3]),
        "usersha1-artmbid-artname-plays.tsv": lambda path: pd.read_csv(
            path, sep="\t", names=["user", "id", "item", "rating"], quoting=3
        ),
        "user_artists.dat": lambda path: pd.read_csv(path, sep="\t", names=names[:3], skiprows=1),
        "ratings.csv": lambda path: pd.read_csv(path, names=names[:3], skiprows=1),
        "jester_ratings.dat": lambda path: pd.read_csv(path, sep="\t\t", names=names[:3], engine="python"),
        "BX-Book-Ratings.csv": lambda path: pd.read_csv(path, sep=";", encoding="latin-1", names=names[:3], skiprows=1),
        "Video_Games.csv": lambda path: pd.read_csv(path, names=names, skiprows=1),
        "Video_Games.jsonl": lambda path: pd.read_json(path, lines=True).rename(
            columns={"user_id": "user", "parent_asin": "item"}
        ),
        "yelp_academic_dataset_review.json": lambda path: pd.read_json(path, lines=True).rename(
            columns={"user_id": "user", "business_id": "item", "stars": "rating", "date": "timestamp"}
        ),
        "steam_reviews.json": _python_lines,
        "combined_data_1.txt": _films,
        "jester-data-1.csv": _dense,
        "users.dat": _lists,
    }


def _python_lines(path: Path) -> pd.DataFrame:
    with path.open() as stream:
        frame = pd.DataFrame([ast.literal_eval(line) for line in stream])
    return frame.rename(columns={"username": "user", "product_id": "item", "date": "timestamp"}).assign(rating=1.0)


def _films(path: Path) -> pd.DataFrame:
    rows, film = [], 0
    with path.open() as stream:
        for line in stream:
            if line.endswith(":\n"):
                film = int(line[:-2])
            else:
                user, rating, day = line.rstrip().split(",")
                rows.append((int(user), film, float(rating), day))
    frame = pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"])
    return frame.assign(timestamp=pd.to_datetime(frame["timestamp"]))


def _dense(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, header=None).iloc[:, 1:]
    long = table.rename_axis("user").reset_index().melt("user", var_name="item", value_name="rating")
    return long[long["rating"] != 99].astype({"item": int})


def _lists(path: Path) -> pd.DataFrame:
    with path.open() as stream:
        rows = [(user, int(item)) for user, line in enumerate(stream) for item in line.split()[1:]]
    return pd.DataFrame(rows, columns=["user", "item"]).assign(rating=1.0)


def main() -> None:
    """Write the files, read them both ways, compare the ratings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ratings", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "speed")
    given = parser.parse_args()
    set_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        ways = write(Path(folder), generated(given.ratings))
        for name, by_pandas in ways.items():
            path = Path(folder) / name
            frames: dict[str, Any] = {}
            seconds = interleaved(
                {
                    "aerec": lambda path=path, frames=frames: frames.update(ours=read_ratings(path)),
                    "pandas": lambda path=path, read=by_pandas, frames=frames: frames.update(theirs=read(path)),
                    "factorize and scipy": lambda frames=frames: _matrix(frames["theirs"]),
                },
                given.rounds,
                warm_up=0,
                cpu_time=True,
            )
            data, same = frames["ours"], Interactions.from_frame(frames["theirs"], timestamp=None)
            assert data.shape == same.shape, name
            assert (data.matrix != same.matrix).nnz == 0, name
            results[name] = {"rows": data.n_ratings, **seconds}
            print(name, results[name], flush=True)
    rows = []
    for name, found in results.items():
        whole = found["pandas"] + found["factorize and scipy"]
        seconds = [f"{value:.2f}" for value in (found["aerec"], found["pandas"], whole)]
        ratios = [f"{found['aerec'] / value:.1f}" for value in (found["pandas"], whole)]
        rows.append([name, f"{found['rows']:,}", *seconds, *ratios])
    header = [
        "file",
        "ratings",
        "read_ratings, s",
        "pandas, s",
        "and factorize and scipy, s",
        "ratio",
        "ratio with both",
    ]
    title = f"Reading {given.ratings:,} ratings of each layout"
    note = (
        f"\n\nProcessor seconds, the shortest of {given.rounds} in turns. read_ratings gives a checked sparse matrix "
        "with ids and times; pandas alone gives a frame of text, and what numbers the ids and makes a matrix of it is "
        "`pd.factorize` and scipy. Numbering a million text ids takes longer than parsing them."
    )
    save("readers", title, markdown(header, rows) + note, results, given.out)


def _matrix(frame: pd.DataFrame) -> Any:
    (rows, users), (columns, items) = (pd.factorize(frame[role]) for role in ("user", "item"))
    values = frame["rating"].to_numpy(np.float32)
    return sp.csr_array((values, (rows, columns)), shape=(len(users), len(items)))


if __name__ == "__main__":
    main()

"""Splitters beside those of RecTools and scikit-learn, rating by rating.

    python benchmarks/peers/environments.py rectools
    python benchmarks/peers/splitters.py

On MovieLens 100K. `RollingTime` beside RecTools' ``TimeRangeSplitter`` (three weeks; times as days, because RecTools
cuts at midnight and aerec at the last rating), `LeaveLastOut` beside ``LastNSplitter(1)`` (users whose last rating has
a time of its own: of equal times RecTools takes the row that stands last, aerec draws one), `KFold` beside the `KFold`
of scikit-learn (each rating in one fold, and the sizes of the folds; both draw them, each in its own way).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

DAY = 86_400
WEEKS = 3


def by_rectools(path: Path) -> None:
    """Write which rows each splitter of RecTools has in its test, and in its training part, beside `path`."""
    from rectools import Columns
    from rectools.dataset import Interactions
    from rectools.model_selection import LastNSplitter, TimeRangeSplitter

    frame = pd.read_csv(path)
    plain = {"filter_cold_users": False, "filter_cold_items": False, "filter_already_seen": False}
    parts = []
    for name, splitter, times in (
        ("weeks", TimeRangeSplitter("7D", WEEKS, **plain), frame["timestamp"] // DAY * DAY),
        ("last", LastNSplitter(1, **plain), frame["timestamp"]),
    ):
        columns = {Columns.User: frame["user"], Columns.Item: frame["item"], Columns.Weight: 1.0}
        table = pd.DataFrame({**columns, Columns.Datetime: pd.to_datetime(times, unit="s")})
        for fold, (train, test, _) in enumerate(splitter.split(Interactions(table))):
            for part, rows in (("train", train), ("test", test)):
                pairs = frame.loc[rows, ["user", "item"]]
                parts.append(pairs.assign(splitter=name, fold=fold, part=part))
    pd.concat(parts).to_csv(path.with_suffix(".rectools"), index=False)


def compare(path: Path) -> list[list[Any]]:
    """Return a row for each fold: how many ratings are in both, and in one alone."""
    import numpy as np
    from sklearn.model_selection import KFold as ReferenceKFold

    from aerec import Interactions
    from aerec.splitting import KFold, LeaveLastOut, RollingTime

    frame = pd.read_csv(path)
    theirs = pd.read_csv(path.with_suffix(".rectools"))
    days = Interactions.from_frame(frame.assign(timestamp=frame["timestamp"] // DAY * DAY))
    whole = Interactions.from_frame(frame)
    last = LeaveLastOut(validation=False)
    ours: list[tuple[str, str, int, Any]] = [
        ("RollingTime", "weeks", fold, split)
        for fold, split in enumerate(RollingTime(WEEKS, window=7 * DAY).splits(days))
    ]
    ours.append(("LeaveLastOut", "last", 0, last.split(whole)))
    counts = frame.groupby("user")["timestamp"].agg(lambda times: (times == times.max()).sum())
    clear = set(counts.index[counts == 1])
    rows = []
    for name, known, fold, split in ours:
        for part, found in (("train", split.train), ("test", split.test.target)):
            these = pairs(found.to_frame())
            those = pairs(theirs.query("splitter == @known and fold == @fold and part == @part"))
            if known == "last":
                these, those = ({pair for pair in one if pair[0] in clear} for one in (these, those))
            rows.append([name, fold, part, len(these & those), len(these - those), len(those - these)])
    folds = [pairs(split.test.target.to_frame()) for split in KFold(5, by="ratings").splits(whole)]
    sizes = [len(test) for _, test in ReferenceKFold(5).split(np.zeros(whole.n_ratings))]
    assert set().union(*folds) == pairs(frame)
    assert [len(fold) for fold in folds] == sizes
    rows.append(["KFold(by='ratings')", "0 to 4", "test", sum(sizes), 0, 0])
    return rows


def pairs(frame: pd.DataFrame) -> set[tuple[int, int]]:
    return set(zip(frame["user"].tolist(), frame["item"].tolist(), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-100k")
    parser.add_argument("--rectools", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.rectools is not None:
        by_rectools(given.rectools)
        return
    from aerec.datasets import load_dataset
    from environments import interpreter
    from protocol import RESULTS, markdown, save

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.csv"
        load_dataset(given.data).to_frame().to_csv(path, index=False)
        subprocess.run([interpreter("rectools"), __file__, "--rectools", str(path)], check=True)
        rows = compare(path)
    header = ["splitter of aerec", "fold", "part", "ratings in both", "in aerec alone", "in the peer alone"]
    table = markdown(header, [[str(cell) for cell in row] for row in rows])
    note = (
        "\n\nRollingTime beside TimeRangeSplitter and LeaveLastOut beside LastNSplitter of RecTools 0.19.0, KFold "
        "beside scikit-learn. LeaveLastOut: users whose last rating has a time of its own."
    )
    save("peers-splitters", f"Splitters beside those of other libraries, {given.data}", table + note,
         {"rows": rows}, given.out or RESULTS)  # fmt: skip


if __name__ == "__main__":
    main()

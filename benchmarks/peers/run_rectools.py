"""RecTools: ``python run_rectools.py FOLDER``, in RecTools' environment. SASRec, ranked for after every few epochs.

The folder has ``train.csv`` and ``test_history.csv`` (user, item, place in the order of time) and ``settings.json``. It
gets ``lists.csv``: part (validation or test), epochs, user, item, rank.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from pathlib import Path

import pandas as pd
import pytorch_lightning
import torch
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


def dataset(path: Path) -> Dataset:
    """Return interactions in the order of their places."""
    frame = pd.read_csv(path)
    frame = frame.rename(columns={"user": Columns.User, "item": Columns.Item})
    frame[Columns.Weight] = 1.0
    frame[Columns.Datetime] = pd.Timestamp("2000-01-01") + pd.to_timedelta(frame.pop("place"), unit="s")
    return Dataset.construct(frame)


def main() -> None:
    folder = Path(sys.argv[1])
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.set_num_threads(settings["threads"])
    pytorch_lightning.seed_everything(settings["seed"])
    train, test_history = dataset(folder / "train.csv"), dataset(folder / "test_history.csv")
    model = SASRecModel(**settings["params"], recommend_torch_device="cpu", recommend_n_threads=settings["threads"])
    parts = []
    for epochs in range(settings["step"], settings["epochs"] + 1, settings["step"]):
        model.fit_partial(train, min_epochs=settings["step"], max_epochs=settings["step"])
        for part, history in (("validation", train), ("test", test_history)):
            users = history.user_id_map.external_ids
            lists = model.recommend(
                users, history, k=settings["k"], filter_viewed=True, on_unsupported_targets="ignore"
            )
            lists = lists.rename(columns={Columns.User: "user", Columns.Item: "item", Columns.Rank: "rank"})
            parts.append(lists[["user", "item", "rank"]].assign(part=part, epochs=epochs))
        print(epochs, flush=True)
        pd.concat(parts).to_csv(folder / "lists.csv", index=False)


if __name__ == "__main__":
    main()

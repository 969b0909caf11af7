"""RecBole: ``python run_recbole.py FOLDER``, in RecBole's environment. What was changed in it: see README.md."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.data.interaction import Interaction
from recbole.utils import get_model, get_trainer

from job import Job, run


class RecBole:
    """A general recommender of RecBole by its name, trained by RecBole's own trainer, epoch by epoch."""

    def __init__(self, job: Job) -> None:
        logging.disable(logging.CRITICAL)
        torch.set_num_threads(job.threads)
        torch.manual_seed(job.seed)
        self.job = job
        self.config = configure(job)
        self.train_data = data_preparation(self.config, create_dataset(self.config))[0]
        self.dataset = self.train_data.dataset
        self.user_field = self.dataset.uid_field
        if job.model != "EASE":
            self.model = self.make()
            self.trainer = get_trainer(self.config["MODEL_TYPE"], job.model)(self.config, self.model)
        n_users, n_items = job.train.shape
        self.user_ids = row_numbers(self.dataset, self.user_field, n_users)
        self.item_ids = row_numbers(self.dataset, self.dataset.iid_field, n_items)

    def make(self) -> Any:
        """Return the model, untrained; EASE does all its work here."""
        return get_model(self.job.model)(self.config, self.dataset).to(self.config["device"])

    def train(self, epoch_done: Any) -> None:
        """Run the trainer's own epochs."""
        if self.job.model == "EASE":
            self.model = self.make()
            epoch_done()
            return
        for epoch in range(self.job.epochs):
            self.trainer._train_epoch(self.train_data, epoch, show_progress=False)
            epoch_done()

    @torch.no_grad()
    def scores(self, users: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Score by `full_sort_predict`, brought back to our columns; items that RecBole never saw come last."""
        self.model.eval()
        batch = Interaction({self.user_field: torch.as_tensor(self.user_ids[users])})
        found = self.model.full_sort_predict(batch).view(len(users), -1).cpu().numpy()
        return np.where(self.item_ids > 0, found[:, self.item_ids], -1e30).astype(np.float32)


def configure(job: Any, **more: Any) -> Any:
    """Write the parts of the split as RecBole reads them, and return its configuration."""
    folder = job.folder / "recbole"
    folder.mkdir(exist_ok=True)
    held_out = job.train[:, :0] if job.validation is None else job.validation
    for name, matrix in (("train", job.train), ("valid", held_out), ("test", held_out)):
        users, items = matrix.nonzero()
        if users.size == 0:  # RecBole does not read an empty part
            users, items = np.array([0]), np.array([job.train[[0]].indices[0]])
        lines = np.char.add(np.char.add(users.astype(str), "\t"), items.astype(str))
        text = "user_id:token\titem_id:token\n" + "\n".join(lines.tolist()) + "\n"
        (folder / f"recbole.{name}.inter").write_text(text, encoding="utf-8")
    settings = {
        "data_path": str(job.folder),
        "benchmark_filename": ["train", "valid", "test"],
        "load_col": {"inter": ["user_id", "item_id"]},
        "checkpoint_dir": str(job.folder / "saved"),
        "use_gpu": False,
        "seed": job.seed,
        "epochs": job.epochs,
        "show_progress": False,
        "train_neg_sample_args": None,
        "eval_args": {"split": {"RS": [0.8, 0.1, 0.1]}, "group_by": "user", "order": "RO", "mode": "full"},
        "metrics": ["Recall", "NDCG"],
        "topk": [20],
        "valid_metric": "NDCG@20",
    }
    return Config(model=job.model, dataset="recbole", config_dict={**settings, **job.params, **more})


def row_numbers(dataset: Any, field: str, n: int) -> np.ndarray[Any, Any]:
    """Return RecBole's number of each of our n rows or columns; 0, its padding, for one that it does not have."""
    known = dataset.field2token_id[field]
    return np.array([known.get(str(number), 0) for number in range(n)])


if __name__ == "__main__":
    run(RecBole)

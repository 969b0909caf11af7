"""Cornac: ``python run_cornac.py FOLDER``, in Cornac's environment. What was changed in it: see README.md."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import cornac.eval_methods
import cornac.models
import cornac.models.recvae.recom_recvae
import cornac.models.vaecf.vaecf
import numpy as np
import torch
from cornac.data import Dataset

from job import Job, run


class Cornac:
    """A model of Cornac by the name of its class."""

    def __init__(self, job: Job) -> None:
        torch.set_num_threads(job.threads)
        np.random.seed(job.seed)  # noqa: NPY002
        n_users, n_items = job.train.shape
        users, items = job.train.nonzero()
        same = [OrderedDict((number, number) for number in range(n)) for n in (n_users, n_items)]
        self.data = Dataset(n_users, n_items, *same, (users, items, np.ones(len(users))), seed=job.seed)
        neural = job.model != "EASE"
        more = {"n_epochs": job.epochs, "use_gpu": False} if neural else {}
        self.model = getattr(cornac.models, job.model)(**job.params, **more, seed=job.seed, verbose=False)

    def train(self, epoch_done: Any) -> None:
        """Fit; the progress bar that Cornac goes through its epochs with tells us of them."""

        class Epochs:
            def __init__(self, first: int, stop: int, **options: Any) -> None:
                self.epochs = range(first, stop)

            def __iter__(self) -> Iterator[int]:
                for epoch in self.epochs:
                    yield epoch
                    epoch_done()

            def set_postfix(self, **shown: Any) -> None:
                """Show nothing."""

        cornac.models.vaecf.vaecf.trange = Epochs
        cornac.models.recvae.recom_recvae.trange = Epochs
        cornac.eval_methods.ranking_eval = lambda **of: [[0.0]]  # RecVAE ranks the training data after each epoch
        self.model.fit(self.data)
        if self.model.name.startswith("EASE"):
            epoch_done()

    @torch.no_grad()
    def scores(self, users: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Score user by user: Cornac has no other way."""
        if (network := getattr(self.model, "recvae_model", None)) is not None:
            network.eval()  # Cornac leaves dropout on when it scores
            found = np.stack([self.model.score(user) for user in users.tolist()])
            network.train()
            return found
        return np.stack([np.ravel(self.model.score(user)) for user in users.tolist()])


if __name__ == "__main__":
    run(Cornac)

"""irspack: ``python run_irspack.py FOLDER``, in irspack's environment. Its Mult-VAE needs JAX and is left out."""

from __future__ import annotations

from typing import Any

import irspack
import numpy as np
import scipy.sparse as sp

from job import Job, run


class IRSpack:
    """A recommender of irspack by the name of its class."""

    def __init__(self, job: Job) -> None:
        self.epochs = job.epochs
        params = dict(job.params)
        if job.model == "IALSRecommender":
            params |= {"n_threads": job.threads, "random_seed": job.seed, "train_epochs": job.epochs}
        self.model: Any = getattr(irspack, job.model)(sp.csr_matrix(job.train, dtype=np.float64), **params)

    def train(self, epoch_done: Any) -> None:
        """Learn, epoch by epoch where there are any."""
        if hasattr(self.model, "run_epoch"):
            self.model.start_learning()
            for _ in range(self.epochs):
                self.model.run_epoch()
                epoch_done()
        else:
            self.model.learn()
            epoch_done()

    def scores(self, users: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Score these users."""
        return np.asarray(self.model.get_score(users))


if __name__ == "__main__":
    run(IRSpack)

"""elsarec, ELSA as its authors have it: ``python run_elsarec.py FOLDER``, in elsarec's environment."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from elsa import ELSA

from job import Job, run

CPU = torch.device("cpu")


class ELSARec:
    """The one model that it has."""

    def __init__(self, job: Job) -> None:
        torch.set_num_threads(job.threads)
        torch.manual_seed(job.seed)
        params = dict(job.params)
        self.epochs, self.batch_size = job.epochs, params.pop("batch_size")
        self.data = sp.csr_matrix(job.train, dtype=np.float32)  # it does not know csr_array
        self.model: Any = ELSA(n_items=self.data.shape[1], device=CPU, **params)

    def train(self, epoch_done: Any) -> None:
        """Learn, epoch by epoch; it keeps its optimiser from one call to the next."""
        for _ in range(self.epochs):
            self.model.fit(self.data, epochs=1, batch_size=self.batch_size, shuffle=True, verbose=False)
            epoch_done()

    def scores(self, users: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Score these users."""
        found: np.ndarray[Any, Any] = self.model.predict(self.data[users], batch_size=len(users)).numpy()
        return found


if __name__ == "__main__":
    run(ELSARec)

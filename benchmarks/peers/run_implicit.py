"""implicit: ``python run_implicit.py FOLDER``, in implicit's environment."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares

from job import Job, run


class ALS:
    """Alternating least squares; ``alpha`` is the confidence that a rating adds, as in aerec."""

    def __init__(self, job: Job) -> None:
        params = dict(job.params)
        alpha, self.refold = params.pop("alpha"), params.pop("recalculate_user", False)
        self.users = np.arange(job.train.shape[0])
        self.confidence = sp.csr_matrix(job.train, dtype=np.float32)
        self.confidence.data = 1 + alpha * self.confidence.data
        self.model = AlternatingLeastSquares(
            **params, iterations=job.epochs, num_threads=job.threads, random_state=job.seed
        )

    def train(self, epoch_done: Any) -> None:
        """Fit; implicit calls back after each iteration."""
        self.model.fit(self.confidence, show_progress=False, callback=lambda iteration, elapsed, *rest: epoch_done())

    def scores(self, users: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Score by the factors as they were trained."""
        found: np.ndarray[Any, Any] = self.model.user_factors[users] @ self.model.item_factors.T
        return found

    def recommend(self, k: int) -> np.ndarray[Any, Any]:
        """Rank by the model's own `recommend`."""
        items: np.ndarray[Any, Any] = self.model.recommend(
            self.users, self.confidence, N=k, recalculate_user=self.refold
        )[0]
        return items


if __name__ == "__main__":
    run(ALS)

"""sansa, SANSA as its authors have it: ``python run_sansa.py FOLDER``, in sansa's environment."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import scipy.sparse as sp
from sansa import SANSA, CHOLMODGramianFactorizerConfig, SANSAConfig, UMRUnitLowerTriangleInverterConfig

from job import Job, run

logging.disable(logging.INFO)


class Sansa:
    """The one model that it has, by CHOLMOD's factor."""

    def __init__(self, job: Job) -> None:
        self.data = sp.csr_matrix(job.train, dtype=np.float32)  # it does not know csr_array
        factor, inverse = CHOLMODGramianFactorizerConfig(), UMRUnitLowerTriangleInverterConfig()
        self.model: Any = SANSA(
            SANSAConfig(gramian_factorizer_config=factor, lower_triangle_inverter_config=inverse, **job.params)
        )

    def train(self, epoch_done: Any) -> None:
        """Learn, in closed form."""
        self.model.fit(self.data)
        epoch_done()

    def scores(self, users: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Score these users."""
        found: np.ndarray[Any, Any] = self.model.forward(self.data[users]).toarray()
        return found


if __name__ == "__main__":
    run(Sansa)

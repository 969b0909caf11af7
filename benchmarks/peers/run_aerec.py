"""aerec as one of the peers: ``python run_aerec.py FOLDER``, in aerec's own environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from aerec import Interactions
from aerec.network.network import Network
from aerec.noise import MaskingNoise
from aerec.registry import get_model_class
from aerec.training.callbacks import Callback
from job import Job, run


class _Told(Callback):
    """Calls a function after each epoch, when the model in training is that of the peer."""

    def __init__(self, peer: Aerec, epoch_done: Callable[[], None]) -> None:
        self._peer, self._call = peer, epoch_done

    def epoch_done(self, record: Any, model: Any) -> None:
        self._peer.model = model  # `fit` leaves the estimator as it was until it is done
        self._call()


class Aerec:
    """Any model of aerec, by its name on the command line."""

    def __init__(self, job: Job) -> None:
        torch.set_num_threads(job.threads)
        self.train_data = Interactions.from_matrix(job.train)
        model = get_model_class(job.model)
        params = dict(job.params)
        if "noise" in params:  # JSON holds the share of masked entries
            params["noise"] = None if params["noise"] is None else MaskingNoise(params["noise"])
        if "hidden" in params:
            params["hidden"] = tuple(np.atleast_1d(params["hidden"]).tolist())
        if "deviations" in params:  # no parameter of aerec's
            _draw_within(params.pop("deviations"))
        defaults = model().get_params()
        own = {"epochs": job.epochs, "seed": job.seed, "progress": False}
        self.model: Any = model(**params, **{key: value for key, value in own.items() if key in defaults})

    def train(self, epoch_done: Any) -> None:
        """Fit; neural models tell of each epoch, the others when they are done."""
        if "epochs" in self.model.get_params() and hasattr(self.model, "partial_fit"):
            self.model = self.model.fit(self.train_data, callbacks=[_Told(self, epoch_done)])
        else:
            self.model.fit(self.train_data)
            epoch_done()

    def scores(self, users: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Score all items; users are known by id."""
        found: np.ndarray[Any, Any] = self.model.score_items(self.train_data.select_users(users))
        return found

    def recommend(self, k: int) -> np.ndarray[Any, Any]:
        """Rank by the model's own `rank`."""
        items: np.ndarray[Any, Any] = self.model.rank(self.train_data, k)[0]
        return items


def _draw_within(deviations: float) -> None:
    """Have variational codes drawn with so many of their standard deviations, where aerec draws with one."""
    draw = Network._draw
    Network._draw = lambda self, mean, *of: mean + deviations * (draw(self, mean, *of) - mean)  # type: ignore[method-assign]


if __name__ == "__main__":
    run(Aerec)

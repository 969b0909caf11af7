"""What an autoencoder is validated on between epochs, and what binds a checkpoint to its training."""

from __future__ import annotations

import hashlib
from typing import Any

from aerec.errors import DataError
from aerec.metrics import RATING_METRICS, higher_is_better, measure_ranking, parse_metric
from aerec.recommender.base import Recommender
from aerec.recommender.rating import PredictsRatings
from aerec.recommender.saving import add_to_digest, encode_parameter
from aerec.splitting import Holdout
from aerec.training.weights import Validator

__all__ = ["holdout_validator", "training_identity"]


def holdout_validator(model: Recommender, holdout: Holdout, metric: str | None) -> Validator:
    """Measure a metric on `holdout` with the weights of the moment.

    Parameters
    ----------
    model : Recommender
        While it is trained.
    holdout : Holdout
    metric : str, optional
        By default "ndcg@100", or "rmse" where the model predicts ratings.
    """
    name = metric or ("rmse" if isinstance(model, PredictsRatings) else "ndcg@100")
    if holdout.target.n_ratings == 0:
        raise DataError(f"{name} cannot be measured: nobody in the validation data has a held-out item")
    if model.items_ is not None:
        holdout = holdout.over(model.items_)
    if name not in RATING_METRICS:
        k = parse_metric(name)[1]
        if k == 0:
            raise ValueError(f"{name} ranks all items, which takes too long after every epoch; choose one with @k")

        def measure_lists() -> float:
            ranking, _ = model.rank(holdout.history, k, exclude=holdout.exclude, allow_items=holdout.candidates)
            return measure_ranking(name, ranking, holdout.target, model.n_features_in_)

        return Validator(name, measure_lists, higher_is_better(name))
    if not isinstance(model, PredictsRatings):
        raise DataError(
            f"{type(model).__name__} ranks items and does not predict ratings: validation_metric={name!r} needs "
            "a model with predict, such as AutoRec"
        )
    pairs, predict = holdout.target.to_frame(), model.predict
    return Validator(
        name,
        lambda: RATING_METRICS[name](pairs["rating"], predict(pairs["user"], pairs["item"])),
        higher_is_better(name),
    )


def training_identity(model: Recommender, train: Any, validation: Any) -> dict[str, Any]:
    """Return what tells a training from others: the model, its parameters, and digests of the data."""
    parameters = {name: value for name, value in model.get_params(deep=False).items() if name != "progress"}
    encoded = {name: encode_parameter(value) for name, value in parameters.items()}
    return {"model": type(model).__name__, **encoded, "data": _digest(train), "validation data": _digest(validation)}


def _digest(data: Any) -> str:
    digest = hashlib.sha256()
    add_to_digest(digest, data)
    return digest.hexdigest()[:16]

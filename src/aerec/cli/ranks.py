"""The processes that torchrun starts, as the verbs see them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from aerec.recommender.base import Recommender
    from aerec.training.distributed import Ranks


def join_ranks(context: typer.Context, model: Recommender) -> Ranks | None:
    """Join the other processes that train `model`, until the command of `context` ends; None where there are none.

    Raises
    ------
    ValueError
        If the model does not learn in epochs, and so not on several processes.
    """
    from sklearn.utils.validation import has_fit_parameter

    rank, size = rank_and_size()
    if size == 1:
        return None
    if not has_fit_parameter(model, "checkpoint"):
        raise ValueError(f"{type(model).__name__} is not trained on several processes; run it without torchrun")
    from aerec.training.distributed import joined

    if rank > 0:
        model.set_params(progress=False)
    return context.with_resource(joined(model.device))


def rank_and_size() -> tuple[int, int]:
    """Return which of how many processes of torchrun this is; (0, 1) without it."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def restarts() -> int:
    """How many times torchrun has started this process again after one of them died."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))

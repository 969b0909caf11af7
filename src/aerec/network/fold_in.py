"""Fold-in: the weights of users who were not there in training, from their ratings and trained item vectors."""

from __future__ import annotations

import torch
from torch import Tensor

from aerec.network.batches import SparseBatch
from aerec.network.products import observed_logits, scatter_rows

_TOLERANCE = 1e-5


def ridge_rows(batch: SparseBatch, items: Tensor, prior: Tensor, l2: float, max_steps: int = 100) -> Tensor:
    r"""Return for each user u the weights w that fit the ratings, as close to `prior` as `l2` asks for.

    .. math:: \min_w \tfrac12 \sum_{i \in u} (r_{ui} - w^\top a_i)^2 + \tfrac{l2}{2} \|w - w_0\|^2

    All users at once by conjugate gradients on the normal equations; only products at observed entries are formed.

    Parameters
    ----------
    batch : SparseBatch of shape (n_users, n_items)
        The ratings r.
    items : Tensor of shape (n_items, n_weights)
        The vectors a.
    prior : Tensor of shape (n_weights,)
        w₀; what a user without ratings gets.
    l2 : float > 0
    max_steps : int, default 100

    Returns
    -------
    Tensor of shape (n_users, n_weights)
    """
    pattern, no_bias = batch.pattern, items.new_zeros(len(items))

    def normal(weights: Tensor) -> Tensor:
        return scatter_rows(pattern, observed_logits(weights, items, no_bias, pattern), items) + l2 * weights

    start = prior.expand(batch.n_rows, -1)
    change = torch.zeros_like(start)
    residual = scatter_rows(pattern, batch.values - observed_logits(start, items, no_bias, pattern), items)
    direction, size = residual.clone(), residual.square().sum(dim=1)
    enough = _TOLERANCE**2 * size
    for _ in range(max_steps):
        if bool((size <= enough).all()):
            break
        image = normal(direction)
        step = torch.where(size > enough, size / (direction * image).sum(dim=1).clamp_min(1e-30), 0.0)[:, None]
        change += step * direction
        residual -= step * image
        new_size = residual.square().sum(dim=1)
        direction = residual + (new_size / size.clamp_min(1e-30))[:, None] * direction
        size = torch.where(step[:, 0] > 0, new_size, size)
    return start + change

"""Passes over many rows that learn nothing, block by block: their codes, their reconstructions, their cost."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aerec.errors import DataError
from aerec.network.batches import Batch
from aerec.network.device import without_gradients
from aerec.network.network import Network
from aerec.network.rows import Rows
from aerec.sparsity import Sparsity

_BLOCK_ROWS = 1024  # rows encoded at once


def batches(
    network: Network, rows: Rows, users: NDArray[np.int64] | None = None
) -> Iterator[tuple[slice, Batch, Tensor | None]]:
    """Give the rows block by block: where they stand, the batch, and its users where the network has user factors.

    Parameters
    ----------
    network : Network
    rows : Rows
    users : ndarray of int64, shape (n_rows,), optional
        Training row of each user; −1 for someone new, which all are by default.
    """
    users = np.full(rows.shape[0], -1, dtype=np.int64) if users is None else users
    for start in range(0, rows.shape[0], _BLOCK_ROWS):
        block = slice(start, min(start + _BLOCK_ROWS, rows.shape[0]))
        batch = rows.batch(torch.arange(block.start, block.stop))
        known = None
        if network.user_factors is not None:
            known = torch.as_tensor(users[block], device=network.user_factors.device)
        yield block, batch, known


@without_gradients()
def encoded(network: Network, rows: Rows, users: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the code of each row (the mean, where it is variational); shape (n_rows, n_code)."""
    codes = np.empty((rows.shape[0], network.architecture.hidden[-1]), dtype=np.float32)
    for block, batch, known in batches(network, rows, users):
        codes[block] = network.encode(batch, known, with_variance=False)[0].cpu().numpy()
    return codes


@without_gradients()
def decoded(network: Network, code: Tensor) -> NDArray[np.float32]:
    """Return the mean of the likelihood that belongs to each code; shape (n_rows, n_items)."""
    return network.architecture.likelihood.reconstruction(network.decode(code)).cpu().numpy()


@without_gradients()
def reconstructed(network: Network, rows: Rows, users: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return what is decoded of the code of each row; shape (n_rows, n_items)."""
    output = np.empty(rows.shape, dtype=np.float32)
    for block, batch, known in batches(network, rows, users):
        output[block] = decoded(network, network.encode(batch, known, with_variance=False)[0])
    return output


@without_gradients()
def mean_cost(
    network: Network, rows: Rows, users: NDArray[np.int64], sparsity: Sparsity | None, kl_weight: float
) -> float:
    """Return the mean over rows of [−log p(x | logits) + sparsity penalty + kl_weight · KL], without noise.

    The activations that a penalty looks at are averaged over all rows.

    Raises
    ------
    DataError
        If there are no rows.
    """
    if rows.shape[0] == 0:
        raise DataError("the cost is a mean over rows, and there are none")
    sums = torch.zeros(2, dtype=torch.float64)
    statistic = torch.zeros(network.architecture.hidden[-1], dtype=torch.float64)
    for _, batch, known in batches(network, rows, users):
        cost, activity = network.cost(batch, known)
        sums += torch.stack([cost.likelihood, cost.kl]).cpu().double() * batch.n_rows
        statistic += activity.cpu().double()
    likelihood, kl = (sums / rows.shape[0]).tolist()
    penalty = 0.0 if sparsity is None else float(sparsity.cost(statistic / rows.shape[0]))
    return float(likelihood + penalty + kl_weight * kl)

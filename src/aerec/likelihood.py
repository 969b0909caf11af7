r"""Reconstruction losses: −log p(x | logits) of a row x, summed over its entries.

Three of them score *every* entry, rated or not, and are exponential families: with logits l,

.. math:: -\log p(x \mid l) = A(l) - \sum_j x_j l_j + c(x), \qquad \partial / \partial l = \nabla A(l) - x,

where A is the log-partition function and ∇A the mean of the distribution. Only Σ xⱼlⱼ and the subtraction of x involve
the data, and both touch nothing but the stored entries: no dense target is ever made. A is computed piece by piece of
the items, each while it is in the cache.

=============  ===========================  ==================  ============
name           A(l)                         mean ∇A(l)          c(x)
=============  ===========================  ==================  ============
multinomial    (Σx) · log Σⱼ exp lⱼ         (Σx) · softmax(l)   0
bernoulli      Σⱼ log(1 + exp lⱼ)           sigmoid(l)          0
gaussian       ½ Σⱼ lⱼ²                     l                   ½ Σⱼ xⱼ²
=============  ===========================  ==================  ============

The fourth, "observed", is the squared error ½ Σ (xⱼ − lⱼ)² over the rated entries only (AutoRec).

Where ratings have weights (`Interactions.with_weights`), the term of each is multiplied by its weight, and unrated
entries keep weight 1. Bernoulli, gaussian and observed are sums over entries:

.. math:: \sum_j w_j \big(-\log p(x_j \mid l_j)\big), \qquad \partial / \partial l_j = w_j (\nabla A(l)_j - x_j).

A multinomial row counts draws of items, so that each is drawn as often as it weighs: x becomes wx, also in Σx.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aerec.canonical import LARGEST_RATING
from aerec.errors import DataError

__all__ = ["LIKELIHOODS", "Likelihood", "check_values"]


class Likelihood(Protocol):
    """What the network and its losses need to know of a likelihood."""

    name: str
    all_entries: bool
    """Whether unrated entries count as zeros (True) or do not count (False)."""
    counts_draws: bool
    """Whether the entries of a row share one term, in which a weight multiplies the value."""
    lowest: float
    highest: float
    """The values that an entry may take."""

    def block(self, logits: Tensor) -> Tensor:
        """Turn the logits of some pieces of the items into the mean, in place, and return what `combine` needs of them.

        Parameters
        ----------
        logits : Tensor of shape (n_pieces, n_items, n_rows)
            Becomes ∇A(l) up to the factor, one per piece and row, that `combine` gives.

        Returns
        -------
        Tensor of shape (n_pieces, n_numbers, n_rows)
        """

    def combine(self, parts: Tensor, totals: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return A(l), summed over the rows, and the factors that the means of each row lack; None stands for 1.

        Parameters
        ----------
        parts : Tensor of shape (n_pieces, n_numbers, n_rows)
            What `block` returned, of all pieces.
        totals : Tensor of shape (n_rows,)
            Σⱼ xⱼ of each row.

        Returns
        -------
        partition : Tensor, scalar
        factors : Tensor of shape (n_pieces, n_rows), or None
        """

    def constant(self, values: Tensor) -> Tensor:
        """c(x) summed over the entries `values`, a scalar."""

    def of_entries(self, logits: Tensor, values: Tensor) -> Tensor:
        """Return −log p of each of some entries, where these have terms of their own."""

    def prior_logits(self, sums: NDArray[np.floating[Any]], n_rows: int) -> NDArray[np.float32]:
        """Return logits that say of each entry what holds for the average row.

        Parameters
        ----------
        sums : ndarray of shape (n_items,)
            Of each column of the training data.
        n_rows : int
        """

    def reconstruction(self, logits: Tensor) -> Tensor:
        """Return what the user sees as the reconstruction: the mean, for the multinomial as probabilities."""


class Multinomial:
    """Entries are counts of one draw of Σx items: −Σⱼ xⱼ log softmax(l)ⱼ (Liang et al. 2018)."""

    name, all_entries, counts_draws, lowest, highest = "multinomial", True, True, 0.0, LARGEST_RATING

    def block(self, logits: Tensor) -> Tensor:
        """Return the largest logit m of a piece and Σ exp(l − m); the mean is left as exp(l − m)."""
        largest = logits.amax(dim=1, keepdim=True)
        return torch.cat([largest, logits.sub_(largest).exp_().sum(dim=1, keepdim=True)], dim=1)

    def combine(self, parts: Tensor, totals: Tensor) -> tuple[Tensor, Tensor | None]:
        """A(l) = Σx · logsumexp(l)."""
        largest, sums = parts.unbind(dim=1)
        top = largest.amax(dim=0)
        scale = (largest - top).exp_()
        sums = (scale * sums).sum(dim=0)
        return torch.dot(top + sums.log(), totals), scale.mul_(totals / sums)

    def constant(self, values: Tensor) -> Tensor:
        """Without the multinomial coefficient, as in the literature."""
        return values.new_zeros(())

    def of_entries(self, logits: Tensor, values: Tensor) -> Tensor:
        """Refuse: all entries of a row share a partition function."""
        raise NotImplementedError("the entries of a multinomial row have no terms of their own")

    def prior_logits(self, sums: NDArray[np.floating[Any]], n_rows: int) -> NDArray[np.float32]:
        """Log of n_j + 1, centred: softmax of it is the share of each item, with one more rating for each.

        Softmax ignores the mean; an index of item vectors that is searched by inner products does not.
        """
        logits: NDArray[np.float32] = (np.log(sums + 1.0) - np.log(sums + 1.0).mean()).astype(np.float32)
        return logits

    def reconstruction(self, logits: Tensor) -> Tensor:
        """Probabilities over items; each row sums to 1."""
        return torch.softmax(logits, dim=1)


class Bernoulli:
    """Each entry is 0 or 1 (or a probability): the logistic loss, over all entries (CDAE)."""

    name, all_entries, counts_draws, lowest, highest = "bernoulli", True, False, 0.0, 1.0

    def block(self, logits: Tensor) -> Tensor:
        """Σ softplus(l)."""
        total = torch.nn.functional.softplus(logits).sum(dim=1, keepdim=True)
        torch.sigmoid(logits, out=logits)
        return total

    def combine(self, parts: Tensor, totals: Tensor) -> tuple[Tensor, Tensor | None]:
        """A(l) = Σ softplus(l)."""
        return parts.sum(), None

    def constant(self, values: Tensor) -> Tensor:
        """0."""
        return values.new_zeros(())

    def of_entries(self, logits: Tensor, values: Tensor) -> Tensor:
        """softplus(l) − xl."""
        return torch.nn.functional.softplus(logits) - values * logits

    def prior_logits(self, sums: NDArray[np.floating[Any]], n_rows: int) -> NDArray[np.float32]:
        """Log of (n_j + 1) / (n − n_j + 1): sigmoid of it is the share of the rows that hold the item."""
        logits: NDArray[np.float32] = (np.log(sums + 1.0) - np.log(n_rows - sums + 1.0)).astype(np.float32)
        return logits

    def reconstruction(self, logits: Tensor) -> Tensor:
        """Probabilities of a 1."""
        return torch.sigmoid(logits)


class Gaussian:
    """Unit-variance normal entries: the squared error ½(x − l)² over all entries."""

    name, all_entries, counts_draws, lowest, highest = "gaussian", True, False, -float("inf"), float("inf")

    def block(self, logits: Tensor) -> Tensor:
        """½ Σ l²; the logits are the mean."""
        return 0.5 * logits.square().sum(dim=1, keepdim=True)

    def combine(self, parts: Tensor, totals: Tensor) -> tuple[Tensor, Tensor | None]:
        """A(l) = ½ Σ l²."""
        return parts.sum(), None

    def constant(self, values: Tensor) -> Tensor:
        """½ Σ x²."""
        return 0.5 * torch.dot(values, values)

    def of_entries(self, logits: Tensor, values: Tensor) -> Tensor:
        """½ (x − l)²."""
        return 0.5 * (values - logits).square()

    def prior_logits(self, sums: NDArray[np.floating[Any]], n_rows: int) -> NDArray[np.float32]:
        """Mean of each column."""
        return (sums / n_rows).astype(np.float32)

    def reconstruction(self, logits: Tensor) -> Tensor:
        """Return the logits themselves."""
        return logits


class Observed(Gaussian):
    """The squared error ½(x − l)² over the rated entries only (AutoRec)."""

    name, all_entries = "observed", False


LIKELIHOODS: dict[str, Likelihood] = {
    likelihood.name: likelihood for likelihood in (Multinomial(), Bernoulli(), Gaussian(), Observed())
}


def check_values(likelihood: Likelihood, values: NDArray[np.floating[Any]]) -> None:
    """Refuse values that a likelihood does not take, with a DataError; there is one at least."""
    if values.min() < likelihood.lowest or values.max() > likelihood.highest:
        raise DataError(
            f"likelihood={likelihood.name!r} takes values from {likelihood.lowest:g} to {likelihood.highest:g}, "
            f"these go from {values.min():g} to {values.max():g}; binarize the ratings, or use 'gaussian'"
        )

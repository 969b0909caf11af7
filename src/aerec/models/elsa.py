"""ELSA: the scalable linear autoencoder with unit item vectors of Vančura et al. 2022."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from aerec.likelihood import LIKELIHOODS
from aerec.models.autoencoder import Autoencoder
from aerec.models.base import item_popularity
from aerec.sparse import CSR, canonical_csr, row_ids
from aerec.training.batches import Batch, Rows
from aerec.training.loop import Trainer
from aerec.training.losses import first_layer
from aerec.training.network import Architecture, Cost, Network

__all__ = ["ELSA"]

_TINY = 1e-12


class ELSA(Autoencoder):
    r"""Linear autoencoder of low rank without a diagonal: score = x · (AAᵀ − I), the rows of A of length 1.

    .. math:: \min_A \tfrac{1}{n} \sum_x \Big\| \frac{o}{\|o\|} - \frac{x}{\|x\|} \Big\|^2
              = \tfrac{1}{n} \sum_x 2 - 2 \cos(o, x), \qquad o = x A A^\top - x, \quad \|A_j\| = 1

    Unit rows make the diagonal of AAᵀ − I zero, so that no item predicts itself. It is what `EASE` is for catalogues
    whose item-item matrix does not fit: memory grows with n_items · n_factors.

    Neither o nor any other block of rows × items is made in training: with z = xA, which is summed from the rows of A
    at the stored ratings, and C = AᵀA,

    .. math:: o \cdot x = \|z\|^2 - \|x\|^2, \qquad \|o\|^2 = z C z^\top - 2 \|z\|^2 + \|x\|^2 .

    Parameters
    ----------
    n_factors : int, default 256
        Length of the item vectors.
    epochs : int, default 30
    batch_size : int, default 500
    learning_rate : float, default 0.1
        Of NAdam (the cost does not depend on the lengths that the rows of A have before they are scaled).
    patience, validation_metric, device, precision, seed, progress
        As in `Autoencoder`.

    Attributes
    ----------
    item_vectors_ : ndarray of shape (n_items, n_factors), float32
        A.

    Notes
    -----
    `transform` gives xA, `generate` codes times Aᵀ, so that `reconstruct` is xAAᵀ; `score_items` subtracts x. An empty
    history is ranked by popularity. There are no biases: `intercepts_` is empty.

    References
    ----------
    Vančura, Alves, Kasalický, Kordík (2022). Scalable linear shallow autoencoder for collaborative filtering. RecSys.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import ELSA
    >>> likes = load_dataset("sample").binarize(4.0)
    >>> model = ELSA(n_factors=16, epochs=2, progress=False).fit(likes)
    >>> model.item_vectors_.shape
    (600, 16)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Autoencoder._parameter_constraints,
        "n_factors": [Interval(Integral, 1, None, closed="left")],
    }
    _popularity_for_empty = True

    network_: _ELSANetwork

    def __init__(
        self,
        n_factors: int = 256,
        epochs: int = 30,
        batch_size: int = 500,
        learning_rate: float = 0.1,
        patience: int | None = 10,
        validation_metric: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        seed: int = 0,
        progress: bool = True,
    ) -> None:
        super().__init__(
            hidden=n_factors,
            activation="identity",
            noise=None,
            likelihood="gaussian",
            tied=True,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            patience=patience,
            validation_metric=validation_metric,
            device=device,
            precision=precision,
            seed=seed,
            progress=progress,
        )
        self.n_factors = n_factors

    @property
    def item_vectors_(self) -> NDArray[np.float32]:
        """A, the unit vectors of the items; shape (n_items, n_factors)."""
        return self.coefs_[0]

    def _build(self, n_inputs: int, n_users: int) -> Network:
        architecture = Architecture(
            n_inputs=n_inputs,
            hidden=(int(self.n_factors),),
            activation="identity",
            likelihood=LIKELIHOODS["gaussian"],
            tied=True,
        )
        return _ELSANetwork(architecture, torch.Generator().manual_seed(int(self.seed)))

    def _make_trainer(self, **options: Any) -> Trainer:
        return _NAdamTrainer(**options)

    def _started(self, data: CSR | NDArray[np.float32], rows: Rows) -> None:
        self.popularity_ = item_popularity(canonical_csr(data))

    def _finished(self) -> None:
        self.network_.settle()

    def _score(self, history: CSR, known_users: NDArray[np.int64]) -> NDArray[np.float32]:
        scores = super()._score(history, known_users)
        scores[row_ids(history), history.indices] -= history.data
        return scores

    def _contributions(
        self, history: CSR, items: NDArray[np.int64], known_users: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the exact terms of the sum, xᵢ · (AᵢAⱼ − [i = j])."""
        vectors = self.item_vectors_
        seen, asked = vectors[history.indices].astype(np.float64), vectors[items].astype(np.float64)
        weights = seen @ asked.T - (history.indices[:, None] == items)
        terms: NDArray[np.float64] = history.data[:, None] * weights
        return terms


class _ELSANetwork(Network):
    """One matrix, whose rows are scaled to length 1 wherever it is read."""

    def vectors(self) -> Tensor:
        """A; shape (n_items, n_factors)."""
        return nn.functional.normalize(self.encoder_weights[0], dim=1)

    @torch.no_grad()
    def settle(self) -> None:
        """Scale the stored rows themselves, so that they are what `coefs_` shows."""
        self.encoder_weights[0].copy_(self.vectors())

    def encode(
        self,
        batch: Batch,
        users: Tensor | None = None,
        *,
        noise_from: torch.Generator | None = None,
        half: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return xA."""
        return first_layer(batch, self.vectors()), None

    def decode(self, code: Tensor) -> Tensor:
        """Return code · Aᵀ."""
        return code @ self.vectors().T

    def cost(
        self,
        batch: Batch,
        users: Tensor | None = None,
        *,
        noise_from: torch.Generator | None = None,
        corrupt: bool = True,
        half: bool = False,
    ) -> tuple[Cost, Tensor]:
        """Return the mean over rows of 2 − 2 cos(o, x) as the likelihood part; rows without ratings count 2."""
        vectors = self.vectors()
        code = first_layer(batch, vectors)
        own, of_code = batch.squares(), code.square().sum(dim=1)
        of_output = ((code @ (vectors.T @ vectors)) * code).sum(dim=1) - 2 * of_code + own
        cosine = (of_code - own) / (of_output.clamp_min(_TINY) * own.clamp_min(_TINY)).sqrt()
        loss = (2 - 2 * cosine).mean()
        return Cost(loss, loss.new_zeros(()), loss.new_zeros(())), code.new_zeros(code.shape[1])

    def biases(self) -> list[nn.Parameter]:
        """None that learn."""
        return []


class _NAdamTrainer(Trainer):
    """NAdam instead of Adam, as in the paper."""

    def _adam(self, decayed: list[nn.Parameter], free: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.NAdam([*decayed, *free], lr=self.learning_rate)

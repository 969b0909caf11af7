"""SparseELSA: ELSA with item vectors of few entries, for catalogues whose dense vectors take too much memory."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from aerec.dimensions import Number, Space, Whole
from aerec.display.progress import EpochProgress
from aerec.errors import TrainingError
from aerec.interactions import Interactions
from aerec.network.device import resolve_device, with_gradients
from aerec.network.products import Scratch
from aerec.network.rows import Rows, shuffled, sparse_rows
from aerec.network.unit_rows import unit_products, unit_rows
from aerec.parameters import Constraint, RealNumber, WholeNumber
from aerec.recommender.base import Recommender
from aerec.recommender.scorer import Scorer, UserBlock
from aerec.sparse import CSR, row_ids
from aerec.splitting import Holdout
from aerec.training.optimizers import BlockwiseNAdam

__all__ = ["SparseELSA"]

_ANNEALED = 2 / 3  # share of the steps over which entries are taken away
_TINY = 1e-12


class SparseELSA(Recommender):
    r"""`ELSA` whose item vectors have few entries: score = x · (AAᵀ − I), the rows of A sparse and of length 1.

    .. math:: \min_A \tfrac{1}{n} \sum_x 2 - 2 \cos(x A A^\top - x, \; x), \qquad \|A_j\| = 1, \quad
              \|A_j\|_0 \le k

    Training begins with dense vectors. Over the first two thirds of the steps the entries of each row that are smallest
    in magnitude are set to 0, so that from `n_factors` geometrically fewer are left until there are `n_active`; in the
    last third those that are left learn on. A is kept in CSR form: 8 bytes an entry, where a dense vector has 4
    for each of its factors. Few of many factors rank better than few factors, but worse than many: measure it on your
    data. Scoring takes two sparse products. An empty history is ranked by popularity.

    Parameters
    ----------
    n_factors : int, default 512
        Length of the item vectors.
    n_active : int, default 12
        k: entries of a vector that are not 0, at most; all of them where there are no more factors.
    epochs : int, default 30
    batch_size : int, default 128
    learning_rate : float, default 0.03
        Of NAdam (the cost does not depend on the lengths that the rows of A have before they are scaled).
    device : str, default "auto"
    seed : int, default 0
    progress : bool or int, default True

    Attributes
    ----------
    factors_ : csr_array of shape (n_items, n_factors), float32
        A.

    References
    ----------
    Vančura, Alves, Kasalický, Kordík (2022). Scalable linear shallow autoencoder for collaborative filtering. RecSys.

    Vančura et al. (2026), on item vectors compressed to few entries while they are trained.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import SparseELSA
    >>> likes = load_dataset("sample").binarize(4.0)
    >>> model = SparseELSA(n_factors=64, n_active=8, epochs=2, progress=False).fit(likes)
    >>> model.factors_.shape, model.factors_.nnz
    ((600, 64), 4800)
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "n_factors": [WholeNumber(1)],
        "n_active": [WholeNumber(1)],
        "epochs": [WholeNumber(1)],
        "batch_size": [WholeNumber(1)],
        "learning_rate": [RealNumber(above=0)],
        "device": [str],
        "seed": [WholeNumber(0, 2**32 - 1)],
        "progress": [bool, WholeNumber(0)],
    }
    _learned = ("factors_",)
    _popularity_for_empty = True

    search_space: ClassVar[Space] = {
        "n_factors": Whole(256, 2048, log=True),
        "n_active": Whole(8, 64, log=True),
        "learning_rate": Number(0.01, 0.5, log=True),
    }

    factors_: CSR

    def __init__(
        self,
        n_factors: int = 512,
        n_active: int = 12,
        epochs: int = 30,
        batch_size: int = 128,
        learning_rate: float = 0.03,
        device: str = "auto",
        seed: int = 0,
        progress: bool | int = True,
    ) -> None:
        self.n_factors = n_factors
        self.n_active = n_active
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.device = device
        self.seed = seed
        self.progress = progress

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        rows = sparse_rows(train.matrix, resolve_device(self.device))
        with with_gradients():
            dense = self._trained(rows).cpu().numpy()
        self.factors_ = sp.csr_array(dense)
        self.factors_.sort_indices()

    def _trained(self, rows: Rows) -> Tensor:
        """Return A, with zeros.

        A loop of its own: there is neither a checkpoint nor early stopping to share with `Training`, and a `Network`
        and a `Trainer` for one matrix that loses entries after each step would be longer than the loop.
        """
        device, order = resolve_device(self.device), torch.Generator().manual_seed(int(self.seed))
        shape = rows.shape[1], int(self.n_factors)
        drawn = 2 * torch.rand(shape, generator=order, dtype=torch.float32) - 1
        weight = drawn.mul_((6 / sum(shape)) ** 0.5).to(device).requires_grad_()
        kind = BlockwiseNAdam if device.type == "cpu" else torch.optim.NAdam
        optimizer = kind([weight], lr=float(self.learning_rate))
        epochs, batch_size = int(self.epochs), int(self.batch_size)
        n_steps, step = epochs * -(-rows.shape[0] // batch_size), 0
        support, n_left, scratch = torch.ones_like(weight, requires_grad=False), shape[1], Scratch()
        with EpochProgress(type(self).__name__, epochs, self.progress) as progress:
            for epoch in range(1, epochs + 1):
                total = weight.new_zeros(())
                for chosen in torch.split(shuffled(rows, order), batch_size):
                    optimizer.zero_grad()
                    cost = _cost(rows, chosen, weight, scratch)
                    torch.autograd.backward([cost])
                    with torch.no_grad():
                        optimizer.step()
                        step += 1
                        n_wanted = entries_left(step / n_steps, shape[1], int(self.n_active))
                        if n_wanted < n_left:
                            support, n_left = _largest(weight.mul_(support), n_wanted), n_wanted
                        weight.mul_(support)
                        total += cost * len(chosen)
                mean = float(total) / rows.shape[0]
                if not np.isfinite(mean):
                    raise TrainingError("the cost of SparseELSA is no longer a finite number; lower learning_rate")
                progress.epoch_done(epoch, {"cost": mean})
        return unit_rows(weight.detach())

    def _make_scorer(self) -> Scorer:
        return _SparseFactorScorer(self.factors_, self._popularity)


def entries_left(progress: float, n_factors: int, n_active: int) -> int:
    """Return how many entries of a row are left when so much of the training is over."""
    share = min(progress / _ANNEALED, 1.0)
    fewest = min(n_active, n_factors)
    left: int = round(n_factors * (fewest / n_factors) ** share)
    return left


def _largest(weight: Tensor, n: int) -> Tensor:
    """Return 1 in the places of the `n` entries of each row that are largest in magnitude, 0 elsewhere."""
    return torch.zeros_like(weight).scatter_(1, weight.abs().topk(n, dim=1).indices, 1.0)


def _cost(rows: Rows, chosen: Tensor, weight: Tensor, scratch: Scratch) -> Tensor:
    """Return the mean over rows of 2 − 2 cos(o, x), as `ELSA` has it; rows without ratings count 2."""
    batch = rows.batch(chosen)
    code, gram = unit_products(batch, weight, scratch)
    own, of_code = batch.squares(), code.square().sum(dim=1)
    of_output = ((code @ gram) * code).sum(dim=1) - 2 * of_code + own
    cosine = (of_code - own) / (of_output.clamp_min(_TINY) * own.clamp_min(_TINY)).sqrt()
    return (2 - 2 * cosine).mean()


class _SparseFactorScorer(Scorer):
    """Scores by x A Aᵀ − x, from sparse A."""

    def __init__(self, factors: CSR, popularity: NDArray[np.float32] | None) -> None:
        super().__init__(factors.shape[0], popularity)
        self._factors = factors

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        return self.decode(self.code(block), block)

    def _scores_at(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = self._scores(block)[:, columns]
        return scores

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the exact terms of the sum, xᵢ · (AᵢAⱼ − [i = j])."""
        history = block.history
        products = (self._factors[history.indices] @ self._factors[columns].T).toarray()
        terms: NDArray[np.float64] = history.data[:, None] * (
            products.astype(np.float64) - (history.indices[:, None] == columns)
        )
        return terms

    def code(self, block: UserBlock) -> NDArray[np.float32]:
        """Return x A; shape (n_users, n_factors)."""
        code: NDArray[np.float32] = (block.history @ self._factors).toarray()
        return code

    def code_without_each(self, block: UserBlock) -> NDArray[np.float32]:
        """Return x A without each term of the sum; shape (n_values, n_factors)."""
        terms: NDArray[np.float32] = block.history.data[:, None] * self._factors[block.history.indices].toarray()
        return self.code(block) - terms

    def code_size(self) -> int:
        """Return n_factors."""
        return int(self._factors.shape[1])

    def decode(self, code: NDArray[np.float32], block: UserBlock) -> NDArray[np.float32]:
        """Return code · Aᵀ − x."""
        scores: NDArray[np.float32] = np.ascontiguousarray((self._factors @ code.T).T)
        scores[row_ids(block.history), block.history.indices] -= block.history.data
        return scores

    def similarities(self, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the cosines of the vectors."""
        cosines: NDArray[np.float32] = (self._factors[columns] @ self._factors.T).toarray()
        return cosines

    def item_vectors(self) -> NDArray[np.float32]:
        """Return A as a dense array."""
        vectors: NDArray[np.float32] = self._factors.toarray()
        return vectors

    def query_vectors(self, block: UserBlock) -> NDArray[np.float32]:
        """Return x A."""
        return self.code(block)

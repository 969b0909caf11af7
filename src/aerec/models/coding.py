"""What a trained autoencoder does: rows to codes, codes to rows, and what both cost."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.likelihood import LIKELIHOODS
from aerec.models.interpret import InterpretableCode
from aerec.models.neural import NeuralRecommender
from aerec.network.batches import Batch, SparseBatch
from aerec.network.device import use_bfloat16
from aerec.network.rows import Rows
from aerec.recommender.base import History
from aerec.recommender.bf16_ranking import HalfRanking, half_ranking_pays
from aerec.recommender.blocks import score_blocks
from aerec.recommender.ranking import Ranker, UserBlock
from aerec.sparse import CSR, refuse_masked
from aerec.system.memory import require_memory
from aerec.topk import top_k_tensor

__all__ = ["Coding", "output_layer"]

_BLOCK_ROWS = 1024  # rows encoded at once outside of training
_DEVICE_BYTES = 2**28  # of scores held at once on an accelerator
_MANY_ROWS = 128  # from which on NumPy's matrix product is taken on a CPU


class Coding(ClassNamePrefixFeaturesOutMixin, TransformerMixin, InterpretableCode, NeuralRecommender):  # type: ignore[misc]
    """The side of the autoencoders that does not learn: transform, generate, reconstruct, total_cost, weights."""

    _scores_are_logits: ClassVar[bool] = True
    """Whether `_device_scores` is all there is to `_score`, and at items that were not seen nothing but `_logits`."""

    @abstractmethod
    def _training_rows(self, data: CSR | NDArray[np.float32]) -> Rows:
        """Return the rows that the network reads, on the device."""

    def transform(self, X: History) -> NDArray[np.float32]:
        """Return the code of each row (the mean, where it is variational); shape (n_rows, n_code).

        After ``set_output(transform="pandas")`` as a frame, as in every transformer of scikit-learn.
        """
        return self._codes(X)

    def _codes(self, X: History) -> NDArray[np.float32]:
        rows, users = self._rows_of(X)
        codes = np.empty((rows.shape[0], self._n_features_out), dtype=np.float32)
        with torch.inference_mode():
            for at, batch, known in self._blocks(rows, users):
                codes[at] = self.network_.encode(batch, known, with_variance=False)[0].cpu().numpy()
        return codes

    def generate(self, code: ArrayLike) -> NDArray[np.float32]:
        """Return the reconstruction that belongs to a code.

        Parameters
        ----------
        code : array-like of shape (n_rows, n_code)

        Returns
        -------
        ndarray of shape (n_rows, n_items)
            The mean of the likelihood: probabilities for "bernoulli" and (over items) "multinomial", else values.
        """
        check_is_fitted(self)
        checked = check_array(code, dtype=np.float32, force_writeable=True)  # or PyTorch warns of a frame's values
        n_code = self.network_.architecture.hidden[-1]
        if checked.shape[1] != n_code:
            raise ValueError(f"a code has {n_code} units, got an array of shape {checked.shape}")
        return self._decode(torch.as_tensor(checked, device=self._device))

    def reconstruct(self, X: History) -> NDArray[np.float32]:
        """Return ``generate(transform(X))``, without noise; shape (n_rows, n_items).

        Raises
        ------
        InsufficientMemoryError
            If that dense array does not fit into memory.
        """
        rows, users = self._rows_of(X)
        what = f"a reconstruction of {rows.shape[0]:,} × {rows.shape[1]:,}"
        require_memory(4 * rows.shape[0] * rows.shape[1], what, "reconstruct fewer rows at a time, or use recommend")
        found = np.empty(rows.shape, dtype=np.float32)
        with torch.inference_mode():
            for at, batch, known in self._blocks(rows, users):
                found[at] = self._decode(self.network_.encode(batch, known, with_variance=False)[0])
        return found

    def total_cost(self, X: History) -> float:
        """Return the cost of `X` without noise and without weight decay.

        The mean over rows of [−log p(x | logits) + sparsity penalty + kl_weight · KL]; a variational code is its mean,
        and the activations of `KLSparsity` are averaged over all rows of `X`.
        """
        return self._cost_of(*self._rows_of(X))

    def _cost_of(self, rows: Rows, users: NDArray[np.int64]) -> float:
        """Return `total_cost` of what `_rows_of` gave."""
        if rows.shape[0] == 0:
            raise DataError("the cost is a mean over rows, and there are none")
        sums = torch.zeros(2, dtype=torch.float64)
        statistic = torch.zeros(self._n_features_out, dtype=torch.float64)
        with torch.inference_mode():
            for _, batch, known in self._blocks(rows, users):
                cost, found = self.network_.cost(batch, known)
                sums += torch.stack([cost.likelihood, cost.kl]).cpu().double() * batch.n_rows
                statistic += found.cpu().double()
        likelihood, kl = (sums / rows.shape[0]).tolist()
        penalty = 0.0 if self.sparsity is None else float(self.sparsity.cost(statistic / rows.shape[0]))
        return float(likelihood + penalty + self.kl_weight * kl)

    def score(self, X: History, y: Any = None) -> float:
        """Return −`total_cost`, so that scikit-learn's searches maximise it."""
        return -self.total_cost(X)

    @property
    def coefs_(self) -> list[NDArray[np.float32]]:
        """Weights of shape (n_in, n_out), encoder first."""
        check_is_fitted(self, "network_")
        network = self.network_
        layers = [network.effective(weight) for weight in (*network.encoder_weights, *network.decoder())]
        layers[-1] = layers[-1].T
        return [layer.detach().cpu().numpy().copy() for layer in layers]

    @property
    def intercepts_(self) -> list[NDArray[np.float32]]:
        """Biases of shape (n_out,), encoder first."""
        check_is_fitted(self, "network_")
        return [bias.detach().cpu().numpy().copy() for bias in self.network_.biases()]

    @property
    def _n_features_out(self) -> int:
        return self.network_.architecture.hidden[-1]

    def _score(self, history: CSR, known_users: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._device_scores(SparseBatch.of(history, self._device), known_users).cpu().numpy()

    @torch.inference_mode()
    def _device_scores(self, history: SparseBatch, known_users: NDArray[np.int64]) -> torch.Tensor:
        """Return the scores of a block of users where the network lives."""
        return self._logits(self._encoded(history, known_users))

    def _logits(self, code: torch.Tensor) -> torch.Tensor:
        """Return ``network_.decode(code)``."""
        return output_layer(self._last_hidden(code), *self._output_layer())

    def _last_hidden(self, code: torch.Tensor) -> torch.Tensor:
        return self.network_.decode_hidden(code)

    def _output_layer(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return weight and bias of the layer that makes logits of the last hidden one."""
        return self.network_.output_weight, self.network_.decoder_biases[-1]

    def _rank_blocks(self, n_users: int) -> Iterator[NDArray[np.int64]]:
        if not self._ranks_on_device():
            return super()._rank_blocks(n_users)
        return score_blocks(n_users, self.n_features_in_, _DEVICE_BYTES)

    def _ranker(self, n_users: int, k: int) -> Ranker:
        if self._ranks_on_device():
            return self._best_on_device
        on_cpu = self._device.type == "cpu"
        if not (self._scores_are_logits and on_cpu and use_bfloat16(self.precision, self._device)):
            return super()._ranker(n_users, k)
        with torch.inference_mode():
            weight, bias = self._output_layer()
            if not half_ranking_pays(n_users, k, weight):
                return super()._ranker(n_users, k)
            ranking = HalfRanking(weight, bias, n_users)

        @torch.inference_mode()
        def best(block: UserBlock, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
            by_popularity = self._popularity_for_empty and self._empty(block.history, block.known_users).any()
            rank_seen = not any(one is block.history for one in block.left_out)  # their scores may be more than logits
            if by_popularity or rank_seen:
                return self._best(block, k)
            hidden = self._last_hidden(self._code(block.history, block.known_users))
            return ranking.best(hidden, k, block.left_out, block.barred)

        return best

    def _best_on_device(self, block: UserBlock, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rank where the scores are: only the best of them leave an accelerator."""
        device = self._device
        with torch.inference_mode():
            batch = SparseBatch.of(block.history, device)
            scores = self._device_scores(batch, block.known_users)
            if self._popularity_for_empty:
                nothing = torch.from_numpy(self._empty(block.history, block.known_users)).to(device)
                scores = torch.where(nothing[:, None], torch.from_numpy(self.popularity_).to(device), scores)
            for one in block.left_out:
                places = (batch if one is block.history else SparseBatch.of(one, device)).places
                scores.view(-1).index_fill_(0, places, -torch.inf)
            if block.barred is not None:
                scores[:, torch.from_numpy(block.barred).to(device)] = -torch.inf
            columns, values = top_k_tensor(scores, k)
        return columns.cpu().numpy(), values.cpu().numpy()

    def _ranks_on_device(self) -> bool:
        return self._scores_are_logits and self._device.type == "cuda"

    def _scores_at(self, history: CSR, known_users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score the columns `items` only: the output layer is most of the work."""
        network = self.network_
        with torch.inference_mode():
            at = torch.as_tensor(items, device=self._device)
            hidden = network.decode_hidden(self._code(history, known_users))
            logits = torch.addmm(network.decoder_biases[-1][at], hidden, network.output_weight[at].T)
            scores: NDArray[np.float32] = logits.cpu().numpy()
        return scores

    @torch.inference_mode()
    def _code(self, history: CSR, known_users: NDArray[np.int64]) -> torch.Tensor:
        return self._encoded(SparseBatch.of(history, self._device), known_users)

    def _encoded(self, history: SparseBatch, known_users: NDArray[np.int64]) -> torch.Tensor:
        known = torch.as_tensor(known_users, device=self._device)
        return self.network_.encode(history, known, with_variance=False)[0]

    def _decode(self, code: torch.Tensor) -> NDArray[np.float32]:
        with torch.inference_mode():
            logits = self.network_.decode(code)
            found: NDArray[np.float32] = self.network_.architecture.likelihood.reconstruction(logits).cpu().numpy()
        return found

    def _rows_of(self, X: History) -> tuple[Rows, NDArray[np.int64]]:
        """Return the rows of `X` on the device, and the training row of each user (−1: new)."""
        check_is_fitted(self)
        if isinstance(X, Interactions) or issparse(X) or not LIKELIHOODS[self.likelihood].all_entries:
            matrix, known = self._history(X)
            rows = self._training_rows(matrix)
        else:
            self._check_columns(X)
            refuse_masked(X)
            dense = validate_data(self, X, dtype=np.float32, reset=False)
            rows, known = self._training_rows(dense), np.full(len(dense), -1, dtype=np.int64)
        self._check_width(rows.shape[1], self.network_.architecture.n_inputs)
        return rows, known

    def _check_width(self, width: int, trained: int) -> None:
        if width != trained:
            raise DataError(f"{type(self).__name__} was trained on rows of {trained} entries, these have {width}")

    def _blocks(self, rows: Rows, users: NDArray[np.int64]) -> Iterator[tuple[slice, Batch, torch.Tensor | None]]:
        """Give the rows block by block: where they stand, the batch, and its users where they have factors."""
        for start in range(0, rows.shape[0], _BLOCK_ROWS):
            at = slice(start, min(start + _BLOCK_ROWS, rows.shape[0]))
            batch = rows.batch(torch.arange(at.start, at.stop))
            known = torch.as_tensor(users[at], device=self._device) if self.user_factors else None
            yield at, batch, known


def output_layer(hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Return hidden · weightᵀ + bias; `weight` has a row for each item.

    Many rows on a CPU are multiplied by NumPy: its OpenBLAS takes 0.6 of the time of PyTorch's MKL on AMD processors.
    """
    if hidden.device.type != "cpu" or len(hidden) < _MANY_ROWS:
        return hidden @ weight.T if bias is None else torch.addmm(bias, hidden, weight.T)
    scores: NDArray[np.float32] = hidden.detach().numpy() @ weight.detach().numpy().T
    if bias is not None:
        scores += bias.detach().numpy()
    return torch.from_numpy(scores)

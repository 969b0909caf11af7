"""The scorer of a network: it encodes histories and decodes codes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import Self

from aerec.network.batches import DenseBatch, SparseBatch
from aerec.network.device import use_bfloat16, without_gradients
from aerec.network.network import Network
from aerec.recommender.bf16_ranking import FEWEST_USERS, BF16Ranking, bf16_ranking_pays
from aerec.recommender.scorer import Scorer, UserBlock, best_of, cosines, score_blocks
from aerec.system.memory import row_blocks
from aerec.topk import top_k_tensor

_BLOCK_ROWS = 1024  # rows encoded at once for their vectors
_LEFT_OUT_BYTES = 2**24  # Hidden layers and logits of histories without one item, in a block
_DEVICE_BYTES = 2**28  # Scores in a block on an accelerator
_MANY_ROWS = 128  # One thread multiplies this many rows and more with NumPy


class NetworkScorer(Scorer):
    """Scores by the logits of a network.

    Parameters
    ----------
    network : Network
    precision : {"auto", "float32", "bf16"}, default "float32"
        Whether bfloat16 products may name the candidates where many users are ranked. Scores are float32 always.
    popularity
        As in `Scorer`.
    """

    def __init__(
        self, network: Network, precision: str = "float32", popularity: NDArray[np.float32] | None = None
    ) -> None:
        super().__init__(network.architecture.n_inputs, popularity)
        self._network, self._precision = network, precision
        self.device = network.encoder_weights[0].device
        self._on_gpu = self.device.type == "cuda"
        self.block_bytes = _DEVICE_BYTES if self._on_gpu else None

    # ------------------------------------------------------------------ scores

    @without_gradients()
    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        return self.device_scores(block, SparseBatch.of(block.history, self.device)).cpu().numpy()

    def score_at(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score the items `columns` only: the output layer is most of the work."""
        scores = self._scores_at(block, columns)
        if self.popularity is not None:
            scores[block.strangers] = self.popularity[columns]
        return scores

    @without_gradients()
    def _scores_at(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        at = torch.as_tensor(columns, device=self.device)
        weight, bias = self._network.output_weight[at], self._network.output_bias
        hidden = self.last_hidden(block)
        logits = hidden @ weight.T if bias is None else torch.addmm(bias[at], hidden, weight.T)
        return logits.cpu().numpy()

    @without_gradients()
    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how much a score falls when an item is left out of the history.

        The first layer is a sum over the history: the term of one item at a time is subtracted from it.
        """
        first, first_without = self._first_layers(block)
        whole, terms = self._logits_of(first, columns), np.empty((block.history.nnz, len(columns)))
        width = 3 * max(first.shape[1], *self._network.architecture.hidden) + len(columns)
        for places in score_blocks(len(terms), width, _LEFT_OUT_BYTES):
            terms[places] = whole - self._logits_of(first_without(places), columns)
        return terms

    @without_gradients()
    def code_without_each(self, block: UserBlock) -> NDArray[np.float32]:
        """Return the codes of the history of one user without each of its values; shape (n_values, n_code)."""
        _, first_without = self._first_layers(block)
        codes = np.empty((block.history.nnz, self.code_size()), dtype=np.float32)
        for places in score_blocks(len(codes), 3 * max(self._network.architecture.hidden), _LEFT_OUT_BYTES):
            codes[places] = self._network.code_of(first_without(places), with_variance=False)[0].cpu().numpy()
        return codes

    def _first_layers(self, block: UserBlock) -> tuple[Tensor, Callable[[NDArray[np.int64]], Tensor]]:
        """Return the first hidden layer of one user before its activation, and what gives those without values.

        The latter goes from places in the history to layers of the history without the value in each place.
        """
        network, history = self._network, block.history
        values, seen = (torch.tensor(array, device=self.device) for array in (history.data, history.indices))
        weight = network.input_weight(seen.long())
        batch = SparseBatch.of(history, self.device)
        first = network.first_hidden(batch, torch.as_tensor(block.known_users, device=self.device))
        lengths = values.new_ones(len(values) + 1)  # divisors of the sums; the last is for the whole history
        if network.architecture.normalize:
            squares = values.double().square()
            lengths = torch.cat([squares.sum() - squares, squares.sum()[None]]).clamp_min(0).sqrt().float()
        total = values @ weight

        def first_without(places: NDArray[np.int64]) -> Tensor:
            at = torch.as_tensor(places, device=self.device)
            if len(values) == 1:
                return first - total / lengths[-1]
            rest = (total - values[at, None] * weight[at]) / lengths[at, None]
            return first - total / lengths[-1] + rest

        return first, first_without

    def _logits_of(self, first: Tensor, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the logits at `columns` of rows whose first hidden layer, before its activation, is `first`."""
        at = torch.as_tensor(columns, device=self.device)
        hidden = self._network.decode_hidden(self._network.code_of(first, with_variance=False)[0])
        return (hidden @ self._network.output_weight[at].T).cpu().numpy().astype(np.float64)

    def device_scores(self, block: UserBlock, batch: SparseBatch) -> Tensor:
        """Return the scores of a block, whose histories are `batch`, where the network lives; without gradients."""
        return output_layer(self.last_hidden(block, batch), self._network.output_weight, self._network.output_bias)

    def last_hidden(self, block: UserBlock, batch: SparseBatch | None = None) -> Tensor:
        """Return what the output layer reads; shape (n_users, n_hidden)."""
        batch = SparseBatch.of(block.history, self.device) if batch is None else batch
        known = torch.as_tensor(block.known_users, device=self.device)
        return self._network.decode_hidden(self._network.encode(batch, known, with_variance=False)[0])

    # ------------------------------------------------------------------ ranking

    def best(self, block: UserBlock, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rank where the scores are: only the best of them leave a GPU."""
        if not self._on_gpu:
            return super().best(block, k)
        with without_gradients():
            batch = SparseBatch.of(block.history, self.device)
            scores = self.device_scores(block, batch)
            for matrix in block.left_out:
                stored = batch if matrix is block.history else SparseBatch.of(matrix, self.device)
                scores.view(-1).index_fill_(0, stored.pattern.places, -torch.inf)
            if block.barred is not None:
                scores[:, torch.from_numpy(block.barred).to(self.device)] = -torch.inf
            columns, values = (tensor.cpu().numpy() for tensor in top_k_tensor(scores, k))
        return self.strangers_by_popularity(block, k, columns, values)

    def prepared(self, n_users: int, k: int) -> Scorer:
        """Return a scorer that ranks by bfloat16 products where many users are ranked on a processor that has them."""
        if n_users < FEWEST_USERS or self.device.type != "cpu" or not use_bfloat16(self._precision, self.device):
            return self
        with without_gradients():
            weight, bias = self._network.output_weight, self._network.output_bias
            return (
                _BF16Scorer(self, BF16Ranking(weight, bias, n_users)) if bf16_ranking_pays(n_users, k, weight) else self
            )

    def for_single_users(self) -> Self:
        """Lay the output weight out for single rows; its values stay what they are."""
        self._network.lay_out_for_single_rows()
        return self

    # ------------------------------------------------------------------ vectors, codes, graph

    def item_vectors(self) -> NDArray[np.float32]:
        """Return the rows of the output layer, with their bias."""
        with without_gradients():
            weight, bias = self._network.output_weight.cpu().numpy(), self._network.output_bias
        return weight if bias is None else np.concatenate([weight, bias.detach().cpu().numpy()[:, None]], axis=1)

    def similarities(self, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the cosines of the rows of the output layer, without their bias."""
        with without_gradients():
            return cosines(self._network.output_weight.cpu().numpy(), columns)

    @without_gradients()
    def query_vectors(self, block: UserBlock) -> NDArray[np.float32]:
        """Return the last hidden layer of each user, with a 1 where the output layer has a bias."""
        blocks = row_blocks(block.n_users, _BLOCK_ROWS)
        parts = [self.last_hidden(block.take(rows)).cpu().numpy() for rows in blocks]
        width = self._network.output_weight.shape[1]
        vectors = np.concatenate([np.zeros((0, width), dtype=np.float32), *parts])
        return vectors if self._network.output_bias is None else np.pad(vectors, ((0, 0), (0, 1)), constant_values=1)

    @without_gradients()
    def code(self, block: UserBlock) -> NDArray[np.float32]:
        """Return the code of each user (the mean, where it is variational); shape (n_users, n_code)."""
        batch, known = (
            SparseBatch.of(block.history, self.device),
            torch.as_tensor(block.known_users, device=self.device),
        )
        return self._network.encode(batch, known, with_variance=False)[0].cpu().numpy()

    def code_size(self) -> int:
        """Return n_code."""
        return self._network.architecture.hidden[-1]

    @without_gradients()
    def decode(self, code: NDArray[np.float32], block: UserBlock) -> NDArray[np.float32]:
        """Return the logits that belong to a code; shape (n_users, n_items)."""
        hidden = self._network.decode_hidden(torch.as_tensor(code, device=self.device))
        logits = output_layer(hidden, self._network.output_weight, self._network.output_bias)
        return logits.cpu().numpy()

    def unit_weights(self, unit: int, activation: float) -> NDArray[np.float32]:
        """Return decode(activation · unit vector) − decode(0); shape (n_items,)."""
        codes = torch.zeros((2, self.code_size()), dtype=torch.float32, device=self.device)
        codes[1, unit] = activation
        with without_gradients():
            silent, active = self._network.decode(codes)
            weights: NDArray[np.float32] = (active - silent).cpu().numpy()
        return weights

    def unit_contributions(
        self, code: NDArray[np.float32], units: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return how much the logit of each of `columns` falls when each of `units` is 0; (n_units, n_columns)."""
        codes = torch.as_tensor(code, device=self.device).repeat(len(units) + 1, 1)
        codes[torch.arange(len(units)) + 1, torch.as_tensor(units)] = 0.0
        with without_gradients():
            weight = self._network.output_weight[torch.as_tensor(columns, device=self.device)]
            logits = self._network.decode_hidden(codes) @ weight.T
            terms: NDArray[np.float32] = (logits[0] - logits[1:]).cpu().numpy()
        return terms

    def graph(self) -> nn.Module:
        """Return encoder and decoder as a module on the CPU."""
        network = copy.deepcopy(self._network)
        network.fold_features()
        return NetworkGraph(network.cpu().requires_grad_(False))

    def graph_size(self) -> int:
        """Return the number of parameters."""
        return sum(parameter.numel() for parameter in self._network.parameters())

    def strangers_by_popularity(
        self, block: UserBlock, k: int, columns: NDArray[np.int64], values: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Put the most popular items into the rows of those of whom nothing is known."""
        strangers = np.flatnonzero(block.strangers)
        if self.popularity is not None and len(strangers):
            scores = np.tile(self.popularity, (len(strangers), 1))
            columns[strangers], values[strangers] = best_of(scores, block.take(strangers), k)
        return columns, values


class _BF16Scorer(Scorer):
    """A network scorer with a bfloat16 copy of its output layer; for histories that are left out of the lists."""

    def __init__(self, scorer: NetworkScorer, ranking: BF16Ranking) -> None:
        super().__init__(scorer.n_items, scorer.popularity)
        self._scorer, self._ranking = scorer, ranking

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        return self._scorer.score(block)

    def best(self, block: UserBlock, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        if not block.leaves_out_history:  # its scores may be more than logits
            return self._scorer.best(block, k)
        with without_gradients():
            columns, values = self._ranking.best(self._scorer.last_hidden(block), k, block.left_out, block.barred)
        return self._scorer.strangers_by_popularity(block, k, columns, values)


class NetworkGraph(nn.Module):
    """From dense histories to logits."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, history: Tensor) -> Tensor:
        """Return the logits of each row."""
        code, _ = self.network.encode(DenseBatch(history, history[:, 0]), with_variance=False)
        return self.network.decode(code)


def output_layer(hidden: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return hidden · weightᵀ + bias; `weight` has a row for each item.

    One thread of a CPU multiplies many rows by NumPy, whose OpenBLAS takes 0.6 of the time of PyTorch's MKL on AMD
    processors. Several do not: threads of the one wait busily where those of the other want to run, which takes half as
    long again as PyTorch's alone. A single row goes to NumPy at any number of threads.
    """
    many = len(hidden) >= _MANY_ROWS and torch.get_num_threads() == 1
    if hidden.device.type != "cpu" or not (many or len(hidden) == 1):
        return hidden @ weight.T if bias is None else torch.addmm(bias, hidden, weight.T)
    scores: NDArray[Any] = hidden.detach().numpy() @ weight.detach().numpy().T
    if bias is not None:
        scores += bias.detach().numpy()
    return torch.from_numpy(scores)

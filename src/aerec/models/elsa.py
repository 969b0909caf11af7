"""ELSA: the scalable linear autoencoder with unit item vectors of Vančura et al. 2022."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aerec.dimensions import Choice, Number, Space, Whole
from aerec.likelihood import LIKELIHOODS
from aerec.models.autoencoder import Autoencoder
from aerec.models.warm_start import LearnedBefore
from aerec.network.batches import Batch, SparseBatch
from aerec.network.network import Architecture, Cost, Network
from aerec.network.products import first_layer
from aerec.network.rows import Rows, WholeRows
from aerec.network.unit_rows import unit_products, unit_rows
from aerec.parameters import Constraint, WholeNumber
from aerec.recommender.base import History
from aerec.recommender.health import warn_of_vanished_factors
from aerec.recommender.network_scorer import NetworkScorer
from aerec.recommender.new_items import NewItems
from aerec.recommender.scorer import Scorer, UserBlock
from aerec.sparse import CSR, canonical_csr, row_ids
from aerec.training.callbacks import Validator
from aerec.training.optimizers import BlockwiseNAdam
from aerec.training.trainer import EagerSteps, StepOptions, StepSource, Trainer

if TYPE_CHECKING:
    from aerec.training.item_shards import ItemShards

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
    epochs : int or "auto", default "auto"
        "auto" takes up to 100 with validation data, 15 without.
    batch_size : int, default 500
    learning_rate : float, default 0.1
        Of NAdam (the cost does not depend on the lengths that the rows of A have before they are scaled).
    sharded : bool, default False
        On several processes (see the page on scaling): divide the items over them, not the users. Each holds A, its
        gradient and the state of the optimiser for its own items only; in a step they exchange batch × n_factors
        numbers. Without checkpoints. The fitted model is whole, in memory of the processor, on every process.
    learning_rate_schedule, patience, validation_metric, device, precision, seed, progress
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

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        **Autoencoder._parameter_constraints,
        "n_factors": [WholeNumber(1)],
        "sharded": [bool],
    }
    _popularity_for_empty = True
    _takes_weights = False  # its cost is the angle between two rows, of which no rating has a part

    _epochs_alone = 15

    network_: _ELSANetwork
    _shards: ItemShards | None = None  # while it is fitted on several processes

    search_space: ClassVar[Space] = {
        "n_factors": Whole(32, 512, log=True),
        "learning_rate": Number(0.01, 0.5, log=True),
        "batch_size": Choice((128, 256, 500)),
    }

    def __init__(
        self,
        n_factors: int = 256,
        epochs: int | str = "auto",
        batch_size: int = 500,
        learning_rate: float = 0.1,
        learning_rate_schedule: str = "constant",
        sharded: bool = False,
        patience: int | None = 10,
        validation_metric: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        seed: int = 0,
        progress: bool | int = True,
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
            learning_rate_schedule=learning_rate_schedule,
            patience=patience,
            validation_metric=validation_metric,
            device=device,
            precision=precision,
            seed=seed,
            progress=progress,
        )
        self.n_factors = n_factors
        self.sharded = sharded

    @property
    def item_vectors_(self) -> NDArray[np.float32]:
        """A, the unit vectors of the items; shape (n_items, n_factors)."""
        return self.coefs_[0]

    def _fit(self, data: Any, validation: Any, **options: Any) -> None:  # type: ignore[override]
        self._shards = self._shards_of(data.shape[1])
        try:
            super()._fit(data, validation, **options if self._shards is None else {**options, "checkpoint": None})
        finally:
            self._shards = None
        sizes = np.sqrt(np.linalg.eigvalsh(self.item_vectors_.T.astype(np.float64) @ self.item_vectors_).clip(min=0))
        warn_of_vanished_factors("ELSA", sizes, f"lower learning_rate, which is {self.learning_rate:g}")

    def _shards_of(self, n_items: int) -> ItemShards | None:
        """Return which items are whose, where several processes divide them."""
        if not (self.sharded and torch.distributed.is_available() and torch.distributed.is_initialized()):
            return None
        from aerec.training.distributed import Ranks
        from aerec.training.item_shards import ItemShards

        return ItemShards(Ranks(torch.distributed.get_rank(), torch.distributed.get_world_size()), n_items)

    def _training_rows(self, data: CSR | NDArray[np.float32], weights: NDArray[np.float32] | None = None) -> WholeRows:
        return super()._training_rows(data if self._shards is None else canonical_csr(data[:, self._shards.own]))

    def _rows_of(self, X: History) -> tuple[Rows, NDArray[np.int64]]:
        """See `Autoencoder`; of all items, also while it is fitted on several processes."""
        shards, self._shards = self._shards, None
        try:
            return super()._rows_of(X)
        finally:
            self._shards = shards

    def _validator(self, validation: Any) -> Validator | None:
        validator = super()._validator(validation)
        if validator is None or self._shards is None:
            return validator
        shared, local = self._shards.ranks.shared(validator.measure, self._device), self.network_

        def measure() -> float:
            self.network_ = self._whole_network()
            try:
                return shared()
            finally:
                self.network_ = local

        return replace(validator, measure=measure)

    def _whole_network(self) -> _ELSANetwork:
        """Return a network of the items of all processes."""
        assert self._shards is not None
        assert self._training is not None
        own = self._training.trainer.network.encoder_weights[0].detach()
        n_items = self._shards.n_items
        whole = self._new_network(1)  # one item, to draw no initial vectors for nothing
        whole.architecture = replace(whole.architecture, n_inputs=n_items)
        whole.encoder_weights[0] = nn.Parameter(self._shards.gather(own))
        whole.decoder_biases[-1] = nn.Parameter(torch.zeros(n_items, dtype=torch.float32), requires_grad=False)
        return whole

    def _build(self, n_inputs: int, n_users: int) -> Network:
        if self._shards is None:
            return self._new_network(n_inputs)
        network = self._new_network(self._shards.n_items)  # so that the vectors begin where they would undivided
        network.encoder_weights[0] = nn.Parameter(network.encoder_weights[0].detach()[self._shards.own].clone())
        network.add_up = self._shards.add_up
        return network

    def _new_network(self, n_inputs: int) -> _ELSANetwork:
        architecture = Architecture(
            n_inputs=n_inputs,
            hidden=(int(self.n_factors),),
            activation="identity",
            likelihood=LIKELIHOODS["gaussian"],
            tied=True,
        )
        return _ELSANetwork(architecture, torch.Generator().manual_seed(int(self.seed)))

    def _make_trainer(self, network: Network, options: StepOptions, **choices: Any) -> Trainer:
        trainer = _NAdamTrainer(network, options, **choices)
        trainer.divides_rows = self._shards is None  # else each process steps over all rows, with its own items
        return trainer

    def _make_scorer(self) -> Scorer:
        return _ELSAScorer(self.network_, self.precision, self._popularity)

    def _finish(self) -> None:
        if self._shards is not None:
            self.network_ = self._whole_network()
            self._training = None
        if self._training is not None and isinstance(self._training.trainer, _NAdamTrainer):
            self._training.trainer.settle()
        else:
            self.network_.settle()

    def _add_learned(self, added: NewItems) -> None:
        super()._add_learned(added)
        self.network_.settled = True  # vectors of new items are shorter than 1: what they share with others says little

    def _learned_before(self) -> LearnedBefore:
        """Give the rows their length back: the longer they are, the less a step turns them."""
        before = super()._learned_before()
        if not self.network_.settled:
            return before
        network = copy.deepcopy(self.network_)
        with torch.no_grad():
            network.encoder_weights[0].mul_(network.row_length)
        return replace(before, network=network)

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        header, arrays = super()._state()
        return {**header, "row_length": self.network_.row_length}, arrays

    def _set_state(self, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        super()._set_state(header, tensors)
        self.network_.settled = True  # as they were when they were saved
        self.network_.row_length = float(header.get("row_length", 1.0))
        if not 0 <= self.network_.row_length < float("inf"):
            raise ValueError(f"its rows have a length of {self.network_.row_length}")


class _ELSAScorer(NetworkScorer):
    """Scores by x A Aᵀ − x."""

    def device_scores(self, block: UserBlock, batch: SparseBatch) -> Tensor:
        """Return the scores where the vectors live."""
        with torch.inference_mode():
            return batch.subtract_from(super().device_scores(block, batch))

    def _scores_at(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._scores(block)[:, columns]

    def decode(self, code: NDArray[np.float32], block: UserBlock) -> NDArray[np.float32]:
        """Return code · Aᵀ − x."""
        scores = super().decode(code, block)
        scores[row_ids(block.history), block.history.indices] -= block.history.data
        return scores

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the exact terms of the sum, xᵢ · (AᵢAⱼ − [i = j])."""
        history, vectors = block.history, self.item_vectors()
        seen, wanted = vectors[history.indices].astype(np.float64), vectors[columns].astype(np.float64)
        weights = seen @ wanted.T - (history.indices[:, None] == columns)
        terms: NDArray[np.float64] = history.data[:, None] * weights
        return terms

    def code_without_each(self, block: UserBlock) -> NDArray[np.float32]:
        """Return x A without each term of the sum; shape (n_values, n_factors)."""
        terms: NDArray[np.float32] = block.history.data[:, None] * self.item_vectors()[block.history.indices]
        return self.code(block) - terms

    def graph(self) -> nn.Module:
        """Return x A Aᵀ − x as a module on the CPU."""
        return _WithoutHistory(super().graph())


class _WithoutHistory(nn.Module):
    def __init__(self, scores: nn.Module) -> None:
        super().__init__()
        self.scores = scores

    def forward(self, history: Tensor) -> Tensor:
        scores: Tensor = self.scores(history)
        return scores - history


class _ELSANetwork(Network):
    """One matrix, whose rows are scaled to length 1 wherever it is read, unless they are `settled`.

    `add_up` makes sums over the items of all processes of sums over those that are here.
    """

    add_up: Callable[[Tensor], Tensor] = staticmethod(lambda partial: partial)
    settled = False  # whether the stored rows have length 1 themselves: in training they have not
    row_length = 1.0  # their mean length before they were settled

    def effective(self, weight: Tensor) -> Tensor:
        """Return A of the one weight there is."""
        return weight if self.settled else unit_rows(weight)

    @property
    def output_bias(self) -> None:
        """There is none."""

    @torch.no_grad()
    def settle(self) -> None:
        """Scale the stored rows themselves, so that they are what `coefs_` shows."""
        self.row_length = float(torch.linalg.vector_norm(self.encoder_weights[0], dim=1).mean())
        unit_rows(self.encoder_weights[0], in_place=True)
        self.settled = True

    def encode(
        self,
        batch: Batch,
        users: Tensor | None = None,
        *,
        noise_from: torch.Generator | None = None,
        half: bool = False,
        with_variance: bool = True,
    ) -> tuple[Tensor, Tensor | None]:
        """Return xA."""
        return first_layer(batch, self.output_weight), None

    def decode(self, code: Tensor) -> Tensor:
        """Return code · Aᵀ."""
        return code @ self.output_weight.T

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
        code, gram = map(self.add_up, unit_products(batch, self.encoder_weights[0], self.scratch, half=half))
        own, of_code = self.add_up(batch.squares()), code.square().sum(dim=1)
        of_output = ((code @ gram) * code).sum(dim=1) - 2 * of_code + own
        cosine = (of_code - own) / (of_output.clamp_min(_TINY) * own.clamp_min(_TINY)).sqrt()
        loss = (2 - 2 * cosine).mean()
        return Cost(loss, loss.new_zeros(()), loss.new_zeros(())), code.new_zeros(code.shape[1])

    def biases(self) -> list[nn.Parameter]:
        """None that learn."""
        return []


class _NAdamTrainer(Trainer):
    """NAdam instead of Adam, as in the paper."""

    network: _ELSANetwork
    _unsettled: Tensor | None = None  # the rows as they were before they were settled: NAdam's steps depend on lengths

    def settle(self) -> None:
        """Settle the network; the next epoch goes on from the rows of the moment."""
        self._unsettled = self.network.encoder_weights[0].detach().clone()
        self.network.settle()

    def run_epoch(self, rows: Rows, steps: StepSource = EagerSteps) -> dict[str, float]:
        """As `Trainer.run_epoch`; afterwards the rows of A are of any length."""
        if self._unsettled is not None:
            with torch.no_grad():
                self.network.encoder_weights[0].copy_(self._unsettled)
        self._unsettled, self.network.settled = None, False
        return super().run_epoch(rows, steps)

    def _make_optimizer(self, decayed: list[nn.Parameter], free: list[nn.Parameter]) -> torch.optim.Optimizer:
        kind = BlockwiseNAdam if self.device.type == "cpu" else torch.optim.NAdam
        return kind([*decayed, *free], lr=self.options.learning_rate)

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

from aerec.canonical import canonical_csr
from aerec.closed_form.penalties import automatic_l2, effective_rank
from aerec.dimensions import Choice, Number, Space, Whole
from aerec.models.autoencoder import Autoencoder
from aerec.models.warm_start import LearnedBefore
from aerec.network.batches import Batch, SparseBatch
from aerec.network.device import resolve_device
from aerec.network.network import Architecture, Cost, Network
from aerec.network.products import first_layer
from aerec.network.rows import Rows, WholeRows
from aerec.network.unit_rows import automatic_shrinkage, require_memory_to_train, unit_products, unit_rows
from aerec.noise import MaskingNoise
from aerec.parameters import Constraint, OneOf, RealNumber, WholeNumber, passed_on
from aerec.recommender.base import History
from aerec.recommender.health import warn_of_vanished_factors
from aerec.recommender.network_scorer import NetworkScorer
from aerec.recommender.new_items import NewItems
from aerec.recommender.scorer import Scorer, UserBlock
from aerec.sparse import CSR, column_sums, row_ids, squares
from aerec.training.callbacks import Validator
from aerec.training.trainer import Trainer

if TYPE_CHECKING:
    from aerec.training.item_shards import ItemShards

_TINY = 1e-12
_CANCELLED = 1e-5  # A squared length below this share of what it is the difference of is rounding
_FACTORS, _NUMBERS = (32, 256, 512), 2**24  # for n_factors="auto": the last where A then has no more numbers


class ELSA(Autoencoder):
    r"""Linear autoencoder of low rank without a diagonal: score = (x / d²) · (AAᵀ − diag(AAᵀ)).

    .. math:: \min_V \tfrac{1}{n} \sum_x w_y \Big\| \frac{o}{\|o\|} - \frac{y}{\|y\|} \Big\|^2
              = \tfrac{1}{n} \sum_x w_y \, (2 - 2 \cos(o, y)), \qquad y = x / d, \quad o = \tilde y V V^\top - \tilde y

    .. math:: \|V_j\| = 1, \qquad w_y = \|y\|^{2 (1 - \beta)}, \qquad d_j \propto (t_j + \lambda)^{\gamma / 2},
              \qquad A_j = d_j \sqrt{\frac{n_j}{n_j + s}} \, V_j

    VVᵀ is symmetric: what one item says of another it hears from it. With an item that nearly everybody has that is
    wrong, as its presence says nothing and its own score is high. `EASE` has B = I − P / diag(P), and P, an inverse of
    XᵀX + λI, is symmetric: B is a symmetric matrix between scales of about √(t + λ), with the sums t of the squared
    ratings of the items. So has ELSA, where the ratings are divided by the scale d and the scores multiplied by it; the
    paper has d = 1.

    Unit rows make the diagonal of VVᵀ − I zero, so that no item predicts itself. After the training, the vector of an
    item that n users have is √(n / (n + s)) d long: what few users say of an item counts for less. The paper has s = 0,
    where an item of one user is as loud as the most popular one, and β = 1, where a user with two ratings counts as
    much as one with two hundred. It is what `EASE` is for catalogues whose item-item matrix does not fit: memory grows
    with n_items · n_factors.

    In training o is that of a masked history ỹ, so that items are predicted that were left out; the paper masks
    nothing. Neither o nor any other block of rows × items is made: with z = yV and z̃ = ỹV, which are summed from the
    rows of V at the stored ratings, and C = VᵀV,

    .. math:: o \cdot y = \tilde z \cdot z - \tilde y \cdot y, \qquad
              \|o\|^2 = \tilde z C \tilde z^\top - 2 \|\tilde z\|^2 + \|\tilde y\|^2 .

    Parameters
    ----------
    n_factors : int or "auto", default "auto"
        Length of the item vectors. "auto" takes t / (t / min(n_users, n_items) + λ), with t the sum of the squared
        ratings (of likes, their number) and the λ of `EASE`: about as many directions as `EASE` learns. It is from 32
        to 512, and above 256 only while A has no more than 16 million numbers.
    epochs : int or "auto", default "auto"
        As in `Autoencoder`, where a is 5.
    learning_rate : float, default 0.01
        Of NAdam (the cost does not depend on the lengths that the rows of V have before they are scaled).
    noise : MaskingNoise or None, default MaskingNoise(0.3)
        Without it a small set is learned by heart within a few epochs. Small sets bear 0.5 as well, large ones do not.
    user_norm : float in [0, 1], default 0.5
        β. With 0 users count by the squared length of their rows, as in `EASE`; with 1 all alike, as in the paper.
    item_scale : float in [0, 1], default 1.0
        γ, with the λ of `EASE`. 0 for a symmetric matrix, as in the paper.
    shrinkage : float ≥ 0 or "auto", default "auto"
        s, in users. "auto" takes 500 over the mean number of ratings of a user: the less is known of users, the more
        popular items are worth. 0 for vectors of length 1, as in the paper.
    ema_decay : float, default 0.8
        As in `Autoencoder`: V is an average over epochs, whose lists are better than those of the last step. It takes
        the memory of V once more; 0 for none, as in the paper.
    sharded : bool, default False
        On several processes (see the page on scaling): divide the items over them, not the users. Each holds A, its
        gradient and the state of the optimiser for its own items only; in a step they exchange batch × n_factors
        numbers. Without checkpoints. The fitted model is whole, in memory of the processor, on every process.
    batch_size, learning_rate_schedule, patience, validation_metric, device, precision, seed, progress
        As in `Autoencoder`; `patience` is 6 by default.

    Attributes
    ----------
    item_vectors_ : ndarray of shape (n_items, n_factors), float32
        A.
    item_scale_ : ndarray of shape (n_items,), float32
        d, times a constant by which x / d has the length of x on average; None in what version 0.1 saved, as all 1.
    n_factors_, shrinkage_ : int, float
        The number of factors and the s that were used.

    Notes
    -----
    `transform` gives (x / d²)A, `generate` codes times Aᵀ, so that `reconstruct` is their product; `score_items`
    subtracts (x / d²) diag(AAᵀ). The cost, in `history_` and `total_cost`, is that of the unit vectors V. With
    `partial_fit` a vector is as long as the call with the most users of its item asks for; d stays that of the first.
    An empty history is ranked by popularity. There are no biases:
    `intercepts_` is empty.

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
        "n_factors": [WholeNumber(1), OneOf(["auto"])],
        "noise": [MaskingNoise, None],
        "user_norm": [RealNumber(at_least=0, at_most=1)],
        "item_scale": [RealNumber(at_least=0, at_most=1)],
        "shrinkage": [RealNumber(at_least=0), OneOf(["auto"])],
        "sharded": [bool],
    }
    _popularity_for_empty = True
    _takes_weights = False  # its cost is the angle between two rows, of which no rating has a part

    _even_batches = True
    _epochs_of_a_million = 5.0
    _of_likes = ("gaussian",)

    _learned = ("item_features_", "item_scale_")

    network_: _ELSANetwork
    item_scale_: NDArray[np.float32] | None = None
    n_factors_: int
    shrinkage_: float
    _shards: ItemShards | None = None  # while it is fitted on several processes

    search_space: ClassVar[Space] = {
        "n_factors": Whole(32, 512, log=True),
        "noise": Choice((None, MaskingNoise(0.3), MaskingNoise(0.5), MaskingNoise(0.7))),
        "learning_rate": Number(0.003, 0.3, log=True),
        "batch_size": Choice(("auto", 128, 500)),
        "user_norm": Number(0.0, 1.0),
        "shrinkage": Number(1.0, 300.0, log=True),
        "item_scale": Number(0.0, 1.0),
    }

    def __init__(
        self,
        n_factors: int | str = "auto",
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float = 0.01,
        learning_rate_schedule: str = "constant",
        noise: MaskingNoise | None = MaskingNoise(0.3),  # noqa: B008 (frozen)
        user_norm: float = 0.5,
        item_scale: float = 1.0,
        shrinkage: float | str = "auto",
        ema_decay: float = 0.8,
        sharded: bool = False,
        patience: int | None = 6,
        validation_metric: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        seed: int = 0,
        progress: bool | int = True,
    ) -> None:
        super().__init__(
            **passed_on(locals(), "n_factors", "user_norm", "item_scale", "shrinkage", "sharded"),
            hidden=256 if isinstance(n_factors, str) else n_factors,
            activation="identity",
            likelihood="gaussian",
            tied=True,
            optimizer="NAdam",
        )
        self.n_factors = n_factors
        self.user_norm = user_norm
        self.item_scale = item_scale
        self.shrinkage = shrinkage
        self.sharded = sharded

    @property
    def item_vectors_(self) -> NDArray[np.float32]:
        """A, the vectors of the items; shape (n_items, n_factors)."""
        return self.coefs_[0]

    def _take_in(self, X: History, *, reset: bool = True) -> Any:
        data = super()._take_in(X, reset=reset)
        if reset:
            ratings = canonical_csr(data)
            self.item_scale_ = automatic_scale(ratings, float(self.item_scale))
            self.n_factors_ = automatic_factors(ratings) if self.n_factors == "auto" else int(self.n_factors)
            automatic = automatic_shrinkage(data.shape[0], ratings.nnz)
            self.shrinkage_ = automatic if self.shrinkage == "auto" else float(self.shrinkage)
        return data

    def _fit(self, data: Any, validation: Any, **options: Any) -> None:  # type: ignore[override]
        if options["before"] is not None and self.n_factors == "auto":
            self.n_factors_ = options["before"].network.architecture.hidden[0]
        self._shards = self._shards_of(data.shape[1])
        n_items = data.shape[1] if self._shards is None else self._shards.own.stop - self._shards.own.start
        require_memory_to_train(n_items, self.n_factors_, resolve_device(self.device))
        try:
            super()._fit(data, validation, **options if self._shards is None else {**options, "checkpoint": None})
        finally:
            self._shards = None
        sizes = np.sqrt(np.linalg.eigvalsh(self.item_vectors_.T.astype(np.float64) @ self.item_vectors_).clip(min=0))
        largest = sizes[-len(self.item_vectors_) :]  # more factors than items there cannot be
        warn_of_vanished_factors("ELSA", largest, f"lower learning_rate, which is {self.learning_rate:g}")

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

    def _validator(self, validation: Any) -> Validator:
        validator = super()._validator(validation)
        if self._shards is None:
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
        assert self._trainer is not None
        network = self._trainer.network
        assert isinstance(network, _ELSANetwork)
        n_items = self._shards.n_items
        whole = self._new_network(1)  # one item, to draw no initial vectors for nothing
        whole.architecture = replace(whole.architecture, n_inputs=n_items)
        whole.encoder_weights[0] = nn.Parameter(self._shards.gather(network.encoder_weights[0].detach()))
        whole.decoder_biases[-1] = nn.Parameter(torch.zeros(n_items, dtype=torch.float32), requires_grad=False)
        whole.lengths = self._shards.gather(network.lengths)
        whole.scale_items(self.item_scale_)
        return whole

    def _build(self, n_inputs: int, n_users: int) -> Network:
        if self._shards is None:
            return self._new_network(n_inputs)
        network = self._new_network(self._shards.n_items)  # so that the vectors begin where they would undivided
        network.encoder_weights[0] = nn.Parameter(network.encoder_weights[0].detach()[self._shards.own].clone())
        network.lengths = network.lengths[self._shards.own].clone()
        network.add_up = self._shards.add_up
        return network

    def _new_network(self, n_inputs: int) -> _ELSANetwork:
        architecture = replace(self._architecture(n_inputs, 0), hidden=(self.n_factors_,))
        network = _ELSANetwork(architecture, torch.Generator().manual_seed(int(self.seed)))
        network.user_norm = float(self.user_norm)
        return network

    def _new_trainer(self, n_rows: int, kind: type[Trainer] | None = None, **choices: Any) -> Trainer:
        # with shards each process steps over all rows, with its own items
        trainer = super()._new_trainer(n_rows, kind or _ELSATrainer, divides_rows=self._shards is None, **choices)
        if self._shards is not None:
            trainer.noise.manual_seed(int(self.seed) + 1 + self._shards.ranks.rank)  # each masks its own items
        return trainer

    def _make_scorer(self) -> Scorer:
        return _ELSAScorer(self.network_, self.precision, self._popularity)

    def _train(self, rows: Rows, epochs: int, **options: Any) -> int | None:
        assert isinstance(rows, WholeRows)
        scale = self.item_scale_
        self.network_.scale_items(scale if scale is None or self._shards is None else scale[self._shards.own])
        self.network_.lengthen(rows, self.shrinkage_)
        return super()._train(rows, epochs, **options)

    def _finish(self, trainer: Trainer) -> None:
        super()._finish(trainer)
        if self._shards is not None:
            self.network_ = self._whole_network()
            self._trainer = None
        if isinstance(self._trainer, _ELSATrainer):
            self._trainer.settle()
        else:
            self.network_.settle()

    def _add_learned(self, added: NewItems) -> None:
        super()._add_learned(added)
        if self.item_scale_ is not None:  # what nobody has rated is scaled as the rarest
            extended = np.full(len(added.items), self.item_scale_.min(), dtype=np.float32)
            extended[: len(self.item_scale_)] = self.item_scale_
            self.item_scale_ = extended
        self.network_.scale_items(self.item_scale_)
        self.network_.settle_as_stored()  # vectors of new items are short: what they share with others says little

    def _learned_before(self) -> LearnedBefore:
        """Give the rows their length back: the longer they are, the less a step turns them."""
        before = super()._learned_before()
        if not self.network_.settled:
            return before
        network = copy.deepcopy(self.network_)
        with torch.no_grad():
            unit_rows(network.encoder_weights[0], in_place=True).mul_(network.row_length)
        return replace(before, network=network)

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        header, arrays = super()._state()
        learned = {"row_length": self.network_.row_length, "n_factors": self.n_factors_, "shrinkage": self.shrinkage_}
        return {**header, **learned}, arrays

    def _set_state(self, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        self.n_factors_ = int(header.get("n_factors", self.n_factors))
        self.shrinkage_ = float(header.get("shrinkage", 0.0))
        super()._set_state(header, tensors)
        if self.item_scale_ is not None and not (self.item_scale_ > 0).all():
            raise ValueError("its items are scaled by numbers that are not above 0")
        self.network_.scale_items(self.item_scale_)
        self.network_.settle_as_stored()
        self.network_.row_length = float(header.get("row_length", 1.0))
        if not 0 <= self.network_.row_length < float("inf"):
            raise ValueError(f"its rows have a length of {self.network_.row_length}")
        if not 0 <= self.shrinkage_ < float("inf"):
            raise ValueError(f"its shrinkage is {self.shrinkage_}")


def automatic_factors(X: CSR) -> int:
    """Return a number of factors that suits the ratings."""
    least, usual, most = _FACTORS
    most = min(max(_NUMBERS // X.shape[1], usual), most)
    return min(max(round(effective_rank(X)), least), most)


def automatic_scale(X: CSR, power: float) -> NDArray[np.float32]:
    """Return d of the items, with the exponent γ = `power`, so that Σ x² / d² is Σ x²."""
    totals = column_sums(X, squares)
    scale = (totals + automatic_l2(X)) ** (power / 2)
    scale *= np.sqrt((totals / scale**2).sum() / totals.sum())
    return scale.astype(np.float32)


class _ELSAScorer(NetworkScorer):
    """Scores by (x / d²) (AAᵀ − D), D the diagonal of AAᵀ."""

    _network: _ELSANetwork

    def device_scores(self, block: UserBlock, batch: SparseBatch) -> Tensor:
        """Return the scores where the vectors live."""
        vectors, columns = self._network.output_weight, batch.pattern.columns
        if len(columns) > len(vectors):
            squares = vectors.square().sum(dim=1).index_select(0, columns)
        else:
            squares = vectors.index_select(0, columns).square().sum(dim=1)
        return self._network.weighed(batch).subtract_from(super().device_scores(block, batch), squares)

    def _scores_at(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._scores(block)[:, columns]

    def decode(self, code: NDArray[np.float32], block: UserBlock) -> NDArray[np.float32]:
        """Return code · Aᵀ − (x / d²) D."""
        scores, history = super().decode(code, block), block.history
        squares = np.square(self.item_vectors()).sum(axis=1)
        scores[row_ids(history), history.indices] -= self._weighed(history) * squares[history.indices]
        return scores

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the exact terms of the sum, (xᵢ / dᵢ²) · AᵢAⱼ, and 0 of the item itself."""
        history, vectors = block.history, self.item_vectors()
        seen, wanted = vectors[history.indices].astype(np.float64), vectors[columns].astype(np.float64)
        weights = np.where(history.indices[:, None] == columns, 0.0, seen @ wanted.T)
        return self._weighed(history).astype(np.float64)[:, None] * weights

    def code_without_each(self, block: UserBlock) -> NDArray[np.float32]:
        """Return (x / d²) A without each term of the sum; shape (n_values, n_factors)."""
        terms: NDArray[np.float32] = self._weighed(block.history)[:, None] * self.item_vectors()[block.history.indices]
        return self.code(block) - terms

    def graph(self) -> nn.Module:
        """Return (x / d²) (AAᵀ − D) as a module on the CPU."""
        squares = torch.from_numpy(np.square(self.item_vectors()).sum(axis=1))
        return _WithoutHistory(super().graph(), squares / self._network.scale.cpu().square())

    def _weighed(self, history: CSR) -> NDArray[np.float32]:
        """Return the values of x / d²."""
        scale = self._network.scale.cpu().numpy()[history.indices]
        weighed: NDArray[np.float32] = history.data / np.square(scale)
        return weighed


class _WithoutHistory(nn.Module):
    diagonal: Tensor

    def __init__(self, scores: nn.Module, diagonal: Tensor) -> None:
        super().__init__()
        self.scores = scores
        self.register_buffer("diagonal", diagonal)

    def forward(self, history: Tensor) -> Tensor:
        scores: Tensor = self.scores(history)
        return scores - history * self.diagonal


class _ELSANetwork(Network):
    """One matrix, whose rows are scaled to their `lengths` wherever it is read, unless they are `settled`.

    `add_up` makes sums over the items of all processes of sums over those that are here.
    """

    add_up: Callable[[Tensor], Tensor] = staticmethod(lambda partial: partial)
    settled = False  # whether the stored rows have these lengths themselves: in training they have not
    row_length = 1.0  # their mean length before they were settled
    user_norm = 1.0  # β
    lengths: Tensor
    scale: Tensor  # d

    def __init__(self, architecture: Architecture, generator: torch.Generator) -> None:
        super().__init__(architecture, generator)
        self.register_buffer("lengths", torch.ones(architecture.n_inputs, 1, dtype=torch.float32), persistent=False)
        self.register_buffer("scale", torch.ones(architecture.n_inputs, dtype=torch.float32), persistent=False)

    def scale_items(self, scale: NDArray[np.float32] | None) -> None:
        """Take d; None for all 1."""
        n_items, device = self.lengths.shape[0], self.lengths.device
        self.scale = torch.ones(n_items, device=device) if scale is None else torch.tensor(scale, device=device)

    def weighed(self, batch: Batch) -> Batch:
        """Return x / d²."""
        return batch.over(self.scale).over(self.scale)

    @torch.no_grad()
    def begin_at_average(self, rows: WholeRows) -> None:
        """Nothing has been seen yet."""
        self.lengths.zero_()

    @torch.no_grad()
    def lengthen(self, rows: WholeRows, shrinkage: float) -> None:
        """Let the vectors be as long as it takes that so many have rated the items; none becomes shorter."""
        counts = torch.from_numpy(rows.column_counts()).to(self.lengths)[:, None]
        lengths = (counts / (counts + shrinkage).clamp_min(_TINY)).sqrt() * self.scale[:, None]
        torch.maximum(self.lengths, lengths, out=self.lengths)

    def effective(self, weight: Tensor) -> Tensor:
        """Return A of the one weight there is."""
        return weight if self.settled else unit_rows(weight) * self.lengths

    @property
    def output_bias(self) -> None:
        """There is none."""

    @torch.no_grad()
    def settle(self) -> None:
        """Scale the stored rows themselves, so that they are what `coefs_` shows."""
        self.row_length = float(torch.linalg.vector_norm(self.encoder_weights[0], dim=1).mean())
        unit_rows(self.encoder_weights[0], in_place=True).mul_(self.lengths)
        self.settled = True

    @torch.no_grad()
    def settle_as_stored(self) -> None:
        """Take the stored rows for settled ones, with the lengths that they have."""
        self.lengths = torch.linalg.vector_norm(self.encoder_weights[0], dim=1, keepdim=True)
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
        """Return (x / d²)A."""
        return first_layer(self.weighed(batch), self.output_weight), None

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
        """Return the mean over rows of w (2 − 2 cos(o, y)) as the likelihood part; the cosine of an empty row is 0.

        Where the input is masked, z of y and of the masked ỹ are computed at once, as rows of one batch.
        """
        batch = batch.over(self.scale)
        noise, read, both = self.architecture.noise, batch, batch
        if noise is not None and noise_from is not None and corrupt:
            read = batch.corrupted(noise, noise_from)
            both = batch.above(read)
        codes, gram = map(self.add_up, unit_products(both, self.encoder_weights[0], self.scratch, half=half))
        wanted, code = codes[: batch.n_rows], codes[-batch.n_rows :]
        own, of_read, shared = map(self.add_up, (batch.squares(), read.squares(), batch.products_with(read)))
        of_output = ((code @ gram) * code).sum(dim=1) - 2 * code.square().sum(dim=1) + of_read
        of_output = torch.maximum(of_output, (_CANCELLED * of_read).clamp_min(_TINY))
        cosine = ((code * wanted).sum(dim=1) - shared) / (of_output * own.clamp_min(_TINY)).sqrt()
        loss = (own.pow(1 - self.user_norm) * (2 - 2 * cosine)).mean()
        return Cost(loss, loss.new_zeros(()), loss.new_zeros(())), code.new_zeros(code.shape[1])

    def biases(self) -> list[nn.Parameter]:
        """None that learn."""
        return []


class _ELSATrainer(Trainer):
    """Trains rows of any length, and settles the network when it is done."""

    network: _ELSANetwork
    _unsettled: Tensor | None = None  # the rows as they were before they were settled: NAdam's steps depend on lengths

    def settle(self) -> None:
        """Settle the network; the next epoch goes on from the rows of the moment."""
        self._unsettled = self.network.encoder_weights[0].detach().clone()
        self.network.settle()

    def begin_epoch(self, progress: float, when_good: Callable[[], None] | None = None) -> None:
        """As `Trainer.begin_epoch`; from then on the rows of A are of any length."""
        if self._unsettled is not None:
            with torch.no_grad():
                self.network.encoder_weights[0].copy_(self._unsettled)
        self._unsettled, self.network.settled = None, False
        super().begin_epoch(progress, when_good)

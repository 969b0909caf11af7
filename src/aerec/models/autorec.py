"""AutoRec: rating prediction by an autoencoder that scores observed ratings only (Sedhain et al. 2015)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from aerec.canonical import canonical_csr
from aerec.closed_form.biases import Biases
from aerec.closed_form.least_squares import solve_without_each
from aerec.closed_form.penalties import edge_of_noise
from aerec.dimensions import Choice, Number, Space, Whole
from aerec.errors import DataError, warn_caller
from aerec.interactions import Interactions
from aerec.models.autoencoder import Autoencoder
from aerec.models.warm_start import LearnedBefore
from aerec.network.batches import SparseBatch
from aerec.network.coding import batches
from aerec.network.device import resolve_device, without_gradients
from aerec.network.fold_in import ridge_rows
from aerec.network.network import Network
from aerec.network.rows import Rows, SparseRows
from aerec.noise import MaskingNoise, Noise
from aerec.parameters import Constraint, OneOf, RealNumber, passed_on
from aerec.rating_weights import weight_matrix
from aerec.recommender.base import History
from aerec.recommender.graphs import constant
from aerec.recommender.network_scorer import NetworkScorer
from aerec.recommender.new_items import NewItems
from aerec.recommender.rating import predict_ratings
from aerec.recommender.scorer import Scorer, UserBlock
from aerec.sparse import CSR, column_counts, row_ids, with_values
from aerec.sparsity import Sparsity
from aerec.training.loop import epochs_of_steps
from aerec.training.optimizers import OptimizerChoice
from aerec.training.trainer import Trainer

_PAIRS = 65_536  # pairs predicted at once
SHRINKAGE = 5.0  # Shrinkage of user and item biases, in ratings: the best of the bias baseline on MovieLens 100K
_RATED = 4.0  # What a standardised mean rating is read as, so that the network is told what was rated
_NO_SPREAD = 1e-6  # Residuals smaller than this share of the ratings are rounding


class AutoRec(Autoencoder):
    r"""Autoencoder of the rating vectors of items (or users), trained on the observed ratings only.

    .. math:: \min \tfrac{1}{n} \sum_i \tfrac12 \sum_{u \in i} \big(r_{ui} - h(r_i)_u\big)^2
              + \tfrac{\lambda}{2}\|W\|^2, \qquad h(r) = W' f(W^\top r + b) + b'

    With ``orientation="item"`` (the better one in the paper) each row is an item's ratings by all users, and a user is
    a row of W'. Then `transform`, `reconstruct` and `total_cost` read the training users' ratings and give one row per
    *item*; `score_items` uses the trained row of W' for users who are recognised by id, whatever their history, and
    for others the row that fits their history best: the ridge solution around the average user, with the penalty of
    the training cost (at least 1).

    What `predict` and `score_items` know of an item, or with ``orientation="user"`` of a user, are its ratings in the
    last call of `fit` or `partial_fit`.

    With ``biases`` the network does not have to learn what every rating scale has, that some users are stricter and
    some items better, and what its unit is:

    .. math:: \hat r_{ui} = \mu + b_u + b_i + \sigma \, h(\tilde r_i)_u, \qquad
              \tilde r_{ui} = \frac{r_{ui} - \mu}{\sigma} + 4

    with shrunken means of the training ratings (5 ratings' worth of shrinkage), the standard deviation σ of what these
    leave over, which divided by σ is what h is trained on, and 4 to tell a mean rating from none. So ratings from 1 to
    5 and from 10 to 50 give the same model, its cost in units of σ². `generate` then gives the deviation from the
    biases, `reconstruct` the ratings. The paper's model has neither biases nor noise and reads the ratings as they
    are: ``biases=False, noise=None``. With them it is better, and training it for longer does not make it worse.

    Parameters
    ----------
    hidden : int or tuple of int, default 500
    orientation : {"item", "user"}, default "item"
    activation : str, default "sigmoid"
        Of the hidden layer; the output is linear. The paper's best choice.
    noise : MaskingNoise, GaussianNoise or None, default MaskingNoise(0.5)
        The paper has none.
    sparsity : L1Sparsity, KLSparsity, TopKSparsity or None, default None
    tied : bool, default False
    biases : bool, default True
    epochs : int or "auto", default "auto"
        "auto" takes 40 epochs, and more where they have fewer than 14 steps, which `patience` does not cut short; with
        validation data up to 100, or as many as without if that is more.
    batch_size : int or "auto", default "auto"
        "auto" takes a fourteenth of the rows, from 32 to 128.
    weight_decay : float or "auto", default "auto"
        λ. "auto" is a quarter of the edge of noise (`aerec.closed_form.penalties.edge_of_noise`) of what the network
        is trained on, and 0.035 of its mean square at least; without biases, where that is above 1, of as much scaled
        to 1, since units are bounded. The paper's λ is 2 · n_rows times as large: its cost is the sum over rows, of
        the squared errors without ½.
    learning_rate, learning_rate_schedule, optimizer, patience, validation_metric, device, precision, seed, progress
        As in `Autoencoder`. With a Holdout of ratings, early stopping watches "rmse".

    Attributes
    ----------
    rating_range_ : ndarray of shape (2,)
        The lowest and the highest rating seen in training; `predict` clips to them.
    mean_, user_bias_, item_bias_ : ndarray of shape (1,), (n_users,), (n_items,), float64; or None
        μ, b_u and b_i, with ``biases``.
    spread_ : ndarray of shape (1,), float64; or None
        σ, with ``biases``; None in what version 0.1 saved, whose network reads and gives ratings as they are.
    weight_decay_ : ndarray of shape (1,), float64
        What ``weight_decay="auto"`` stands for.

    References
    ----------
    Sedhain, Menon, Sanner, Xie (2015). AutoRec: autoencoders meet collaborative filtering. WWW.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import AutoRec
    >>> ratings = load_dataset("sample")
    >>> model = AutoRec(hidden=20, epochs=3, progress=False).fit(ratings)
    >>> model.predict(ratings.users[:2], ratings.items[:2]).shape
    (2,)
    """

    _knows_users = True
    _personal = False
    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        **Autoencoder._parameter_constraints,
        "orientation": [OneOf(("item", "user"))],
        "biases": [bool],
        "weight_decay": [RealNumber(at_least=0), OneOf(("auto",))],
    }
    _learned = ("rating_range_", "hidden_rows_", "mean_", "user_bias_", "item_bias_", "spread_", "weight_decay_")

    rating_range_: NDArray[np.float32]
    n_users_: int
    hidden_rows_: NDArray[np.float32] | None
    mean_: NDArray[np.float64] | None
    user_bias_: NDArray[np.float64] | None
    item_bias_: NDArray[np.float64] | None
    spread_: NDArray[np.float64] | None
    weight_decay_: NDArray[np.float64] | None

    _epochs_alone = 40
    _batches = (14, 128)
    _decay = 0.25  # of the edge of noise, for weight_decay="auto"
    _decay_before = 0.03  # of a file that was saved before it was kept
    _least_decay = 0.035  # of the mean square of the residuals

    search_space: ClassVar[Space] = {
        "hidden": Whole(50, 500, log=True),
        "learning_rate": Number(3e-4, 5e-3, log=True),
        "weight_decay": Number(1e-3, 1.0, log=True),
        "batch_size": Choice(("auto", 128, 500)),
        "noise": Choice((None, MaskingNoise(0.2), MaskingNoise(0.5))),
        "biases": Choice((False, True)),
    }

    def __init__(
        self,
        hidden: int | tuple[int, ...] = 500,
        orientation: str = "item",
        activation: str = "sigmoid",
        noise: Noise | None = MaskingNoise(0.5),  # noqa: B008 (frozen)
        sparsity: Sparsity | None = None,
        tied: bool = False,
        biases: bool = True,
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float = 1e-3,
        learning_rate_schedule: str = "constant",
        optimizer: OptimizerChoice = "adam",
        weight_decay: float | str = "auto",
        patience: int | None = 10,
        validation_metric: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        seed: int = 0,
        progress: bool | int = True,
    ) -> None:
        super().__init__(**passed_on(locals(), "orientation", "biases"), likelihood="observed")
        self.orientation = orientation
        self.biases = biases

    # ------------------------------------------------------------------ learning

    def _take_in(self, X: History, *, reset: bool = True) -> Any:
        data = super()._take_in(X, reset=reset)
        range_seen = [data.data.min(), data.data.max()]
        if reset:
            biases = Biases.of(data, SHRINKAGE, SHRINKAGE, self._weights_of(X)) if self.biases else None
            self.mean_ = None if biases is None else np.array([biases.mean])
            self.user_bias_ = None if biases is None else biases.users
            self.item_bias_ = None if biases is None else biases.items
            self.spread_ = None if biases is None else np.array([_spread(data, biases)])
            self.weight_decay_ = np.array([self._suitable_decay(data)])
        else:
            range_seen = [min(range_seen[0], self.rating_range_[0]), max(range_seen[1], self.rating_range_[1])]
        self.rating_range_ = np.array(range_seen, dtype=np.float32)
        self.n_users_ = data.shape[0]
        self.hidden_rows_ = None
        return data

    def _has_plateau(self, epochs: int) -> bool:
        return epochs > self._epochs_alone

    def _epochs_without_validation(self, n_rows: int, counts: NDArray[np.int64]) -> int:
        return epochs_of_steps(self._epochs_alone, self._batches[0], n_rows, self._step_options(n_rows).batch_size)

    def _suitable_decay(self, data: CSR) -> float:
        biases = self._biases()
        expected = data.data.mean() if biases is None else biases.at(row_ids(data), data.indices.astype(np.int64))
        by_side = [int(np.count_nonzero(counts)) for counts in (column_counts(data), np.diff(data.indptr))]
        residuals = (data.data - expected) / self._unit()
        edge = edge_of_noise(residuals, *by_side[:: 1 if self.orientation == "item" else -1])
        variance = float(np.square(residuals).mean())
        return max(self._decay * edge, self._least_decay * variance) / max(variance, 1.0)

    def _used_weight_decay(self) -> float:
        if self.weight_decay != "auto":
            return float(self.weight_decay)
        return self._decay_before if self.weight_decay_ is None else float(self.weight_decay_[0])

    def _training_rows(self, data: CSR | NDArray[np.float32], weights: NDArray[np.float32] | None = None) -> SparseRows:
        matrix = canonical_csr(data.T if self.orientation == "item" else data)
        if weights is not None and self.orientation == "item":
            weights = weight_matrix(canonical_csr(data), weights).T.tocsr().data
        targets = None
        if (biases := self._biases()) is not None:
            if self.orientation == "item":  # before the biases of users that there are not are asked for
                self._check_width(matrix.shape[1], len(biases.users))
            else:  # rows may be of other users than in training
                biases = replace(biases, users=biases.of_users(matrix, biases.l2_user))
            pairs = row_ids(matrix), matrix.indices
            targets = matrix.data - biases.at(*(pairs if self.orientation == "user" else pairs[::-1]))
            targets /= self._unit()
        return SparseRows(self._reading()(matrix), resolve_device(self.device), targets, weights)

    def _unit(self) -> float:
        """Return what the network counts in."""
        return 1.0 if self.spread_ is None else float(self.spread_[0])

    def _reading(self) -> _Reading:
        if self.mean_ is None or self.spread_ is None:
            return _Reading()
        return _Reading(1 / self._unit(), _RATED - float(self.mean_[0]) / self._unit())

    def _biases(self) -> Biases | None:
        if self.mean_ is None or self.user_bias_ is None or self.item_bias_ is None:
            return None
        return Biases(float(self.mean_[0]), self.user_bias_, self.item_bias_, SHRINKAGE, SHRINKAGE)

    def _finish(self, trainer: Trainer) -> None:
        self.hidden_rows_ = self._hidden()
        super()._finish(trainer)

    def _hidden(self) -> NDArray[np.float32]:
        """Return the last hidden layer of every training row, and of an empty row at the end."""
        if self.hidden_rows_ is not None:
            return self.hidden_rows_
        rows, network = self._rows, self.network_
        assert rows is not None
        empty = SparseRows(canonical_csr(np.zeros((1, rows.shape[1]), dtype=np.float32)), resolve_device(self.device))
        with without_gradients():
            blocks = [batch for source in (rows, empty) for _, batch, _ in batches(network, source)]
            hidden = [network.decode_hidden(network.encode(batch)[0]).cpu().numpy() for batch in blocks]
        return np.concatenate(hidden)

    @property
    def _n_kept_users(self) -> int:
        return self.n_users_

    def _add_learned(self, added: NewItems) -> None:
        raise ValueError(f"{type(self).__name__} predicts ratings, and cannot take new items by features")

    def _learned_before(self) -> LearnedBefore:
        """Return what was learned: of orientation "item" the inputs of the network are users."""
        before = super()._learned_before()
        return before if self.orientation == "user" else replace(before, items=self.users_)

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        self.hidden_rows_ = self._hidden()  # not there yet after a partial_fit that was interrupted
        header, arrays = super()._state()
        return {**header, "n_training_users": self.n_users_}, arrays

    def _set_state(self, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        super()._set_state(header, tensors)
        self.n_users_ = int(header["n_training_users"])

    # ------------------------------------------------------------------ after learning

    def predict(self, user_ids: ArrayLike, item_ids: ArrayLike) -> NDArray[np.float32]:
        """Predict the rating of each pair; see `aerec.recommender.rating.RatingPredictor.predict`."""
        return predict_ratings(self, user_ids, item_ids)

    def _make_scorer(self) -> Scorer:
        known = _Known(self._hidden, _Outputs.of_network(self.network_, self._unit()), self._biases())
        if self.orientation == "user":
            return _UserScorer(self.network_, known, self._reading(), self._unit())
        l2 = max(1.0, self._step_options(self.n_features_in_).weight_decay * self.n_features_in_)
        return _ItemScorer(known, self.n_features_in_, resolve_device(self.device), l2)

    def _rows_of(self, X: History) -> tuple[Rows, NDArray[np.int64]]:
        """See `Autoencoder`; a row of an item holds the ratings of the training users, who are matched by id."""
        users = getattr(self, "users_", None)
        if self.orientation == "item" and isinstance(X, Interactions) and users is not None:
            aligned = X.with_users(users)
            if X.n_ratings and not aligned.n_ratings:
                raise DataError(
                    f"none of these ratings is of a user that {type(self).__name__} was trained on; give ratings of "
                    "those in users_, or fit anew"
                )
            if (lost := X.n_ratings - aligned.n_ratings) > 0:
                warn_caller(
                    f"{lost:,} of {X.n_ratings:,} ratings left out: {type(self).__name__}(orientation='item') was not "
                    "trained on their users; fit anew on data that holds them"
                )
            X = aligned
        return super()._rows_of(X)

    def generate(self, code: ArrayLike | None = None, n: int = 1, *, seed: int | None = None) -> NDArray[np.float32]:
        """Return the ratings that belong to a code, with ``biases`` their deviation from these; see `Autoencoder`."""
        return super().generate(code, n, seed=seed) * np.float32(self._unit())

    def reconstruct(self, X: History) -> NDArray[np.float32]:
        """Return the reconstructed ratings, one row per item or user as ``orientation`` says; see `Autoencoder`."""
        ratings = super().reconstruct(X)
        ratings *= np.float32(self._unit())
        if (biases := self._biases()) is not None:
            by_user = self.orientation == "user"
            user_bias = biases.of_users(self.block_of(X).history, biases.l2_user) if by_user else biases.users
            ratings += biases.mean
            ratings += np.add.outer(user_bias, biases.items) if by_user else np.add.outer(biases.items, user_bias)
        return ratings


def _spread(ratings: CSR, biases: Biases) -> float:
    """Return the standard deviation of what the biases leave over; 1 where that is nothing."""
    left = ratings.data - biases.at(row_ids(ratings), ratings.indices.astype(np.int64))
    spread = float(np.sqrt(np.square(left).mean()))
    return spread if spread > _NO_SPREAD * float(np.abs(ratings.data).max()) else 1.0


@dataclass(frozen=True)
class _Reading:
    """How the network reads ratings: as scale · r + shift."""

    scale: float = 1.0
    shift: float = 0.0

    def __call__(self, ratings: CSR) -> CSR:
        """Return the ratings as the network reads them."""
        return with_values(ratings, (self.scale * ratings.data + self.shift).astype(np.float32))


@dataclass(frozen=True)
class _Known:
    """What both scorers know.

    Parameters
    ----------
    read_hidden : callable
        Returns the last hidden layer of every training row, and of an empty row; shape (n_rows + 1, n_hidden).
    outputs : _Outputs
    biases : Biases, optional
    """

    read_hidden: Callable[[], NDArray[np.float32]]
    outputs: _Outputs
    biases: Biases | None

    @functools.cached_property
    def hidden(self) -> NDArray[np.float32]:
        """What `read_hidden` returns, asked once."""
        return self.read_hidden()

    def predict(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the outputs `columns` of training rows, without biases."""
        predicted = np.empty(len(rows), dtype=np.float32)
        for at in range(0, len(predicted), _PAIRS):
            part = slice(at, at + _PAIRS)
            weight, bias = self.outputs.of(columns[part])
            predicted[part] = np.einsum("ij,ij->i", self.hidden[rows[part]], weight) + bias
        return predicted


class _UserScorer(NetworkScorer):
    """A row is a user: the network reads the history; what it gives counts in `unit`, and the biases are added."""

    def __init__(self, network: Network, known: _Known, reading: _Reading, unit: float) -> None:
        super().__init__(network)
        self._known, self._reading, self._unit = known, reading, np.float32(unit)

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        return self._with_biases(super()._scores(self._read(block)) * self._unit, block)

    def _read(self, block: UserBlock) -> UserBlock:
        return replace(block, history=self._reading(block.history))

    def _first_layers(self, block: UserBlock) -> tuple[Tensor, Callable[[NDArray[np.int64]], Tensor]]:
        return super()._first_layers(self._read(block))

    def last_hidden(self, block: UserBlock, batch: SparseBatch | None = None) -> Tensor:
        """Return what the output layer reads."""
        return super().last_hidden(self._read(block) if batch is None else block, batch)

    def code(self, block: UserBlock) -> NDArray[np.float32]:
        """Return the code of each user."""
        return super().code(self._read(block))

    def _scores_at(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._scores(block)[:, columns]

    def decode(self, code: NDArray[np.float32], block: UserBlock) -> NDArray[np.float32]:
        """Add the biases to what the network gives."""
        return self._with_biases(super().decode(code, block) * self._unit, block)

    def unit_weights(self, unit: int, activation: float) -> NDArray[np.float32]:
        """Return what a unit of the code adds to the ratings."""
        return super().unit_weights(unit, activation) * self._unit

    def unit_contributions(
        self, code: NDArray[np.float32], units: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return how much ratings fall when a unit is 0."""
        return super().unit_contributions(code, units, columns) * self._unit

    def best(self, block: UserBlock, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rank by all scores."""
        return Scorer.best(self, block, k)

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Add what an item of the history does to the bias of a new user."""
        terms, biases, history = super().contributions(block, columns) * self._unit, self._known.biases, block.history
        if biases is None or block.known_users[0] >= 0:
            return terms
        return terms + biases.falls(history, biases.l2_user)[:, None]

    def _with_biases(self, scores: NDArray[np.float32], block: UserBlock) -> NDArray[np.float32]:
        biases = self._known.biases
        return scores if biases is None else _plus(scores, biases, _user_biases(biases, block))

    def predict(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
        """Predict each pair."""
        predicted, biases = self._known.predict(users, items), self._known.biases
        return predicted if biases is None else predicted + biases.at(users, items)

    def item_vectors(self) -> NDArray[np.float32]:
        """Return the rows of the output layer, with the biases of output layer and items."""
        vectors, biases = super().item_vectors() * self._unit, self._known.biases
        if biases is not None:
            vectors[:, -1] = self._known.outputs.bias + biases.items
        return vectors

    def graph(self) -> nn.Module:
        """Return encoder and decoder, with the biases added, as a module on the CPU."""
        scores, biases = super().graph(), self._known.biases
        return scores if biases is None else _BiasedGraph(scores, biases, self._reading, float(self._unit))


class _ItemScorer(Scorer):
    """A row is an item: a user is a row of the output layer, that of a new user fitted to the history."""

    def __init__(self, known: _Known, n_items: int, device: torch.device, l2: float) -> None:
        super().__init__(n_items)
        self._known, self._device, self._l2 = known, device, l2

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        history, biases = block.history, self._known.biases
        user_bias = None if biases is None else _user_biases(biases, block)
        if biases is not None and user_bias is not None:  # fold-in fits what the biases leave over
            left = history.data - biases.mean - biases.items[history.indices] - user_bias[row_ids(history)]
            history = type(history)((left.astype(np.float32), history.indices, history.indptr), shape=history.shape)
        weight, bias = self._known.outputs.of(block.known_users)
        items = self._known.hidden[:-1]
        weights = np.concatenate([weight, bias[:, None]], axis=1)
        new = np.flatnonzero(block.known_users < 0)
        if new.size:
            weights[new] = self._fold_in(history, new, items, weights[new[0]])
        scores: NDArray[np.float32] = weights[:, :-1] @ items.T + weights[:, -1:]
        return scores if biases is None or user_bias is None else _plus(scores, biases, user_bias)

    def _fold_in(
        self, history: CSR, users: NDArray[np.int64], items: NDArray[np.float32], prior: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Weights, bias last, of new users: a ridge fit of their ratings around the average user."""
        batch = SparseRows(history, self._device).batch(torch.from_numpy(users))
        vectors = np.concatenate([items, np.ones((len(items), 1))], axis=1, dtype=np.float32)
        known, average = (torch.as_tensor(array, device=self._device) for array in (vectors, prior))
        with without_gradients():
            return ridge_rows(batch, known, average, self._l2).cpu().numpy()

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how much a score falls when an item is left out of the history of the folded-in row.

        A trained user's row does not read the history.
        """
        history, biases, items = block.history, self._known.biases, self._known.hidden[:-1]
        vectors, asked = (
            np.pad(items[of].astype(np.float64), ((0, 0), (0, 1)), constant_values=1)
            for of in (history.indices, columns)
        )
        left, lost = history.data.astype(np.float64), np.zeros(history.nnz)
        if biases is not None:  # without an item the user bias is another, and so is what it leaves over
            lost = biases.falls(history, biases.l2_user)
            left -= biases.mean + biases.items[history.indices] + biases.of_users(history, biases.l2_user)
        weight, bias_weight = self._known.outputs.of(np.array([-1]))
        left -= vectors @ np.append(weight[0], bias_weight[0]).astype(np.float64)
        normal = vectors.T @ vectors + self._l2 * np.eye(vectors.shape[1])
        targets = np.stack([left, np.ones_like(left)], axis=1)  # the solution is linear in them
        whole = asked @ np.linalg.solve(normal, vectors.T @ left)
        of_left, of_one = solve_without_each(normal, vectors, np.ones_like(left), targets, asked).transpose(1, 0, 2)
        terms: NDArray[np.float64] = lost[:, None] + whole - of_left - lost[:, None] * of_one
        return terms

    def predict(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
        """Predict each pair."""
        predicted, biases = self._known.predict(items, users), self._known.biases
        return predicted if biases is None else predicted + biases.at(users, items)


def _user_biases(biases: Biases, block: UserBlock) -> NDArray[np.float64]:
    """Return those learned in training, and those that the histories of new users show."""
    known = block.known_users
    return np.where(known >= 0, biases.users[known], biases.of_users(block.history, biases.l2_user))


def _plus(scores: NDArray[np.float32], biases: Biases, user_bias: NDArray[np.float64]) -> NDArray[np.float32]:
    """Add all biases to scores, in place."""
    scores += (np.add.outer(user_bias, biases.items) + biases.mean).astype(np.float32)
    return scores


class _BiasedGraph(nn.Module):
    """μ + b_u + b_i added, b_u as the history shows it, to what the network gives in `unit`."""

    def __init__(self, scores: nn.Module, biases: Biases, reading: _Reading, unit: float) -> None:
        super().__init__()
        self.scores, self.reading, self.unit, self.shrinkage = scores, reading, unit, biases.l2_user
        self.usual = constant(biases.mean + biases.items)

    def forward(self, history: Tensor) -> Tensor:
        """Return the scores."""
        rated = (history != 0).to(history.dtype)
        left = ((history - self.usual) * rated).sum(dim=1, keepdim=True)
        user_bias = left / (rated.sum(dim=1, keepdim=True) + self.shrinkage)
        read = (self.reading.scale * history + self.reading.shift) * rated
        scores: Tensor = self.scores(read) * self.unit + self.usual + user_bias
        return scores


@dataclass(frozen=True)
class _Outputs:
    """Weight and bias of every output: shapes (n_outputs, n_hidden) and (n_outputs,)."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    def of_network(cls, network: Network, unit: float) -> _Outputs:
        """Return those of the output layer, which gives ratings divided by `unit`."""
        layer = network.output_weight, network.decoder_biases[-1]
        return cls(*(np.float32(unit) * tensor.detach().cpu().numpy() for tensor in layer))

    def of(self, columns: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return those of the outputs `columns`; −1 stands for one that was not seen, and gets their average."""
        weight, bias = self.weight[columns], self.bias[columns]
        unseen = columns < 0
        if unseen.any():
            weight[unseen], bias[unseen] = self._average
        return weight, bias

    @functools.cached_property
    def _average(self) -> tuple[NDArray[np.float32], np.float32]:
        return self.weight.mean(axis=0), self.bias.mean()

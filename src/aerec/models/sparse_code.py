"""SparseCode: a top-k sparse autoencoder over the codes of a trained model, whose units can be read and steered."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag
from typing_extensions import Self

from aerec.dimensions import Choice, Number, Space, Whole
from aerec.display.progress import EpochProgress
from aerec.errors import DataError, TrainingError
from aerec.interactions import Interactions
from aerec.item_features import rows_or_empty
from aerec.models.elsa import ELSA
from aerec.network.device import resolve_device, with_gradients
from aerec.parameters import Constraint, OneOf, RealNumber, WholeNumber
from aerec.recommender.base import History, Recommender, with_new_items
from aerec.recommender.codes import describe_unit, explain_units
from aerec.recommender.id_matching import check_n
from aerec.recommender.new_items import NewItems
from aerec.recommender.saving import restore_part, state_of_parts
from aerec.recommender.scorer import DecoderScorer, Scorer, SeparableScorer, UserBlock, score_blocks
from aerec.sparse import CSR, column_counts, take_rows
from aerec.splitting import Holdout
from aerec.system.memory import require_memory
from aerec.topk import top_k

__all__ = ["SparseCode"]

_AUXILIARY = 1 / 32  # weight of the loss of dead units, as in the paper
_SOME = 4096  # codes that the first lengths of W are found from
_OF_NUMBER = 0.1  # weight of the penalty of JumpReLU on the number of active units
_BANDWIDTH = 0.5  # of JumpReLU's kernel, times the first threshold
_TINY = 1e-12


class SparseCode(Recommender):
    r"""A sparse code of the users, learned from the dense code z of another model: many units, few of them active.

    .. math:: h = \operatorname{top}_k\big(W (z - c) + b\big), \qquad \hat z = D^\top h + c, \qquad \|D_j\| = 1

    .. math:: \min \tfrac{1}{n} \sum_z \|z - \hat z\|^2 / \sigma^2
              + \tfrac{1}{32} \|z - \hat z - D^\top h^{\text{dead}}\|^2 / \sigma^2

    with σ² the mean of ‖z − mean z‖². The scores are those that the model's own decoder gives for ẑ. The model itself
    stays as it is: what its code holds is only written in more, and clearer, words. A unit that no training user has
    had active for a whole epoch is dead. The d/2 dead units of the largest activations, d the size of z, are
    taught to give back the error of the others.

    With other selections some users have more than k active units, some fewer. "batch_top_k" keeps in training the
    largest positive activations of a whole batch, k for each user on average. "jump_relu" learns a threshold θ > 0 for
    each unit, by straight-through gradients, and pays for a mean number :math:`\ell_0` of active units that is not k:

    .. math:: h_j = a_j \, [a_j > \theta_j], \qquad \text{penalty} = (\ell_0 / k - 1)^2 / 10

    Both then keep what is above the threshold, which of "batch_top_k" is one for all units: the mean over batches of
    the smallest activation that was kept.

    Parameters
    ----------
    model : Recommender, optional
        Any model with a code and a decoder: `ELSA`, `MultDAE`, `MultVAE`, `RecVAE`, other autoencoders of users,
        `PureSVD`, `ALS`, `BPR`. By default `ELSA`. A fitted one is taken as it is; of an unfitted one a clone is
        fitted. ``clone(sparse_code)`` holds an unfitted one, so that each fold of a cross-validation fits anew.
    n_units : int, default 2048
    n_active : int, default 64
        k: units that are not 0 in the code of a user, with other selections than "top_k" on average over the training
        users; at most `n_units`.
    selection : {"top_k", "batch_top_k", "jump_relu"}, default "top_k"
        Which units are active.
    epochs : int, default 30
        Passes over the codes of the training users.
    batch_size : int, default 128
    learning_rate : float, default 0.005
        Of Adam; it falls to 0 linearly.
    device : str, default "auto"
        Where the sparse code is trained.
    seed : int, default 0
    progress : bool or int, default True

    Attributes
    ----------
    model_ : Recommender
        Fitted.
    encoder_ : ndarray of shape (n_units, d), float32
        W.
    encoder_bias_ : ndarray of shape (n_units,), float32
        b.
    decoder_ : ndarray of shape (n_units, d), float32
        D, rows of length 1.
    centre_ : ndarray of shape (d,), float32
        c.
    activity_ : ndarray of shape (n_units,), float32
        Share of the training users for whom a unit is active. Where it is 0 the unit is dead.
    strength_ : ndarray of shape (n_units,), float32
        Mean activation of a unit where it is active: a weight to steer by.
    threshold_ : ndarray of shape (n_units,), float32, or None
        θ, where the selection has one.

    References
    ----------
    Gao, Dupré la Tour, Tillman, Goh, Troll, Radford, Sutskever, Leike, Wu (2024). Scaling and evaluating sparse
    autoencoders. arXiv:2406.04093.

    Bussmann, Leask, Nanda (2024). BatchTopK sparse autoencoders. arXiv:2412.06410.

    Rajamanoharan, Lieberum, Sonnerat, Conmy, Varma, Kramár, Nanda (2024). Jumping ahead: improving reconstruction
    fidelity with JumpReLU sparse autoencoders. arXiv:2407.14435.

    Examples
    --------
    >>> from aerec.baselines import PureSVD
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import SparseCode
    >>> likes = load_dataset("sample").binarize(4.0)
    >>> model = SparseCode(PureSVD(n_factors=16), n_units=64, n_active=8, epochs=20, progress=False).fit(likes)
    >>> model.transform(likes.select_users(likes.users[:2])).nnz
    16
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "model": [Recommender, None],
        "n_units": [WholeNumber(1)],
        "n_active": [WholeNumber(1)],
        "selection": [OneOf(["top_k", "batch_top_k", "jump_relu"])],
        "epochs": [WholeNumber(1)],
        "batch_size": [WholeNumber(1)],
        "learning_rate": [RealNumber(above=0)],
        "device": [str],
        "seed": [WholeNumber(0, 2**32 - 1)],
        "progress": [bool, WholeNumber(0)],
    }
    _learned = ("encoder_", "encoder_bias_", "decoder_", "centre_", "activity_", "strength_", "threshold_")

    search_space: ClassVar[Space] = {
        "n_units": Choice((512, 1024, 2048, 4096)),
        "n_active": Whole(16, 128, log=True),
        "selection": Choice(("top_k", "batch_top_k", "jump_relu")),
        "learning_rate": Number(3e-4, 1e-2, log=True),
    }

    model_: Recommender
    encoder_: NDArray[np.float32]
    encoder_bias_: NDArray[np.float32]
    decoder_: NDArray[np.float32]
    centre_: NDArray[np.float32]
    activity_: NDArray[np.float32]
    strength_: NDArray[np.float32]
    threshold_: NDArray[np.float32] | None = None
    _steering: NDArray[np.float32] | None = None  # what is added to the activations of every user

    def __init__(
        self,
        model: Recommender | None = None,
        n_units: int = 2048,
        n_active: int = 64,
        selection: str = "top_k",
        epochs: int = 30,
        batch_size: int = 128,
        learning_rate: float = 0.005,
        device: str = "auto",
        seed: int = 0,
        progress: bool | int = True,
    ) -> None:
        self.model = model
        self.n_units = n_units
        self.n_active = n_active
        self.selection = selection
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.device = device
        self.seed = seed
        self.progress = progress

    # ------------------------------------------------------------------ fitting

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        if self.n_active > self.n_units:
            raise ValueError(f"n_active={self.n_active} of n_units={self.n_units} units cannot be active; lower it")
        data = train if self.items_ is not None else train.matrix
        self.model_ = self._fitted_model(data, validation)
        self.users_, self._steering = self.model_.users_, None
        block = self.model_.block_of(data)
        codes = self._codes_of(block.take(np.flatnonzero(~block.strangers)))
        self._learn(codes)

    def _fitted_model(self, data: History, validation: Holdout | None) -> Recommender:
        model = ELSA(progress=self.progress) if self.model is None else self.model
        try:
            check_is_fitted(model)
        except NotFittedError:
            fitted: Recommender = clone(model).fit(data, validation=validation)
            return fitted
        same = model.n_features_in_ == self.n_features_in_ and (model.items_ is None) == (self.items_ is None)
        if not same or (self.items_ is not None and not self.items_.equals(model.items_)):
            raise DataError(
                f"{type(model).__name__} was fitted on other items: expected the {model.n_features_in_:,} items that "
                f"it knows, in their order, got {self.n_features_in_:,}; fit on data with the same items "
                "(Interactions.with_items), or give an unfitted model"
            )
        return copy.copy(model)

    def _codes_of(self, users: UserBlock) -> NDArray[np.float32]:
        scorer = _decoder_of(self.model_)
        size = scorer.code_size()
        require_memory(8 * users.n_users * size, f"codes of {users.n_users:,} × {size:,}", "fit on fewer users")
        codes = np.empty((users.n_users, size), dtype=np.float32)
        for rows in score_blocks(users.n_users, self.n_features_in_):
            codes[rows] = scorer.code(users.take(rows))
        return codes

    def _learn(self, codes: NDArray[np.float32]) -> None:
        centre = codes.mean(axis=0, dtype=np.float64)
        spread = float(np.sqrt(np.square(codes - centre).sum(axis=1, dtype=np.float64).mean()))
        scale = spread if spread > 0 else 1.0
        with with_gradients(), EpochProgress(type(self).__name__, self.epochs, self.progress) as progress:
            learner = _Learner(
                torch.as_tensor((codes / scale).astype(np.float32), device=resolve_device(self.device)),
                int(self.n_units),
                int(self.n_active),
                self.selection,
                int(self.seed),
            )
            learner.train(
                int(self.epochs),
                int(self.batch_size),
                float(self.learning_rate),
                lambda epoch, cost: progress.epoch_done(epoch, {"cost": cost}),
            )
            threshold = learner.threshold(int(self.batch_size))
        W, b, D, c = (array.detach().cpu().numpy() for array in learner.parameters[:4])
        self.encoder_, self.decoder_ = W, D
        self.encoder_bias_, self.centre_ = (scale * b).astype(np.float32), (scale * c).astype(np.float32)
        self.threshold_ = None if threshold is None else (scale * threshold.cpu().numpy()).astype(np.float32)
        counts, sums = np.zeros(len(W)), np.zeros(len(W))
        coder = self._coder()
        for rows in score_blocks(len(codes), len(W)):
            active = coder.encode(codes[rows])
            counts += np.bincount(active.indices, minlength=len(W))
            sums += np.bincount(active.indices, active.data, minlength=len(W))
        self.activity_ = (counts / len(codes)).astype(np.float32)
        self.strength_ = (sums / np.maximum(counts, 1)).astype(np.float32)

    def _coder(self) -> _Coder:
        what = self.encoder_, self.encoder_bias_, self.decoder_, self.centre_
        return _Coder(*what, int(self.n_active), self.threshold_)

    def _make_scorer(self) -> Scorer:
        return self._code_scorer()

    def _code_scorer(self) -> _SparseCodeScorer:
        check_is_fitted(self)
        usage = self.activity_, self.strength_
        return _SparseCodeScorer(self.model_.scorer_, self._coder(), usage, self._steering)

    # ------------------------------------------------------------------ codes

    def transform(self, X: History) -> CSR:
        """Return the sparse code of each user.

        Parameters
        ----------
        X : Interactions, dict, or matrix of shape (n_users, n_items)

        Returns
        -------
        csr_array of shape (n_users, n_units), float32
            `n_active` stored values a row, with other selections than "top_k" about as many on average.
        """
        users, scorer = self.block_of(X), self._code_scorer()
        blocks = score_blocks(users.n_users, self.n_features_in_ + int(self.n_units))
        parts = [scorer.sparse_code(users.take(rows)) for rows in blocks]
        return sp.csr_array(sp.vstack(parts or [scorer.sparse_code(users)], format="csr"))

    def describe_code(self, unit: int, n: int = 10, activation: float = 1.0) -> pd.DataFrame:
        """Return the items that a unit stands for: those whose scores rise most when it is active.

        Parameters
        ----------
        unit : int
            From 0.
        n : int, default 10
            Number of items.
        activation : float, default 1.0
            The value of the unit, where no other is active.

        Returns
        -------
        pandas.DataFrame
            Columns item (raw id, or column number for a model fitted on a matrix) and weight, the largest first:
            decode(c + activation · D_unit) − decode(c).

        Raises
        ------
        ValueError
            If there is no such unit.
        """
        return describe_unit(self._code_scorer(), self.items_, unit, n, activation)

    def explain_code(self, history: History, item: Any, n: int | None = None) -> pd.DataFrame:
        """Say which units of one user's code speak for recommending `item`; `explain` says which items of the history.

        Parameters
        ----------
        history : Interactions or matrix of shape (1, n_items)
        item : raw id, or column number for a matrix
        n : int, optional
            Only the `n` largest contributions.

        Returns
        -------
        pandas.DataFrame
            Columns unit, activation and contribution (how much the score falls when the unit is set to 0), the largest
            first; units that are 0 are left out.
        """
        column = self._ids.column_for_one(item, history)
        return explain_units(self._code_scorer(), self.block_of(history), column, n)

    def name_units(self, data: Interactions, n_items: int = 20, *, held_out: Any = None) -> pd.DataFrame:
        """Name each unit by the feature that its items have in common.

        The items of a unit are the `n_items` of `describe_code`. With p the share of them that have a feature, and q
        that of all items, the name is the feature with the largest p · log(p / q): much of it here, little elsewhere.

        Parameters
        ----------
        data : Interactions
            With `item_features`, matched by item id.
        n_items : int, default 20
        held_out : array-like, optional
            Raw ids of items that have no part in the names: to see whether a name holds for others.

        Returns
        -------
        pandas.DataFrame
            Columns unit, name (None where no item of the unit has a feature), precision (p) and lift (p / q), the units
            in their order. With `held_out` also held_out_precision and held_out_lift: the same of the name, over the
            `n_items` of the held-out items that stand highest in the unit.

        Raises
        ------
        DataError
            If there are no features.
        """
        check_n(n_items)
        if data.item_features is None or data.feature_names is None:
            raise DataError("name_units needs features of items: Interactions.with_item_features(...)")
        rows = np.arange(data.shape[1]) if self.items_ is None else data.items.get_indexer(self.items_)
        features = rows_or_empty(data.item_features, rows)
        has: CSR = sp.csr_array(
            (np.ones(features.nnz, dtype=np.float32), features.indices, features.indptr), features.shape
        )
        barred = np.zeros(has.shape[0], dtype=bool)
        if held_out is not None:
            barred[self._ids.columns_of(held_out)] = True
        share, overall = self._shares(has, n_items, barred)
        gain = share * np.log(np.maximum(share, 1e-12) / np.maximum(overall, 1e-12))
        names = np.argmax(np.where(share > 0, gain, -np.inf), axis=1)
        precision = share[np.arange(len(names)), names]
        text = np.where(precision > 0, data.feature_names.to_numpy(dtype=object)[names], None)
        frame = pd.DataFrame({"unit": np.arange(len(names)), "name": text, "precision": precision})
        frame["lift"] = precision / np.maximum(overall[names], 1e-12)
        if held_out is not None:
            share, overall = self._shares(has, n_items, ~barred)
            frame["held_out_precision"] = share[np.arange(len(names)), names]
            frame["held_out_lift"] = frame["held_out_precision"] / np.maximum(overall[names], 1e-12)
        return frame

    def _shares(
        self, has: CSR, n_items: int, barred: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return which share of the items of each unit has each feature, and of all; of those that are not barred."""
        scorer, n = self._code_scorer(), min(n_items, int(np.count_nonzero(~barred)))
        blocks = score_blocks(int(self.n_units), self.n_features_in_)
        best = np.concatenate([scorer.unit_items(units, n, barred) for units in blocks])
        members = np.ones(best.size, dtype=np.float32), best.ravel(), np.arange(len(best) + 1) * best.shape[1]
        share = (sp.csr_array(members, shape=(len(best), has.shape[0])) @ has).toarray() / best.shape[1]
        return share, column_counts(take_rows(has, np.flatnonzero(~barred))) / np.count_nonzero(~barred)

    # ------------------------------------------------------------------ steering

    def steer(self, weights: Mapping[int, float]) -> Self:
        """Return this model with some units turned up or down for every user.

        Parameters
        ----------
        weights : mapping of int to float
            What is added to the activation of each unit. ``strength_[unit]`` makes a unit that was 0 as strong as it
            is in those who have it; a negative number turns it down.

        Returns
        -------
        SparseCode
            A model that shares what was learned: it scores, ranks, explains and serves with ẑ + Σ weight · D_unit.
            Users without a history are ranked by it too. It is saved without the weights.

        Raises
        ------
        ValueError
            If there is no such unit, or a weight is no finite number.
        """
        check_is_fitted(self)
        steered = copy.copy(self)
        steered._steering = _steering(weights, len(self.strength_))
        return steered

    def recommend(
        self, history: History, k: int = 10, exclude_seen: bool = True, *, steer: Any = None, **more: Any
    ) -> Any:
        """Recommend the `k` best items to each user of `history`.

        Parameters
        ----------
        history, k, exclude_seen, more
            As in `Recommender.recommend`.
        steer : mapping of int to float, optional
            Units to turn up or down, as in `steer`.

        Returns
        -------
        pandas.DataFrame or (indices, scores)
            As `Recommender.recommend`.
        """
        model = self if steer is None else self.steer(steer)
        return super(SparseCode, model).recommend(history, k, exclude_seen, **more)

    def _add_learned(self, added: NewItems) -> None:
        self.model_ = with_new_items(self.model_, added)

    # ------------------------------------------------------------------ saving

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        header, tensors = super()._state()
        part, arrays = state_of_parts({"model": self.model_})
        return header | part, tensors | arrays

    def _set_state(self, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        super()._set_state(header, tensors)
        self.model_ = ELSA() if self.model is None else clone(self.model)
        restore_part(self, "model", self.model_, header["model"], tensors)


def _decoder_of(model: Recommender) -> DecoderScorer:
    scorer = model.scorer_
    if not isinstance(scorer, DecoderScorer):
        raise ValueError(
            f"{type(model).__name__} has no code of a user that it decodes; take ELSA, MultDAE, MultVAE, RecVAE, "
            "another autoencoder of users, PureSVD, ALS or BPR"
        )
    return scorer


# ---------------------------------------------------------------------- learning


class _Learner:
    """W, b, D and c, learned from the rows of `codes`, whose mean square distance from their mean is 1.

    With "jump_relu" the fifth parameter is log θ. The loop is its own, not `Training`: it reads dense codes, without
    the noise, likelihood and validation data of a `Network`.
    """

    def __init__(self, codes: Tensor, n_units: int, n_active: int, selection: str, seed: int) -> None:
        self._codes, self._n_active, self._selection = codes, n_active, selection
        self._order = torch.Generator().manual_seed(seed)
        centre = codes.double().mean(dim=0)
        spread = (codes.double() - centre).square().mean(dim=0).sqrt().float()  # 0 where all codes have the same number
        first = torch.randn(n_units, codes.shape[1], generator=self._order, dtype=codes.dtype).to(codes.device) * spread
        D = torch.nn.functional.normalize(first, dim=1)
        some = (codes[:_SOME] - centre).float()
        values, units = (some @ D.T).topk(n_active, dim=1)
        output = embedding_bag(units, D, per_sample_weights=values, mode="sum")
        gain = (some * output).sum() / output.square().sum().clamp_min(_TINY)  # that brings ẑ nearest to z
        self.parameters = [gain * D, D.new_zeros(n_units), D, centre.float()]
        if selection == "jump_relu":
            smallest = (gain * values.min(dim=1).values.mean()).clamp_min(_TINY)
            self._bandwidth = _BANDWIDTH * float(smallest)
            self.parameters.append(torch.full_like(D[:, 0], float(smallest)).log())
        self._idle = torch.zeros(n_units, dtype=torch.int64, device=codes.device)  # rows since it was active

    def train(
        self, epochs: int, batch_size: int, learning_rate: float, epoch_done: Callable[[int, float], None]
    ) -> None:
        for parameter in self.parameters:
            parameter.requires_grad_()
        optimizer = torch.optim.Adam(self.parameters, lr=learning_rate)
        n_rows = len(self._codes)
        n_steps = epochs * -(-n_rows // batch_size)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / n_steps)
        for epoch in range(1, epochs + 1):
            total = self._codes.new_zeros(())
            for rows in torch.split(torch.randperm(n_rows, generator=self._order), batch_size):
                optimizer.zero_grad()
                error, auxiliary = self._cost(self._codes[rows.to(self._codes.device)])
                torch.autograd.backward([error + _AUXILIARY * auxiliary])
                optimizer.step()
                schedule.step()
                with torch.no_grad():
                    torch.nn.functional.normalize(self.parameters[2], dim=1, out=self.parameters[2])
                    total += error * len(rows)
            cost = float(total) / n_rows
            if not np.isfinite(cost):
                raise TrainingError("the cost of SparseCode is no longer a finite number; lower learning_rate")
            epoch_done(epoch, cost)

    def _cost(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the error of a batch, and that of the dead units in giving it back."""
        _, _, D, c = self.parameters[:4]
        activations = self._activations(z)
        output, active, penalty = self._output(activations)
        residual = z - c - output
        dead = self._idle >= len(self._codes)
        self._idle += len(z)
        self._idle[active] = 0
        error = residual.square().sum(dim=1).mean() + penalty
        n_dead = min(int(dead.sum()), max(1, z.shape[1] // 2))
        if n_dead == 0:
            return error, error.new_zeros(())
        values, units = activations.masked_fill(~dead, -torch.inf).topk(n_dead, dim=1)
        rest = residual.detach() - embedding_bag(units, D, per_sample_weights=values, mode="sum")
        return error, rest.square().sum(dim=1).mean()

    def _activations(self, z: Tensor) -> Tensor:
        W, b, _, c = self.parameters[:4]
        return torch.addmm(b, z - c, W.T)

    def _output(self, activations: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return Dᵀh, the units that somebody has active, and what the selection costs."""
        D, nothing = self.parameters[2], activations.new_zeros(())
        if self._selection == "top_k":
            values, units = activations.topk(self._n_active, dim=1)
            return embedding_bag(units, D, per_sample_weights=values, mode="sum"), units.reshape(-1), nothing
        if self._selection == "batch_top_k":
            values, places = self._best_of_batch(activations)
            h = torch.zeros_like(activations).view(-1).scatter(0, places, values).view_as(activations)
            return h @ D, (h > 0).any(dim=0), nothing
        theta = self.parameters[4].exp()
        h, n_active = _Jump.apply(activations, theta, self._bandwidth)  # type: ignore[no-untyped-call]
        return h @ D, (h > 0).any(dim=0), _OF_NUMBER * (n_active / self._n_active - 1).square()

    def _best_of_batch(self, activations: Tensor) -> tuple[Tensor, Tensor]:
        """Return the k activations a row that are largest in all rows together, and their places."""
        return activations.relu().view(-1).topk(len(activations) * self._n_active, sorted=False)

    @torch.no_grad()
    def threshold(self, batch_size: int) -> Tensor | None:
        """Return θ; None where the selection has none."""
        if self._selection == "top_k":
            return None
        if self._selection == "jump_relu":
            return self.parameters[4].exp()
        smallest = [
            self._best_of_batch(self._activations(some))[0].min() for some in torch.split(self._codes, batch_size)
        ]
        return torch.stack(smallest).mean().expand(len(self._idle))


class _Jump(torch.autograd.Function):
    """JumpReLU and the mean number of active units, with the straight-through gradients of the paper.

    The kernel is a rectangle of width `bandwidth`.
    """

    @staticmethod
    def forward(ctx: Any, activations: Tensor, theta: Tensor, bandwidth: float) -> tuple[Tensor, Tensor]:
        active = activations > theta
        ctx.save_for_backward(activations, theta, active)
        ctx.bandwidth = bandwidth
        return activations * active, active.sum() / len(activations)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_output: Tensor, to_number: Tensor) -> tuple[Tensor, Tensor, None]:
        activations, theta, active = ctx.saved_tensors
        near = ((activations - theta).abs() < ctx.bandwidth / 2) / ctx.bandwidth
        to_theta = -(near * (to_output * theta + to_number / len(activations))).sum(dim=0)
        return to_output * active, to_theta, None


# ---------------------------------------------------------------------- scoring


class _Coder:
    """From dense codes to sparse ones, and back."""

    def __init__(
        self,
        W: NDArray[np.float32],
        b: NDArray[np.float32],
        D: NDArray[np.float32],
        c: NDArray[np.float32],
        n_active: int,
        threshold: NDArray[np.float32] | None,
    ) -> None:
        self.n_units = len(W)
        self.D, self.c = D, c
        self._W, self._b, self._n_active, self._threshold = W, b, n_active, threshold

    def encode(self, z: NDArray[np.float32]) -> CSR:
        """Return the sparse codes; shape (n_rows, n_units)."""
        activations = (z - self.c) @ self._W.T + self._b
        if self._threshold is not None:
            return sp.csr_array(np.where(activations > self._threshold, activations, np.float32(0)))
        units, values = top_k(activations, self._n_active)
        starts = np.arange(len(z) + 1) * self._n_active
        code: CSR = sp.csr_array((values.ravel(), units.ravel(), starts), shape=(len(z), self.n_units))
        code.sort_indices()
        return code

    def decode(self, code: CSR | NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ẑ."""
        z: NDArray[np.float32] = code @ self.D + self.c
        return z


class _SparseCodeScorer(Scorer):
    """Scores by what the decoder of another scorer makes of ẑ."""

    def __init__(
        self,
        inner: Any,
        coder: _Coder,
        usage: tuple[NDArray[np.float32], NDArray[np.float32]],
        steering: NDArray[np.float32] | None,
    ) -> None:
        super().__init__(inner.n_items, inner.popularity if steering is None else None)
        self._inner, self._coder, self._usage, self._steering = inner, coder, usage, steering

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = self._inner.decode(self._given_back(self._inner.code(block)), block)
        return scores

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how much a score falls when an item is left out of the history.

        What the inner scorer adds to what it decodes, such as − x of ELSA, falls as it does in its own contributions.
        """
        inner = self._inner
        if not isinstance(self._inner, SeparableScorer):
            return super().contributions(block, columns)
        own, without = inner.code(block), inner.code_without_each(block).astype(np.float32)
        terms: NDArray[np.float64] = inner.contributions(block, columns).astype(np.float64)
        dense = np.concatenate([own, without])
        for sign, codes in ((-1, dense), (1, self._given_back(dense))):
            for places in score_blocks(len(without), self.n_items):
                some = np.concatenate([codes[:1], codes[1 + places]])
                scores = inner.decode(some, UserBlock.without_history(len(some), self.n_items))[:, columns]
                terms[places] += sign * (scores[0] - scores[1:])
        return terms

    def _given_back(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ẑ."""
        z = self._coder.decode(self._coder.encode(codes))
        if self._steering is not None:
            z += self._steering @ self._coder.D
        return z

    def sparse_code(self, block: UserBlock) -> CSR:
        """Return the code of each user; shape (n_users, n_units)."""
        code = self._coder.encode(self._inner.code(block))
        if self._steering is not None:
            code = sp.csr_array(code + sp.csr_array(np.tile(self._steering, (block.n_users, 1))))
        return code

    def code(self, block: UserBlock) -> NDArray[np.float32]:
        """Return the code of each user as a dense array."""
        return self.sparse_code(block).toarray()

    def code_size(self) -> int:
        """Return the number of units."""
        return self._coder.n_units

    def steered(self, weights: Mapping[int, float]) -> _SparseCodeScorer:
        """Return a scorer with other steering, as `SparseCode.steer`."""
        return _SparseCodeScorer(self._inner, self._coder, self._usage, _steering(weights, self.code_size()))

    def unit_usage(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return `activity_` and `strength_`."""
        return self._usage

    def unit_weights(self, unit: int, activation: float) -> NDArray[np.float32]:
        """Return decode(c + activation · D_unit) − decode(c); shape (n_items,)."""
        codes = np.stack([self._coder.c, self._coder.c + np.float32(activation) * self._coder.D[unit]])
        silent, active = self._inner.decode(codes, UserBlock.without_history(2, self.n_items))
        weights: NDArray[np.float32] = active - silent
        return weights

    def unit_items(
        self, units: NDArray[np.int64], n: int, barred: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """Return the items whose scores rise most when each of `units` is 1; (n_units, n) or all there are.

        Those that are `barred` are left out.
        """
        codes = np.concatenate([self._coder.c[None], self._coder.c + self._coder.D[units]])
        scores = self._inner.decode(codes, UserBlock.without_history(len(codes), self.n_items))
        gains = scores[1:] - scores[0]
        if barred is not None:
            gains[:, barred] = -np.inf
        return top_k(gains, min(n, self.n_items))[0]

    def unit_contributions(
        self, code: NDArray[np.float32], units: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return how much the scores of `columns` fall when each of `units` is 0; (n_units, n_columns)."""
        whole = self._coder.decode(code[None])
        codes = np.concatenate([whole, whole - code[units, None] * self._coder.D[units]])
        scores = self._inner.decode(codes, UserBlock.without_history(len(codes), self.n_items))[:, columns]
        terms: NDArray[np.float32] = scores[0] - scores[1:]
        return terms


def _steering(weights: Mapping[int, float], n_units: int) -> NDArray[np.float32] | None:
    """Return what is added to each activation; None for nothing."""
    steering = np.zeros(n_units, dtype=np.float32)
    for unit, weight in weights.items():
        if isinstance(unit, bool) or not isinstance(unit, int | np.integer) or not 0 <= unit < n_units:
            raise ValueError(f"steer: a unit is a whole number from 0 to {n_units - 1}, got {unit!r}")
        if not RealNumber().accepts(weight):
            raise ValueError(f"steer: the weight of unit {unit} must be a finite number, got {weight!r}")
        steering[unit] = weight
    return steering if weights else None

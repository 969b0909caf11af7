"""SparseCode: a top-k sparse autoencoder over the codes of a trained model, whose units can be read and steered."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from typing_extensions import Self

from aerec.dimensions import Choice, Number, Space, Whole
from aerec.display.progress import EpochProgress
from aerec.errors import DataError
from aerec.ids import examples
from aerec.interactions import Interactions
from aerec.item_features import rows_or_empty
from aerec.models.elsa import ELSA
from aerec.network.code_learner import CodeLearner
from aerec.network.device import resolve_device, torch_threads_for, with_gradients
from aerec.parameters import Constraint, OneOf, RealNumber, WholeNumber
from aerec.recommender.base import History, Recommender, with_new_items
from aerec.recommender.id_matching import check_n
from aerec.recommender.new_items import NewItems
from aerec.recommender.saving import restore_part, state_of_parts
from aerec.recommender.scorer import DecoderScorer, Scorer, UserBlock, score_blocks
from aerec.recommender.sparse_code_scorer import SparseCoder, SparseCodeScorer, added_activations
from aerec.sparse import CSR, column_counts, keep_values, ones_in, row_ids, take_rows
from aerec.splitting import Holdout
from aerec.system.memory import require_memory

_LEAST = 0.5  # of a history that is left in every second epoch


class SparseCode(Recommender):
    r"""A sparse code of the users, learned from the dense code z of another model: many units, few of them active.

    .. math:: h = \operatorname{top}_k\big(W (z - c) + b\big), \qquad \hat z = D^\top h + c, \qquad \|D_j\| = 1

    .. math:: \min \tfrac{1}{n} \sum_z \|z - \hat z\|^2 / \sigma^2
              + \tfrac{1}{32} \|z - \hat z - D^\top h^{\text{dead}}\|^2 / \sigma^2

    with σ² the mean of ‖z − mean z‖². The scores are those that the model's own decoder gives for ẑ. The model itself
    stays as it is: what its code holds is only written in more, and clearer, words. A unit that no training user has
    had active for a whole epoch is dead. The d/2 dead units of the largest activations, d the size of z, are
    taught to give back the error of the others. Every second epoch sees codes of histories of which up to a half is
    left out at random, so that users whom nobody has seen are written as well as those of the training data.

    With other selections some users have more than k active units, some fewer. "batch_top_k" keeps in training the
    largest positive activations of a whole batch, k for each user on average. "jump_relu" learns a threshold θ > 0 for
    each unit, by straight-through gradients, and pays for a mean number :math:`\ell_0` of active units that is not k:

    .. math:: h_j = a_j \, [a_j > \theta_j], \qquad \text{penalty} = (\ell_0 / k - 1)^2

    Both then keep what is above the threshold, which of "batch_top_k" is one for all units: the mean over batches of
    the middle between the smallest activation that is kept and the largest that is not.

    Parameters
    ----------
    model : Recommender, optional
        Any model with a code and a decoder: `ELSA`, `MultDAE`, `MultVAE`, `RecVAE`, other autoencoders of users,
        `PureSVD`, `ALS`, `BPR`. By default `ELSA`. A fitted one is taken as it is; of an unfitted one a clone is
        fitted. ``clone(sparse_code)`` holds an unfitted one, so that each fold of a cross-validation fits anew.
        Weights of ratings act in that fit, where the model takes them; codes are of histories without them.
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
    _takes_weights = True  # where its model does
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
        users, random = block.take(np.flatnonzero(~block.strangers)), np.random.default_rng(int(self.seed))
        self._learn(self._codes_of(users), lambda: self._codes_of(thinned(users, random)))

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

    def _learn(self, codes: NDArray[np.float32], other_codes: Callable[[], NDArray[np.float32]] | None = None) -> None:
        centre = codes.mean(axis=0, dtype=np.float64)
        spread = float(np.sqrt(np.square(codes - centre).sum(axis=1, dtype=np.float64).mean()))
        scale = spread if spread > 0 else 1.0
        device = resolve_device(self.device)

        def scaled(some: NDArray[np.float32]) -> torch.Tensor:
            return torch.as_tensor((some / scale).astype(np.float32), device=device)

        threads = torch_threads_for(min(len(codes), int(self.batch_size)) * codes.shape[1] * int(self.n_units))
        with with_gradients(), threads, EpochProgress(type(self).__name__, self.epochs, self.progress) as progress:
            sizes = int(self.n_units), int(self.n_active)
            learner = CodeLearner(scaled(codes), *sizes, self.selection, int(self.seed))
            learner.train(
                int(self.epochs),
                int(self.batch_size),
                float(self.learning_rate),
                lambda epoch, cost: progress.epoch_done(epoch, {"cost": cost}),
                None if other_codes is None else lambda: scaled(other_codes()),
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

    def _coder(self) -> SparseCoder:
        what = self.encoder_, self.encoder_bias_, self.decoder_, self.centre_
        return SparseCoder(*what, int(self.n_active), self.threshold_)

    def _make_scorer(self) -> Scorer:
        return self._code_scorer()

    def _code_scorer(self) -> SparseCodeScorer:
        check_is_fitted(self)
        usage = self.activity_, self.strength_
        return SparseCodeScorer(self.model_.scorer_, self._coder(), usage, self._steering)

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

    def name_units(self, data: Interactions, n_items: int = 20, *, held_out: Any = None) -> pd.DataFrame:
        """Name each unit by the feature that its items have in common.

        The items of a unit are the `n_items` of `describe_code`. With p the share of them that have a feature, and q
        that of all items, the name is the feature with the largest p · log(p / q): much of it here, little elsewhere.

        Parameters
        ----------
        data : Interactions
            With `item_features`, or else `item_genres`, matched by item id.
        n_items : int, default 20
        held_out : array-like, optional
            Raw ids of items that have no part in the names: to see whether a name holds for others.

        Returns
        -------
        pandas.DataFrame
            Columns unit, name (None where no feature is more common in its items than in all), precision (p) and lift
            (p / q), the units in their order. With `held_out` also held_out_precision and held_out_lift: the same of
            the feature, over the `n_items` of the held-out items that stand highest in the unit.

        Raises
        ------
        DataError
            If there are neither.
        """
        check_n(n_items)
        if data.item_features is None and data.item_genres is not None:
            data = data.with_item_features(data.item_genres.map(list).rename("genre"))
        if data.item_features is None or data.feature_names is None:
            raise DataError("name_units needs features or genres of items: Interactions.with_item_features(...)")
        rows = np.arange(data.shape[1]) if self.items_ is None else data.items.get_indexer(self.items_)
        if (rows < 0).all() or (self.items_ is None and len(rows) != self.n_features_in_):
            raise DataError(
                f"name_units needs features of the {self.n_features_in_:,} items of the model; the data describe "
                f"{data.shape[1]:,} others, such as {examples(data.items)}"
            )
        has = ones_in(rows_or_empty(data.item_features, rows), np.float32)
        barred = np.zeros(has.shape[0], dtype=bool)
        if held_out is not None:
            barred[self.ids_.columns_of(held_out)] = True
            if barred.all() or not barred.any():
                raise ValueError(
                    f"held_out names {np.count_nonzero(barred):,} of {len(barred):,} items: expected some, not all"
                )
        share, overall = self._shares(has, n_items, barred)
        gain = share * np.log(np.maximum(share, 1e-12) / np.maximum(overall, 1e-12))
        names = np.argmax(np.where(share > 0, gain, -np.inf), axis=1)
        precision = share[np.arange(len(names)), names]
        lift = precision / np.maximum(overall[names], 1e-12)
        text = np.where(lift > 1 + 1e-6, data.feature_names.to_numpy(dtype=object)[names], None)
        frame = pd.DataFrame({"unit": np.arange(len(names)), "name": text, "precision": precision, "lift": lift})
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
        steered._steering = added_activations(weights, len(self.strength_))
        return steered

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


def thinned(users: UserBlock, random: np.random.Generator) -> UserBlock:
    """Return users with a part of their histories: of each a share between `_LEAST` and 1, drawn at random."""
    history = users.history
    stays = random.random(history.nnz) < random.uniform(_LEAST, 1, users.n_users)[row_ids(history)]
    times = None if users.times is None else users.times[stays]
    return replace(users, history=keep_values(history, stays), left_out=(), times=times)


def _decoder_of(model: Recommender) -> DecoderScorer:
    scorer = model.scorer_
    if not isinstance(scorer, DecoderScorer):
        raise ValueError(
            f"{type(model).__name__} has no code of a user that it decodes; take ELSA, MultDAE, MultVAE, RecVAE, "
            "another autoencoder of users, PureSVD, ALS or BPR"
        )
    return scorer

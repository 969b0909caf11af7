"""The composable autoencoder: any noise × any sparsity × any likelihood, on sparse ratings and on dense data."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from typing_extensions import Self

from aerec.canonical import canonical_csr, refuse_masked, refuse_other_than_matrix
from aerec.dimensions import Choice, Dimension, Number, Space
from aerec.display.plotting import plot_history
from aerec.errors import DataError, TrainingError
from aerec.holdout import Holdout
from aerec.interactions import Interactions
from aerec.item_features import features_to_weigh, unit_rows
from aerec.likelihood import LIKELIHOODS, check_values
from aerec.models.saved_network import network_tensors, restored_network
from aerec.models.warm_start import LearnedBefore, with_new_rows
from aerec.network.coding import decoded, encoded, mean_cost, reconstructed
from aerec.network.device import resolve_device, resolve_precision, with_gradients
from aerec.network.network import ACTIVATIONS, INITIALIZATIONS, Architecture, Network
from aerec.network.rows import DenseRows, Rows, WholeRows, sparse_rows
from aerec.noise import GaussianNoise, MaskingNoise, Noise
from aerec.parameters import Constraint, OneOf, RealNumber, WholeNumber, check_parameters, copied_parameters
from aerec.recommender.base import History, Recommender, item_popularity
from aerec.recommender.health import warn_of_collapsed_code, warn_of_early_end, warn_of_scales
from aerec.recommender.id_matching import check_n
from aerec.recommender.network_scorer import NetworkScorer
from aerec.recommender.new_items import NewItems
from aerec.recommender.rating import PredictsRatings
from aerec.recommender.saving import encode_parameter, training_identity
from aerec.recommender.scorer import Scorer
from aerec.sparse import CSR
from aerec.sparsity import KLSparsity, L1Sparsity, Sparsity, TopKSparsity
from aerec.system.memory import require_memory
from aerec.training.callbacks import Callback, Validator, holdout_validator
from aerec.training.checkpoint import Checkpoint
from aerec.training.loop import (
    automatic_batch_size,
    automatic_epochs,
    epochs_by_ratings,
    epochs_of_dense_rows,
    train,
)
from aerec.training.optimizers import OPTIMIZER_CHOICE, SCHEDULES, OptimizerChoice
from aerec.training.trainer import StepOptions, Trainer

NEURAL_SPACE: dict[str, Dimension] = {
    "noise": Choice(
        (None, *(MaskingNoise(p) for p in (0.3, 0.5)), *(MaskingNoise(p, hold_out=True) for p in (0.3, 0.5, 0.65)))
    ),
    "learning_rate": Number(3e-4, 5e-3, log=True),
    "weight_decay": Choice((0.0, 1e-5, 1e-4, 1e-3)),
    "batch_size": Choice(("auto", 128, 500)),
}
HIDDEN_SIZES = Choice((200, 400, 600, (600, 200)))
"""What the search spaces of most autoencoders have in common."""
OF_CLICKS = ("multinomial", "bernoulli")
"""The likelihoods of clicks: of rows of which only what is there says something."""
_EPOCHS_VALIDATED = 100  # most epochs of epochs="auto" with validation data
_COLLAPSED, _SETTLED = 0.01, 5  # KL per unit of a code that says nothing; epochs after which it should
_OF_STEPS: dict[str, list[Constraint]] = {
    "epochs": [WholeNumber(1), OneOf(("auto",))],
    "batch_size": [WholeNumber(1), OneOf(("auto",))],
    "learning_rate": [RealNumber(above=0)],
    "learning_rate_schedule": [OneOf(SCHEDULES)],
    "weight_decay": [RealNumber(at_least=0)],
    "kl_weight": [RealNumber(at_least=0)],
    "kl_annealing_steps": [WholeNumber(0)],
    "ema_decay": [RealNumber(at_least=0, below=1)],
    "patience": [WholeNumber(1), None],
    "validation_metric": [str, None],
    "device": [str],
    "precision": [OneOf(("auto", "float32", "bf16"))],
    "seed": [WholeNumber(0, 2**32 - 1)],
    "progress": [bool, WholeNumber(1)],
}
"""Parameters that may be another from one `partial_fit` to the next; the others made the network."""


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Recommender):  # type: ignore[misc]
    r"""Autoencoder for sparse ratings or dense data, kept from copying its input by a narrow code, noise or sparsity.

    With encoder layers :math:`h_l = f(W_l^\top h_{l-1} + b_l)`, :math:`h_0 = \tilde x` the corrupted row, the code is
    :math:`z = h_L` and the decoder mirrors the encoder up to a linear output layer, the logits. The cost is the mean
    over rows of [−log p(x | logits) + sparsity penalty of z + kl_weight · KL] + weight_decay · ½‖W‖².

    Parameters
    ----------
    hidden : int or tuple of int, default (600, 200)
        Units of the encoder's layers; the last is the code. The decoder has the same in reverse.
    activation : str, default "tanh"
        f, of every hidden layer and of the code (a variational code is linear): "identity", "sigmoid", "tanh", "relu",
        "leaky_relu" (slope 0.01), "elu", "selu", "gelu", "softplus" or "swish".
    noise : MaskingNoise, GaussianNoise or None, default MaskingNoise(0.5)
        Corrupts the input in training.
    sparsity : L1Sparsity, KLSparsity, TopKSparsity or None, default None
        Penalty or constraint on the code.
    likelihood : {"multinomial", "bernoulli", "gaussian", "observed"}, default "multinomial"
        The reconstruction loss, see `aerec.likelihood`; "observed" reads zeros as missing.
    variational : bool, default False
        The encoder gives mean and log variance of a normal code (Kingma & Welling 2014), pulled to N(0, I). A sparsity
        is that of the mean, the code outside of training; what is drawn around it in training is dense.
    user_factors : bool, default False
        Add a learned vector per user to the first hidden layer (CDAE). Users not seen in training, and rows of a
        plain matrix (which carry no ids), get none.
    tied : bool, default False
        The decoder uses the transposed weights of the encoder.
    normalize : bool or None, default False
        Divide each input row by its Euclidean length before noise is added. None: where the likelihood is one of clicks
        (multinomial, bernoulli).
    initialization : {"xavier", "orthogonal", "zero-decoder"}, default "xavier"
        Of the weights. Biases begin at 0, that of the output at what fits the average row. "xavier" is uniform within
        ±√(6 / (n_in + n_out)) (Glorot & Bengio 2010); "orthogonal" has orthonormal rows or columns (Saxe et al. 2014);
        with "zero-decoder" the output layer begins at 0 and the others as with "xavier", which needs weights that are
        not tied. The log variance of a variational code begins at 0 where rows are not normalised, and stays below 2.
    initialization_scale : float, default 1.0
        A constant that the initial weights are multiplied by.
    feature_weight : float >= 0, default 0.0
        w: above 0 the first layer reads the features of the items too (`Interactions.item_features`), in rows F of
        length w: its weights are :math:`W + F U`, with a row of U for each feature, learned beside W and from 0 on.
        An item with few ratings borrows what others of its features have learned, and `add_items` knows the F of new
        items. A corrupted row is read with the features of what is left of it. Needs weights that are not tied.
    negatives : int or None, default None
        In training, compute the loss at the items of the batch and at this many others, drawn anew for each batch,
        instead of at all items, with the correction for it: for catalogues of 100,000 items and more. A step then
        costs the same however many items there are. None for the loss over all items.
    kl_weight : float, default 1.0
        Weight of the KL term of a variational code.
    kl_annealing_steps : int, default 0
        Steps over which that weight rises from 0.
    epochs : int or "auto", default "auto"
        "auto" takes up to 100 with validation data, or as many as without if that is more, where `patience` ends the
        training; without it 30, or where most entries have a value as many as make 3,000 steps, at most 1,000. The
        presets for likes follow the data: a · (ratings of an item / 20)^−0.08 · (ratings / 10⁵)^b epochs, the last
        power from 1 to 2.8, and up to four times as many where they have fewer than ten steps; a and b are 14.5 and 0.3
        in `MultDAE`, 18 and 0.3 in `CDAE`, 19 and 0.15 in `MultVAE`, 31 and 0 in `SparseAutoencoder`. What items have
        in common shows sooner where they have many ratings, and many ratings are learned by heart later. In `ELSA` and
        `DenoisingAutoencoder` it is a · (n_rows · n_items / 10⁶)^0.29 epochs of 30 steps, with a = 5 and 5.4; in
        `RecVAE` it is 20 of them. On sets of 300 to 20,000 users that is about where validation data would have ended
        the training, and `patience` ends none sooner: where popularity is all that a network has learned yet, more of
        it does not help for long.
    batch_size : int or "auto", default "auto"
        Rows of a step, at most: those of an epoch are divided evenly over its steps, so that no small rest has a step
        of its own. "auto" takes a thirtieth of the rows, from 32 to 500: an epoch then has 30 steps and more.
    learning_rate : float, default 1e-3
    optimizer : str or class, default "adam"
        "adam", "adamw", "sgd" (with momentum 0.9), "adagrad", or a class of `torch.optim`, or the name of one.
    learning_rate_schedule : {"constant", "linear", "cosine"}, default "constant"
        How it falls from epoch to epoch, towards 0 after the last of `epochs`.
    ema_decay : float, default 0.0
        d of an exponential average of the weights, taken once an epoch: a weight that is n epochs old counts dⁿ. The
        average is what is validated and kept. 0 for the weights of the last step.
    weight_decay : float, default 0.0
        λ of λ · ½‖W‖² (biases are free). AdamW takes λ off the weights directly instead, in every step λ ·
        learning_rate of each.
    patience : int or None, default 10
        With validation data: stop after this many epochs without improvement. The best epoch is restored.
    validation_metric : str or None, default None
        What early stopping watches on a Holdout: any metric of `aerec.metrics`; None for "ndcg@100", or for "rmse"
        in a model that predicts ratings (`AutoRec`).
    device : str, default "auto"
        "auto" takes CUDA where it is there, else the CPU; or the name of a PyTorch device.
    precision : {"auto", "float32", "bf16"}, default "auto"
        Of the factors in the products of the output layer; "auto" takes bf16 where the hardware has it. Scores are of
        float32 factors always: where many users are ranked, bf16 only names the candidates.
    seed : int, default 0
        Of the initial weights, the order of rows and the noise.
    progress : bool or int, default True
        Show the cost of each epoch as a bar in a terminal or notebook; it is logged in any case. A number n writes a
        line every n epochs to the standard error where there is no bar.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of the encoder's layers, the first with its part F·U, then the decoder's. A variational code has
        2 · n_code columns: mean and log variance.
    intercepts_ : list of ndarray of shape (n_out,)
        Biases, in the same order.
    history_ : pandas.DataFrame
        A row per epoch: epoch, likelihood, sparsity, kl (before `kl_weight`), weight_decay, cost, validation metric,
        seconds. With ``MaskingNoise(hold_out=True)`` the likelihood is of the masked entries.
    network_ : aerec.network.network.Network
        The PyTorch module.
    n_features_in_ : int
        Number of items (columns).
    item_features_ : csr_array of shape (n_items, n_features) or None
        F, with a `feature_weight`.

    References
    ----------
    Strub, Gaudel, Mary (2016). Hybrid recommender system based on autoencoders. DLRS. (`feature_weight`; there the
    features stand beside each layer's input.)
    Vincent et al. (2010). Stacked denoising autoencoders. JMLR 11.
    Liang, Krishnan, Hoffman, Jebara (2018). Variational autoencoders for collaborative filtering. WWW.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.preprocessing import StandardScaler
    >>> from aerec.models import Autoencoder
    >>> from aerec.noise import GaussianNoise
    >>> X = StandardScaler().fit_transform(load_digits().data)
    >>> model = Autoencoder(hidden=16, noise=GaussianNoise(0.3), likelihood="gaussian", epochs=5, batch_size=100)
    >>> code = model.fit(X).transform(X)
    >>> code.shape
    (1797, 16)
    >>> model.generate(code[:2]).shape
    (2, 64)
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        **_OF_STEPS,
        "hidden": [WholeNumber(1), tuple, list],
        "activation": [OneOf(ACTIVATIONS)],
        "noise": [MaskingNoise, GaussianNoise, None],
        "sparsity": [L1Sparsity, KLSparsity, TopKSparsity, None],
        "likelihood": [OneOf(LIKELIHOODS)],
        "variational": [bool],
        "user_factors": [bool],
        "tied": [bool],
        "feature_weight": [RealNumber(at_least=0)],
        "normalize": [bool, None],
        "initialization": [OneOf(INITIALIZATIONS)],
        "initialization_scale": [RealNumber(at_least=0)],
        "optimizer": [OPTIMIZER_CHOICE],
        "negatives": [WholeNumber(1), None],
    }

    _epochs_alone: ClassVar[int] = 30
    """What ``epochs="auto"`` means without validation data."""

    _epochs_of_a_million: ClassVar[float | None] = None
    """The same for likes, on data of a million cells whose epochs have 30 steps; None where another rule holds."""

    _epochs_of_likes: ClassVar[tuple[float, float] | None] = None
    """What `epochs_by_ratings` takes for likes; None where another rule holds."""

    _of_likes: ClassVar[tuple[str, ...]] = OF_CLICKS
    """The likelihoods with which these rules hold."""

    _batches: ClassVar[tuple[int, int]] = (30, 500)
    """Steps an epoch that ``batch_size="auto"`` takes, and its largest batch."""

    _kl_by_unit: ClassVar[bool] = True
    """Whether the KL term is that of a normal code and a standard normal prior, summed over its units."""

    _takes_weights = _watches_cost = True
    _learned: ClassVar[tuple[str, ...]] = ("item_features_",)

    network_: Network
    item_features_: CSR | None = None
    _feature_names: pd.Index[Any] | None = None
    n_iter_: int
    _records: list[dict[str, Any]]  # one for each epoch; appending to a frame would copy it
    _trainer: Trainer | None = None  # None in a loaded model
    _rows: Rows | None = None  # while it is trained
    _steps = 0  # steps taken so far, which KL annealing goes by

    search_space: ClassVar[Space] = {
        **NEURAL_SPACE,
        "hidden": HIDDEN_SIZES,
        "noise": Choice((None, MaskingNoise(0.2), MaskingNoise(0.5), GaussianNoise(0.1), GaussianNoise(0.3))),
        "sparsity": Choice((None, L1Sparsity(0.001), L1Sparsity(0.01), TopKSparsity(32), TopKSparsity(64))),
    }

    def __init__(
        self,
        hidden: int | tuple[int, ...] = (600, 200),
        activation: str = "tanh",
        noise: Noise | str | None = MaskingNoise(0.5),  # noqa: B008 (frozen)
        sparsity: Sparsity | None = None,
        likelihood: str = "multinomial",
        variational: bool = False,
        user_factors: bool = False,
        tied: bool = False,
        normalize: bool | None = False,
        initialization: str = "xavier",
        initialization_scale: float = 1.0,
        feature_weight: float = 0.0,
        negatives: int | None = None,
        kl_weight: float | str = 1.0,
        kl_annealing_steps: int = 0,
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float = 1e-3,
        learning_rate_schedule: str = "constant",
        optimizer: OptimizerChoice = "adam",
        ema_decay: float = 0.0,
        weight_decay: float | str = 0.0,
        patience: int | None = 10,
        validation_metric: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        seed: int = 0,
        progress: bool | int = True,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.noise = noise
        self.sparsity = sparsity
        self.likelihood = likelihood
        self.variational = variational
        self.user_factors = user_factors
        self.tied = tied
        self.normalize = normalize
        self.initialization = initialization
        self.initialization_scale = initialization_scale
        self.feature_weight = feature_weight
        self.negatives = negatives
        self.kl_weight = kl_weight
        self.kl_annealing_steps = kl_annealing_steps
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.optimizer = optimizer
        self.ema_decay = ema_decay
        self.weight_decay = weight_decay
        self.patience = patience
        self.validation_metric = validation_metric
        self.device = device
        self.precision = precision
        self.seed = seed
        self.progress = progress

    # ------------------------------------------------------------------ what a preset may change

    def _build(self, n_inputs: int, n_users: int) -> Network:
        return Network(self._architecture(n_inputs, n_users), torch.Generator().manual_seed(int(self.seed)))

    def _architecture(self, n_inputs: int, n_users: int) -> Architecture:
        sizes = np.atleast_1d(np.asarray(self.hidden))
        if sizes.ndim != 1 or sizes.size == 0 or sizes.dtype.kind not in "iu" or (sizes < 1).any():
            raise ValueError(f"hidden must be whole numbers of at least 1, one per layer; got {self.hidden!r}")
        if self.initialization == "zero-decoder" and self.tied:
            raise ValueError("initialization='zero-decoder' needs a decoder of its own: set tied=False")
        if self.item_features_ is not None and self.tied:
            raise ValueError("feature_weight= is for an encoder with weights of its own: set tied=False")
        if self.sparsity is not None:
            self.sparsity.check_activation("identity" if self.variational else self.activation)
        return Architecture(
            n_inputs=n_inputs,
            hidden=tuple(sizes.tolist()),
            activation=self.activation,
            likelihood=LIKELIHOODS[self.likelihood],
            noise=self._used_noise(),
            sparsity=self.sparsity,
            variational=self.variational,
            tied=self.tied,
            normalize=self.likelihood in OF_CLICKS if self.normalize is None else bool(self.normalize),
            initialization=self.initialization,
            initialization_scale=float(self.initialization_scale),
            n_users=n_users,
            n_features=0 if self.item_features_ is None else self.item_features_.shape[1],
            negatives=None if self.negatives is None else int(self.negatives),
        )

    def _training_rows(self, data: CSR | NDArray[np.float32], weights: NDArray[np.float32] | None = None) -> WholeRows:
        """Return the rows that the network reads, on the device, with the weights of their ratings."""
        device = resolve_device(self.device)
        if not isinstance(data, np.ndarray):
            return sparse_rows(data, device, weights=weights)
        if isinstance(noise := self._used_noise(), MaskingNoise) and noise.hold_out:
            return sparse_rows(canonical_csr(data), device)
        return DenseRows(data, device)

    def _make_scorer(self) -> Scorer:
        return NetworkScorer(self.network_, self.precision, self._popularity)

    @property
    def _knows_users(self) -> bool:  # type: ignore[override]
        return bool(self.user_factors)

    @property
    def _n_kept_users(self) -> int | None:
        """Of how many users something is kept row by row; None where it is of none."""
        return self.network_.architecture.n_users if self.user_factors else None

    # ------------------------------------------------------------------ learning

    def fit(
        self,
        train: History,
        y: Any = None,
        *,
        validation: Any = None,
        checkpoint: str | os.PathLike[str] | None = None,
        callbacks: Iterable[Callback] = (),
        warm_start: bool = False,
    ) -> Self:
        """Learn from `train`: anew, or from where the last fit ended.

        Parameters
        ----------
        train : Interactions, sparse matrix or dense array of shape (n_rows, n_items)
        y : optional
            Ignored, as scikit-learn's pipelines expect; but a Holdout or a pair (history, target) is taken for
            `validation`.
        validation : Holdout, (history, target), or matrix of shape (n_rows, n_items), optional
            For early stopping: on a metric of a Holdout, on the cost of a matrix.
        checkpoint : path-like, optional
            A folder in which the state of the training is kept after every epoch. Where it holds one already, of the
            same data and parameters, the training goes on from it and ends where it would have ended uninterrupted,
            bit for bit on the same number of threads. `patience` may be another than before, and with a constant
            learning rate `epochs`: a training that ended is trained longer so. One training at a time may use the
            folder.
        callbacks : iterable of Callback
            Called after every epoch, such as those of `aerec.tracking`.
        warm_start : bool, default False
            Begin with the weights of the last fit, or of the model that was loaded, where there are any: `train` may
            have more or other items and users, which are matched by id. Those that are new begin as in a first fit.
            The optimiser, the schedule and `history_` begin anew, KL annealing goes on. A line of the log says how many
            are known and new.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If there is nothing to learn from, the likelihood cannot take the values, or the checkpoint is of another
            training.
        TrainingError
            If the cost stops being a finite number, or explodes; names epoch, batch and the likely cause. The model
            keeps the weights of the best epoch so far (without validation data, of the last good one). Any other
            failure leaves it as it was, fitted or not.
        """
        before = self._learned_before() if warm_start and hasattr(self, "network_") else None
        if before is not None and checkpoint is not None:
            raise ValueError("checkpoint= goes on with a training, warm_start= begins one: give one of them")
        if before is not None and torch.distributed.is_available() and torch.distributed.is_initialized():
            raise ValueError("warm_start= is for one process: leave it out, or train without torchrun")
        options = {"given": train, "checkpoint": checkpoint, "callbacks": callbacks, "before": before}
        return self._fit_copy(train, y, validation, **options)

    def partial_fit(self, X: History, y: Any = None) -> Self:
        """Train for one more epoch over `X`, going on from the present weights and optimiser.

        What `set_params` has changed of the training (batch size, learning rate, weights of penalties) counts from then
        on; what made the network may not be changed.

        The learning rate is the one with which its schedule begins. With user factors, and in `AutoRec`, `X` holds the
        users of the first call, row by row.
        """
        check_parameters(self)
        self._check_weights(X)
        learner, fresh = copy.copy(self), not hasattr(self, "network_")
        if fresh:
            learner._fitted_with = copied_parameters(self)
        data = learner._take_in(X, reset=fresh)
        with with_gradients():
            rows = learner._training_rows(data, learner._weights_of(X))
            if fresh:
                learner._begin(rows)
            else:
                learner._check_width(rows.shape[1], self.network_.architecture.n_inputs)
                learner._follow_parameters(rows.shape[0])
                learner._fitted_with = copied_parameters(self)
                self.__dict__ = learner.__dict__  # from here on the weights change in place
            learner._train(rows, 1)
        self.__dict__ = learner.__dict__
        return self

    @property
    def history_(self) -> pd.DataFrame:
        """The epochs, one a row."""
        check_is_fitted(self, "_records")
        return pd.DataFrame(self._records)

    # ------------------------------------------------------------------ what fit does, in its order

    def _take_in(self, X: History, *, reset: bool = True) -> Any:
        """Check training data and return it: dense arrays as they are, all else as CSR over the model's items."""
        data: CSR | NDArray[np.float32]
        by_id = isinstance(X, Interactions)
        if not reset:
            self.ids_.check_columns(X)
            data = self.block_of(X).history if by_id else self._checked_matrix(X, reset=False)
        else:
            self._columns_in = X.columns if isinstance(X, pd.DataFrame) else None
            self.item_features_ = self._feature_names = None
            if self.feature_weight > 0:
                features = features_to_weigh(X.item_features if by_id else None, self.feature_weight)
                self.item_features_, self._feature_names = self._scaled(features), X.feature_names
            if by_id:
                self._remember_ids(X, from_matrix=False)
                data = X.matrix
            else:
                data = self._checked_matrix(X, reset=True)
                self.items_ = self.users_ = self._scale = None
        self._refuse_unfit(data)
        chosen = self.get_params(deep=False).get("likelihood")  # ELSA's squared errors are of rows of length 1
        if reset and isinstance(data, np.ndarray) and chosen == "gaussian":
            warn_of_scales(type(self).__name__, data, self._columns_in)
        if not reset and self._n_kept_users is not None:
            self.ids_.check_same_users(X, data.shape[0], self._n_kept_users)
        if self._popularity_for_empty:
            self.popularity_ = item_popularity(canonical_csr(data), self._weights_of(X))
        return data

    def _checked_matrix(self, X: Any, *, reset: bool) -> CSR | NDArray[np.float32]:
        """Return a matrix that scikit-learn has checked, as CSR where only what is stored counts."""
        refuse_masked(X)
        refuse_other_than_matrix(X)
        X = canonical_csr(X) if issparse(X) else X  # before scikit-learn converts it, unchecked
        data = validate_data(self, X, accept_sparse="csr", dtype=np.float32, reset=reset)
        stays_dense = isinstance(data, np.ndarray) and LIKELIHOODS[self.likelihood].all_entries
        return data if stays_dense else canonical_csr(data)

    def _refuse_unfit(self, data: CSR | NDArray[np.float32]) -> None:
        """Refuse training data that the cost cannot take."""
        likelihood, values = LIKELIHOODS[self.likelihood], data if isinstance(data, np.ndarray) else data.data
        if self.negatives is not None and (values is data or not likelihood.all_entries):
            raise DataError(
                f"negatives={self.negatives} samples the items without a rating: it needs sparse data and a likelihood "
                f"over all entries, got {type(data).__name__} and {self.likelihood!r}; set negatives=None"
            )
        if values.size == 0:
            raise DataError(f"{type(self).__name__} has nothing to learn from: {data.shape[0]} rows without a rating")
        check_values(likelihood, values)

    def _scaled(self, features: CSR) -> CSR:
        """Return rows of length w."""
        return (unit_rows(features) * float(self._used("feature_weight"))).astype(np.float32)

    def _fit(  # type: ignore[override]
        self,
        data: CSR | NDArray[np.float32],
        validation: Any,
        *,
        given: History,
        checkpoint: str | os.PathLike[str] | None,
        callbacks: Iterable[Callback],
        before: LearnedBefore | None,
    ) -> None:
        with with_gradients():
            rows = self._training_rows(data, self._weights_of(given))
            self._begin(rows, 0 if before is None else self._steps)
            if before is not None:
                before.carry_over(self._learned_before(), self._build, type(self).__name__)
            validator = None if validation is None else self._validator(validation)
            epochs, least = self._planned_epochs(rows, validated=validator is not None, anew=before is None)
            bound = None if checkpoint is None else self._checkpoint(checkpoint, given, validation)
            patience = {"patience": self.patience, "least_epochs": least}
            best = self._train(rows, epochs, validator=validator, checkpoint=bound, callbacks=callbacks, **patience)
        if self._trainer is not None:
            self._trainer.release()
        self._warn_of_trouble(best, epochs)

    def _begin(self, rows: WholeRows, steps: int = 0) -> None:
        """Make a fresh network and what trains it; KL annealing is `steps` on its way."""
        n_users = rows.shape[0] if self.user_factors else 0
        self.network_ = self._build(rows.shape[1], n_users).to(resolve_device(self.device))
        self.network_.begin_at_average(rows)
        self.network_.describe(self.item_features_)
        self._records, self._steps = [], steps
        self._trainer = self._new_trainer(rows.shape[0])

    def _new_trainer(self, n_rows: int, kind: type[Trainer] = Trainer, **choices: Any) -> Trainer:
        """Return what takes the steps; `choices` are those of its `kind`."""
        device = resolve_device(self.device)
        trainer = kind(
            self.network_,
            self._step_options(n_rows),
            device=device,
            seed=int(self.seed),
            half=resolve_precision(self.precision, device),
            optimizer=self.optimizer,
            **choices,
        )
        trainer.epoch, trainer.step = len(self._records), self._steps
        return trainer

    def _step_options(self, n_rows: int) -> StepOptions:
        return StepOptions(
            batch_size=automatic_batch_size(n_rows, *self._batches)
            if self.batch_size == "auto"
            else int(self.batch_size),
            learning_rate=self.learning_rate,
            schedule=SCHEDULES[self.learning_rate_schedule],
            weight_decay=self._used_weight_decay(),
            kl_weight=self._used_kl_weight(),
            kl_annealing_steps=self.kl_annealing_steps,
            ema_decay=float(self.ema_decay),
        )

    def _used_weight_decay(self) -> float:
        return float(self.weight_decay)

    def _used_kl_weight(self) -> float:
        return float(self.kl_weight)

    def _used_noise(self) -> Noise | None:
        assert not isinstance(self.noise, str)  # where a preset admits a word, it says what the word stands for
        return self.noise

    @property
    def _device(self) -> torch.device:
        """Where the network lives."""
        return next(self.network_.parameters()).device

    def _validator(self, validation: Any) -> Validator:
        if isinstance(validation, Holdout):
            predict = self.predict if isinstance(self, PredictsRatings) else None
            return holdout_validator(self, validation, self.validation_metric, predict)
        rows, users = self._rows_of(validation)
        return Validator(
            "validation_cost",
            lambda: mean_cost(self.network_, rows, users, self.sparsity, self._used_kl_weight()),
            higher_is_better=False,
        )

    def _planned_epochs(self, rows: WholeRows, *, validated: bool, anew: bool) -> tuple[int, int]:
        """Return how many epochs a fit has at most, and after how many `patience` may end it."""
        if self.epochs != "auto":
            return int(self.epochs), 0
        alone = self._epochs_without_validation(rows.shape[0], rows.column_counts())
        return max(alone, _EPOCHS_VALIDATED) if validated else alone, alone if anew and self._has_plateau(alone) else 0

    def _has_plateau(self, epochs: int) -> bool:
        """Whether a measure may stand still before it rises, within what ``epochs="auto"`` takes without it."""
        follows_data = self._epochs_of_likes is not None or self._epochs_of_a_million is not None
        return follows_data and self.likelihood in self._of_likes

    def _epochs_without_validation(self, n_rows: int, counts: NDArray[np.int64]) -> int:
        """Return what ``epochs="auto"`` means for so many rows, with so many ratings of each item."""
        batch_size = self._step_options(n_rows).batch_size
        if self.likelihood in self._of_likes:
            if self._epochs_of_likes is not None:
                return epochs_by_ratings(self._epochs_of_likes, counts, n_rows, batch_size)
            if self._epochs_of_a_million is not None:
                return automatic_epochs(self._epochs_of_a_million, (n_rows, len(counts)), batch_size)
        if 2 * counts.sum() > n_rows * len(counts):
            return max(self._epochs_alone, epochs_of_dense_rows(n_rows, batch_size))
        return self._epochs_alone

    def _checkpoint(self, path: str | os.PathLike[str], train: History, validation: Any) -> Checkpoint:
        """Return the checkpoint of a fit to this data."""
        assert self._trainer is not None
        ranks = self._trainer.ranks
        return Checkpoint(
            path,
            training_identity(self, train, validation),
            # of the schedules only a constant one does not depend on the number of epochs
            may_differ=("epochs", "patience") if self.learning_rate_schedule == "constant" else ("patience",),
            writes=ranks is None or ranks.is_first,
        )

    def _train(self, rows: Rows, epochs: int, **options: Any) -> int | None:
        """Do what `aerec.training.loop.train` does, with its `options`, and take over what was learned."""
        trainer, self._rows = self._trainer, rows
        assert trainer is not None
        try:
            best = train(trainer, rows, epochs, self._records, model=self, progress=self.progress, **options)
        except TrainingError:
            if self._records:  # what was learned before is kept
                self._finish(trainer)
            self._trainer = None  # its optimiser has seen what went wrong: partial_fit begins with a new one
            raise
        self._finish(trainer)
        return best

    def _finish(self, trainer: Trainer) -> None:
        """Take over what was learned."""
        self.n_iter_, self._steps, self._rows = len(self._records), trainer.step, None

    def _warn_of_trouble(self, best_epoch: int | None, epochs: int) -> None:
        """Warn of a training that ended too early, and of a variational code that says nothing of its row."""
        name, last = type(self).__name__, len(self._records)
        if best_epoch is not None and self.learning_rate_schedule == "constant" and 1 < best_epoch == last == epochs:
            warn_of_early_end(name, last)
        if self.variational and self._kl_by_unit and last >= _SETTLED:
            kl = self._records[(last if best_epoch is None else best_epoch) - 1]["kl"]
            n_code = self.network_.architecture.hidden[-1]
            if kl < _COLLAPSED * n_code:
                warn_of_collapsed_code(name, kl, n_code, self._used_kl_weight())

    def _learned_before(self) -> LearnedBefore:
        return LearnedBefore(self.network_, self.items_, self.users_, self._feature_names)

    def _follow_parameters(self, n_rows: int) -> None:
        """Have the next steps follow the parameters of the moment, where `set_params` has changed them.

        Raises
        ------
        ValueError
            If one is another that made the network what it is.
        """
        for name in self.get_params(deep=False).keys() - _OF_STEPS.keys():
            value, before = getattr(self, name), self._used(name)
            if encode_parameter(value) != encode_parameter(before):
                raise ValueError(
                    f"{name}={value!r}, but the network of this {type(self).__name__} was made with {before!r}: set it "
                    "back to go on with partial_fit, or fit anew"
                )
        if self._trainer is not None:
            self._trainer.follow(self._step_options(n_rows))
        else:  # a loaded model: the optimiser starts anew
            self._trainer = self._new_trainer(n_rows)

    # ------------------------------------------------------------------ rows to codes, codes to rows

    def transform(self, X: History) -> NDArray[np.float32]:
        """Return the code of each row (the mean, where it is variational); shape (n_rows, n_code).

        After ``set_output(transform="pandas")`` as a frame, as in every transformer of scikit-learn.
        """
        rows, users = self._rows_of(X)
        return encoded(self.network_, rows, users)

    def generate(self, code: ArrayLike | None = None, n: int = 1, *, seed: int | None = None) -> NDArray[np.float32]:
        """Return the reconstruction that belongs to a code; without one, draw codes.

        Parameters
        ----------
        code : array-like of shape (n_rows, n_code), optional
            By default `n` codes are drawn from the standard normal distribution, which is the prior of a variational
            code.
        n : int, default 1
        seed : int, optional
            Of the drawn codes, by default that of the model; the same seed draws the same codes.

        Returns
        -------
        ndarray of shape (n_rows, n_items)
            The mean of the likelihood: probabilities for "bernoulli" and (over items) "multinomial", else values.
        """
        check_is_fitted(self)
        if code is not None and np.ndim(code) == 0:
            raise ValueError(f"a code is an array of shape (n_rows, n_code), got {code!r}; n={code!r} draws as many")
        if code is None:
            check_n(n)
            generator = np.random.default_rng(int(self.seed) if seed is None else seed)
            code = generator.standard_normal((n, self.network_.architecture.hidden[-1]))
        checked = np.require(
            check_array(code, dtype=np.float32), requirements=["C", "W"]
        )  # which PyTorch takes as it is
        n_code = self.network_.architecture.hidden[-1]
        if checked.shape[1] != n_code:
            raise ValueError(f"a code has {n_code} units, got an array of shape {checked.shape}")
        return decoded(self.network_, torch.as_tensor(checked, device=self._device))

    def inverse_transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the rows that belong to codes, as `generate` does; the way back from `transform`."""
        return self.generate(X)

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
        return reconstructed(self.network_, rows, users)

    def total_cost(self, X: History) -> float:
        """Return the cost of `X` without noise and without weight decay.

        The mean over rows of [−log p(x | logits) + sparsity penalty + kl_weight · KL]; a variational code is its mean,
        and the activations of `KLSparsity` are averaged over all rows of `X`. Weights of the ratings count. The whole
        row is asked for, also where the noise of the training holds out what is asked for.
        """
        rows, users = self._rows_of(X)
        return mean_cost(self.network_, rows, users, self.sparsity, self._used_kl_weight())

    def score(self, X: History, y: Any = None) -> float:
        """Return −`total_cost`, so that scikit-learn's searches maximise it."""
        return -self.total_cost(X)

    @property
    def coefs_(self) -> list[NDArray[np.float32]]:
        """Weights of shape (n_in, n_out), encoder first."""
        check_is_fitted(self, "network_")
        network = self.network_
        layers = [network.effective(weight) for weight in (*network.encoder_weights, *network.decoder())]
        layers[0], layers[-1] = network.input_weight(), layers[-1].T
        return [layer.detach().cpu().numpy().copy() for layer in layers]

    @property
    def intercepts_(self) -> list[NDArray[np.float32]]:
        """Biases of shape (n_out,), encoder first."""
        check_is_fitted(self, "network_")
        return [bias.detach().cpu().numpy().copy() for bias in self.network_.biases()]

    @property
    def _n_features_out(self) -> int:
        return self.network_.architecture.hidden[-1]

    def plot_history(self, ax: Any = None) -> Any:
        """Draw cost and validation metric of each epoch and return the axes, see `aerec.reporting.plot_history`."""
        check_is_fitted(self)
        return plot_history(self.history_, ax)

    def _rows_of(self, X: History) -> tuple[Rows, NDArray[np.int64]]:
        """Return the rows of `X` on the device, and the training row of each user (−1: new)."""
        check_is_fitted(self)
        if isinstance(X, Interactions) or issparse(X) or not LIKELIHOODS[self.likelihood].all_entries:
            users = self.block_of(X)
            rows, known = self._training_rows(users.history, self._weights_of(X)), users.known_users
        else:
            self.ids_.check_columns(X)
            rows = self._training_rows(self._checked_matrix(X, reset=False))
            known = np.full(rows.shape[0], -1, dtype=np.int64)
        self._check_width(rows.shape[1], self.network_.architecture.n_inputs)
        return rows, known

    def _check_width(self, width: int, trained: int) -> None:
        if width != trained:
            raise DataError(f"{type(self).__name__} was trained on rows of {trained} entries, these have {width}")

    # ------------------------------------------------------------------ saving

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def _add_learned(self, added: NewItems) -> None:
        n_users = self.network_.architecture.n_users
        if self.item_features_ is not None:
            assert self._feature_names is not None
            of_new = self._scaled(added.features.under_names(self._feature_names).matrix)
            self.item_features_ = added.described(self.item_features_, of_new)
        self.network_ = with_new_rows(self.network_, self._build, added.rows, len(added.items), n_users)
        self.network_.describe(self.item_features_)
        self._trainer = None

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        header, arrays = super()._state()
        history = self.history_.astype(object).where(self.history_.notna(), None)  # some epochs may lack a metric
        header["history"] = {name: column.tolist() for name, column in history.items()}
        header["steps"] = self._steps
        header["n_users"] = int(self.network_.architecture.n_users)
        header["n_inputs"] = int(self.network_.architecture.n_inputs)
        if self._feature_names is not None:
            header["feature_names"] = self._feature_names.tolist()
        return header, arrays | network_tensors(self.network_)

    def _learned_values(self) -> dict[str, NDArray[Any] | CSR]:
        weights = {name: value.detach().cpu().numpy() for name, value in self.network_.named_parameters()}
        return super()._learned_values() | weights

    def _set_state(self, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        super()._set_state(header, tensors)
        rows = zip(*header["history"].values(), strict=True)
        named = (zip(header["history"], row, strict=True) for row in rows)
        self._records = [{name: value for name, value in record if value is not None} for record in named]
        self.n_iter_ = len(self._records)
        self._steps = int(header["steps"])
        if self._steps < 0:
            raise ValueError(f"it has taken {self._steps} steps")
        if self.item_features_ is not None:
            self._feature_names = pd.Index(header["feature_names"], dtype=object)
            if self.item_features_.shape != (header["n_inputs"], len(self._feature_names)):
                raise ValueError(f"its features have the shape {self.item_features_.shape}")
        network = restored_network(lambda: self._build(header["n_inputs"], header["n_users"]), tensors)
        self.network_ = network.to(resolve_device(self.device))
        self.network_.describe(self.item_features_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = LIKELIHOODS[self.likelihood].lowest >= 0
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

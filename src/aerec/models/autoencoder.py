"""The composable autoencoder: any noise × any sparsity × any likelihood, on sparse ratings and on dense data."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch

from aerec.likelihood import LIKELIHOODS
from aerec.models.learning import Learning
from aerec.models.neural import NeuralRecommender
from aerec.network.network import ACTIVATIONS, Architecture, Network
from aerec.noise import GaussianNoise, MaskingNoise, Noise
from aerec.parameters import Constraint, OneOf, WholeNumber
from aerec.sparsity import KLSparsity, L1Sparsity, Sparsity, TopKSparsity

__all__ = ["Autoencoder"]


class Autoencoder(Learning):
    r"""Autoencoder for sparse ratings or dense data, kept from copying its input by a narrow code, noise or sparsity.

    With encoder layers :math:`h_l = f(W_l^\top h_{l-1} + b_l)`, :math:`h_0 = \tilde x` the corrupted row, the code is
    :math:`z = h_L` and the decoder mirrors the encoder up to a linear output layer, the logits. The cost is the mean
    over rows of [−log p(x | logits) + sparsity penalty of z + kl_weight · KL] + weight_decay · ½‖W‖².

    Parameters
    ----------
    hidden : int or tuple of int, default (600, 200)
        Units of the encoder's layers; the last is the code. The decoder has the same in reverse.
    activation : {"tanh", "sigmoid", "relu", "swish", "identity"}, default "tanh"
        f, of every hidden layer and of the code (a variational code is linear).
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
    normalize : bool, default False
        Divide each input row by its Euclidean length before noise is added.
    negatives : int or None, default None
        In training, compute the loss at the items of the batch and at so many others, drawn anew for each batch,
        instead of at all items, with the correction for it: for catalogues of 100,000 items and more. A step then
        costs the same however many items there are. None for the loss over all items.
    kl_weight : float, default 1.0
        Weight of the KL term of a variational code.
    kl_annealing_steps : int, default 0
        Steps over which that weight rises from 0.
    epochs : int, default 100
    batch_size : int, default 500
    learning_rate : float, default 1e-3
        Of Adam.
    learning_rate_schedule : {"constant", "linear", "cosine"}, default "constant"
        How it falls from epoch to epoch, towards 0 after the last of `epochs`.
    weight_decay : float, default 0.0
        λ of λ · ½‖W‖² (biases are free).
    patience : int or None, default 10
        With validation data: stop after so many epochs without improvement. The best epoch is restored.
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
    progress : bool, default True
        Show the cost of each epoch in a terminal or notebook; it is logged in any case.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of the encoder's layers, then the decoder's. A variational code has 2 · n_code columns: mean and
        log variance.
    intercepts_ : list of ndarray of shape (n_out,)
        Biases, in the same order.
    history_ : pandas.DataFrame
        A row per epoch: epoch, likelihood, sparsity, kl, weight_decay, cost, validation metric, seconds.
    network_ : aerec.network.network.Network
        The PyTorch module.
    n_features_in_ : int
        Number of items (columns).

    References
    ----------
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
        **NeuralRecommender._parameter_constraints,
        "hidden": [WholeNumber(1), tuple, list],
        "activation": [OneOf(ACTIVATIONS)],
        "noise": [MaskingNoise, GaussianNoise, None],
        "sparsity": [L1Sparsity, KLSparsity, TopKSparsity, None],
        "likelihood": [OneOf(LIKELIHOODS)],
        "variational": [bool],
        "user_factors": [bool],
        "tied": [bool],
        "normalize": [bool],
        "negatives": [WholeNumber(1), None],
    }

    def __init__(
        self,
        hidden: int | tuple[int, ...] = (600, 200),
        activation: str = "tanh",
        noise: Noise | None = MaskingNoise(0.5),  # noqa: B008 (frozen)
        sparsity: Sparsity | None = None,
        likelihood: str = "multinomial",
        variational: bool = False,
        user_factors: bool = False,
        tied: bool = False,
        normalize: bool = False,
        negatives: int | None = None,
        kl_weight: float = 1.0,
        kl_annealing_steps: int = 0,
        epochs: int = 100,
        batch_size: int = 500,
        learning_rate: float = 1e-3,
        learning_rate_schedule: str = "constant",
        weight_decay: float = 0.0,
        patience: int | None = 10,
        validation_metric: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        seed: int = 0,
        progress: bool = True,
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
        self.negatives = negatives
        self.kl_weight = kl_weight
        self.kl_annealing_steps = kl_annealing_steps
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.weight_decay = weight_decay
        self.patience = patience
        self.validation_metric = validation_metric
        self.device = device
        self.precision = precision
        self.seed = seed
        self.progress = progress

    def _build(self, n_inputs: int, n_users: int) -> Network:
        return Network(self._architecture(n_inputs, n_users), torch.Generator().manual_seed(int(self.seed)))

    def _architecture(self, n_inputs: int, n_users: int) -> Architecture:
        sizes = np.atleast_1d(np.asarray(self.hidden))
        if sizes.ndim != 1 or sizes.size == 0 or sizes.dtype.kind not in "iu" or (sizes < 1).any():
            raise ValueError(f"hidden must be whole numbers of at least 1, one per layer; got {self.hidden!r}")
        if self.sparsity is not None:
            self.sparsity.check_activation("identity" if self.variational else self.activation)
        return Architecture(
            n_inputs=n_inputs,
            hidden=tuple(sizes.tolist()),
            activation=self.activation,
            likelihood=LIKELIHOODS[self.likelihood],
            noise=self.noise,
            sparsity=self.sparsity,
            variational=self.variational,
            tied=self.tied,
            normalize=self.normalize,
            n_users=n_users,
            negatives=None if self.negatives is None else int(self.negatives),
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

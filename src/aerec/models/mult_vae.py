"""Mult-VAE: the variational autoencoder with multinomial likelihood of Liang et al. 2018, a preset of `Autoencoder`."""

from __future__ import annotations

from typing import ClassVar

from aerec.dimensions import Choice, Number, Space
from aerec.models.autoencoder import HIDDEN_SIZES, NEURAL_SPACE, Autoencoder
from aerec.noise import MaskingNoise, Noise
from aerec.parameters import passed_on
from aerec.sparsity import L1Sparsity, TopKSparsity
from aerec.training.optimizers import OptimizerChoice


class MultVAE(Autoencoder):
    r"""Variational autoencoder whose KL term has a weight β below 1, reached from 0 in the course of training.

    .. math:: \mathbb{E}_{q(z|x)}\Big[-\sum_j x_j \log \mathrm{softmax}(l(z))_j\Big]
              + \beta \, \mathrm{KL}\big(q(z|x) \,\|\, N(0, I)\big)

    Parameters
    ----------
    hidden : int or tuple of int, default 600
        The paper has (600, 200). One layer is better on data of up to some 6,000 users, and half the work.
    kl_weight : float, default 0.2
        β at the end.
    kl_annealing_steps : int, default 600
        Steps (batches) over which β rises linearly.
    activation : str, default "tanh"
    noise : MaskingNoise, GaussianNoise or None, default MaskingNoise(0.3)
        Dropout on the normalised input. The paper has 0.5.
    sparsity : L1Sparsity, TopKSparsity or None, default None
        On the mean of the code, which has no bounds: `KLSparsity` is refused.
    normalize : bool, default True
    feature_weight : float >= 0, default 0.0
        Of the features of items, which the first layer reads too; see `Autoencoder`.
    negatives : int or None, default None
        Items sampled for the loss of large catalogues; see `Autoencoder`.
    epochs, batch_size, learning_rate, learning_rate_schedule, optimizer, ema_decay, weight_decay, patience,
    validation_metric, device, precision, seed, progress
        As in `Autoencoder`; `patience` is 6 by default.

    References
    ----------
    Liang, Krishnan, Hoffman, Jebara (2018). Variational autoencoders for collaborative filtering. WWW.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import MultVAE
    >>> likes = load_dataset("sample").binarize(4.0)
    >>> model = MultVAE(hidden=(32, 16), epochs=2, progress=False).fit(likes)
    >>> model.transform(likes).shape[1]
    16
    """

    search_space: ClassVar[Space] = {
        **NEURAL_SPACE,
        "hidden": HIDDEN_SIZES,
        "kl_weight": Number(0.03, 1.0, log=True),
        "kl_annealing_steps": Choice((0, 600, 3000)),
    }

    _epochs_of_likes = 19.0, 0.15

    def __init__(
        self,
        hidden: int | tuple[int, ...] = 600,
        kl_weight: float = 0.2,
        kl_annealing_steps: int = 600,
        activation: str = "tanh",
        noise: Noise | None = MaskingNoise(0.3),  # noqa: B008 (frozen)
        sparsity: L1Sparsity | TopKSparsity | None = None,
        normalize: bool = True,
        feature_weight: float = 0.0,
        negatives: int | None = None,
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float = 2e-3,
        learning_rate_schedule: str = "constant",
        optimizer: OptimizerChoice = "adam",
        ema_decay: float = 0.8,
        weight_decay: float = 0.0,
        patience: int | None = 6,
        validation_metric: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        seed: int = 0,
        progress: bool | int = True,
    ) -> None:
        super().__init__(**passed_on(locals()), likelihood="multinomial", variational=True)

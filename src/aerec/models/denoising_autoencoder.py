"""DenoisingAutoencoder: a preset of `Autoencoder` that learns to undo noise."""

from __future__ import annotations

from typing import ClassVar

from aerec.dimensions import Choice, Space
from aerec.models.autoencoder import HIDDEN_SIZES, NEURAL_SPACE, Autoencoder
from aerec.noise import GaussianNoise, MaskingNoise, Noise
from aerec.parameters import passed_on
from aerec.sparsity import Sparsity
from aerec.training.optimizers import OptimizerChoice


class DenoisingAutoencoder(Autoencoder):
    """Autoencoder that reconstructs clean rows from corrupted ones, with one hidden layer by default.

    Parameters
    ----------
    hidden : int or tuple of int, default 400
    activation : str, default "tanh"
    noise : MaskingNoise or GaussianNoise, default MaskingNoise(0.4)
        Masking teaches to fill in missing entries, Gaussian noise to smooth.
    sparsity : L1Sparsity, KLSparsity, TopKSparsity or None, default None
    likelihood : str, default "multinomial"
        For ratings as likes; "gaussian" for standardised dense data.
    tied : bool, default False
    normalize : bool or None, default None
    feature_weight : float >= 0, default 0.0
        Of the features of items, which the first layer reads too; see `Autoencoder`.
    initialization, initialization_scale, epochs, batch_size, learning_rate, learning_rate_schedule, optimizer,
    ema_decay, weight_decay, patience, validation_metric, device, precision, seed, progress
        As in `Autoencoder`; `patience` is 6 by default.

    References
    ----------
    Vincent et al. (2010). Stacked denoising autoencoders. JMLR 11.

    Examples
    --------
    >>> import numpy as np
    >>> from aerec.models import DenoisingAutoencoder
    >>> X = np.eye(6, dtype="float32").repeat(20, axis=0)
    >>> model = DenoisingAutoencoder(hidden=4, likelihood="gaussian", epochs=3, progress=False).fit(X)
    >>> model.reconstruct(X).shape
    (120, 6)
    """

    search_space: ClassVar[Space] = {
        **NEURAL_SPACE,
        "hidden": HIDDEN_SIZES,
        "noise": Choice((*(MaskingNoise(p) for p in (0.2, 0.3, 0.4, 0.5, 0.65)), GaussianNoise(0.1))),
        "activation": Choice(("tanh", "sigmoid")),
    }

    _epochs_of_a_million = 5.4

    def __init__(
        self,
        hidden: int | tuple[int, ...] = 400,
        activation: str = "tanh",
        noise: Noise | None = MaskingNoise(0.4),  # noqa: B008 (frozen)
        sparsity: Sparsity | None = None,
        likelihood: str = "multinomial",
        tied: bool = False,
        normalize: bool | None = None,
        initialization: str = "xavier",
        initialization_scale: float = 1.0,
        feature_weight: float = 0.0,
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
        super().__init__(**passed_on(locals()))

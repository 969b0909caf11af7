"""SparseAutoencoder: a preset of `Autoencoder` whose code is kept sparse."""

from __future__ import annotations

from typing import ClassVar

from aerec.dimensions import Choice, Number, Space
from aerec.models.autoencoder import HIDDEN_SIZES, NEURAL_SPACE, OF_CLICKS, Autoencoder
from aerec.noise import MaskingNoise, Noise
from aerec.parameters import Constraint, OneOf, passed_on
from aerec.sparsity import KLSparsity, L1Sparsity, Sparsity, TopKSparsity
from aerec.training.optimizers import OptimizerChoice


class SparseAutoencoder(Autoencoder):
    """Autoencoder whose units are mostly inactive, so that each stands for something of its own.

    Parameters
    ----------
    hidden : int or tuple of int, default 200
    activation : str, default "sigmoid"
        `KLSparsity` needs "sigmoid" or "tanh".
    sparsity : KLSparsity, L1Sparsity, TopKSparsity or None, default KLSparsity(0.05, 0.1)
    noise : MaskingNoise, GaussianNoise, None or "auto", default "auto"
        "auto" is ``MaskingNoise(0.5, hold_out=True)`` where the likelihood is one of clicks, as in `MultDAE`, and none
        for measurements: there the sparse code alone keeps the network from copying.
    likelihood : str, default "multinomial"
        For ratings as likes; "gaussian" for standardised dense data.
    tied : bool, default False
    normalize : bool or None, default None
    initialization, initialization_scale, epochs, batch_size, learning_rate, learning_rate_schedule, optimizer,
    ema_decay, weight_decay, patience, validation_metric, device, precision, seed, progress
        As in `Autoencoder`; `patience` is 6 by default.

    References
    ----------
    Ng (2011). Sparse autoencoder. CS294A lecture notes. Makhzani, Frey (2014). k-Sparse autoencoders. ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from aerec.models import SparseAutoencoder
    >>> X = np.eye(6, dtype="float32").repeat(20, axis=0)
    >>> model = SparseAutoencoder(hidden=4, likelihood="gaussian", epochs=3, progress=False).fit(X)
    >>> model.transform(X).shape
    (120, 4)
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        **Autoencoder._parameter_constraints,
        "noise": [*Autoencoder._parameter_constraints["noise"], OneOf(("auto",))],
    }

    search_space: ClassVar[Space] = {
        **NEURAL_SPACE,
        "noise": Choice(("auto", None)),
        "learning_rate": Number(1e-3, 3e-2, log=True),
        "hidden": HIDDEN_SIZES,
        "sparsity": Choice(
            (KLSparsity(0.05, 0.1), KLSparsity(0.05, 1.0), KLSparsity(0.2, 0.1), L1Sparsity(0.01), TopKSparsity(32))
        ),
        "activation": Choice(("tanh", "sigmoid")),
    }

    _epochs_of_likes = 31.0, 0.0

    def __init__(
        self,
        hidden: int | tuple[int, ...] = 200,
        activation: str = "sigmoid",
        sparsity: Sparsity | None = KLSparsity(0.05, 0.1),  # noqa: B008 (frozen)
        noise: Noise | str | None = "auto",
        likelihood: str = "multinomial",
        tied: bool = False,
        normalize: bool | None = None,
        initialization: str = "xavier",
        initialization_scale: float = 1.0,
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float = 1e-2,
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

    def _used_noise(self) -> Noise | None:
        if not isinstance(self.noise, str):
            return self.noise
        return MaskingNoise(0.5, hold_out=True) if self.likelihood in OF_CLICKS else None

"""Mult-DAE: the denoising autoencoder with multinomial likelihood of Liang et al. 2018, a preset of `Autoencoder`."""

from __future__ import annotations

from typing import ClassVar

from aerec.dimensions import Choice, Space
from aerec.models.autoencoder import HIDDEN_SIZES, NEURAL_SPACE, Autoencoder
from aerec.noise import MaskingNoise, Noise
from aerec.parameters import passed_on
from aerec.sparsity import Sparsity
from aerec.training.optimizers import OptimizerChoice


class MultDAE(Autoencoder):
    r"""Denoising autoencoder over rows of unit length, with the multinomial likelihood as loss.

    .. math:: -\frac{1}{p} \sum_{j \in M} x_j \log \frac{e^{l_j}}{\sum_{k \notin R} e^{l_k}}

    over the masked items M, which are asked for, without the items R that were read. The paper asks for the whole row,
    :math:`-\sum_j x_j \log \mathrm{softmax}(l)_j`: that is ``noise=MaskingNoise(0.5)``, and what `total_cost` gives.

    Parameters
    ----------
    hidden : int or tuple of int, default 400
        The paper has 200.
    activation : str, default "tanh"
    noise : MaskingNoise, GaussianNoise or None, default MaskingNoise(0.5, hold_out=True)
        Dropout on the normalised input. A network that is asked for what it has read learns to copy, the more so the
        fewer items there are.
    sparsity : L1Sparsity, KLSparsity, TopKSparsity or None, default None
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
    >>> from aerec.models import MultDAE
    >>> likes = load_dataset("sample").binarize(4.0)
    >>> model = MultDAE(hidden=16, epochs=2, progress=False).fit(likes)
    >>> model.transform(likes).shape[1]
    16
    """

    search_space: ClassVar[Space] = {**NEURAL_SPACE, "hidden": HIDDEN_SIZES, "activation": Choice(("tanh", "swish"))}

    _epochs_of_likes = 14.5, 0.3

    def __init__(
        self,
        hidden: int | tuple[int, ...] = 400,
        activation: str = "tanh",
        noise: Noise | None = MaskingNoise(0.5, hold_out=True),  # noqa: B008 (frozen)
        sparsity: Sparsity | None = None,
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
        super().__init__(**passed_on(locals()), likelihood="multinomial")

"""CDAE: the collaborative denoising autoencoder of Wu et al. 2016, a preset of `Autoencoder`."""

from __future__ import annotations

from typing import ClassVar

from aerec.dimensions import Choice, Space
from aerec.models.autoencoder import HIDDEN_SIZES, NEURAL_SPACE, Autoencoder
from aerec.noise import MaskingNoise, Noise
from aerec.parameters import passed_on
from aerec.sparsity import Sparsity
from aerec.training.optimizers import OptimizerChoice


class CDAE(Autoencoder):
    r"""Denoising autoencoder with one hidden layer and a factor per user.

    .. math:: z_u = f(W^\top \tilde x_u + V_u + b), \qquad l_u = W' z_u + b'

    with x̃ the masked history and V_u a learned vector of user u. The paper samples a few unrated items for each
    rated one; here all of them count, so that unrated items weigh more.

    A user who was not in the training data has no V_u: their code is made of their history alone (V_u = 0). The same
    holds for the rows of a plain matrix, which carry no ids; give an `Interactions` to have users recognised.

    Parameters
    ----------
    hidden : int or tuple of int, default 200
    activation : str, default "tanh"
    noise : MaskingNoise, GaussianNoise or None, default MaskingNoise(0.5, hold_out=True)
        The paper asks for all of the history, not only for what was dropped.
    sparsity : L1Sparsity, KLSparsity, TopKSparsity or None, default None
    likelihood : str, default "bernoulli"
        The paper's logistic loss; "multinomial" and "gaussian" work as well.
    tied : bool, default False
    normalize : bool, default True
        The paper does not normalise; it is better on every data set that was tried.
    epochs, batch_size, learning_rate, learning_rate_schedule, optimizer, ema_decay, weight_decay, patience,
    validation_metric, device, precision, seed, progress
        As in `Autoencoder`; `patience` is 6 by default.

    References
    ----------
    Wu, DuBois, Zheng, Ester (2016). Collaborative denoising auto-encoders for top-N recommender systems. WSDM.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import CDAE
    >>> likes = load_dataset("sample").binarize(4.0)
    >>> model = CDAE(hidden=16, epochs=2, progress=False).fit(likes)
    >>> model.recommend(likes.select_users(likes.users[:2]), k=3)["rank"].tolist()
    [1, 2, 3, 1, 2, 3]
    """

    search_space: ClassVar[Space] = {
        **NEURAL_SPACE,
        "hidden": HIDDEN_SIZES,
        "likelihood": Choice(("multinomial", "bernoulli")),
    }

    _epochs_of_likes = 18.0, 0.3

    def __init__(
        self,
        hidden: int | tuple[int, ...] = 200,
        activation: str = "tanh",
        noise: Noise | None = MaskingNoise(0.5, hold_out=True),  # noqa: B008 (frozen)
        sparsity: Sparsity | None = None,
        likelihood: str = "bernoulli",
        tied: bool = False,
        normalize: bool = True,
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
        super().__init__(**passed_on(locals()), user_factors=True)

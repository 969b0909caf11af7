"""RecVAE: the variational autoencoder with a composite prior and alternating updates of Shenbin et al. 2020."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aerec.dimensions import Choice, Number, Space
from aerec.models.autoencoder import NEURAL_SPACE, Autoencoder
from aerec.network.batches import Batch
from aerec.network.composite_prior import composite_kl
from aerec.network.network import Architecture, Network
from aerec.network.products import affine, first_layer
from aerec.network.rows import Rows
from aerec.noise import MaskingNoise, Noise
from aerec.parameters import Constraint, OneOf, RealNumber, WholeNumber, passed_on
from aerec.recommender.base import History
from aerec.recommender.saving import decode_parameter, encode_parameter
from aerec.training.loop import epochs_of_usual_steps
from aerec.training.trainer import EagerSteps, StepKind, StepOptions, StepSource, Trainer

_LAYERS = 5  # dense layers of the encoder
_EPSILON = 0.1  # The epsilon of layer normalisation in the authors' code
_MASKED = (15_000, 0.8), (60_000, 0.5)  # for noise="auto": numbers of ratings, and the share that is masked
_GAMMA = (60_000, 0.015), (600_000, 0.005)  # for kl_weight="auto", likewise
_CODE_BYTES = 2**28  # Codes are kept from one epoch to the next up to this size


class RecVAE(Autoencoder):
    r"""Variational autoencoder whose prior remembers the encoder of the epoch before.

    .. math:: \mathbb{E}_{q(z|\tilde x)}\Big[-\sum_j x_j \log \mathrm{softmax}(l(z))_j\Big]
              + \gamma \, |x| \; \mathrm{KL}\big(q(z|\tilde x) \,\|\, p(z|x)\big)

    .. math:: p(z|x) = \tfrac{3}{20} N(0, I) + \tfrac{3}{4} q_{\text{old}}(z|x) + \tfrac{1}{10} N(0, e^{10} I)

    with :math:`|x|` the sum of a user's ratings, so that users with long histories are held to their prior more
    firmly. The encoder has five densely connected layers, :math:`h_k = \mathrm{LayerNorm}(\mathrm{swish}(W_k h_{k-1}
    + h_1 + \dots + h_{k-1}))`; the decoder is linear. An epoch trains the encoder with noise for `encoder_passes`
    passes over the data, copies it into the prior, and then trains the decoder for one pass without noise.

    Parameters
    ----------
    hidden : int or tuple of int, default (600, 200)
        Width of the encoder's five layers, and of the code; a single number is the code, the layers three times that.
    kl_weight : float or "auto", default "auto"
        γ. The fewer ratings there are, the more their codes need the prior: "auto" is 0.015 up to 60,000 ratings, the
        paper's 0.005 from 600,000 on, and a straight line between them on logarithmic scales. A small γ learns several
        times as fast.
    encoder_passes : int, default 3
    noise : MaskingNoise, GaussianNoise, None or "auto", default "auto"
        Dropout on the normalised input of the encoder, in its own passes only. The fewer ratings there are, the sooner
        these passes learn rows by heart: "auto" masks 0.8 up to 15,000 ratings, 0.5 from 60,000 on, as in the paper,
        and between them what lies between on the scale of logarithms.
    learning_rate : float, default 5e-4
    epochs, batch_size, learning_rate_schedule, ema_decay, weight_decay, patience, validation_metric, device, precision,
    seed, progress
        As in `Autoencoder`.

    Attributes
    ----------
    kl_weight_ : float
        The γ that was used.
    noise_ : MaskingNoise, GaussianNoise or None
        The noise that was used.

    Notes
    -----
    The KL term has no closed form for a mixture; it is log q(z) − log p(z) at the drawn z, and at the mean of the
    code in `total_cost`.

    References
    ----------
    Shenbin, Alekseev, Tutubalina, Malykh, Nikolenko (2020). RecVAE: a new variational autoencoder for top-N
    recommendations with implicit feedback. WSDM.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import RecVAE
    >>> likes = load_dataset("sample").binarize(4.0)
    >>> model = RecVAE(hidden=(32, 16), epochs=2, progress=False).fit(likes)
    >>> model.transform(likes).shape[1]
    16
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        **Autoencoder._parameter_constraints,
        "encoder_passes": [WholeNumber(1)],
        "kl_weight": [RealNumber(at_least=0), OneOf(("auto",))],
        "noise": [*Autoencoder._parameter_constraints["noise"], OneOf(("auto",))],
    }

    search_space: ClassVar[Space] = {
        **NEURAL_SPACE,
        "noise": Choice(("auto", None, *(MaskingNoise(p) for p in (0.35, 0.5, 0.65, 0.8)))),
        "hidden": Choice(((300, 100), (600, 200), (900, 300))),
        "kl_weight": Number(1e-3, 0.02, log=True),
    }

    _epochs_of_a_million = 20.0
    _kl_by_unit = False

    kl_weight_: float
    noise_: Noise | None

    def __init__(
        self,
        hidden: int | tuple[int, int] = (600, 200),
        kl_weight: float | str = "auto",
        encoder_passes: int = 3,
        noise: Noise | str | None = "auto",
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float = 5e-4,
        learning_rate_schedule: str = "constant",
        ema_decay: float = 0.8,
        weight_decay: float = 0.0,
        patience: int | None = 10,
        validation_metric: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        seed: int = 0,
        progress: bool | int = True,
    ) -> None:
        super().__init__(
            **passed_on(locals(), "encoder_passes"),
            activation="swish",
            likelihood="multinomial",
            variational=True,
            normalize=True,
        )
        self.encoder_passes = encoder_passes

    def _take_in(self, X: History, *, reset: bool = True) -> Any:
        data = super()._take_in(X, reset=reset)
        if reset:
            n_ratings = int(np.count_nonzero(data)) if isinstance(data, np.ndarray) else data.nnz
            self.noise_ = automatic_noise(n_ratings) if isinstance(self.noise, str) else self.noise
            self.kl_weight_ = automatic_kl_weight(n_ratings)
        self.kl_weight_ = self._used_kl_weight()
        return data

    def _build(self, n_inputs: int, n_users: int) -> Network:
        sizes = np.asarray(self.hidden)
        if sizes.ndim == 0:
            sizes = np.array([3 * sizes, sizes])
        if sizes.shape != (2,) or sizes.dtype.kind not in "iu" or sizes.min() < 1:
            raise ValueError(f"hidden of RecVAE is (width of the layers, width of the code), got {self.hidden!r}")
        hidden = (int(sizes[0]),) * _LAYERS + (int(sizes[1]),)
        architecture = replace(self._architecture(n_inputs, n_users), hidden=hidden)
        return _RecVAENetwork(architecture, torch.Generator().manual_seed(int(self.seed)))

    def _used_noise(self) -> Noise | None:
        return self.noise_

    def _used_kl_weight(self) -> float:
        return self.kl_weight_ if isinstance(self.kl_weight, str) else float(self.kl_weight)

    def _epochs_without_validation(self, n_rows: int, counts: NDArray[np.int64]) -> int:
        return epochs_of_usual_steps(self._epochs_of_a_million, n_rows, self._step_options(n_rows).batch_size)

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        header, arrays = super()._state()
        return {**header, "noise": encode_parameter(self.noise_), "kl_weight": self.kl_weight_}, arrays

    def _set_state(self, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        noise = decode_parameter(header["noise"]) if "noise" in header else self.noise
        if isinstance(noise, str):
            raise ValueError(f"its noise is {noise!r}")
        kl_weight = header.get("kl_weight", self.kl_weight)
        if not RealNumber(at_least=0).accepts(kl_weight):
            raise ValueError(f"its weight of the KL term is {kl_weight!r}")
        self.noise_, self.kl_weight_ = noise, float(kl_weight)
        super()._set_state(header, tensors)

    def _new_trainer(self, n_rows: int, kind: type[Trainer] | None = None, **choices: Any) -> Trainer:
        passes = {"encoder_passes": int(self.encoder_passes)}
        return super()._new_trainer(n_rows, kind or _AlternatingTrainer, **passes, **choices)


def automatic_noise(n_ratings: int) -> MaskingNoise:
    """Return the masking that suits so many ratings."""
    return MaskingNoise(round(_between(_MASKED, n_ratings), 2))


def automatic_kl_weight(n_ratings: int) -> float:
    """Return the γ that suits so many ratings."""
    return round(float(np.exp(_between([(n, np.log(gamma)) for n, gamma in _GAMMA], n_ratings))), 4)


def _between(points: Sequence[tuple[int, float]], n_ratings: int) -> float:
    """Interpolate on the scale of logarithms; outside of the points the nearest counts."""
    numbers, values = zip(*points, strict=True)
    return float(np.interp(np.log(n_ratings), np.log(numbers), values))


@dataclass(frozen=True)
class _Encoder:
    """Parameters of the densely connected encoder, and what they compute from the first layer on."""

    weights: list[nn.Parameter]
    biases: list[nn.Parameter]
    gains: list[nn.Parameter]
    shifts: list[nn.Parameter]

    def parameters(self) -> list[nn.Parameter]:
        """All of them, weights first."""
        return [*self.weights, *self.biases, *self.gains, *self.shifts]

    def read(self, first: Tensor, half: bool) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the code; `first` is x·W₁ + b₁."""
        hidden = total = self._layer(0, first)
        for k in range(1, len(self.gains)):
            hidden = self._layer(k, affine(hidden, self.weights[k], self.biases[k], half, total))
            total = total + hidden
        mean, log_variance = affine(hidden, self.weights[-1], self.biases[-1], half).chunk(2, dim=1)
        return mean, log_variance

    def _layer(self, k: int, x: Tensor) -> Tensor:
        gain, shift = self.gains[k], self.shifts[k]
        return nn.functional.layer_norm(nn.functional.silu(x), gain.shape, gain, shift, _EPSILON)


class _RecVAENetwork(Network):
    """Densely connected encoder, linear decoder, and a frozen copy of the encoder for the prior."""

    decodes_at_once = True

    def __init__(self, architecture: Architecture, generator: torch.Generator) -> None:
        super().__init__(architecture, generator)
        widths = architecture.hidden[:-1]
        self.gains = nn.ParameterList(nn.Parameter(torch.ones(width, dtype=torch.float32)) for width in widths)
        self.shifts = nn.ParameterList(nn.Parameter(torch.zeros(width, dtype=torch.float32)) for width in widths)
        copies = (
            nn.Parameter(parameter.detach().clone(), requires_grad=False) for parameter in self.encoder().parameters()
        )
        self.former_parameters = nn.ParameterList(copies)
        self.former_codes: Tensor | None = None  # of the training rows, while they are known

    def encoder(self) -> _Encoder:
        """Return the encoder that is trained."""
        return _Encoder(list(self.encoder_weights), list(self.encoder_biases), list(self.gains), list(self.shifts))

    def former(self) -> _Encoder:
        """Return the encoder that the prior knows."""
        n, former = len(self.encoder_weights), list(self.former_parameters)
        return _Encoder(former[:n], former[n : 2 * n], former[2 * n : 3 * n - 1], former[3 * n - 1 :])

    @torch.no_grad()
    def remember_encoder(self) -> None:
        """Make the present encoder the one that the prior knows."""
        for former, parameter in zip(self.former_parameters, self.encoder().parameters(), strict=True):
            former.copy_(parameter)

    def encode(
        self,
        batch: Batch,
        users: Tensor | None = None,
        *,
        noise_from: torch.Generator | None = None,
        half: bool = False,
        with_variance: bool = True,
    ) -> tuple[Tensor, Tensor | None]:
        """Return mean and log variance of the code of each row."""
        if self.former_codes is not None and not self.gains[0].requires_grad:
            return self._known_codes(batch)  # the decoder learns: the encoder is the one that the prior knows
        return super().encode(batch, users, noise_from=noise_from, half=half)

    def code_of(
        self, hidden: Tensor, *, half: bool = False, with_variance: bool = True
    ) -> tuple[Tensor, Tensor | None]:
        """Return mean and log variance of the code."""
        return self.encoder().read(hidden, half)

    @torch.no_grad()
    def former_code(self, batch: Batch, half: bool) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the code by the encoder that the prior knows, of clean input."""
        former = self.former()
        read = first_layer(batch.normalized(), former.weights[0], self.scratch) + former.biases[0]
        return former.read(read, half)

    def _known_codes(self, batch: Batch) -> tuple[Tensor, Tensor]:
        assert self.former_codes is not None
        mean, log_variance = self.former_codes.index_select(0, batch.row_numbers).chunk(2, dim=1)
        return mean, log_variance

    def _divergence(self, batch: Batch, drawn: Tensor, mean: Tensor, log_variance: Tensor, half: bool) -> Tensor:
        """Σ over rows of |x| · (log q(z) − log p(z)) at the drawn z, with |x| = Σwx.

        While the decoder is trained it is left at 0: the decoder has no part in it.
        """
        if torch.is_grad_enabled() and not mean.requires_grad:
            return mean.new_zeros(())
        known = self.former_codes is not None
        former_mean, former_log_variance = self._known_codes(batch) if known else self.former_code(batch, half)
        return composite_kl(drawn, mean, log_variance, former_mean, former_log_variance, batch.draws())


class _AlternatingTrainer(Trainer):
    """Encoder passes with noise, the prior renewed, then one decoder pass without noise.

    The encoder that the prior knows codes the clean rows once per epoch: the decoder pass and the encoder passes of
    the next epoch read these codes, where all of them fit into `_CODE_BYTES`.
    """

    network: _RecVAENetwork

    def __init__(self, network: _RecVAENetwork, options: StepOptions, *, encoder_passes: int, **choices: Any) -> None:
        super().__init__(network, options, **choices)
        self.encoder_passes = encoder_passes
        self._codes: tuple[Rows, list[int], Tensor] | None = None  # of which rows, by which parameters

    def _trained(self) -> list[tuple[list[nn.Parameter], list[nn.Parameter]]]:
        """Return what the optimizers of the decoder and of the encoder take."""
        network, encoder = self.network, self.network.encoder()
        of_decoder = list(network.decoder_weights), list(network.decoder_biases)
        return [of_decoder, (encoder.weights, [*encoder.biases, *encoder.gains, *encoder.shifts])]

    def run_epoch(self, rows: Rows, source: StepSource = EagerSteps, kind: StepKind | None = None) -> dict[str, float]:
        """Return the parts of the mean cost over the last pass of the encoder."""
        encoder, (of_decoder, of_encoder) = self.network.encoder().parameters(), self.optimizers
        decoder = [*self.network.decoder_weights, *self.network.decoder_biases]
        try:
            self.network.former_codes = self._former_codes(rows)
            _learn(encoder, instead_of=decoder)
            for _ in range(self.encoder_passes):
                parts = super().run_epoch(rows, source, StepKind(of_encoder))
            self.network.remember_encoder()
            self.network.former_codes = self._former_codes(rows)
            _learn(decoder, instead_of=encoder)
            super().run_epoch(rows, source, StepKind(of_decoder, corrupt=False))
        finally:
            self.network.former_codes = None  # other rows follow, for validation
        return parts

    def release(self) -> None:
        """As `Trainer.release`; the codes of the rows go, too."""
        super().release()
        self._codes = None

    def _former_codes(self, rows: Rows) -> Tensor | None:
        """Return mean and log variance of every row by the former encoder; None where they take too much memory."""
        n_rows, width = rows.shape[0], 2 * self.network.architecture.hidden[-1]
        if 4 * n_rows * width > _CODE_BYTES:
            return None
        # PyTorch counts the changes of each parameter
        versions = [parameter._version for parameter in self.network.former_parameters]
        if self._codes is None or self._codes[0] is not rows or self._codes[1] != versions:
            fits = self._codes is not None and self._codes[2].shape == (n_rows, width)
            codes = (
                self._codes[2]
                if self._codes and fits
                else torch.empty((n_rows, width), dtype=torch.float32, device=self.device)
            )
            for numbers in torch.split(torch.arange(n_rows), self.options.batch_size):
                code = self.network.former_code(rows.batch(numbers), self.half)
                codes[numbers[0] : numbers[-1] + 1] = torch.cat(code, dim=1)
            self._codes = rows, versions, codes
        return self._codes[2]


def _learn(parameters: list[nn.Parameter], *, instead_of: list[nn.Parameter]) -> None:
    """Have gradients computed for `parameters` alone."""
    for wanted, group in ((True, parameters), (False, instead_of)):
        for parameter in group:
            parameter.requires_grad_(wanted)

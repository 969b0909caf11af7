"""The network of an autoencoder: weights, biases, and the way from a batch to the code and back."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aerec.likelihood import Likelihood
from aerec.network.batches import Batch, SparseBatch
from aerec.network.losses import all_entries_loss, observed_loss
from aerec.network.products import Scratch, affine, first_layer, tanh
from aerec.network.rows import DenseRows, WholeRows
from aerec.network.sampled import sampled_loss
from aerec.noise import GaussianNoise, MaskingNoise, Noise
from aerec.sparse import CSR, take_rows
from aerec.sparsity import Sparsity

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "sigmoid": torch.sigmoid,
    "tanh": tanh,
    "relu": torch.relu,
    "leaky_relu": nn.functional.leaky_relu,
    "elu": nn.functional.elu,
    "selu": nn.functional.selu,
    "gelu": nn.functional.gelu,
    "softplus": nn.functional.softplus,
    "swish": nn.functional.silu,
}

_empty = functools.partial(torch.empty, dtype=torch.float32)  # whatever PyTorch's default is

INITIALIZATIONS = ("xavier", "orthogonal", "zero-decoder")
_LARGEST_LOG_VARIANCE = 2.0  # The prior's is 0; e^x of a row far out would overflow before it is learned


@dataclass(frozen=True)
class Architecture:
    """Everything that shapes the network; the hyper-parameters of `Autoencoder` of the same names."""

    n_inputs: int
    hidden: tuple[int, ...]
    activation: str
    likelihood: Likelihood
    noise: Noise | None = None
    sparsity: Sparsity | None = None
    variational: bool = False
    tied: bool = False
    normalize: bool = False
    n_users: int = 0
    n_features: int = 0
    negatives: int | None = None
    initialization: str = "xavier"
    initialization_scale: float = 1.0


@dataclass(frozen=True)
class Cost:
    """The parts of the cost, each a mean over the rows of a batch; `kl` without its weight."""

    likelihood: Tensor
    sparsity: Tensor
    kl: Tensor

    def total(self, kl_weight: float | Tensor) -> Tensor:
        """Likelihood + sparsity + kl_weight · KL."""
        return self.likelihood + self.sparsity + kl_weight * self.kl


class Network(nn.Module):
    """Encoder and decoder, mirror images of each other: ``hidden`` names the encoder's layers, the last is the code.

    Weights of shape (in, out), as in scikit-learn, but for the output layer, whose weight is kept as (items, hidden):
    one row per item, like the first layer's, with which it is shared where weights are tied.

    Parameters
    ----------
    architecture : Architecture
    generator : torch.Generator
        Draws the initial weights.
    """

    decodes_at_once = False
    """Whether the decoder is one layer, from the code to the items."""

    def __init__(self, architecture: Architecture, generator: torch.Generator) -> None:
        super().__init__()
        self.architecture = architecture
        self.scratch = Scratch()
        sizes = (architecture.n_inputs, *architecture.hidden)
        code_width = 2 if architecture.variational else 1  # mean and log variance
        widths = [*sizes[1:-1], sizes[-1] * code_width]
        self.encoder_weights = nn.ParameterList(
            nn.Parameter(_empty(n_in, n_out)) for n_in, n_out in zip(sizes[:-1], widths, strict=True)
        )
        self.encoder_biases = nn.ParameterList(nn.Parameter(_empty(n_out)) for n_out in widths)
        back = (sizes[-1], sizes[0]) if self.decodes_at_once else sizes[::-1]
        shapes = list(itertools.pairwise(back))
        shapes[-1] = shapes[-1][::-1]  # the output layer: (items, hidden)
        own = [] if architecture.tied else shapes
        self.decoder_weights = nn.ParameterList(nn.Parameter(_empty(*shape)) for shape in own)
        self.decoder_biases = nn.ParameterList(nn.Parameter(_empty(n_out)) for n_out in back[1:])
        self.user_factors = nn.Parameter(_empty(architecture.n_users, widths[0])) if architecture.n_users else None
        self.feature_weights = (
            nn.Parameter(_empty(architecture.n_features, widths[0])) if architecture.n_features else None
        )
        self._features: CSR | None = None
        self._described: SparseBatch | None = None
        self.reset_parameters(generator)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the weights as the architecture says; biases, user factors and weights of features are 0.

        So are the weights of the log variance where rows are not brought to unit length: each code begins as wide as
        its prior, however far out its row is.
        """
        kind, scale = self.architecture.initialization, self.architecture.initialization_scale
        for weight in (*self.encoder_weights, *self.decoder_weights):
            if kind == "orthogonal":
                nn.init.orthogonal_(weight, gain=scale, generator=generator)
            else:  # uniform as Glorot and Bengio (2010)
                bound = scale * math.sqrt(6 / sum(weight.shape))
                weight.copy_(torch.rand(weight.shape, generator=generator, dtype=weight.dtype) * (2 * bound) - bound)
        if kind == "zero-decoder":
            self.decoder_weights[-1].zero_()
        if self.architecture.variational and not self.architecture.normalize:
            self.encoder_weights[-1][:, self.architecture.hidden[-1] :].zero_()
        for bias in (*self.encoder_biases, *self.decoder_biases):
            bias.zero_()
        for added in (self.user_factors, self.feature_weights):
            if added is not None:
                added.zero_()

    def describe(self, features: CSR | None) -> None:
        """Set the features F of the items, of shape (n_inputs, n_features): the first layer reads x·(W + F·U)."""
        self._features = features
        self._described = None if features is None else SparseBatch.of(features, self.encoder_weights[0].device)

    @torch.no_grad()
    def fold_features(self) -> None:
        """Put what features say into the weights W of the first layer, for good."""
        if self._features is None:
            return
        self.encoder_weights[0].copy_(self.input_weight())
        self.feature_weights = self._features = self._described = None

    @torch.no_grad()
    def begin_at_average(self, rows: WholeRows) -> None:
        """Have the outputs begin at what holds for the average of the `rows`, not at 0."""
        likelihood, bias = self.architecture.likelihood, self.decoder_biases[-1]
        if not (isinstance(rows, DenseRows) or likelihood.all_entries):
            bias.fill_(rows.mean_wanted())
        else:
            bias.copy_(torch.from_numpy(likelihood.prior_logits(rows.column_sums(), rows.shape[0])))

    def extra_repr(self) -> str:
        """Sizes and choices."""
        return str(self.architecture)

    # ------------------------------------------------------------------ encoder

    def encode(
        self,
        batch: Batch,
        users: Tensor | None = None,
        *,
        noise_from: torch.Generator | None = None,
        half: bool = False,
        with_variance: bool = True,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the code of each row, and its log variance where the code is variational.

        Parameters
        ----------
        batch : Batch of shape (n_rows, n_inputs)
        users : Tensor of int, shape (n_rows,), optional
            Row of each user in the user factors, −1 for none.
        noise_from : torch.Generator, optional
            Draws the noise; without it the input is clean.
        half : bool, default False
            Whether the products take bfloat16 factors.
        with_variance : bool, default True
            Without it no log variance is computed where that saves anything, and None returned.

        Returns
        -------
        code : Tensor of shape (n_rows, n_code)
        log_variance : Tensor of shape (n_rows, n_code) or None
        """
        return self.code_of(self.first_hidden(batch, users, noise_from), half=half, with_variance=with_variance)

    def first_hidden(
        self, batch: Batch, users: Tensor | None = None, noise_from: torch.Generator | None = None
    ) -> Tensor:
        """Return the first hidden layer before its activation: the part of `encode` that reads the batch."""
        weight, noise = self.effective(self.encoder_weights[0]), self.architecture.noise
        batch = batch.normalized() if self.architecture.normalize else batch
        read = batch if noise is None or noise_from is None else batch.corrupted(noise, noise_from)
        lazy = self.architecture.negatives is not None
        counted = weight.device.type == "cpu" and not lazy  # counting would make a device wait
        if isinstance(noise, MaskingNoise) and isinstance(read, SparseBatch) and read is not batch and counted:
            read = read.without_zeros()
        hidden: Tensor = first_layer(read, weight, self.scratch, lazy=lazy) + self.encoder_biases[0]
        if self._features is not None:
            hidden = hidden + self._from_features(read, lazy)
        if (
            noise_from is not None
            and isinstance(noise, GaussianNoise)
            and noise.entries == "all"
            and isinstance(batch, SparseBatch)  # a dense one is corrupted already
        ):
            hidden = hidden + noise.preactivation_noise(self.input_weight(), batch.n_rows, noise_from)
        if self.user_factors is not None and users is not None:
            known = (users >= 0).to(hidden.dtype)[:, None]
            hidden = hidden + self.user_factors[users.clamp_min(0)] * known
        return hidden

    def code_of(
        self, hidden: Tensor, *, half: bool = False, with_variance: bool = True
    ) -> tuple[Tensor, Tensor | None]:
        """Return what `encode` does, given the first hidden layer before its activation."""
        arch = self.architecture
        activation = ACTIVATIONS[arch.activation]
        weights, biases = list(self.encoder_weights)[1:], list(self.encoder_biases)[1:]
        if arch.variational and weights and not with_variance:
            weights[-1], biases[-1] = self._code_part(weights[-1]), biases[-1][: arch.hidden[-1]]
        for weight, bias in zip(weights, biases, strict=True):
            hidden = affine(activation(hidden), self.effective(weight), bias, half)
        if arch.variational:
            code, log_variance = hidden[:, : arch.hidden[-1]], hidden[:, arch.hidden[-1] :]
            log_variance = log_variance.clamp_max(_LARGEST_LOG_VARIANCE)
        else:
            code, log_variance = activation(hidden), None
        code = code if arch.sparsity is None else arch.sparsity.apply(code)
        return code, log_variance if with_variance else None

    def effective(self, weight: Tensor) -> Tensor:
        """Return what a layer multiplies by, given its weight: the weight itself, unless a subclass says otherwise."""
        return weight

    def input_weight(self, items: Tensor | None = None) -> Tensor:
        """Return what the first layer multiplies by, W + F·U where items have features; shape (n_inputs, n_hidden).

        With `items` the rows of these.
        """
        weight = self.effective(self.encoder_weights[0])
        weight = weight if items is None else weight[items]
        if self._features is None:
            return weight
        assert self._described is not None
        assert self.feature_weights is not None
        described = self._described
        if items is not None:
            described = SparseBatch.of(take_rows(self._features, items.cpu().numpy()), weight.device)
        return weight + first_layer(described, self.feature_weights)

    def _from_features(self, read: Batch, lazy: bool) -> Tensor:
        """Return x·F·U: on a processor of the few features of each row, (x·F)·U, elsewhere in fixed shapes, x·(F·U)."""
        assert self._features is not None
        assert self._described is not None
        assert self.feature_weights is not None
        if isinstance(read, SparseBatch) and read.values.device.type == "cpu":
            return first_layer(read.times(self._features), self.feature_weights, self.scratch, lazy=lazy)
        return first_layer(read, first_layer(self._described, self.feature_weights, self.scratch), self.scratch)

    # ------------------------------------------------------------------ decoder

    def decode_hidden(self, code: Tensor, half: bool = False) -> Tensor:
        """Return the last hidden layer, from which the output layer computes the logits."""
        activation = ACTIVATIONS[self.architecture.activation]
        for weight, bias in zip(self.decoder()[:-1], list(self.decoder_biases)[:-1], strict=True):
            code = activation(affine(code, self.effective(weight), bias, half))
        return code

    def decode(self, code: Tensor) -> Tensor:
        """Return the logits at every item; shape (n_rows, n_inputs)."""
        return torch.addmm(self.decoder_biases[-1], self.decode_hidden(code), self.output_weight.T)

    @property
    def output_weight(self) -> Tensor:
        """Weight of the output layer, one row per item; shape (n_inputs, n_hidden)."""
        return self.effective(self.decoder()[-1])

    @property
    def output_bias(self) -> Tensor | None:
        """Bias of the output layer; shape (n_inputs,)."""
        bias: Tensor = self.decoder_biases[-1]
        return bias

    @torch.no_grad()
    def lay_out_for_single_rows(self) -> None:
        """Keep the output weight one hidden unit after the other in memory; values and shape stay what they are.

        The product with a single row then reads it about twice as fast. Tied weights stay item after item, which is
        how the encoder reads them.
        """
        if not self.architecture.tied:
            weight = self.decoder_weights[-1]
            weight.data = weight.data.T.contiguous().T

    def decoder(self) -> Sequence[Tensor]:
        """Weights of the decoder, the output layer last; those of the encoder, transposed, where they are tied."""
        if not self.architecture.tied:
            return list(self.decoder_weights)
        weights = list(self.encoder_weights)
        weights[-1] = self._code_part(weights[-1])
        return [*(weight.T for weight in weights[:0:-1]), weights[0]]

    def _code_part(self, last: Tensor) -> Tensor:
        """Return the part of the last encoder weight that makes a variational code, not its log variance."""
        return last[:, : self.architecture.hidden[-1]]

    # ------------------------------------------------------------------ cost

    def cost(
        self,
        batch: Batch,
        users: Tensor | None = None,
        *,
        noise_from: torch.Generator | None = None,
        corrupt: bool = True,
        half: bool = False,
    ) -> tuple[Cost, Tensor]:
        """Return the parts of the cost of a batch, and the sparsity statistic (Σ over rows, per code unit).

        With `noise_from` the input is corrupted (unless `corrupt` is false) and a variational code is drawn; without
        it the input is clean and the code is its mean.
        """
        arch, read, wanted, draws_noise = self.architecture, batch, batch, noise_from if corrupt else None
        if draws_noise is not None and isinstance(arch.noise, MaskingNoise) and arch.noise.hold_out:
            assert isinstance(batch, SparseBatch)
            read, wanted = batch.held_out(arch.noise, draws_noise)
            draws_noise = None
        code, log_variance = self.encode(read, users, noise_from=draws_noise, half=half)
        kl = code.new_zeros(())
        drawn = code
        if log_variance is not None:
            if noise_from is not None:
                normal = torch.randn(code.shape, generator=noise_from, dtype=code.dtype, device=code.device)
                drawn = code + normal * torch.exp(0.5 * log_variance)
            kl = self._divergence(batch, drawn, code, log_variance, half) / batch.n_rows
        penalty, statistic = code.new_zeros(()), code.new_zeros(code.shape[1])
        if arch.sparsity is not None:
            statistic = arch.sparsity.statistic(code, arch.activation)
            penalty = arch.sparsity.cost(statistic / batch.n_rows)
        hidden = self.decode_hidden(drawn, half)
        weight, bias = self.output_weight, self.decoder_biases[-1]
        if arch.negatives is not None and noise_from is not None and isinstance(wanted, SparseBatch):
            loss = sampled_loss(
                hidden, weight, bias, wanted, arch.likelihood, arch.negatives, noise_from, half, self.scratch
            )
        elif arch.likelihood.all_entries:
            loss = all_entries_loss(hidden, weight, bias, wanted, arch.likelihood, half, self.scratch)
        else:
            assert isinstance(wanted, SparseBatch)
            loss = observed_loss(hidden, weight, bias, wanted, self.scratch)
        return Cost(loss / batch.n_rows, penalty, kl), statistic

    def _divergence(self, batch: Batch, drawn: Tensor, mean: Tensor, log_variance: Tensor, half: bool) -> Tensor:
        """Σ over rows of KL(N(mean, variance) ‖ N(0, I)), in closed form."""
        return 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum()

    def weights(self) -> list[nn.Parameter]:
        """All weights, without biases: what weight decay acts on."""
        added = [weight for weight in (self.user_factors, self.feature_weights) if weight is not None]
        return [*self.encoder_weights, *self.decoder_weights, *added]

    def biases(self) -> list[nn.Parameter]:
        """All biases."""
        return [*self.encoder_biases, *self.decoder_biases]

"""KernelAutoRec: AutoRec whose weights are weighted by a kernel of learned positions (Müller et al. 2018)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from aerec.dimensions import Choice, Number, Space, Whole
from aerec.models.autorec import AutoRec
from aerec.network.batches import Batch
from aerec.network.network import Architecture, Cost, Network
from aerec.noise import MaskingNoise, Noise
from aerec.parameters import Constraint, RealNumber, WholeNumber, passed_on
from aerec.sparsity import Sparsity
from aerec.training.optimizers import OptimizerChoice


class KernelAutoRec(AutoRec):
    r"""AutoRec with kernelised weights: every input, unit and output has a place, and only near ones are connected.

    .. math:: h_l = f\big((W_l \circ K_l)^\top h_{l-1} + b_l\big), \qquad
              K_{ij} = \max\big(0,\ 1 - \|p_i - q_j\|^2\big)

    W is as large as ever, the places p and q have few dimensions and are learned with it. K is between 0 and 1, and 0
    beyond distance 1. Two penalties, :math:`\tfrac{\lambda}{2}\|W\|^2` (``weight_decay``) and
    :math:`\tfrac{\kappa}{2}\|K\|^2` (``kernel_l2``), draw the weights together and the places apart, so that the
    network becomes sparse where the ratings do not hold it together. With places that all begin at one point, the
    paper's choice (``kernel_spread=0.001``), the network begins as `AutoRec`.

    The paper's network, SparseFC, is ``hidden=(500, 500)``, ``activation="sigmoid"``, without noise and biases. The
    paper trains it by L-BFGS on all rows at once, to an RMSE of 0.824 on MovieLens 1M; 480 steps of Adam left it at
    0.8525 here. So this is its network, not its training. The defaults here are what was better on the validation
    ratings of MovieLens 100K. Unlike in `AutoRec`, the decoder is the output layer alone, however many layers the
    encoder has: the code is the last of them.

    Parameters
    ----------
    hidden : int or tuple of int, default 300
    kernel_dims : int, default 5
        Dimensions of the places.
    kernel_l2 : float, default 2e-6
        κ, for a cost that is a mean over rows. The paper's is for the sum: n_rows times as large.
    kernel_spread : float, default 0.2
        Standard deviation of the places before training.
    batch_size : int or "auto", default "auto"
        "auto" takes a quarter of the rows, from 32 to 512: the kernels cost a step more than its rows.
    weight_decay : float or "auto", default "auto"
        λ. "auto" is the edge of noise (`aerec.closed_form.penalties.edge_of_noise`) of what the biases leave of the
        ratings, scaled to a mean square of 1 where that is above.
    epochs : int or "auto", default "auto"
        As in `AutoRec`, but more only where they have fewer than 4 steps.
    orientation, activation, noise, sparsity, biases, learning_rate, learning_rate_schedule, optimizer,
    patience, validation_metric, device, precision, seed, progress
        As in `AutoRec`, with other defaults.

    Attributes
    ----------
    coefs_ : list of ndarray
        W ∘ K of every layer. In `history_` the penalty of the kernels is part of "sparsity".

    References
    ----------
    Müller, Martel, Indiveri (2018). Kernelized synaptic weight matrices. ICML.
    Han, Lim, Long, Burgstaller, Poon (2021). GLocal-K: global and local kernels for recommender systems. CIKM. (The
    same as its first stage.)

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import KernelAutoRec
    >>> ratings = load_dataset("sample")
    >>> model = KernelAutoRec(hidden=20, epochs=3, progress=False).fit(ratings)
    >>> model.predict(ratings.users[:2], ratings.items[:2]).shape
    (2,)
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        **AutoRec._parameter_constraints,
        "kernel_dims": [WholeNumber(1)],
        "kernel_l2": [RealNumber(at_least=0)],
        "kernel_spread": [RealNumber(above=0)],
    }

    search_space: ClassVar[Space] = {
        "hidden": Whole(100, 600, log=True),
        "learning_rate": Number(1e-3, 5e-3, log=True),
        "weight_decay": Number(0.01, 1.0, log=True),
        "kernel_l2": Number(1e-7, 1e-4, log=True),
        "kernel_spread": Number(0.03, 0.3, log=True),
        "noise": Choice((MaskingNoise(0.4), MaskingNoise(0.5), MaskingNoise(0.6), MaskingNoise(0.7))),
        "epochs": Whole(40, 120),
    }

    _batches = (4, 512)
    _decay = 1.0
    _least_decay = 0.0
    _decay_before = 0.1

    def __init__(
        self,
        hidden: int | tuple[int, ...] = 300,
        kernel_dims: int = 5,
        kernel_l2: float = 2e-6,
        kernel_spread: float = 0.2,
        orientation: str = "item",
        activation: str = "tanh",
        noise: Noise | None = MaskingNoise(0.6),  # noqa: B008 (frozen)
        sparsity: Sparsity | None = None,
        biases: bool = True,
        epochs: int = 60,
        batch_size: int | str = "auto",
        learning_rate: float = 3e-3,
        learning_rate_schedule: str = "cosine",
        optimizer: OptimizerChoice = "adam",
        weight_decay: float | str = "auto",
        patience: int | None = 10,
        validation_metric: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        seed: int = 0,
        progress: bool | int = True,
    ) -> None:
        super().__init__(**passed_on(locals(), "kernel_dims", "kernel_l2", "kernel_spread"))
        self.kernel_dims = kernel_dims
        self.kernel_l2 = kernel_l2
        self.kernel_spread = kernel_spread

    def _build(self, n_inputs: int, n_users: int) -> Network:
        return KernelNetwork(
            self._architecture(n_inputs, n_users),
            torch.Generator().manual_seed(int(self.seed)),
            n_dims=int(self.kernel_dims),
            l2=float(self.kernel_l2),
            spread=float(self.kernel_spread),
        )


class KernelNetwork(Network):
    """A network whose layers multiply by W ∘ K, with K the kernel of the places of rows and columns of W.

    Parameters
    ----------
    architecture : Architecture
        Without tied weights.
    generator : torch.Generator
        Draws the initial weights, then the places.
    n_dims : int
    l2 : float
        κ of the penalty ½κ‖K‖² in training.
    spread : float
        Standard deviation of the initial places.
    """

    decodes_at_once = True

    def __init__(
        self, architecture: Architecture, generator: torch.Generator, *, n_dims: int, l2: float, spread: float
    ) -> None:
        super().__init__(architecture, generator)
        self.l2 = l2
        shapes = [weight.shape for weight in self.weights()]
        self.row_places = nn.ParameterList(
            nn.Parameter(torch.empty(n_rows, n_dims, dtype=torch.float32)) for n_rows, _ in shapes
        )
        self.column_places = nn.ParameterList(
            nn.Parameter(torch.empty(n_columns, n_dims, dtype=torch.float32)) for _, n_columns in shapes
        )
        with torch.no_grad():
            for places in (*self.row_places, *self.column_places):
                places.normal_(0.0, spread, generator=generator)

    def effective(self, weight: Tensor) -> Tensor:
        """Return W ∘ K."""
        layer = next(at for at, candidate in enumerate(self.weights()) if candidate is weight)
        return weight * self.kernel(layer)

    def kernel(self, layer: int) -> Tensor:
        """Return K of a layer, counted from the input; of the output layer one row per item, like its weight."""
        rows, columns = self.row_places[layer], self.column_places[layer]
        lengths = rows.square().sum(dim=1, keepdim=True) + columns.square().sum(dim=1)
        return (1 - torch.addmm(lengths, rows, columns.T, alpha=-2)).clamp_min(0)

    def cost(self, batch: Batch, users: Tensor | None = None, **options: Any) -> tuple[Cost, Tensor]:
        """Return the parts of the cost, in training with the penalty of the kernels as part of the sparsity."""
        cost, statistic = super().cost(batch, users, **options)
        if self.l2 and options.get("noise_from") is not None:
            size = sum((self.kernel(layer).square().sum() for layer in range(len(self.row_places))), cost.sparsity * 0)
            cost = replace(cost, sparsity=cost.sparsity + 0.5 * self.l2 * size)
        return cost, statistic
